// Small things that many pages show.

import type { ComponentChildren } from "preact";
import { colourOf } from "../state/environments";
import type { ApiProblem } from "../api/http";

/** On or off, by text and shape. */
export function State({ on }: { on: boolean }) {
  return (
    <span class={on ? "state on" : "state off"}>
      <svg viewBox="0 0 12 12" width="10" height="10" aria-hidden="true">
        {on ? <circle cx="6" cy="6" r="5" fill="currentColor" /> : <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" stroke-width="2" />}
      </svg>
      {on ? "On" : "Off"}
    </span>
  );
}

export function Tag({ children, tone = "" }: { children: ComponentChildren; tone?: string }) {
  return <span class={`tag ${tone}`}><bdi>{children}</bdi></span>;
}

/** The name of an environment in its colour. */
export function EnvironmentName({ name }: { name: string }) {
  return <span class={`environment colour-${colourOf(name)}`}><span class="square" aria-hidden="true" /><bdi>{name}</bdi></span>;
}

/** A time as people say it; the title has the exact one, with the zone. */
export function Time({ at }: { at: string | undefined }) {
  if (!at) {
    return <span class="quiet">never</span>;
  }
  const date = new Date(at);
  return <time dateTime={at} title={exact.format(date)}>{ago(date)}</time>;
}

const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function ago(date: Date): string {
  const seconds = (date.getTime() - Date.now()) / 1000;
  for (const [unit, length] of [["year", 31556952], ["month", 2629746], ["day", 86400], ["hour", 3600], ["minute", 60]] as const) {
    if (Math.abs(seconds) >= length) {
      return relative.format(Math.trunc(seconds / length), unit);
    }
  }
  return seconds > 30 ? "in a moment" : "just now";
}

/** Why something was not done, and which places are wrong. */
export function ProblemNote({ problem }: { problem: ApiProblem }) {
  const { errors, policies } = problem.problem;
  return (
    <div class="note bad" role="alert">
      <p><strong>{problem.problem.title || "It did not work"}.</strong> {problem.problem.detail}</p>
      {errors && errors.length > 0 && (
        <ul>
          {errors.map((e) => (
            <li>{e.pointer !== undefined && <code>{e.pointer || "/"}</code>} {e.reason}{e.hint && <span class="quiet"> {e.hint}</span>}</li>
          ))}
        </ul>
      )}
      {policies && policies.length > 0 && <p class="quiet">Decided by {policies.join(", ")}.</p>}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return <p class="loading" role="status">Reading {what}…</p>;
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

/** A name of a person or token by its id, as far as an answer tells it. */
export function Person({ id, names }: { id: string | undefined; names?: Record<string, string> }) {
  if (!id) {
    return <span>the publisher</span>;
  }
  return <bdi title={id}>{names?.[id] || id}</bdi>;
}
