// What changes while the page is open: one stream of events for all tabs of an environment.

import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { environments, refreshEnvironment } from "./environments";
import { outdated, refreshFlags, reloadFlags } from "./flags";

/** What the newest event said: pages that show one of the documents read it again. */
export interface Moved {
  environment: string;
  revision: string;
  documents: { kind: string; key: string }[];
  actor?: string;
}

export const moved = signal<Moved | undefined>(undefined);

/** The revision of the newest change of a document since the page is open; empty if there was none. */
export function useMoved(environment: string, kind: string, key: string | undefined): string {
  const last = useRef("");
  const event = moved.value;
  if (event?.environment === environment && event.documents.some((d) => d.kind === kind && d.key === key)) {
    last.current = event.revision;
  }
  return last.current;
}

/** Grows whenever something may have changed without an event: before the stream was open, or while it was lost. */
export const missed = signal(0);

/** Reads again what changed while no events came. */
async function catchUp(environment: string): Promise<void> {
  missed.value++;
  requestsMoved.value++;
  await refreshEnvironment(environment);
  if (outdated(environment, environments.value?.find((e) => e.name === environment)?.revision)) {
    reloadFlags(environment);
  }
}

/** Grows with each change of a change request. */
export const requestsMoved = signal(0);

/** Whether events come. Without them the page shows what was when it was opened. */
export const live = signal<"connecting" | "live" | "lost">("connecting");

type Told = { type: "change" | "request" | "reset"; data: string } | { type: "state"; data: "live" | "lost" };

/** Follows an environment until the returned function is called. */
export function follow(environment: string): () => void {
  const channel = new BroadcastChannel(`flagside-events-${environment}`);
  const ended = new AbortController();
  channel.onmessage = (event: MessageEvent<Told>) => take(environment, event.data);
  const tell = (told: Told) => {
    channel.postMessage(told);
    take(environment, told);
  };
  const lead = async (): Promise<void> => {
    const stream = open(environment, tell);
    ended.signal.addEventListener("abort", () => stream.close());
    await new Promise((resolve) => ended.signal.addEventListener("abort", resolve));
  };
  if (navigator.locks) { // only where the page is secure; elsewhere every tab has a stream
    navigator.locks.request(`flagside-events-${environment}`, { signal: ended.signal }, lead).catch(() => undefined); // aborted while waiting
  } else {
    void lead();
  }
  return () => {
    ended.abort();
    channel.close();
  };
}

function open(environment: string, tell: (told: Told) => void): EventSource {
  const stream = new EventSource(`/console/events?environment=${encodeURIComponent(environment)}`);
  stream.onopen = () => tell({ type: "state", data: "live" });
  stream.onerror = () => tell({ type: "state", data: "lost" });
  for (const type of ["change", "request", "reset"] as const) {
    stream.addEventListener(type, (event) => tell({ type, data: (event as MessageEvent<string>).data }));
  }
  return stream;
}

function take(environment: string, told: Told): void {
  if (told.type === "state") {
    live.value = told.data;
    if (told.data === "live") {
      void catchUp(environment);
    }
    return;
  }
  live.value = "live";
  if (told.type === "request") {
    requestsMoved.value++;
    return;
  }
  void refreshEnvironment(environment);
  if (told.type === "reset") {
    missed.value++;
    reloadFlags(environment);
    return;
  }
  const change = JSON.parse(told.data) as Moved;
  moved.value = { ...change, environment };
  void refreshFlags(environment, change.documents.filter((d) => d.kind === "flag").map((d) => d.key), change.revision);
}
