// Rows as files for other programs.

import type { Event } from "../api/types";

const columns = ["time", "type", "actor", "name", "documents", "reason", "revision", "change_request", "break_glass", "action", "policies", "ledger"] as const;

/** Events as CSV (RFC 4180), for spreadsheets: no cell can be taken for a formula. */
export function csv(events: Event[]): string {
  const rows = events.map((e) => [
    e.time, e.type, e.actor ?? "", (e.actor && e.names?.[e.actor]) || "", (e.documents ?? []).map((d) => `${d.action ?? ""} ${d.kind} ${d.key ?? ""}`.trim()).join("; "), e.text ?? "",
    e.revision ?? "", e.changeRequest ?? "", e.breakGlass ? "yes" : "", e.action ?? "", (e.policies ?? []).join(" "), e.sequence === undefined ? "" : String(e.sequence),
  ]);
  return [columns as readonly string[], ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

/** A cell that a spreadsheet takes for text: what begins like a formula, also behind space, begins with an apostrophe. */
export function cell(text: string): string {
  const harmless = /^\s*[=+\-@|%\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return `"${harmless.replaceAll('"', '""')}"`;
}

/** Events as JSON Lines. */
export function jsonLines(events: Event[]): string {
  return events.map((e) => JSON.stringify(e) + "\n").join("");
}

/** Who signed a note of C2SP: the name of the key and its number, from its last line. */
export function signers(note: string): string[] {
  return note.split("\n").filter((l) => l.startsWith("\u2014 ")).map((l) => {
    const [, name = "", signature = ""] = l.split(" ");
    const bytes = [...atob(signature).slice(0, 4)].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
    return `${name} ${bytes}`;
  });
}
