// Which flags a list shows, by what is in the address.

import type { Flag } from "../reading/flag";
import type { Around } from "./flags";

export const filters = ["q", "state", "kind", "owner", "tag", "stage"] as const;

/** The flags that the query wants, in the order that it wants. */
export function listed(flags: Flag[], around: Around, query: URLSearchParams): Flag[] {
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter((w) => w !== "");
  const wanted = (name: string, is: (value: string) => boolean) => !query.get(name) || is(query.get(name)!);
  const found = flags.filter((f) =>
    words.every((w) => f.key.toLowerCase().includes(w) || f.description.toLowerCase().includes(w)) &&
    wanted("state", (v) => f.on === (v === "on")) && wanted("kind", (v) => f.kind === v) && wanted("owner", (v) => f.owner === v) &&
    wanted("tag", (v) => f.tags.includes(v)) && wanted("stage", (v) => (around.stages.get(f.key)?.stage ?? "active") === v));
  const last = (f: Flag) => used(around, f.key) ?? "";
  switch (query.get("sort")) {
    case "changed":
      return found.sort((a, b) => number(b.revision) - number(a.revision));
    case "used":
      return found.sort((a, b) => last(b).localeCompare(last(a)) || (a.key < b.key ? -1 : 1));
    default:
      return found;
  }
}

/** When applications asked for a flag last. */
export function used(around: Around, key: string): string | undefined {
  const use = around.uses.get(key);
  return [use?.last, use?.lastBulk].filter((t) => t !== undefined).sort().at(-1);
}

function number(revision: string): number {
  return Number(revision.slice(revision.indexOf("-") + 1));
}

/** The values that occur, most frequent first. */
export function occurring(flags: Flag[], of: (flag: Flag) => string[]): string[] {
  const counts = new Map<string, number>();
  flags.forEach((f) => of(f).filter((v) => v !== "").forEach((v) => counts.set(v, (counts.get(v) ?? 0) + 1)));
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([value]) => value);
}
