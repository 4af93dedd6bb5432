import { render } from "preact";
import { App } from "./routes/app";
import { followLinks } from "./state/router";
import { loadSession } from "./state/session";
import { applyTheme } from "./state/theme";

applyTheme();
followLinks();
render(<App />, document.getElementById("app")!);
void loadSession();
