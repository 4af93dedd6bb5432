// What a change and one that others made meanwhile give together.

import { isObject, same, type Json, type JsonObject } from "./json";

/**
 * Yours on top of now, member by member, and the members that both have changed. Without a way to put them together the first is absent: a rule, as of a
 * segment, is one thing.
 */
export function combined(kind: string, base: Json | undefined, yours: Json | undefined, now: Json | undefined): [Json | undefined, string[]] {
  if (same(yours, now) || same(base, yours)) {
    return [now, []];
  }
  if (same(base, now)) {
    return [yours, []];
  }
  if (kind === "segment" || !isObject(base) || !isObject(yours) || !isObject(now)) {
    return [undefined, ["the document"]];
  }
  const result: JsonObject = Object.assign(Object.create(null), now);
  const conflicts: string[] = [];
  for (const name of new Set([...Object.keys(base), ...Object.keys(yours), ...Object.keys(now)])) {
    if (same(base[name], yours[name]) || same(yours[name], now[name])) {
      continue;
    }
    if (!same(base[name], now[name])) {
      conflicts.push(name);
    } else if (yours[name] === undefined) {
      delete result[name];
    } else {
      result[name] = yours[name];
    }
  }
  return [result, conflicts];
}
