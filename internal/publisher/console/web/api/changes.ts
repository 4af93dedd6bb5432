// Carries out what the composer shows. Every request says what it was made from.

import type { ChangeRequest, Command, Impact, PolicyAnswer, PolicyQuestion, Preview, Written } from "./types";
import { ask, documentPath, environmentPath, get, headerText, type Answer } from "./http";
import { writeExact } from "../reading/json";

/** What would change, how risky that is, and who must agree. */
export async function preview(environment: string, command: Command, signal: AbortSignal): Promise<Preview> {
  return (await ask<Preview>("POST", `${environmentPath(environment)}/preview`, { body: { command }, write: writeExact, exact: true, signal })).value;
}

/** What sidecars say it would do to the evaluations that they remember; absent if the caller may not know. */
export async function impactOf(environment: string, command: Command, signal: AbortSignal): Promise<Impact | undefined> {
  const body = { command, impact: true };
  return (await ask<Preview>("POST", `${environmentPath(environment)}/preview`, { body, write: writeExact, signal })).value.impact;
}

/** What sidecars say now of a change request that can still be applied; nothing for who may neither propose, approve nor apply it. */
export async function impactOfRequest(environment: string, id: string, signal: AbortSignal): Promise<Impact | undefined> {
  return (await get<ChangeRequest>(`${environmentPath(environment)}/requests/${encodeURIComponent(id)}?impact=true`, { signal })).impact;
}

/** How a change is made. */
export interface How {
  reason: string;
  /** The same for each try, so that a change is made once. */
  once: string;
  inUse: boolean;
  /** When it is to be applied; absent: when a person applies it. */
  at?: Date;
  /** How many seconds later it may still be applied; 0 is any time. */
  lateSeconds?: number;
}

/** Makes a change at once. */
export function apply(environment: string, command: Command, how: How): Promise<Answer<Written>> {
  const headers: Record<string, string> = { "Idempotency-Key": how.once };
  if (how.reason.trim() !== "") {
    headers["Flagside-Reason"] = headerText(how.reason);
  }
  if (how.inUse) {
    headers["Flagside-In-Use"] = "true";
  }
  if (command.type === "documents") {
    return ask("POST", `${environmentPath(environment)}/documents`, { body: { changes: command.changes }, headers, write: writeExact });
  }
  if (command.ifAbsent) {
    headers["If-None-Match"] = "*";
  } else {
    headers["If-Match"] = `"${command.ifMatch}"`;
  }
  const path = documentPath(environment, command.kind, command.key ?? "");
  switch (command.type) {
    case "toggle":
      return ask("POST", `${path}/toggle`, { body: { on: command.on }, headers });
    case "archive":
      return ask("POST", `${path}/archive`, { body: { force: command.force ?? false }, headers });
    case "put":
      return ask("PUT", path, { body: command.document as object, headers, write: writeExact });
    default:
      throw new Error(`the composer makes no ${command.type}`);
  }
}

/** Opens a change request. With breakGlass it is to go without approvals, and applied afterwards. */
export async function propose(environment: string, command: Command, how: How, breakGlass: boolean): Promise<ChangeRequest> {
  const body = { command, reason: how.reason.trim().replace(/\s+/g, " "), ...(breakGlass ? { breakGlass } : {}), ...(how.at ? { applyAt: how.at.toISOString(), lateSeconds: how.lateSeconds ?? 0 } : {}) };
  const headers: Record<string, string> = { "Idempotency-Key": how.once, ...(how.inUse ? { "Flagside-In-Use": "true" } : {}) };
  return (await ask<ChangeRequest>("POST", `${environmentPath(environment)}/requests`, { body, headers, write: writeExact })).value;
}

export type Step = "approve" | "reject" | "withdraw" | "rebase" | "apply" | "comment" | "review";

/** Takes a step with a change request. */
export function step(environment: string, request: ChangeRequest, name: Step, text: string): Promise<Answer<unknown>> {
  const headers: Record<string, string> = name !== "comment" && text.trim() !== "" ? { "Flagside-Reason": headerText(text) } : {};
  const body = name === "approve" ? { hash: request.hash } : name === "comment" ? { text } : undefined;
  return ask("POST", `${environmentPath(environment)}/requests/${encodeURIComponent(request.id)}/${name}`, { body, headers });
}

/** What policies permit the person who is signed in. */
export async function permitted(question: PolicyQuestion, signal: AbortSignal): Promise<PolicyAnswer> {
  return (await ask<PolicyAnswer>("POST", "/api/v1/policy/check", { body: question, signal })).value;
}

/** A document as it was at a revision of an epoch; absent if it did not exist. */
export async function documentAt(environment: string, kind: string, key: string, epoch: string, revision: number, signal: AbortSignal): Promise<unknown> {
  if (revision === 0) {
    return undefined;
  }
  const history = await get<{ items: { revision: string; document?: unknown }[] }>(`${documentPath(environment, kind, key)}/history?limit=1&before=${epoch.slice(0, 8)}-${revision + 1}`, { exact: true, signal });
  return history.items[0]?.document;
}
