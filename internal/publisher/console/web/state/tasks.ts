// What takes the publisher a while in an environment: what is under way, found again after a reload and in other tabs, and what has ended lately.

import { signal } from "@preact/signals";
import { ApiProblem, environmentPath, get } from "../api/http";
import type { Task, TaskList } from "../api/types";

const known = signal<{ environment: string; items: Task[] }>({ environment: "", items: [] });

/** Milliseconds until the first look, which the page itself is before, and between two looks, while something is under way and otherwise. */
const [first, soon, later] = [250, 400, 10_000];

let look: () => void = () => undefined;

/** The tasks of an environment that are known, the newest first. */
export function tasksOf(environment: string): Task[] {
  return known.value.environment === environment ? known.value.items : [];
}

/** Looks at once, because something was begun. */
export function lookAtTasks(): void {
  look();
}

/** Keeps the tasks of an environment current until the returned function is called. */
export function followTasks(environment: string): () => void {
  const ended = new AbortController();
  let timer: number | undefined;
  const again = async () => {
    window.clearTimeout(timer);
    if (document.hidden) {
      return; // until it is seen
    }
    try {
      const { items } = await get<TaskList>(`${environmentPath(environment)}/tasks`, { signal: ended.signal });
      known.value = { environment, items };
    } catch (error) {
      if (ended.signal.aborted || !(error instanceof ApiProblem)) {
        return;
      }
    }
    window.clearTimeout(timer);
    timer = window.setTimeout(again, tasksOf(environment).some((t) => t.state === "running") ? soon : later);
  };
  look = () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(again, 100); // when the publisher has it
  };
  timer = window.setTimeout(again, first);
  document.addEventListener("visibilitychange", again);
  return () => {
    ended.abort();
    window.clearTimeout(timer);
    document.removeEventListener("visibilitychange", again);
    look = () => undefined;
  };
}
