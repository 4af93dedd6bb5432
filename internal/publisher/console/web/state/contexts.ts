// Evaluation contexts that a person keeps, by environment and in this browser alone.

import { signal, type Signal } from "@preact/signals";

export interface Saved {
  name: string;
  /** JSON, which may be unfinished. */
  text: string;
}

/** How many are kept. Each is a column. */
export const mostSaved = 8;

const known = new Map<string, Signal<Saved[]>>();

/** The contexts of an environment. */
export function contextsOf(environment: string): Signal<Saved[]> {
  let saved = known.get(environment);
  if (!saved) {
    saved = signal(read(environment));
    known.set(environment, saved);
  }
  return saved;
}

export function save(environment: string, all: Saved[]): void {
  contextsOf(environment).value = all;
  window.localStorage.setItem(`contexts-${environment}`, JSON.stringify(all));
}

function read(environment: string): Saved[] {
  try {
    const all: unknown = JSON.parse(window.localStorage.getItem(`contexts-${environment}`) ?? "[]");
    const fit = (Array.isArray(all) ? all : []).filter((s): s is Saved => typeof s?.name === "string" && typeof s?.text === "string");
    if (fit.length > 0) {
      return fit.slice(0, mostSaved);
    }
  } catch {
    // what another version has kept
  }
  return [{ name: "A user", text: '{"targetingKey": "user-1"}' }];
}
