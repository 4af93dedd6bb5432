// The flags and segments of an environment, read once and kept current by events.

import { signal, type Signal } from "@preact/signals";
import { ApiProblem, ask, environmentPath, flagPath, get } from "../api/http";
import type { DocumentList, FlagInUse, FlagLifecycle, Lifecycle, Usage } from "../api/types";
import { flagOf, type Flag } from "../reading/flag";
import type { Json } from "../reading/json";

export interface Flags {
  items: Flag[];
  segments: string[];
  complete: boolean;
  /** The revision of the environment at which reading began, or of the newest change that was taken over. */
  revision: string;
  problem?: ApiProblem;
}

/** What is known of flags beside their documents. */
export interface Around {
  stages: Map<string, FlagLifecycle>;
  uses: Map<string, FlagInUse>;
  usageKept: boolean;
}

const known = new Map<string, Signal<Flags>>();
const surroundings = new Map<string, Signal<Around>>();

/** The flags of an environment, which begin to be read when they are first wanted. */
export function flagsOf(environment: string): Signal<Flags> {
  let flags = known.get(environment);
  if (!flags) {
    flags = signal<Flags>({ items: [], segments: [], complete: false, revision: "" });
    known.set(environment, flags);
    void load(environment, flags);
  }
  return flags;
}

/** What is known of the flags of an environment, likewise. */
export function aroundOf(environment: string): Signal<Around> {
  let around = surroundings.get(environment);
  if (!around) {
    around = signal<Around>({ stages: new Map(), uses: new Map(), usageKept: false });
    surroundings.set(environment, around);
    void loadAround(environment, around);
  }
  return around;
}

/** Forgets everything, as after a sign-out. */
export function forgetFlags(): void {
  known.clear();
  surroundings.clear();
}

/** Reads all flags of an environment again; what is shown stays until they are there. */
export function reloadFlags(environment: string): void {
  const flags = known.get(environment);
  if (flags) {
    void load(environment, flags);
  }
}

async function load(environment: string, flags: Signal<Flags>): Promise<void> {
  const first = flags.value.items.length === 0;
  const items: Flag[] = [];
  let revision = "";
  try {
    const segments = pages(`${environmentPath(environment)}/segments`, "&keysOnly=true"); // members may be many
    for await (const page of pages(`${environmentPath(environment)}/flags`)) {
      revision ||= page.revision;
      items.push(...page.items.map((f) => flagOf(f.key, f.revision, f.document as Json)));
      if (first) {
        flags.value = { ...flags.value, items: [...items] };
      }
    }
    const names: string[] = [];
    for await (const page of segments) {
      names.push(...page.items.map((s) => s.key));
    }
    flags.value = { items, segments: names, complete: true, revision };
  } catch (error) {
    if (!(error instanceof ApiProblem)) {
      throw error;
    }
    flags.value = { ...flags.value, complete: true, problem: error };
  }
}

async function* pages(path: string, more = ""): AsyncGenerator<DocumentList> {
  for (let after = ""; ; ) {
    const page: DocumentList = await get(`${path}?limit=1000${more}${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`);
    yield page;
    if (!page.next) {
      return;
    }
    after = page.next;
  }
}

async function loadAround(environment: string, around: Signal<Around>): Promise<void> {
  const base = environmentPath(environment);
  const none = (): undefined => undefined; // a viewer without these still sees the flags
  const [stages, usage] = await Promise.all([get<Lifecycle>(`${base}/lifecycle`).catch(none), get<Usage>(`${base}/usage?hourly=true`).catch(none)]);
  around.value = {
    stages: new Map(stages?.items.map((f) => [f.key, f])), uses: new Map(usage?.flags.map((f) => [f.key, f])), usageKept: usage?.kept ?? false,
  };
}

/** Reads flags again that have changed, or that are gone. */
export async function refreshFlags(environment: string, keys: string[], revision: string): Promise<void> {
  const flags = known.get(environment);
  if (!flags) {
    return;
  }
  if (keys.length > 20) {
    reloadFlags(environment);
    return;
  }
  const now = new Map(await Promise.all(keys.map(async (key): Promise<[string, Flag | undefined]> => [key, await current(environment, key)])));
  const items = flags.value.items.filter((f) => !now.has(f.key));
  items.push(...[...now.values()].filter((f) => f !== undefined));
  items.sort((a, b) => (a.key < b.key ? -1 : 1));
  flags.value = { ...flags.value, items, revision };
}

/** Whether the flags of an environment were read, and at another revision than this one. */
export function outdated(environment: string, revision: string | undefined): boolean {
  const flags = known.get(environment)?.value;
  return flags !== undefined && flags.complete && flags.revision !== revision;
}

async function current(environment: string, key: string): Promise<Flag | undefined> {
  try {
    const read = await ask<Json>("GET", flagPath(environment, key), { exact: true });
    return flagOf(key, read.revision, read.value);
  } catch (error) {
    if (error instanceof ApiProblem && error.problem.status === 404) {
      return undefined;
    }
    throw error;
  }
}
