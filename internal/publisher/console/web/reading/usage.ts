// How often a flag was evaluated, as what can be drawn and read.

import type { FlagUsage } from "../api/types";

/** The counts of each time, told apart by what was answered. */
export interface Stack {
  /** Where each time begins, in seconds of Unix time. */
  times: number[];
  /** What was answered, the most frequent first; the empty name is the default of the application, and the last one may be for all others. */
  names: string[];
  totals: number[];
  /** By name, then by time. */
  counts: number[][];
}

/** How long a time is, in seconds. */
const lengths: Record<string, number> = { minute: 60, hour: 3600, day: 86400 };

/** What stands for all that there is no colour for. */
export const others = "\u0000others";

/** The counts of a usage, of so many answers at most. */
export function stackOf(usage: FlagUsage, most: number): Stack {
  const length = lengths[usage.step] ?? 3600;
  const [from, to] = [Date.parse(usage.from) / 1000, Date.parse(usage.to) / 1000];
  const times = Array.from({ length: Math.max(0, Math.round((to - from) / length)) }, (_, i) => from + i * length);
  const sums = new Map<string, number>();
  usage.points.forEach((p) => Object.entries(p.variants).forEach(([name, n]) => sums.set(name, (sums.get(name) ?? 0) + n)));
  let names = [...sums].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([name]) => name);
  const apart = names.length <= most ? names : names.slice(0, most - 1);
  names = apart.length === names.length ? names : [...apart, others];
  const counts = names.map(() => new Array<number>(times.length).fill(0));
  for (const p of usage.points) {
    const i = Math.floor((Date.parse(p.at) / 1000 - from) / length);
    for (const [name, n] of Object.entries(p.variants)) {
      const row = counts[apart.includes(name) ? apart.indexOf(name) : names.length - 1];
      if (row && i >= 0 && i < times.length) {
        row[i]! += n;
      }
    }
  }
  return { times, names, totals: counts.map((row) => row.reduce((a, b) => a + b, 0)), counts };
}

/** How often each release of each application has evaluated it, the most frequent first. */
export function releasesIn(usage: FlagUsage): { application: string; release: string; evaluations: number }[] {
  const sums = new Map<string, { application: string; release: string; evaluations: number }>();
  for (const { application = "", release = "", evaluations } of usage.series) {
    const key = JSON.stringify([application, release]);
    sums.set(key, { application, release, evaluations: (sums.get(key)?.evaluations ?? 0) + evaluations });
  }
  return [...sums.values()].sort((a, b) => b.evaluations - a.evaluations);
}
