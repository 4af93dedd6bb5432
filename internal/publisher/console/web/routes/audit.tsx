// What was decided and done, filtered, with its proofs, and as files.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiProblem, ask, documentPath, environmentPath, get } from "../api/http";
import type { Activity, Event, History, Note, Verification } from "../api/types";
import { Remarks } from "../components/difference";
import { Empty, Loading, ProblemNote, Tag } from "../components/marks";
import { extentOf, Progress } from "../components/tasks";
import { remarksOf, type Remark } from "../reading/difference";
import type { Json } from "../reading/json";
import { csv, jsonLines, signers } from "../reading/table";
import { moved, requestsMoved } from "../state/live";
import { place, setQuery, to } from "../state/router";
import { lookAtTasks, tasksOf } from "../state/tasks";
import { day, said } from "./activity";

/** Kinds of events, and which types each has. */
const kinds: Record<string, (e: Event) => boolean> = {
  changes: (e) => e.type === "change",
  requests: (e) => e.type.startsWith("request."),
  refusals: (e) => e.type === "refused" || e.type === "unauthenticated",
  settings: (e) => e.type.startsWith("settings."),
  administration: (e) => /^(environment|epoch|journal|source|lifecycle)\./.test(e.type),
  "without approval": (e) => e.breakGlass === true,
};

const filters = ["flag", "actor", "kind", "since", "until"] as const;

/** How many are read for a file at most. */
const mostExported = 50_000;

/** How many pages are read for one screen while few of them fit the kind. */
const mostPages = 5;

interface Part {
  items: Event[];
  next?: string;
}

/** Reads events that fit the address, behind a place. */
async function read(environment: string, query: URLSearchParams, before: string, limit: number, signal?: AbortSignal): Promise<Part> {
  const wanted: Record<string, string> = {
    limit: String(limit), before, flag: query.get("flag") ?? "", actor: query.get("actor") ?? "", since: day(query.get("since") ?? "", 0), until: day(query.get("until") ?? "", 1),
  };
  const search = new URLSearchParams(Object.entries(wanted).filter(([, v]) => v !== ""));
  const page = await get<Activity>(`${environmentPath(environment)}/activity?${search}`, { signal });
  const fits = kinds[query.get("kind") ?? ""];
  return { items: fits ? page.items.filter(fits) : page.items, next: page.next };
}

export function AuditPage({ environment }: { environment: string }) {
  const query = place.value.query;
  const events = useSignal<Part | undefined>(undefined);
  const problem = useSignal<ApiProblem | undefined>(undefined);
  const wanted = filters.map((f) => query.get(f) ?? "").join("\n");
  const more = async (known: Event[], before: string, signal?: AbortSignal) => {
    try {
      let part: Part = { items: known, next: before };
      for (let n = 0; n < mostPages; n++) {
        const found = await read(environment, query, part.next ?? "", 100, signal);
        part = { items: [...part.items, ...found.items], next: found.next };
        if (!part.next || part.items.length >= known.length + 50) {
          break;
        }
      }
      events.value = part;
      problem.value = undefined;
    } catch (error) {
      if (signal?.aborted) {
        return;
      }
      if (!(error instanceof ApiProblem)) {
        throw error;
      }
      problem.value = error;
    }
  };
  useEffect(() => {
    const ended = new AbortController();
    void more([], "", ended.signal);
    return () => ended.abort();
  }, [environment, wanted, moved.value?.revision, requestsMoved.value]);
  const field = (name: string, label: string, type: string) => {
    const value = query.get(name) ?? "";
    return <label class={value === "" ? "choice" : "choice chosen"}><span>{label}</span><input type={type} value={value} onChange={(e) => setQuery({ [name]: e.currentTarget.value.trim() })} /></label>;
  };
  const kind = query.get("kind") ?? "";
  return (
    <>
      <div class="head"><h1>Audit</h1><p class="quiet count">of {environment}, the newest first</p></div>
      <Verified environment={environment} />
      <div class="filters" role="search">
        {field("flag", "Flag", "text")}{field("actor", "Id of who did it", "text")}
        <label class={kind === "" ? "choice" : "choice chosen"}><span>Kind</span>
          <select value={kind} onChange={(e) => setQuery({ kind: e.currentTarget.value })}><option value="">any</option>{Object.keys(kinds).map((k) => <option value={k}>{k}</option>)}</select>
        </label>
        {field("since", "From", "date")}{field("until", "To", "date")}
        {filters.some((f) => query.get(f)) && <button class="link" onClick={() => setQuery(Object.fromEntries(filters.map((f) => [f, ""])))}>Clear</button>}
      </div>
      <Files environment={environment} />
      {problem.value && <ProblemNote problem={problem.value} />}
      {!events.value ? !problem.value && <Loading what="what happened" /> : events.value.items.length === 0 ? <Empty><p>Nothing happened that is like this.</p></Empty> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="What happened">
          <table class="audit">
            <thead><tr><th scope="col">Time, UTC</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Of</th><th scope="col">Why</th><th scope="col">Proof</th></tr></thead>
            <tbody>{events.value.items.map((e) => <Row environment={environment} event={e} key={`${e.sequence ?? ""} ${e.revision ?? ""} ${e.type} ${e.time}`} />)}</tbody>
          </table>
        </div>
      )}
      {events.value?.next && <p class="no-print"><button class="button" onClick={() => void more(events.value!.items, events.value!.next!)}>Show earlier</button></p>}
    </>
  );
}

function Row({ environment, event: e }: { environment: string; event: Event }) {
  const by = (id: string) => <button class="link" title={`Only what ${id} did`} onClick={() => setQuery({ actor: id })}><bdi>{e.names?.[id] || id}</bdi></button>;
  return (
    <tr>
      <td><time dateTime={e.time}>{e.time.slice(0, 19).replace("T", " ")}</time></td>
      <td>{e.actor ? by(e.actor) : "the publisher"}{e.approvers && e.approvers.length > 0 && <span class="quiet"> agreed: {e.approvers.map((a) => e.names?.[a] ?? a).join(", ")}</span>}</td>
      <td>{said(e)}{e.breakGlass && <> <Tag tone="bad">without approval</Tag></>}{(e.policies ?? []).length > 0 && <span class="quiet"> by {e.policies!.join(", ")}</span>}</td>
      <td>
        {(e.documents ?? []).slice(0, 3).map((d) => <div>{d.kind === "flag" || d.kind === "segment" ? <a href={to([environment, `${d.kind}s`, d.key ?? ""])}><bdi>{d.key}</bdi></a> : <bdi>{d.key || d.kind}</bdi>}{e.type === "change" && e.revision && (d.kind === "flag" || d.kind === "segment") && <Changed environment={environment} kind={d.kind} name={d.key ?? ""} revision={e.revision} />}</div>)}
        {(e.documents ?? []).length > 3 && <span class="quiet">and {e.documents!.length - 3} more</span>}
        {e.changeRequest && <div class="quiet"><a href={to([environment, "requests", e.changeRequest])}>request</a></div>}
      </td>
      <td class="why"><bdi>{e.text}</bdi></td>
      <td>{e.revision && e.type === "change" ? <Proof environment={environment} stream="log" sequence={e.revision.split("-")[1]!} /> : e.sequence ? <Proof environment={environment} stream="ledger" sequence={String(e.sequence)} /> : null}</td>
    </tr>
  );
}

/** What a change made different in a document, which is asked for when someone wants it. */
function Changed({ environment, kind, name, revision }: { environment: string; kind: string; name: string; revision: string }) {
  const found = useSignal<Remark[] | undefined>(undefined);
  const wrong = useSignal("");
  const opened = useSignal(false);
  const look = async (open: boolean) => {
    if (!open || opened.value) {
      return;
    }
    opened.value = true;
    const [epoch, number] = revision.split("-");
    try {
      const { items } = await get<History>(`${documentPath(environment, kind, name)}/history?limit=2&before=${epoch}-${Number(number) + 1}`, { exact: true });
      found.value = remarksOf(items[1]?.document as Json | undefined, items[0]?.document as Json | undefined);
    } catch (error) {
      wrong.value = error instanceof ApiProblem ? error.message : "It could not be read.";
    }
  };
  return (
    <details class="no-print" onToggle={(e) => void look(e.currentTarget.open)}>
      <summary class="quiet">Difference<span class="sr-only"> of {name}</span></summary>
      {wrong.value ? <p class="bad-text">{wrong.value}</p> : found.value ? <Remarks remarks={found.value} /> : opened.value && <Loading what="it" />}
    </details>
  );
}

/** The signature of a record, which is asked for when someone wants it. */
function Proof({ environment, stream, sequence }: { environment: string; stream: string; sequence: string }) {
  const note = useSignal<string | undefined>(undefined);
  const wrong = useSignal("");
  const look = async () => {
    try {
      note.value = (await get<Note>(`${environmentPath(environment)}/audit/notes/${stream}/${sequence}`)).note;
    } catch (error) {
      wrong.value = error instanceof ApiProblem ? error.message : "It could not be read.";
    }
  };
  if (note.value !== undefined) {
    return <><Tag tone="good">signed</Tag> <span class="quiet">by {signers(note.value).join(", ")}</span><details class="no-print"><summary class="quiet">Note</summary><pre tabIndex={0} aria-label={`Signed note of ${stream} ${sequence}`}>{note.value}</pre></details></>;
  }
  return <>{wrong.value ? <span class="bad-text" role="alert"><bdi>{wrong.value}</bdi></span> : <button class="link" onClick={look}>{stream === "log" ? "revision" : "record"} {sequence}</button>}</>;
}

/** Whether the whole history is proved, which is found out when someone wants it: it reads everything. It goes on when the page is left, and is found again. */
function Verified({ environment }: { environment: string }) {
  const found = useSignal<Verification | undefined>(undefined);
  const problem = useSignal<ApiProblem | undefined>(undefined);
  const asking = useSignal(false);
  const task = tasksOf(environment).find((t) => t.kind === "verify");
  const running = task?.state === "running" ? task : undefined;
  const verify = async () => {
    asking.value = true;
    problem.value = undefined;
    lookAtTasks();
    try {
      found.value = (await ask<Verification>("POST", `${environmentPath(environment)}/audit/verification`)).value;
    } catch (error) {
      if (!(error instanceof ApiProblem)) {
        throw error;
      }
      problem.value = error;
    }
    asking.value = false;
    lookAtTasks();
  };
  const busy = asking.value || running !== undefined;
  const v = [found.value, task?.verification].filter((r) => r !== undefined).sort((a, b) => (a.time < b.time ? -1 : 1)).at(-1);
  return (
    <div class={v === undefined ? "note plain-note" : v.verified && v.complete ? "note good" : v.verified ? "note" : "note bad"} role="status">
      {v === undefined ? <p>Not verified lately. Every record is signed and continues the one before; verifying reads them all.</p> : (
        <>
          <p><strong>{!v.verified ? "Not verified." : v.complete ? "Verified." : "Verified, and not complete."}</strong>{" "}
            {v.verified ? <>{v.streams.reduce((n, s) => n + s.records, 0)} records of installation <code>{v.installation}</code> are signed and continue each other, at {v.time.slice(0, 19).replace("T", " ")} UTC.</> : <bdi>{v.problem}</bdi>}</p>
          <p class="quiet">Keys that may sign, by keys note {v.keysVersion}: {v.keys.map((k) => <code>{k} </code>)}</p>
          {(v.warnings ?? []).length > 0 && <ul>{v.warnings!.map((w) => <li><bdi>{w}</bdi></li>)}</ul>}
          <p class="quiet">This publisher verified its own history. Without it: <code>flagside audit verify --environment {environment} --trust-file FILE</code></p>
        </>
      )}
      {running && <><Progress task={running} /><p class="quiet">{extentOf(running)}. You can leave this page meanwhile.</p></>}
      {problem.value && !running && <p class="bad-text">{problem.value.message}</p>}
      <p class="no-print"><button class="button" disabled={busy} onClick={verify}>{busy ? "Verifying…" : v ? "Verify again" : "Verify the history"}</button></p>
    </div>
  );
}

function Files({ environment }: { environment: string }) {
  const state = useSignal("");
  const save = async (kind: "csv" | "jsonl") => {
    state.value = "Reading…";
    try {
      const all: Event[] = [];
      for (let before = ""; all.length < mostExported; ) {
        const part = await read(environment, place.value.query, before, 1000);
        all.push(...part.items);
        state.value = `Reading, ${all.length} so far…`;
        if (!part.next) {
          break;
        }
        before = part.next;
      }
      const file = new Blob([kind === "csv" ? csv(all) : jsonLines(all)], { type: kind === "csv" ? "text/csv" : "application/jsonl" });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = `audit-${environment}.${kind}`;
      link.click();
      URL.revokeObjectURL(link.href);
      state.value = `${all.length} rows were saved.${all.length >= mostExported ? " There are more: narrow the time." : ""}`;
    } catch (error) {
      state.value = error instanceof ApiProblem ? error.message : "It could not be saved.";
    }
  };
  return (
    <p class="files no-print">
      <button class="link" onClick={() => void save("csv")}>Save as CSV</button>
      <button class="link" onClick={() => void save("jsonl")}>Save as JSON Lines</button>
      <a class="link" href={`${environmentPath(environment)}/audit/export`} download={`audit-${environment}-proofs.jsonl`}>Save everything with proofs</a>
      <button class="link" onClick={() => window.print()}>Print</button>
      <span class="quiet" role="status">{state.value}</span>
    </p>
  );
}
