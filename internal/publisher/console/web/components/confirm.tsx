// What is asked before something is done that cannot be taken back by a click.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ApiProblem } from "../api/http";
import { Dialog } from "./dialog";
import { ProblemNote } from "./marks";

export interface ConfirmOptions {
  title: string;
  /** What the button says: what is done, and to what. */
  action: string;
  /** The class of a colour, such as colour-red; danger without one. */
  colour?: string;
  /** Whether a reason is asked for, which stays in the records. */
  reason?: boolean;
  children: ComponentChildren;
  close: () => void;
  run: (reason: string) => Promise<void>;
}

export function Confirm({ title, action, colour, reason: wanted = true, children, close, run }: ConfirmOptions) {
  const reason = useSignal("");
  const busy = useSignal(false);
  const problem = useSignal<ApiProblem | undefined>(undefined);
  const submit = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    try {
      await run(reason.value);
      close();
    } catch (error) {
      if (!(error instanceof ApiProblem)) {
        throw error;
      }
      problem.value = error;
    }
    busy.value = false;
  };
  return (
    <Dialog label={title} close={close}>
      <form class="confirm" onSubmit={submit}>
        <h2>{title}</h2>
        {children}
        {wanted && <label class="field">Reason <span class="quiet">It stays in the records. Name no person.</span><input type="text" maxLength={400} value={reason.value} onInput={(e) => (reason.value = e.currentTarget.value)} /></label>}
        {problem.value && <ProblemNote problem={problem.value} />}
        <p class="actions">
          <button class={colour ? `button apply ${colour}` : "button danger"} disabled={busy.value}>{action}</button>
          <button type="button" class="button" onClick={close}>Cancel</button>
        </p>
      </form>
    </Dialog>
  );
}
