// A rule as a form, and back. Only what the form writes exactly as it was read becomes fields; everything else stays JSON, in its place and untouched.

import { ExactNumber, isObject, type Json, type JsonObject } from "./json";

/** A value that a field can hold. */
export type Scalar = null | boolean | number | string | ExactNumber;

/** A condition as fields, or as JSON. */
export type Condition =
  | { is: "comparison"; attribute: string; operator: string; value: Scalar }
  | { is: "version"; attribute: string; operator: string; value: string }
  | { is: "one-of"; attribute: string; values: Scalar[] }
  | { is: "contains"; attribute: string; value: Scalar }
  | { is: "segment"; segment: string }
  | { is: "json"; json: Json };

/** A condition, or its opposite: "!" may have its argument in a list or bare, and keeps the way in which it was written. */
export type Part = Condition & { not?: "list" | "bare" };

/** Conditions that are joined; a single one may be without a join. */
export interface When {
  join?: "and" | "or";
  parts: Part[];
}

/** A part of users. Without a weight it counts one, and is written without. */
export interface Share {
  variant: string;
  weight?: number | ExactNumber;
}

/** What is answered; null is the default variant. */
export type Then =
  | { is: "variant"; variant: string }
  | { is: "default" }
  | { is: "shares"; by?: Json; shares: Share[] }
  | { is: "json"; json: Json };

export interface FormRule {
  when: When;
  then: Then;
}

/** How rules are nested: so many in an "if", then the next "if" in place of its last member. */
interface Level {
  operator: "if" | "?:";
  count: number;
}

export interface RuleForm {
  rules: FormRule[];
  /** What everyone else gets; absent is the default variant, unsaid. */
  otherwise?: Then;
  levels: Level[];
  /** What stands for no rule at all: absent, null, or an empty object. */
  empty?: Json;
}

export const comparisons: Record<string, string> = {
  "==": "is", "!=": "is not", "===": "is exactly", "!==": "is not exactly", "<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least",
  starts_with: "starts with", ends_with: "ends with",
};

export const versionComparisons: Record<string, string> = {
  "=": "version is", "!=": "version is not", "<": "version is before", "<=": "version is at most", ">": "version is after", ">=": "version is at least",
  "^": "has the major version of", "~": "has the minor version of",
};

/** The form of a targeting. */
export function formOf(targeting: Json | undefined): RuleForm {
  if (targeting === undefined || targeting === null || (isObject(targeting) && Object.keys(targeting).length === 0)) {
    return { rules: [], levels: [], empty: targeting };
  }
  const form: RuleForm = { rules: [], levels: [] };
  let rest: Json = targeting;
  for (;;) {
    const operator = argument(rest, "if") !== undefined ? "if" : "?:";
    const branches = argument(rest, operator);
    if (!Array.isArray(branches) || branches.length < 2) {
      form.otherwise = thenOf(rest);
      return form;
    }
    const count = Math.floor(branches.length / 2);
    for (let i = 0; i < count; i++) {
      form.rules.push({ when: whenOf(branches[2 * i]!), then: thenOf(branches[2 * i + 1]!) });
    }
    form.levels.push({ operator, count });
    if (branches.length % 2 === 0) {
      return form;
    }
    rest = branches.at(-1)!;
  }
}

/** The targeting of a form; absent if it says nothing. */
export function targetingOf(form: RuleForm): Json | undefined {
  if (form.rules.length === 0) {
    return form.otherwise ? ofThen(form.otherwise) : form.empty;
  }
  const nested = form.levels.reduce((sum, l) => sum + l.count, 0) === form.rules.length;
  const levels: Level[] = nested ? form.levels : [{ operator: "if", count: form.rules.length }];
  let rest: Json[] = form.otherwise ? [ofThen(form.otherwise)] : [];
  let last = form.rules.length;
  for (const { operator, count } of [...levels].reverse()) {
    rest = [object(operator, [...form.rules.slice(last - count, last).flatMap((r) => [ofWhen(r.when), ofThen(r.then)]), ...rest])];
    last -= count;
  }
  return rest[0];
}

/** The form with other rules, which stand in one "if" from then on. */
export function withRules(form: RuleForm, rules: FormRule[]): RuleForm {
  return { rules, otherwise: form.otherwise, levels: [{ operator: "if", count: rules.length }] };
}

/** The fields of a condition, as of a segment. */
export function whenOf(rule: Json): When {
  for (const join of ["and", "or"] as const) {
    const all = argument(rule, join);
    if (Array.isArray(all) && all.length > 0) {
      return { join, parts: all.map(partOf) };
    }
  }
  return { parts: [partOf(rule)] };
}

export function ofWhen({ join, parts }: When): Json {
  return join === undefined && parts.length === 1 ? ofPart(parts[0]!) : object(join ?? "and", parts.map(ofPart));
}

function partOf(rule: Json): Part {
  const inside = argument(rule, "!");
  if (inside !== undefined) {
    const bare = !Array.isArray(inside);
    const part = bare ? conditionOf(inside) : inside.length === 1 ? conditionOf(inside[0]!) : undefined;
    if (part && part.is !== "json") {
      return { ...part, not: bare ? "bare" : "list" };
    }
  }
  return conditionOf(rule);
}

function ofPart(part: Part): Json {
  const rule = ofCondition(part);
  return part.not === undefined ? rule : object("!", part.not === "list" ? [rule] : rule);
}

function conditionOf(rule: Json): Condition {
  const as: Condition = { is: "json", json: rule };
  if (!isObject(rule) || Object.keys(rule).length !== 1) {
    return as;
  }
  const [operator, all] = Object.entries(rule)[0]!;
  if (operator === "$ref" && typeof all === "string") {
    return { is: "segment", segment: all };
  }
  if (!Array.isArray(all)) {
    return as;
  }
  const [first, second, third] = all;
  const attribute = attributeOf(first);
  if (operator === "sem_ver" && all.length === 3 && attribute !== undefined && typeof second === "string" && Object.hasOwn(versionComparisons, second) && typeof third === "string") {
    return { is: "version", attribute, operator: second, value: third };
  }
  if (all.length !== 2) {
    return as;
  }
  if (Object.hasOwn(comparisons, operator) && attribute !== undefined && scalar(second)) {
    return { is: "comparison", attribute, operator, value: second };
  }
  if (operator === "in") {
    if (attribute !== undefined && Array.isArray(second) && second.length > 0 && second.every(scalar)) {
      return { is: "one-of", attribute, values: second };
    }
    const contained = attributeOf(second);
    if (contained !== undefined && scalar(first)) {
      return { is: "contains", attribute: contained, value: first };
    }
  }
  return as;
}

function ofCondition(c: Condition): Json {
  switch (c.is) {
    case "comparison":
      return object(c.operator, [object("var", c.attribute), c.value]);
    case "version":
      return object("sem_ver", [object("var", c.attribute), c.operator, c.value]);
    case "one-of":
      return object("in", [object("var", c.attribute), c.values]);
    case "contains":
      return object("in", [c.value, object("var", c.attribute)]);
    case "segment":
      return object("$ref", c.segment);
    case "json":
      return c.json;
  }
}

function thenOf(rule: Json): Then {
  if (rule === null) {
    return { is: "default" };
  }
  if (typeof rule === "string") {
    return { is: "variant", variant: rule };
  }
  const all = argument(rule, "fractional");
  if (Array.isArray(all)) {
    const own = Array.isArray(all[0]) || all.length === 0;
    const shares = (own ? all : all.slice(1)).map(shareOf);
    if (shares.length > 0 && shares.every((s) => s !== undefined)) {
      return own ? { is: "shares", shares } : { is: "shares", by: all[0]!, shares };
    }
  }
  return { is: "json", json: rule };
}

function ofThen(then: Then): Json {
  switch (then.is) {
    case "default":
      return null;
    case "variant":
      return then.variant;
    case "shares":
      return object("fractional", [...(then.by === undefined ? [] : [then.by]), ...then.shares.map((s): Json => (s.weight === undefined ? [s.variant] : [s.variant, s.weight]))]);
    case "json":
      return then.json;
  }
}

function shareOf(bucket: Json): Share | undefined {
  if (!Array.isArray(bucket) || typeof bucket[0] !== "string" || bucket.length > 2) {
    return undefined;
  }
  const weight = bucket[1];
  return weight === undefined ? { variant: bucket[0] } : typeof weight === "number" || weight instanceof ExactNumber ? { variant: bucket[0], weight } : undefined;
}

/** What a weight counts. */
export function weightOf(share: Share): number {
  return share.weight === undefined ? 1 : Number(share.weight instanceof ExactNumber ? share.weight.text : share.weight);
}

/** The document with another name for a variant, wherever the form knows that it is one. */
export function renamed(document: JsonObject, from: string, to: string): JsonObject {
  const name = (n: string) => (n === from ? to : n);
  const result: JsonObject = copy(document);
  if (isObject(document.variants)) {
    result.variants = ofEntries(Object.entries(document.variants).map(([n, value]) => [name(n), value]));
  }
  for (const member of ["defaultVariant", "offVariant"]) {
    const value = document[member];
    if (typeof value === "string") {
      result[member] = name(value);
    }
  }
  const then = (t: Then): Then => (t.is === "variant" ? { ...t, variant: name(t.variant) } : t.is === "shares" ? { ...t, shares: t.shares.map((s) => ({ ...s, variant: name(s.variant) })) } : t);
  const form = formOf(document.targeting);
  const targeting = targetingOf({ ...form, rules: form.rules.map((r) => ({ ...r, then: then(r.then) })), ...(form.otherwise ? { otherwise: then(form.otherwise) } : {}) });
  if (targeting !== undefined) {
    result.targeting = targeting;
  }
  return result;
}

/** The document with another value of a member; absent takes it away. */
export function having(document: JsonObject, member: string, value: Json | undefined): JsonObject {
  const result = copy(document);
  if (value === undefined) {
    delete result[member];
  } else {
    result[member] = value;
  }
  return result;
}

/** An object of these members, without a prototype, so that a member may have any name. */
export function ofEntries(members: [string, Json][]): JsonObject {
  const result: JsonObject = Object.create(null);
  members.forEach(([name, value]) => (result[name] = value));
  return result;
}

function copy(document: JsonObject): JsonObject {
  return ofEntries(Object.entries(document));
}

function object(name: string, value: Json): JsonObject {
  return ofEntries([[name, value]]);
}

/** The argument of a call of an operator; absent if it is no such call. */
function argument(rule: Json | undefined, operator: string): Json | undefined {
  return isObject(rule) && Object.keys(rule).length === 1 && Object.hasOwn(rule, operator) ? rule[operator] : undefined;
}

function attributeOf(rule: Json | undefined): string | undefined {
  const name = argument(rule, "var");
  return typeof name === "string" ? name : undefined;
}

function scalar(value: Json | undefined): value is Scalar {
  return value !== undefined && !Array.isArray(value) && !isObject(value);
}
