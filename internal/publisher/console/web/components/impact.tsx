// What sidecars say a change would do to the evaluations that they remember.

import { impactOf } from "../api/changes";
import type { Command, Impact as Counts } from "../api/types";
import { percent } from "../reading/targeting";
import { useReading } from "../state/reading";

/** What is asked ends with the signal: once the change is being made, it would be asked of what was before. */
export function Impact({ environment, command, until }: { environment: string; command: Command; until: AbortSignal }) {
  const read = useReading(async (signal) => {
    try {
      return await impactOf(environment, command, AbortSignal.any([signal, until]));
    } catch (error) {
      if (until.aborted) {
        return undefined;
      }
      throw error;
    }
  }, [JSON.stringify(command), until]);
  const { value, problem } = read.value;
  return (
    <>
      <h3>What it would have answered lately</h3>
      {problem ? <p class="quiet">Not known: {problem.problem.detail}</p>
        : value === undefined && read.value.done && !until.aborted ? <p class="quiet">Not known: you may neither make nor propose this change.</p>
        : value === undefined ? <p class="quiet" role="status">Asking the sidecars…</p> : <Told counts={value} />}
    </>
  );
}

function Told({ counts: c }: { counts: Counts }) {
  const n = (count: number) => count.toLocaleString("en");
  if (c.missing || c.answered === 0) {
    const why = Object.entries(c.refused ?? {}).map(([reason, count]) => `${count} ${reason}`).join(", ");
    return <p class="quiet">Not known: {c.missing ?? (c.asked === 0 ? "no sidecar reports from this environment." : `none of ${c.asked} sidecars could tell${why === "" ? "" : ` (${why})`}.`)}</p>;
  }
  return (
    <>
      <ul class="impact">
        {c.flags.map((f) => (
          <li>
            <bdi>{f.key}</bdi>: {f.evaluations === 0 ? <span class="quiet">not evaluated lately</span> : f.changed === 0 ? <span>none of {n(f.evaluations)} answers changes</span> : (
              <b>{n(f.changed)} of {n(f.evaluations)} answers change ({percent(f.changed / f.evaluations)})</b>
            )}
            {f.changes.filter((x) => x.n > 0).map((x) => <p class="quiet">{n(x.n)} from <bdi>{x.from || "the default of the application"}</bdi> to <bdi>{x.to || "the default of the application"}</bdi>{x.from === x.to && ", with another value"}</p>)}
            {f.errorsAfter > f.errorsBefore && <p class="bad-text">{n(f.errorsAfter - f.errorsBefore)} more would fail</p>}
          </li>
        ))}
        {(c.moreFlags ?? 0) > 0 && <li class="quiet">and {n(c.moreFlags!)} more flags</li>}
      </ul>
      <p class="quiet">
        From {n(c.answered)} of {n(c.sidecars)} sidecars, of the last {Math.max(1, Math.round(c.sinceSeconds / 60))} minutes{c.partial && ", a part of what they remember"}.
        {c.answered < c.sidecars && " Counts are estimated for all."}
        {(c.inProcess ?? 0) > 0 && ` Nothing is known of ${n(c.inProcess!)} clients that evaluate by themselves.`}
      </p>
    </>
  );
}
