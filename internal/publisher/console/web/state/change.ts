// The change that the composer shows. Small ones are in the address, so they can be sent to another person; larger ones in the storage of the tab.

import type { Command } from "../api/types";
import { readExact, writeExact } from "../reading/json";
import { draftCommand, draftOf } from "./draft";
import { go, to } from "./router";

/** The longest command that is put into an address. */
const longest = 1500;

/** A command with all its documents as they were written. */
export type Intended = Command;

/** Opens the composer with a command. */
export function compose(environment: string, command: Intended): void {
  go(composerAddress(environment, command));
}

export function composerAddress(environment: string, command: Intended): string {
  const text = writeExact(command);
  if (text.length <= longest) {
    return to([environment, "change"], { do: text });
  }
  const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  window.sessionStorage.setItem(`change-${id}`, text);
  return to([environment, "change"], { kept: id });
}

/** A document that a command changes, and the revision that it has been seen at. */
export interface Target {
  kind: "flag" | "segment";
  key: string;
  ifMatch?: string;
}

export function targetsOf(command: Command): Target[] {
  const all = command.type === "documents" ? command.changes ?? [] : [command];
  return all.map((c) => ({ kind: c.kind === "segment" ? "segment" : "flag", key: c.key ?? "", ...(c.ifMatch ? { ifMatch: c.ifMatch } : {}) }));
}

/** The command that an address means; absent if it means none. */
export function intended(environment: string, query: URLSearchParams): Intended | undefined {
  if (query.has("draft")) {
    const all = draftOf(environment);
    return all.length === 0 ? undefined : draftCommand(all);
  }
  const text = query.get("do") ?? window.sessionStorage.getItem(`change-${query.get("kept") ?? ""}`);
  try {
    return text === null ? undefined : (readExact(text) as unknown as Intended);
  } catch {
    return undefined;
  }
}

/** Whether a command says what it was made from. The composer shows no other. */
export function guarded(command: Intended): boolean {
  if (command.type === "documents") {
    return (command.changes ?? []).length > 0;
  }
  return ["put", "patch", "toggle", "archive"].includes(command.type) && (Boolean(command.ifMatch) || command.ifAbsent === true) && Boolean(command.key);
}
