// What is different between two environments, and what a document needs.

import { prerequisitesOf, segmentsIn } from "./flag";
import { isObject, same, type Json, type JsonObject } from "./json";

/** A document of an environment. */
export interface Document {
  kind: "flag" | "segment";
  key: string;
  revision: string;
  document: Json;
}

/** The documents of an environment by name. */
export type Documents = Map<string, Document>;

/** What tells documents apart. */
export function nameOf(kind: string, key: string): string {
  return `${kind} ${key}`;
}

/** A document that is not the same here and there. */
export interface Unlike {
  name: string;
  kind: "flag" | "segment";
  key: string;
  here?: Document;
  there?: Document;
}

/** The documents that differ, flags first, by key. Who owns a document is no difference: sources own what they own in one environment. */
export function unlike(here: Documents, there: Documents): Unlike[] {
  const found: Unlike[] = [];
  for (const name of new Set([...here.keys(), ...there.keys()])) {
    const [a, b] = [here.get(name), there.get(name)];
    if (!a || !b || !same(unowned(a.document), unowned(b.document))) {
      const { kind, key } = (a ?? b)!;
      found.push({ name, kind, key, here: a, there: b });
    }
  }
  return found.sort((a, b) => (a.kind === b.kind ? (a.key < b.key ? -1 : 1) : a.kind === "flag" ? -1 : 1));
}

/** The names of the documents that a document needs, directly. */
export function needsOf(d: Document): string[] {
  const names: string[] = [];
  if (d.kind === "flag" && isObject(d.document)) {
    names.push(...prerequisitesOf(d.document).map((p) => nameOf("flag", p.flag)), ...[...segmentsIn(d.document.targeting)].map((s) => nameOf("segment", s)));
  } else if (d.kind === "segment") {
    names.push(...[...segmentsIn(d.document)].map((s) => nameOf("segment", s)));
  }
  return names;
}

/** The names of documents and of all that they need there, directly or not. */
export function closure(chosen: Iterable<string>, there: Documents): Set<string> {
  const wanted = new Set<string>();
  const look = [...chosen];
  for (let name = look.pop(); name !== undefined; name = look.pop()) {
    if (wanted.has(name)) {
      continue;
    }
    wanted.add(name);
    const found = there.get(name);
    if (found) {
      look.push(...needsOf(found).filter((n) => there.has(n)));
    }
  }
  return wanted;
}

const owner = "$source";

/** A document without its owner. */
export function unowned(d: Json): Json {
  if (!isObject(d) || d[owner] === undefined) {
    return d;
  }
  const rest: JsonObject = Object.assign(Object.create(null), d);
  delete rest[owner];
  return rest;
}

/** The document of there as it would stand here: a source that publishers follow owns what it owns in one environment. */
export function brought(there: Json, here: Json | undefined): Json {
  const [from, now] = [there, here].map((d) => (isObject(d) && typeof d[owner] === "string" ? d[owner] : ""));
  if (![from, now].some((o) => o!.startsWith("publisher:") || o!.startsWith("taken:"))) {
    return there;
  }
  const plain = unowned(there);
  return now === "" || !isObject(plain) ? plain : Object.assign(Object.create(null), plain, { [owner]: now });
}
