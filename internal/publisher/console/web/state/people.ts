// The people whom the records know by name, for those who may see them.

import { effect, signal } from "@preact/signals";
import { permitted } from "../api/changes";
import { ApiProblem, get } from "../api/http";
import type { Person, PersonList } from "../api/types";
import { session } from "./session";

export const people = signal<Person[]>([]);

effect(() => {
  if (session.value.state !== "in") {
    people.value = [];
  }
});

/** Reads them, if the person who is signed in may see them. */
export async function readPeople(): Promise<void> {
  try {
    const signal = new AbortController().signal;
    if ((await permitted({ action: "administer" }, signal)).permitted) {
      people.value = (await get<PersonList>("/api/v1/persons")).items.filter((p) => !p.erased);
    }
  } catch (error) {
    if (!(error instanceof ApiProblem)) {
      throw error; // without people, the rest is found
    }
  }
}
