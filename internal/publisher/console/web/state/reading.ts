// Something that a page reads, and reads again when it may have changed.

import { useSignal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiProblem } from "../api/http";

export interface Reading<T> {
  value?: T;
  problem?: ApiProblem;
  /** Whether the first answer is there. */
  done?: boolean;
  again: () => void;
}

/** Reads when the page opens and whenever one of the causes changes. What was read stays until the new answer is there. */
export function useReading<T>(read: (signal: AbortSignal) => Promise<T>, causes: unknown[]): Signal<Reading<T>> {
  const count = useSignal(0);
  const result = useSignal<Reading<T>>({ again: () => count.value++ });
  useEffect(() => {
    const ended = new AbortController();
    read(ended.signal).then(
      (value) => ended.signal.aborted || (result.value = { value, done: true, again: result.value.again }),
      (error: unknown) => {
        if (ended.signal.aborted) {
          return;
        }
        if (!(error instanceof ApiProblem)) {
          throw error;
        }
        result.value = { ...result.value, done: true, problem: error };
      },
    );
    return () => ended.abort();
  }, [count.value, ...causes]);
  return result;
}
