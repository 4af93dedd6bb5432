// What was, what is wanted, and what is there now: shown when something has changed since a change was made.

import { ask, ApiProblem, documentPath } from "../api/http";
import { documentAt } from "../api/changes";
import type { Command } from "../api/types";
import { combined } from "../reading/merge";
import { remarksOf } from "../reading/difference";
import { merged, pretty, type Json } from "../reading/json";
import { targetsOf, type Target } from "../state/change";
import { to } from "../state/router";
import { Remarks } from "./difference";

/** A document that has changed since it was seen. */
export interface Overtaken extends Target {
  base?: Json;
  now?: Json;
  /** The revision that it has now; absent if it is gone. */
  revision?: string;
}

/** The documents of a command that are not what they were when it was made. */
export async function overtakenBy(environment: string, command: Command, signal: AbortSignal): Promise<Overtaken[]> {
  const all = await Promise.all(targetsOf(command).map(async (target): Promise<Overtaken | undefined> => {
    const now = await ask<Json>("GET", documentPath(environment, target.kind, target.key), { exact: true, signal }).catch((error: unknown) => {
      if (error instanceof ApiProblem && error.problem.status === 404) {
        return undefined;
      }
      throw error;
    });
    if (now?.revision === target.ifMatch) {
      return undefined;
    }
    const [epoch = "", revision = "0"] = (target.ifMatch ?? "").split("-");
    const base = (await documentAt(environment, target.kind, target.key, epoch, Number(revision), signal)) as Json | undefined;
    return { ...target, base, ...(now ? { now: now.value, revision: now.revision } : {}) };
  }));
  return all.filter((o) => o !== undefined);
}

export interface ThreeWayOptions {
  environment: string;
  command: Command;
  overtaken: Overtaken[];
  /** Goes on with the same change of what is there now. */
  goOn: (command: Command) => void;
  back: string;
}

export function ThreeWay({ environment, command, overtaken, goOn, back }: ThreeWayOptions) {
  const looks = overtaken.map((o) => {
    const yours = wantedOf(command, o);
    const [next, conflicts] = combined(o.kind, o.base, yours, o.now);
    return { ...o, yours, next, conflicts };
  });
  const one = targetsOf(command).length === 1;
  const conflicts = looks.filter((l) => l.conflicts.length > 0);
  return (
    <>
      <p class="note bad" role="alert">
        <strong>{one ? `The ${overtaken[0]!.kind} has changed since you looked.` : `${overtaken.length} of the documents ${overtaken.length === 1 ? "has" : "have"} changed since you looked.`}</strong> Nothing was applied. See what is there now, then decide.
      </p>
      {looks.map((l) => (
        <section aria-label={`${l.kind} ${l.key}`}>
          {!one && <h2>{l.kind} <bdi>{l.key}</bdi></h2>}
          <div class="columns three">
            <section><h3>Changed by others</h3>{l.now !== undefined ? <Remarks remarks={remarksOf(l.base, l.now)} /> : <p>The {l.kind} was archived.</p>}</section>
            <section><h3>Your change</h3><Remarks remarks={remarksOf(l.base, l.yours)} /></section>
          </div>
          <details>
            <summary>All three documents</summary>
            <div class="columns three">
              {([["What you saw", l.base], ["Yours", l.yours], ["Now", l.now]] as [string, Json | undefined][]).map(([title, d]) => (
                <section><h3>{title}</h3><pre tabIndex={0} aria-label={`${title}, as JSON`}>{d === undefined ? "absent" : pretty(d)}</pre></section>
              ))}
            </div>
          </details>
          {l.conflicts.length > 0 && (
            <p class="note">Both changed {l.conflicts.join(", ")}, so they cannot be put together. <a href={to([environment, l.kind === "flag" ? "flags" : "segments", l.key, "edit"])}>Edit what is there now</a></p>
          )}
        </section>
      ))}
      <p class="actions">
        {conflicts.length === 0 && <button class="button primary" onClick={() => goOn(again(command, looks))}>Review your change on what is there now</button>}
        <a class="button" href={back}>{one ? "Drop the change" : "Back"}</a>
      </p>
    </>
  );
}

/** What a command wants a document to be; absent if it is to go. */
function wantedOf(command: Command, o: Overtaken): Json | undefined {
  switch (command.type) {
    case "put":
      return command.document as Json;
    case "toggle":
      return merged(o.base, { state: command.on ? "ENABLED" : "DISABLED" });
    case "documents":
      return (command.changes ?? []).find((c) => (c.kind ?? "flag") === o.kind && c.key === o.key)?.document as Json | undefined;
    default:
      return undefined;
  }
}

/** The command, made from what is there now. */
function again(command: Command, looks: (Overtaken & { next?: Json | undefined })[]): Command {
  if (command.type === "documents") {
    return {
      ...command,
      changes: (command.changes ?? []).map((c) => {
        const look = looks.find((l) => l.kind === (c.kind ?? "flag") && l.key === c.key);
        const { ifMatch: _, ...rest } = c;
        return look ? { ...rest, ...(look.next === undefined ? {} : { document: look.next }), ...(look.revision ? { ifMatch: look.revision } : {}) } : c;
      }),
    };
  }
  const look = looks[0]!;
  const { ifMatch: _, ifAbsent: __, ...rest } = command;
  const seen = look.revision ? { ifMatch: look.revision } : { ifAbsent: true };
  return command.type === "put" ? { ...rest, document: look.next ?? command.document, ...seen } : { ...rest, ...seen };
}
