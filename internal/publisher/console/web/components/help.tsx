import { Dialog } from "./dialog";

const keys: [string, string][] = [
  ["Ctrl K", "Find a flag, a page or an environment"], ["/", "Search the list"], ["j", "Next row"], ["k", "Previous row"], ["Enter", "Open the row"],
  ["t", "Turn the flag of the row on or off: opens the change, applies nothing"], ["Esc", "Close"], ["?", "These keys"],
];

export function Help({ close }: { close: () => void }) {
  return (
    <Dialog label="Keys" close={close}>
      <h2>Keys</h2>
      <dl class="keys">{keys.map(([key, does]) => <div><dt><kbd>{key}</kbd></dt><dd>{does}</dd></div>)}</dl>
      <button class="button" onClick={close}>Close</button>
    </Dialog>
  );
}
