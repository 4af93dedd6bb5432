// Requests to the API, with the cookie of the session.

import { readExact, type Json } from "../reading/json";
import { session } from "../state/session";
import type { Problem } from "./types";

/** An answer of the API that says what is wrong, or that none came. */
export class ApiProblem extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }

  /** The kind of problem, such as "precondition-failed". */
  get kind(): string {
    return this.problem.type.replace("urn:flagside:problem:", "");
  }
}

export interface Answer<T> {
  value: T;
  /** The revision of the document as If-Match wants it, without quotes; empty if there is none. */
  revision: string;
}

export interface Ask {
  body?: Json | object;
  /** A body of another type than application/json. */
  mediaType?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Whether numbers are kept that JavaScript cannot hold. It costs time in long lists. */
  exact?: boolean;
  write?: (body: unknown) => string;
}

/** The path of an environment in the API. */
export function environmentPath(environment: string): string {
  return `/api/v1/environments/${encodeURIComponent(environment)}`;
}

/** The path of a flag in the API. */
export function flagPath(environment: string, key: string): string {
  return `${environmentPath(environment)}/flags/${encodeURIComponent(key)}`;
}

/** The path of a flag or a segment in the API. */
export function documentPath(environment: string, kind: string | undefined, key: string): string {
  return `${environmentPath(environment)}/${kind === "segment" ? "segments" : "flags"}/${encodeURIComponent(key)}`;
}

/** Asks the API. What is refused, or does not come, is an ApiProblem. */
export async function ask<T>(method: string, path: string, options: Ask = {}): Promise<Answer<T>> {
  const headers = new Headers(options.headers);
  let body: string | undefined;
  if (options.body !== undefined) {
    headers.set("Content-Type", options.mediaType ?? "application/json");
    body = (options.write ?? JSON.stringify)(options.body);
  } else if (method !== "GET") {
    headers.set("Content-Type", "application/json");
  }
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(path, { method, headers, body, signal: options.signal, credentials: "same-origin" });
    text = await answer.text();
  } catch (error) {
    if (options.signal?.aborted) {
      throw error;
    }
    throw new ApiProblem({
      type: "urn:flagside:problem:unavailable", title: "No answer", status: 0,
      detail: "The publisher did not answer. Flags are still served by the sidecars. Check the network, then try again.",
    });
  }
  if (answer.status === 401) {
    session.value = { state: "out" };
  }
  if (!answer.ok) {
    throw new ApiProblem(problemIn(text, answer));
  }
  const value = text === "" ? undefined : options.exact ? readExact(text) : JSON.parse(text);
  return { value: value as T, revision: (answer.headers.get("ETag") ?? "").replaceAll('"', "") };
}

/** Reads from the API. */
export async function get<T>(path: string, options: Ask = {}): Promise<T> {
  return (await ask<T>("GET", path, options)).value;
}

function problemIn(text: string, answer: Response): Problem {
  try {
    const problem = JSON.parse(text) as Problem;
    if (typeof problem.type === "string") {
      return problem;
    }
  } catch {
    // Something between the page and the publisher has answered.
  }
  return { type: "urn:flagside:problem:unavailable", title: answer.statusText, status: answer.status, detail: `The answer was ${answer.status} ${answer.statusText}.` };
}

/** A reason as a header can carry it: its UTF-8, a byte a character. */
export function headerText(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text.replace(/\s+/g, " ").trim()));
}
