import { useSignal } from "@preact/signals";
import { Logo } from "../components/frame";
import { session, signIn } from "../state/session";

export function SignIn() {
  const token = useSignal("");
  const problem = useSignal<string | undefined>(undefined);
  const busy = useSignal(false);
  const ways = session.value.state === "out" ? session.value : undefined;
  const submit = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    problem.value = await signIn(token.value.trim()).catch(() => "The publisher did not answer. Check the network, then try again.");
    busy.value = false;
  };
  return (
    <main class="sign-in">
      <Logo />
      <h1>Sign in</h1>
      {ways?.oidc && <a class="button primary wide" href={`/console/sign-in?to=${encodeURIComponent(window.location.pathname + window.location.search)}`} data-leave>Sign in with {ways.oidc}</a>}
      {ways?.oidc && ways.token !== false && <p class="or"><span>or</span></p>}
      {ways?.token !== false && (
        <form onSubmit={submit}>
          <label for="token">API token</label>
          <input id="token" type="password" autocomplete="off" spellcheck={false} required value={token.value} aria-describedby="token-help"
            onInput={(e) => (token.value = e.currentTarget.value)} />
          <p id="token-help" class="quiet">It is exchanged for a session and not kept in the browser. Create one with <code>flagside token create</code></p>
          {problem.value && <p class="note bad" role="alert">{problem.value}</p>}
          <button class={ways?.oidc ? "button wide" : "button primary wide"} disabled={busy.value}>Sign in with a token</button>
        </form>
      )}
    </main>
  );
}
