// JSON that keeps every number as it was written, so that what is shown, compared and written back is what is stored.

/** A number that JavaScript would change, such as 9007199254740993 or 1.0. */
export class ExactNumber {
  constructor(readonly text: string) {}
}

export type Json = null | boolean | number | string | ExactNumber | Json[] | { [member: string]: Json };
export type JsonObject = { [member: string]: Json };

/**
 * Reads JSON. Objects have no prototype, so a member may be called constructor. Where the browser does not tell how a number was written, it is
 * what JavaScript makes of it.
 */
export function readExact(text: string): Json {
  const reviver = (_: string, value: unknown, context?: { source?: string }) => {
    if (typeof value === "number" && context?.source !== undefined && context.source !== String(value)) {
      return new ExactNumber(context.source);
    }
    return isObject(value) ? Object.setPrototypeOf(value, null) : value;
  };
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown) as Json;
}

/** Writes JSON in one line. */
export function writeExact(value: unknown): string {
  if (value instanceof ExactNumber) {
    return value.text;
  }
  if (Array.isArray(value)) {
    return `[${value.map(writeExact).join(",")}]`;
  }
  if (isObject(value)) {
    const members = Object.entries(value).filter(([, v]) => v !== undefined);
    return `{${members.map(([name, v]) => `${JSON.stringify(name)}:${writeExact(v)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Writes JSON for people: what fits into a line of 80 characters stays in one. */
export function pretty(value: Json | undefined, indent = ""): string {
  if (value === undefined) {
    return "";
  }
  const line = inLine(value);
  if (line !== undefined && indent.length + line.length <= 80) {
    return line;
  }
  const deeper = indent + "  ";
  if (Array.isArray(value)) {
    return `[\n${value.map((v) => deeper + pretty(v, deeper)).join(",\n")}\n${indent}]`;
  }
  if (isObject(value)) {
    return `{\n${Object.entries(value).map(([name, v]) => `${deeper}${JSON.stringify(name)}: ${pretty(v, deeper)}`).join(",\n")}\n${indent}}`;
  }
  return writeExact(value);
}

/** A value in one line with spaces; absent if it is surely too long for one. */
function inLine(value: Json): string | undefined {
  if (Array.isArray(value) || isObject(value)) {
    const parts: string[] = [];
    let length = 0;
    for (const [name, v] of Object.entries(value)) {
      const text = inLine(v);
      if (text === undefined || (length += text.length) > 80) {
        return undefined;
      }
      parts.push(Array.isArray(value) ? text : `${JSON.stringify(name)}: ${text}`);
    }
    if (Array.isArray(value)) {
      return `[${parts.join(", ")}]`;
    }
    return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
  }
  return writeExact(value);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/** Whether two values are the same, whatever the order of members. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a instanceof ExactNumber || b instanceof ExactNumber) {
    return a instanceof ExactNumber && b instanceof ExactNumber && a.text === b.text;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((v, i) => same(v, b[i]));
  }
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
  }
  return a === b;
}

/** A JSON Merge Patch (RFC 7396) applied to a value. */
export function merged(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) {
    return patch;
  }
  const result: JsonObject = Object.assign(Object.create(null), isObject(target) ? target : {});
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      delete result[name];
    } else {
      result[name] = merged(result[name], value);
    }
  }
  return result;
}
