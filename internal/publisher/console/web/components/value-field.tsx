// A field for a JSON value: of a variant, or in a condition.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ExactNumber, isObject, readExact, same, writeExact, type Json } from "../reading/json";

export type Type = "text" | "number" | "true or false" | "JSON";

export const types: Type[] = ["text", "number", "true or false", "JSON"];

export function typeOf(value: Json | undefined): Type {
  return typeof value === "string" ? "text" : typeof value === "number" || value instanceof ExactNumber ? "number" : typeof value === "boolean" ? "true or false" : "JSON";
}

/** A value as one of another type, as well as that can be. */
export function as(type: Type, value: Json): Json {
  const text = typeof value === "string" ? value : writeExact(value);
  switch (type) {
    case "text":
      return text;
    case "number":
      return numberIn(text) ?? 0;
    case "true or false":
      return text === "true";
    case "JSON":
      return isObject(value) || Array.isArray(value) ? value : Object.create(null);
  }
}

/** The number that a text is as JSON, with all its digits. */
export function numberIn(text: string): number | ExactNumber | undefined {
  try {
    const value = readExact(text);
    return typeof value === "number" || value instanceof ExactNumber ? value : undefined;
  } catch {
    return undefined;
  }
}

export interface ValueOptions {
  label: string;
  value: Json;
  /** Whether the type can be changed here, and to which ones. */
  choices?: Type[];
  set: (value: Json) => void;
}

export function ValueField({ label, value, choices, set }: ValueOptions) {
  const type = typeOf(value);
  return (
    <span class="value-field">
      {choices && (
        <select aria-label={`Type of ${label}`} value={type} onChange={(e) => set(as(e.currentTarget.value as Type, value))}>
          {[...new Set([...choices, type])].map((t) => <option>{t}</option>)}
        </select>
      )}
      {type === "true or false" ? (
        <select aria-label={label} value={String(value)} onChange={(e) => set(e.currentTarget.value === "true")}><option>true</option><option>false</option></select>
      ) : type === "text" ? (
        <input aria-label={label} value={value as string} spellcheck={false} autocomplete="off" onInput={(e) => set(e.currentTarget.value)} />
      ) : <Written label={label} value={value} number={type === "number"} set={set} />}
    </span>
  );
}

/** A value as it is written in JSON. What cannot be read stays in the field, says so, and changes nothing. */
function Written({ label, value, number, set }: { label: string; value: Json; number: boolean; set: (value: Json) => void }) {
  const text = useSignal(writeExact(value));
  const wrong = useSignal(false);
  const read = (t: string): Json | undefined => {
    try {
      const v = number ? numberIn(t) : readExact(t);
      return v;
    } catch {
      return undefined;
    }
  };
  useEffect(() => {
    const now = read(text.value);
    if (now === undefined || !same(now, value)) {
      text.value = writeExact(value);
      wrong.value = false;
    }
  }, [writeExact(value)]);
  const input = (t: string) => {
    text.value = t;
    const v = read(t);
    wrong.value = v === undefined;
    if (v !== undefined) {
      set(v);
    }
  };
  return (
    <>
      {number ? <input inputMode="decimal" class="number" aria-label={label} aria-invalid={wrong.value} value={text.value} onInput={(e) => input(e.currentTarget.value)} />
        : <textarea class="code" rows={2} spellcheck={false} aria-label={label} aria-invalid={wrong.value} value={text.value} onInput={(e) => input(e.currentTarget.value)} />}
      {wrong.value && <span class="bad-text" role="alert">{number ? "This is no number, so it is not taken over." : "This is no JSON, so it is not taken over."}</span>}
    </>
  );
}
