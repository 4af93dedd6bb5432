// What a flag document says, for lists and pages.

import { isObject, type Json, type JsonObject } from "./json";

/** A flag as the pages read it. The document stays the truth. */
export interface Flag {
  key: string;
  revision: string;
  document: JsonObject;
  on: boolean;
  kind: string;
  owner: string;
  description: string;
  tags: string[];
  expires: string;
}

export function flagOf(key: string, revision: string, document: Json): Flag {
  const d = isObject(document) ? document : {};
  return {
    key, revision, document: d, on: d.state === "ENABLED", kind: text(d.kind), owner: text(d.owner), description: text(d.description),
    tags: Array.isArray(d.tags) ? d.tags.map(text) : [], expires: text(d.expires),
  };
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** The names of the variants. */
export function variantsOf(document: JsonObject): string[] {
  return isObject(document.variants) ? Object.keys(document.variants) : [];
}

/** The flags that must answer something before this one does. */
export function prerequisitesOf(document: JsonObject): { flag: string; variants: string[] }[] {
  const all = Array.isArray(document.prerequisites) ? document.prerequisites : [];
  return all.filter(isObject).map((p) => ({ flag: text(p.flag), variants: Array.isArray(p.variants) ? p.variants.map(text) : [] }));
}

/** The segments that a rule names. */
export function segmentsIn(rule: Json | undefined, into = new Set<string>()): Set<string> {
  if (Array.isArray(rule)) {
    rule.forEach((r) => segmentsIn(r, into));
  } else if (isObject(rule)) {
    if (typeof rule.$ref === "string") {
      into.add(rule.$ref);
    }
    Object.values(rule).forEach((r) => segmentsIn(r, into));
  }
  return into;
}

/** The attributes that rules ask for, the most frequent first. */
export function attributesIn(rules: (Json | undefined)[]): string[] {
  const counts = new Map<string, number>();
  const count = (rule: Json | undefined): void => {
    if (Array.isArray(rule)) {
      rule.forEach(count);
    } else if (isObject(rule)) {
      if (typeof rule.var === "string" && rule.var !== "") {
        counts.set(rule.var, (counts.get(rule.var) ?? 0) + 1);
      }
      Object.values(rule).forEach(count);
    }
  };
  rules.forEach(count);
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, 100).map(([name]) => name);
}
