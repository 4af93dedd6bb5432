// The environments, and the one that the page is about.

import { computed, signal } from "@preact/signals";
import { environmentPath, get } from "../api/http";
import type { Environment, EnvironmentList } from "../api/types";
import { place } from "./router";

export const environments = signal<Environment[] | undefined>(undefined);

/** The name of the environment in the address; empty if there is none. */
export const environment = computed(() => place.value.parts[0] ?? "");

export async function loadEnvironments(): Promise<void> {
  const list = await get<EnvironmentList>("/api/v1/environments");
  environments.value = list.items.filter((e) => !e.archived);
}

/** Reads an environment again, of which something may have changed. */
export async function refreshEnvironment(name: string): Promise<void> {
  const now = await get<Environment>(environmentPath(name));
  environments.value = environments.value?.map((e) => (e.name === name ? now : e));
}

/**
 * The colour of an environment, one of those in tokens.css. Names that teams use for the same thing have the same one; others have one by their
 * name, so it is the same for everyone.
 */
export function colourOf(name: string): string {
  const known: [RegExp, string][] = [[/^(prod|production|live)([-_.].*)?$/, "red"], [/^(stag|stage|staging|preprod|qa|uat)([-_.].*)?$/, "amber"], [/^(dev|development|local|test)([-_.].*)?$/, "green"]];
  for (const [pattern, colour] of known) {
    if (pattern.test(name)) {
      return colour;
    }
  }
  const others = ["violet", "teal", "blue", "pink"];
  let sum = 0;
  for (const letter of name) {
    sum = (sum * 31 + letter.codePointAt(0)!) % 65521;
  }
  return others[sum % others.length]!;
}
