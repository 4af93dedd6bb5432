// Who is signed in.

import { signal } from "@preact/signals";

export interface Principal {
  id?: string;
  kind: string;
  name?: string;
  groups: string[];
}

export type Session =
  | { state: "unknown" }
  | { state: "out"; token?: boolean; oidc?: string }
  | { state: "in"; principal: Principal; how: string; expires?: string };

export const session = signal<Session>({ state: "unknown" });

const path = "/console/session";

/** Asks who is signed in. */
export async function loadSession(): Promise<void> {
  const answer = await fetch(path, { credentials: "same-origin" });
  session.value = read(answer.status, await answer.json());
}

/** Exchanges an API token for a session. It returns why that is refused, or nothing. */
export async function signIn(token: string): Promise<string | undefined> {
  const answer = await fetch(path, {
    method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
  });
  const body = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) {
    return typeof body.detail === "string" ? body.detail : "The token was not accepted. Check that it is complete and has not ended.";
  }
  await loadSession();
  return undefined;
}

/** Ends the session. */
export async function signOut(): Promise<void> {
  await fetch(path, { method: "DELETE", credentials: "same-origin", headers: { "Content-Type": "application/json" } });
  await loadSession();
}

function read(status: number, body: { principal?: Principal; how?: string; expires?: string; signIn?: { token?: boolean; oidc?: string } }): Session {
  if (status === 200 && body.principal) {
    return { state: "in", principal: { ...body.principal, groups: body.principal.groups ?? [] }, how: body.how ?? "", expires: body.expires };
  }
  return { state: "out", token: body.signIn?.token ?? true, oidc: body.signIn?.oidc };
}
