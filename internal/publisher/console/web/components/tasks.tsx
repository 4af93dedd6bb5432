// How far long work is, on every page of its environment.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Task } from "../api/types";
import { followTasks, tasksOf } from "../state/tasks";
import { to } from "../state/router";
import { Person, Time } from "./marks";

const titles: Record<string, [running: string, done: string, failed: string]> = {
  apply: ["Applying a change", "A change was applied", "A change was not applied"],
  recreate: ["Writing a new epoch", "A new epoch was written", "No new epoch was written"],
  restore: ["Restoring a snapshot", "A snapshot was restored", "A snapshot was not restored"],
  verify: ["Verifying the history", "The history was verified", "The history could not be verified"],
};

/** What a task does, or did. */
export function titleOfTask(task: Task): string {
  if (task.verification && !task.verification.verified) {
    return "The history does not verify";
  }
  return titles[task.kind]?.[task.state === "running" ? 0 : task.state === "done" ? 1 : 2] ?? task.kind;
}

/** How far a task is, in words. */
export function extentOf(task: Task): string {
  const what = task.kind === "verify" ? "records" : "documents";
  if (task.total === 0) {
    return task.state === "running" ? "It has just begun." : "";
  }
  return `${task.done.toLocaleString("en")} of ${task.total.toLocaleString("en")} ${what}`;
}

export function Progress({ task }: { task: Task }) {
  return <progress class="task-progress" max={task.total || 1} value={task.total === 0 ? undefined : Math.min(task.done, task.total)} aria-label={titleOfTask(task)} />;
}

/** What is under way, and what this tab saw under way and has ended since, until it is put away. */
export function TaskBar({ environment, without }: { environment: string; without?: string }) {
  const seen = useSignal(new Set<string>());
  useEffect(() => followTasks(environment), [environment]);
  const all = tasksOf(environment);
  all.filter((t) => t.state === "running").forEach((t) => seen.value.add(t.id));
  return (
    <>
      {all.filter((t) => t.kind !== without && seen.value.has(t.id)).map((t) => (
        <aside class={t.state === "failed" ? "task bad" : "task"} aria-label={titleOfTask(t)} key={t.id}>
          <p><b role="status">{titleOfTask(t)}</b> <span class="quiet">{extentOf(t)}, begun by <Person id={t.actor} names={t.names} /> <Time at={t.begun} /></span></p>
          {t.state === "running" ? <Progress task={t} /> : (
            <p class="actions">
              {t.problem && <span class="bad-text"><bdi>{t.problem.detail}</bdi></span>}
              {t.request && <a href={to([environment, "requests", t.request])}>Open the request</a>}
              <button class="link" onClick={() => (seen.value = new Set([...seen.value].filter((id) => id !== t.id)))}>Put away</button>
            </p>
          )}
        </aside>
      ))}
    </>
  );
}
