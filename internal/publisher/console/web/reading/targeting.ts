// Targeting in plain words. What has no words here is shown as JSON, so nothing of a rule is left out.

import { ExactNumber, isObject, writeExact, type Json, type JsonObject } from "./json";

/** A piece of a sentence. */
export interface Word {
  /** A value is a string, a constant any other one: 1 and "1" are not the same. */
  is: "text" | "attribute" | "value" | "constant" | "segment" | "json";
  text: string;
}

/** What a rule answers. */
export type Outcome =
  | { is: "variant"; variant: string }
  | { is: "default" }
  | { is: "shares"; by: Word[]; shares: { variant: string; weight: number }[] }
  | { is: "json"; json: Json };

/** A step of targeting: the outcome for contexts that the condition is true of. The last one has no condition. */
export interface Rule {
  when: Word[] | undefined;
  then: Outcome;
}

/** The rules of a flag in their order. Without targeting there is one for everyone. */
export function rulesOf(targeting: Json | undefined): Rule[] {
  if (targeting === undefined || targeting === null || (isObject(targeting) && Object.keys(targeting).length === 0)) {
    return [{ when: undefined, then: { is: "default" } }];
  }
  const rules: Rule[] = [];
  let rest: Json | undefined = targeting;
  for (;;) {
    const branches: Json | undefined = call(rest, "if") ?? call(rest, "?:");
    if (!Array.isArray(branches) || branches.length < 2) {
      break;
    }
    let i = 0;
    for (; i + 1 < branches.length; i += 2) {
      rules.push({ when: condition(branches[i]!), then: outcome(branches[i + 1]!) });
    }
    rest = i < branches.length ? branches[i] : null;
  }
  rules.push({ when: undefined, then: outcome(rest ?? null) });
  return rules;
}

function outcome(rule: Json): Outcome {
  if (rule === null) {
    return { is: "default" };
  }
  if (typeof rule === "string") {
    return { is: "variant", variant: rule };
  }
  if (typeof rule === "boolean") {
    return { is: "variant", variant: String(rule) };
  }
  const buckets = call(rule, "fractional");
  if (Array.isArray(buckets)) {
    const shares = sharesOf(Array.isArray(buckets[0]) ? buckets : buckets.slice(1));
    if (shares) {
      return { is: "shares", by: Array.isArray(buckets[0]) ? [] : operand(buckets[0]!), shares };
    }
  }
  return { is: "json", json: rule };
}

function sharesOf(buckets: Json[]): { variant: string; weight: number }[] | undefined {
  const shares = [];
  for (const bucket of buckets) {
    if (!Array.isArray(bucket) || typeof bucket[0] !== "string" || bucket.length > 2) {
      return undefined;
    }
    const weight = bucket.length === 1 ? 1 : bucket[1] instanceof ExactNumber ? Number(bucket[1].text) : bucket[1];
    if (typeof weight !== "number") {
      return undefined;
    }
    shares.push({ variant: bucket[0], weight });
  }
  return shares.length === 0 ? undefined : shares;
}

/** The argument of a call of an operator, absent if it is no such call. */
function call(rule: Json | undefined, operator: string): Json | undefined {
  return isObject(rule) && Object.keys(rule).length === 1 ? rule[operator] : undefined;
}

const text = (t: string): Word => ({ is: "text", text: t });
const json = (rule: Json): Word[] => [{ is: "json", text: writeExact(rule) }];

/** Operators of two arguments, and what stands between these. */
const between: Record<string, string> = {
  "==": "is", "===": "is exactly", "!=": "is not", "!==": "is not exactly", "<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least",
  starts_with: "starts with", ends_with: "ends with",
};

const versions: Record<string, string> = {
  "=": "is", "!=": "is not", "<": "is before", "<=": "is at most", ">": "is after", ">=": "is at least", "^": "has the major version of", "~": "has the minor version of",
};

function condition(rule: Json): Word[] {
  if (!isObject(rule) || Object.keys(rule).length !== 1) {
    return rule === true ? [text("always")] : rule === false ? [text("never")] : json(rule);
  }
  const [operator, argument] = Object.entries(rule)[0]!;
  const arguments_ = Array.isArray(argument) ? argument : [argument];
  const [first, second, third] = arguments_;
  if (operator === "$ref" && typeof argument === "string") {
    return [text("in segment"), { is: "segment", text: argument }];
  }
  if ((operator === "and" || operator === "or") && arguments_.length > 0) {
    return arguments_.flatMap((a, i) => [...(i === 0 ? [] : [text(operator)]), ...grouped(a, operator)]);
  }
  if (operator === "!" && arguments_.length === 1) {
    return [text("not"), ...grouped(first!, "not")];
  }
  if (operator === "!!" && arguments_.length === 1) {
    return condition(first!);
  }
  if (operator === "var") {
    return [...operand(rule), text("is set")];
  }
  if (arguments_.length === 2 && between[operator]) {
    return [...operand(first!), text(between[operator]!), ...operand(second!)];
  }
  if (arguments_.length === 3 && (operator === "<" || operator === "<=")) {
    return [...operand(second!), text(operator === "<" ? "is above" : "is at least"), ...operand(first!), text(operator === "<" ? "and below" : "and at most"), ...operand(third!)];
  }
  if (operator === "in" && arguments_.length === 2) {
    return membership(first!, second!);
  }
  if (operator === "sem_ver" && arguments_.length === 3 && typeof second === "string" && versions[second]) {
    return [...operand(first!), text(`version ${versions[second]}`), ...operand(third!)];
  }
  return json(rule);
}

/** A part of a condition, in brackets where it would read as another one. */
function grouped(rule: Json, outside: string): Word[] {
  const inside = isObject(rule) ? Object.keys(rule)[0] : "";
  const words = condition(rule);
  const brackets = (inside === "and" || inside === "or") && inside !== outside && Array.isArray((rule as JsonObject)[inside]) && ((rule as JsonObject)[inside] as Json[]).length > 1;
  return brackets ? [text("("), ...words, text(")")] : words;
}

function membership(needle: Json, hay: Json): Word[] {
  if (!Array.isArray(hay)) {
    return [...operand(hay), text("contains"), ...operand(needle)];
  }
  if (hay.length === 1) {
    return [...operand(needle), text("is"), ...operand(hay[0]!)];
  }
  return [...operand(needle), text("is one of"), ...hay.flatMap(operand)];
}

function operand(rule: Json): Word[] {
  const path = call(rule, "var");
  const name = Array.isArray(path) ? path[0] : path;
  if (typeof name === "string" && name !== "" && (!Array.isArray(path) || path.length === 1)) {
    return [{ is: "attribute", text: name === "targetingKey" ? "targeting key" : name === "$flagd.timestamp" ? "the time" : name === "$flagd.flagKey" ? "the key of the flag" : name }];
  }
  if (typeof rule === "string") {
    return [{ is: "value", text: rule === "" ? '""' : rule }];
  }
  if (rule === null || typeof rule === "boolean" || typeof rule === "number" || rule instanceof ExactNumber) {
    return [{ is: "constant", text: writeExact(rule) }];
  }
  return json(rule);
}

/** Weights as percentages, such as 12.5 %. */
export function percentages(shares: { variant: string; weight: number }[]): { variant: string; percent: string }[] {
  const total = shares.reduce((sum, s) => sum + s.weight, 0);
  return shares.map((s) => ({ variant: s.variant, percent: total === 0 ? "0 %" : percent(s.weight / total) }));
}

export function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}

/** A sentence without its marks. */
export function plain(words: Word[]): string {
  return words.map((w, i) => (i > 0 && listed(w) && listed(words[i - 1]) ? ", " : i > 0 ? " " : "") + (w.is === "value" ? `“${w.text}”` : w.text)).join("");
}

/** Whether a word may be one of several values. */
export function listed(word: Word | undefined): boolean {
  return word?.is === "value" || word?.is === "constant";
}

/** An outcome as text. */
export function outcomeText(then: Outcome): string {
  switch (then.is) {
    case "variant":
      return then.variant;
    case "default":
      return "the default variant";
    case "shares":
      return percentages(then.shares).map((s) => `${s.percent} ${s.variant}`).join(", ") + (then.by.length === 0 ? "" : ` by ${plain(then.by)}`);
    case "json":
      return writeExact(then.json);
  }
}

/** The targeting with other shares in the one fractional that it has; absent if it has none, or several. Without targeting there will be one. */
export function withShares(targeting: Json | undefined, shares: { variant: string; weight: number }[]): Json | undefined {
  const buckets: Json[] = shares.map((s) => [s.variant, s.weight]);
  const rules = rulesOf(targeting);
  if (rules.length === 1 && rules[0]!.then.is === "default") {
    return { fractional: buckets };
  }
  if (rules.filter((r) => r.then.is === "shares").length !== 1) {
    return undefined;
  }
  const replaced = (rule: Json): Json => {
    for (const operator of ["if", "?:"]) {
      const branches = call(rule, operator);
      if (Array.isArray(branches) && branches.length >= 2) {
        return { [operator]: branches.map((b, i) => (i % 2 === 1 || i === branches.length - 1 ? replaced(b) : b)) };
      }
    }
    const old = call(rule, "fractional");
    return Array.isArray(old) ? { fractional: Array.isArray(old[0]) ? buckets : [old[0]!, ...buckets] } : rule;
  };
  return replaced(targeting!);
}
