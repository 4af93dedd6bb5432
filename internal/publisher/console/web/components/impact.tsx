// What sidecars say a change would do to the evaluations that they remember.

import { impactOf } from "../api/changes";
import type { Command, Impact as Counts } from "../api/types";
import { told } from "../reading/impact";
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

function Told({ counts }: { counts: Counts }) {
  const { headline, lines } = told(counts);
  return (
    <>
      <p class="quiet">{headline}</p>
      {lines.length > 0 && <ul class="impact">{lines.map((line) => <li><bdi>{line}</bdi></li>)}</ul>}
    </>
  );
}
