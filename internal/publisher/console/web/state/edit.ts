// A document that a person is writing: kept for the tab, so that a look at the review, or a reload, loses nothing.

import { readExact, writeExact, type Json } from "../reading/json";

export interface Edit {
  text: string;
  /** What it was made from; absent for a new document. */
  base?: { value: Json; revision: string };
}

const place = (environment: string, kind: string, key: string) => `edit-${JSON.stringify([environment, kind, key])}`;

export function editOf(environment: string, kind: string, key: string): Edit | undefined {
  const text = window.sessionStorage.getItem(place(environment, kind, key));
  try {
    return text === null ? undefined : (readExact(text) as unknown as Edit);
  } catch {
    return undefined;
  }
}

export function keepEdit(environment: string, kind: string, key: string, edit: Edit): void {
  try {
    window.sessionStorage.setItem(place(environment, kind, key), writeExact(edit));
  } catch {
    // A browser without room for it keeps the page, as before.
  }
}

export function forgetEdit(environment: string, kind: string, key: string): void {
  window.sessionStorage.removeItem(place(environment, kind, key));
}
