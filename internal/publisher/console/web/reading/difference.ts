// What is different between two documents: first what it means, then line by line. Every member that differs is told.

import { isObject, pretty, same, writeExact, type Json, type JsonObject } from "./json";
import { prerequisitesOf } from "./flag";
import { whenOf } from "./form";
import { outcomeText, plain, rulesOf, type Rule } from "./targeting";

/** A sentence about a difference, with what was and what will be where these are short. */
export interface Remark {
  is: "added" | "changed" | "removed";
  what: string;
  before?: string;
  after?: string;
}

/** What is different, in sentences. */
export function remarksOf(before: Json | undefined, after: Json | undefined): Remark[] {
  if (before === undefined || after === undefined) {
    return before === after ? [] : [{ is: before === undefined ? "added" : "removed", what: before === undefined ? "The document is new" : "The document is deleted" }];
  }
  if (!isObject(before) || !isObject(after)) {
    return same(before, after) ? [] : [{ is: "changed", what: "The rule", before: short(before), after: short(after) }];
  }
  if (isRule(before) && isRule(after)) {
    return same(before, after) ? [] : remarksOnRule(before, after);
  }
  const names = [...new Set([...first.filter((n) => n in before || n in after), ...Object.keys(before), ...Object.keys(after)])];
  return names.filter((name) => !same(before[name], after[name])).flatMap((name) => remarkOn(name, before, after));
}

/** Whether a document is a rule, as a segment is. */
function isRule(document: JsonObject): boolean {
  const [name, ...others] = Object.keys(document);
  return name !== undefined && others.length === 0 && !first.includes(name) && !Object.hasOwn(names, name) && !name.startsWith("x-");
}

/** What is different between two rules: of lists of values only what came and went. */
function remarksOnRule(before: JsonObject, after: JsonObject): Remark[] {
  const [was, is] = [whenOf(before).parts[0]!, whenOf(after).parts[0]!];
  if (was.is === "one-of" && is.is === "one-of" && was.attribute === is.attribute && was.not === is.not && was.values.length + is.values.length > 6) {
    const [old, now] = [new Set(was.values.map(writeExact)), new Set(is.values.map(writeExact))];
    const [came, went] = [is.values.filter((v) => !old.has(writeExact(v))), was.values.filter((v) => !now.has(writeExact(v)))];
    const remarks: Remark[] = [];
    const text = (values: Json[]) => clip(values.map((v) => (typeof v === "string" ? v : writeExact(v))).join(", "), 400);
    if (came.length > 0) {
      remarks.push({ is: "added", what: `${came.length} ${came.length === 1 ? "value" : "values"} of ${is.attribute}`, after: text(came) });
    }
    if (went.length > 0) {
      remarks.push({ is: "removed", what: `${went.length} ${went.length === 1 ? "value" : "values"} of ${was.attribute}`, before: text(went) });
    }
    if (remarks.length > 0) {
      return remarks;
    }
  }
  const words = (rule: JsonObject) => clip(plain(rulesOf({ if: [rule, "in"] })[0]!.when ?? []), 400);
  const [a, b] = [words(before), words(after)];
  return [a === b ? { is: "changed", what: "The rule is written in another way", before: short(before), after: short(after) } : { is: "changed", what: "The rule", before: a, after: b }];
}

/** The order in which people want to know. */
const first = ["state", "defaultVariant", "targeting", "prerequisites", "variants"];

function remarkOn(name: string, before: JsonObject, after: JsonObject): Remark[] {
  const [old, now] = [before[name], after[name]];
  if (name === "state") {
    return [{ is: "changed", what: "The flag", before: stateText(old), after: stateText(now) }];
  }
  if (name === "variants" && isObject(old) && isObject(now)) {
    return members("Variant", old, now);
  }
  if (name === "metadata" && isObject(old) && isObject(now)) {
    return members("Metadata", old, now);
  }
  if (name === "targeting") {
    const remarks = rules(rulesOf(old), rulesOf(now));
    return remarks.length > 0 ? remarks : [{ is: "changed", what: "The rule is written in another way", before: short(old), after: short(now) }];
  }
  if (name === "prerequisites") {
    const text = (d: JsonObject) => prerequisitesOf(d).map((p) => `${p.flag} answers ${p.variants.join(" or ")}`).join(", and ") || "none";
    const [a, b] = [text(before), text(after)];
    if (a !== b) {
      return [{ is: "changed", what: "Prerequisites", before: a, after: b }];
    }
  }
  const what = names[name] ?? `Member ${name}`;
  if (old === undefined) {
    return [{ is: "added", what, after: short(now) }];
  }
  return now === undefined ? [{ is: "removed", what, before: short(old) }] : [{ is: "changed", what, before: short(old), after: short(now) }];
}

const names: Record<string, string> = {
  defaultVariant: "Default variant", offVariant: "Variant while off", owner: "Owner", kind: "Kind", description: "Description", expires: "Expires", tags: "Tags",
  freshness: "Freshness", refreshAfter: "Refresh after", maxStaleness: "Maximum staleness", onUnreachable: "When the log is unreachable", salt: "Salt of percentages",
  prerequisites: "Prerequisites", variants: "Variants", metadata: "Metadata",
};

function stateText(state: Json | undefined): string {
  return state === "ENABLED" ? "on" : state === "DISABLED" ? "off" : short(state);
}

function members(what: string, before: JsonObject, after: JsonObject): Remark[] {
  const all = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return all.filter((name) => !same(before[name], after[name])).map((name) => {
    const is = !Object.hasOwn(before, name) ? "added" : !Object.hasOwn(after, name) ? "removed" : "changed";
    const remark: Remark = { is, what: `${what} ${name}` };
    if (is !== "added") {
      remark.before = short(before[name]);
    }
    if (is !== "removed") {
      remark.after = short(after[name]);
    }
    return remark;
  });
}

/** Rules are matched by their conditions, so that one that is put between others is one remark. */
function rules(before: Rule[], after: Rule[]): Remark[] {
  const text = (r: Rule) => (r.when ? plain(r.when) : "Everyone else");
  const pairs = matched(before.map(text), after.map(text));
  return pairs.flatMap(([i, j]): Remark[] => {
    if (i !== undefined && j !== undefined) {
      const [a, b] = [outcomeText(before[i]!.then), outcomeText(after[j]!.then)];
      const condition = text(after[j]!) === text(before[i]!) ? text(after[j]!) : `${text(after[j]!)}, which was: ${text(before[i]!)}`;
      if (a === b && text(after[j]!) === text(before[i]!)) {
        return [];
      }
      return [{ is: "changed", what: ruleName(j, after[j]!, condition), before: a, after: b }];
    }
    return j !== undefined ? [{ is: "added", what: ruleName(j, after[j]!, text(after[j]!)), after: outcomeText(after[j]!.then) }]
      : [{ is: "removed", what: ruleName(i!, before[i!]!, text(before[i!]!)), before: outcomeText(before[i!]!.then) }];
  });
}

function ruleName(i: number, rule: Rule, condition: string): string {
  return rule.when ? `Rule ${i + 1} (${clip(condition, 160)})` : i === 0 ? "Everyone" : "Everyone else";
}

/** Pairs of equal texts in their order; what is left over between them is paired in its order, too. */
function matched(a: string[], b: string[]): [number | undefined, number | undefined][] {
  const pairs: [number | undefined, number | undefined][] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...common(a, b), [a.length, b.length] as [number, number]]) {
    while (i < x || j < y) {
      pairs.push([i < x ? i++ : undefined, j < y ? j++ : undefined]);
    }
    if (x < a.length) {
      pairs.push([i++, j++]);
    }
  }
  return pairs;
}

/** The places of a longest common subsequence. */
function common(a: string[], b: string[]): [number, number][] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i]![j] = a[i] === b[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const places: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      places.push([i++, j++]);
    } else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) {
      i++;
    } else {
      j++;
    }
  }
  return places;
}

/** A line of two texts, one below the other. */
export interface Line {
  is: "same" | "added" | "removed" | "skipped";
  text: string;
}

/** The most lines that are compared one by one; between larger texts everything that is not at the beginning or the end is shown as replaced. */
const mostLines = 1500;

/** The lines of two documents as JSON for people, with three lines around each difference. */
export function linesOf(before: Json | undefined, after: Json | undefined): Line[] {
  const split = (d: Json | undefined) => (d === undefined ? [] : pretty(d).split("\n"));
  const [a, b] = [split(before), split(after)];
  let [start, end] = [0, 0];
  while (start < a.length && start < b.length && a[start] === b[start]) {
    start++;
  }
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) {
    end++;
  }
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const lines: Line[] = a.slice(0, start).map((text) => ({ is: "same", text }));
  let [i, j] = [0, 0];
  for (const [p, q] of [...(Math.max(x.length, y.length) > mostLines ? [] : common(x, y)), [x.length, y.length] as [number, number]]) {
    while (i < p) {
      lines.push({ is: "removed", text: x[i++]! });
    }
    while (j < q) {
      lines.push({ is: "added", text: y[j++]! });
    }
    if (p < x.length) {
      lines.push({ is: "same", text: x[i]! });
      i++;
      j++;
    }
  }
  lines.push(...a.slice(a.length - end).map((text): Line => ({ is: "same", text })));
  return folded(lines);
}

function folded(lines: Line[]): Line[] {
  const near = lines.map(() => false);
  lines.forEach((line, i) => {
    if (line.is !== "same") {
      near.fill(true, Math.max(0, i - 3), i + 4);
    }
  });
  const result: Line[] = [];
  lines.forEach((line, i) => {
    if (near[i]) {
      result.push(line);
    } else if (result.at(-1)?.is !== "skipped") {
      result.push({ is: "skipped", text: "…" });
    }
  });
  return result;
}

function short(value: Json | undefined): string {
  return value === undefined ? "absent" : value === null ? "none" : typeof value === "string" ? clip(value, 400) : clip(writeExact(value), 400);
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`;
}
