// What sidecars say a change would do to the evaluations that they remember.

import type { Impact as Counts } from "../api/types";
import { told } from "../reading/impact";
import { useReading } from "../state/reading";

interface ImpactOptions {
  /** Asks the sidecars. */
  ask: (signal: AbortSignal) => Promise<Counts | undefined>;
  /** Tells one change from another: a change of it asks again. */
  of: string;
  /** Ends the question: once the change is being made, it would be asked of what was before. */
  until?: AbortSignal;
}

export function Impact({ ask, of, until }: ImpactOptions) {
  const read = useReading(async (signal) => {
    try {
      return await ask(until ? AbortSignal.any([signal, until]) : signal);
    } catch (error) {
      if (until?.aborted) {
        return undefined;
      }
      throw error;
    }
  }, [of, until]);
  const { value, problem } = read.value;
  return (
    <>
      <h3>What it would have answered lately</h3>
      {problem ? <p class="quiet">Not known: {problem.problem.detail}</p>
        : value === undefined && read.value.done && !until?.aborted ? <p class="quiet">Not known: you may neither make, propose nor approve this change.</p>
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
