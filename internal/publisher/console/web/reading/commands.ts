// Commands for a shell that ask what the page asks.

import { isObject, writeExact, type Json } from "./json";

/** A text as one word of a shell, whatever stands in it. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Asks a sidecar on this machine by OFREP. */
export function curl(flag: string, context: Json): string {
  return `curl -s -X POST ${word(`http://127.0.0.1:8016/ofrep/v1/evaluate/flags/${encodeURIComponent(flag)}`)} -H 'Content-Type: application/json' -d ${word(writeExact({ context }))}`;
}

/** Asks by the command line; absent for a context that it cannot express. */
export function commandLine(environment: string, flag: string, context: Json): string | undefined {
  if (!isObject(context) || Object.keys(context).some((name) => name === "" || name.includes("=")) || flag.startsWith("-")) {
    return undefined;
  }
  const members = Object.entries(context).map(([name, value]) => `--context ${word(`${name}=${typeof value === "string" && !isJson(value) ? value : writeExact(value)}`)}`);
  return ["flagside flag evaluate", word(flag), `--environment ${word(environment)}`, ...members].join(" ");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
