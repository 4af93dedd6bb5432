// Changes of several documents that a person collects for one change, by environment. They are kept for the tab, so that a wrong turn or a reload loses nothing.

import { signal } from "@preact/signals";
import type { Command } from "../api/types";
import { readExact, same, writeExact, type Json } from "../reading/json";

/** A document as it is wanted. */
export interface Kept {
  kind: "flag" | "segment";
  key: string;
  /** Absent if it is to be deleted. */
  document?: Json;
  /** What was there; absent if nothing was. */
  before?: Json;
  /** The revision that it was seen at; absent if nothing was there. */
  ifMatch?: string;
}

const version = signal(0);

const place = (environment: string) => `draft-${environment}`;

/** What is collected for an environment. */
export function draftOf(environment: string): Kept[] {
  void version.value;
  const text = window.sessionStorage.getItem(place(environment));
  try {
    return text === null ? [] : (readExact(text) as unknown as Kept[]);
  } catch {
    return [];
  }
}

/** Adds a document to what is collected, or takes the place of it. It says what went wrong if the browser has no room. */
export function keep(environment: string, wanted: Kept): string | undefined {
  const others = draftOf(environment).filter((k) => k.kind !== wanted.kind || k.key !== wanted.key);
  const was = draftOf(environment).find((k) => k.kind === wanted.kind && k.key === wanted.key);
  const begun = was && wanted.ifMatch === was.ifMatch ? was.before : wanted.before;
  return write(environment, same(begun, wanted.document) ? others : [...others, { ...wanted, before: begun }]);
}

export function drop(environment: string, kind: string, key: string): void {
  write(environment, draftOf(environment).filter((k) => k.kind !== kind || k.key !== key));
}

export function dropAll(environment: string): void {
  write(environment, []);
}

/** The command that makes everything that is collected in one change. */
export function draftCommand(all: Kept[]): Command {
  return {
    type: "documents",
    changes: all.map((k) => ({ kind: k.kind, key: k.key, ...(k.document === undefined ? {} : { document: k.document }), ...(k.ifMatch === undefined ? {} : { ifMatch: k.ifMatch }) })),
  };
}

function write(environment: string, all: Kept[]): string | undefined {
  try {
    if (all.length === 0) {
      window.sessionStorage.removeItem(place(environment));
    } else {
      window.sessionStorage.setItem(place(environment), writeExact(all));
    }
  } catch {
    return "The browser has no room for so much: propose what is collected first.";
  }
  version.value++;
  return undefined;
}

/** Makes what is collected be what a command says, which was made from what is there now. */
export function replaceDraft(environment: string, command: Command): void {
  const was = draftOf(environment);
  write(environment, (command.changes ?? []).map((c): Kept => {
    const old = was.find((k) => k.kind === (c.kind ?? "flag") && k.key === c.key);
    const { ifMatch: _, document: __, ...rest } = old ?? { kind: c.kind === "segment" ? ("segment" as const) : ("flag" as const), key: c.key ?? "" };
    return { ...rest, ...(c.document === undefined ? {} : { document: c.document as Json }), ...(c.ifMatch ? { ifMatch: c.ifMatch } : {}) };
  }));
}
