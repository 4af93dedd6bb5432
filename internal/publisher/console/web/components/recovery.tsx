// Long work of the last hour, and what begins the log of an environment again.

import { useSignal } from "@preact/signals";
import { ApiProblem, ask, environmentPath, headerText } from "../api/http";
import type { PolicyAnswer, Restored } from "../api/types";
import { colourOf } from "../state/environments";
import { to } from "../state/router";
import { lookAtTasks, tasksOf } from "../state/tasks";
import { Confirm } from "./confirm";
import { Person, ProblemNote, Tag, Time } from "./marks";
import { extentOf, Progress, titleOfTask } from "./tasks";

export function Recovery({ environment, may }: { environment: string; may: PolicyAnswer | undefined }) {
  const asking = useSignal(false);
  const problem = useSignal<ApiProblem | undefined>(undefined);
  const recreate = async (reason: string) => {
    problem.value = undefined;
    lookAtTasks();
    try {
      await ask<Restored>("POST", `${environmentPath(environment)}/recreate`, { headers: reason.trim() === "" ? {} : { "Flagside-Reason": headerText(reason) } });
    } catch (error) {
      if (!(error instanceof ApiProblem)) {
        throw error;
      }
      problem.value = error;
    }
    lookAtTasks();
  };
  return (
    <section aria-labelledby="work">
      <h2 id="work">Long work of the last hour</h2>
      <Work environment={environment} />
      {problem.value && <ProblemNote problem={problem.value} />}
      {may?.permitted && <p class="actions"><button class="button" onClick={() => (asking.value = true)}>Write a new epoch…</button></p>}
      <p class="quiet">Restore a snapshot or a backup by <code>flagside environment restore</code></p>
      {asking.value && (
        <Confirm title={`Write a new epoch of ${environment}`} action={`Write it for ${environment}`} colour={`colour-${colourOf(environment)}`} close={() => (asking.value = false)}
          run={async (reason) => void recreate(reason)}>
          <p>The log begins again with what this publisher knows: all documents stay as they are, and get new revisions. It is for a log that cannot go on, such as after its stream was lost.
            It goes on when you leave this page.</p>
        </Confirm>
      )}
    </section>
  );
}

function Work({ environment }: { environment: string }) {
  const all = tasksOf(environment);
  if (all.length === 0) {
    return <p>There was none. New epochs, restores, verifications, and changes of 100 documents or more are shown here.</p>;
  }
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Long work of the last hour">
      <table class="work">
        <thead><tr><th scope="col">What</th><th scope="col">Who</th><th scope="col">Begun</th><th scope="col">How far</th><th scope="col">How it ended</th></tr></thead>
        <tbody>
          {all.map((t) => (
            <tr key={t.id}>
              <th scope="row">{titleOfTask(t)}</th>
              <td><Person id={t.actor} names={t.names} /></td>
              <td><Time at={t.begun} /></td>
              <td>{extentOf(t)}{t.state === "running" && <Progress task={t} />}</td>
              <td class="wide">
                {t.state === "running" ? <Tag>running</Tag> : t.state === "done" ? <Tag tone="good">done</Tag> : <><Tag tone="bad">failed</Tag> <bdi>{t.problem?.detail}</bdi></>}
                {t.request && <> <a href={to([environment, "requests", t.request])}>request</a></>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
