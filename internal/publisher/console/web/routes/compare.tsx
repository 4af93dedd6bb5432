// Two environments side by side, with what a flag needs, and copying from one to the other as one change.

import { useComputed, useSignal } from "@preact/signals";
import { environmentPath, get } from "../api/http";
import type { CommandChange, DocumentList } from "../api/types";
import { Difference } from "../components/difference";
import { Empty, EnvironmentName, Loading, ProblemNote, Tag } from "../components/marks";
import { brought, closure, nameOf, unlike, type Documents, type Unlike } from "../reading/compare";
import type { Json } from "../reading/json";
import { composerAddress } from "../state/change";
import { colourOf, environments } from "../state/environments";
import { missed, moved } from "../state/live";
import { useReading } from "../state/reading";
import { go, place, setQuery, to } from "../state/router";

/** How many differences are drawn before someone asks for more. */
const drawn = 100;

export function ComparePage({ environment }: { environment: string }) {
  const others = (environments.value ?? []).map((e) => e.name).filter((n) => n !== environment);
  const other = place.value.query.get("with") ?? others[0] ?? "";
  return (
    <>
      <div class="head"><h1>Compare</h1></div>
      {others.length === 0 ? <Empty><p>There is no other environment to compare with.</p></Empty> : (
        <>
          <div class="filters" role="search">
            <label class="choice chosen">
              <span>with</span>
              <select aria-label="Compare with the environment" value={other} onChange={(e) => setQuery({ with: e.currentTarget.value })}>
                {(others.includes(other) ? others : [other, ...others]).map((n) => <option value={n}>{n}</option>)}
              </select>
            </label>
            <input type="search" aria-label="Search differences by key" placeholder="Search keys" value={place.value.query.get("q") ?? ""} onInput={(e) => setQuery({ q: e.currentTarget.value })} />
            <a class="button" href={to([other, "compare"], { with: environment })}>The other way round</a>
          </div>
          <Compared here={environment} there={other} key={`${environment} ${other}`} />
        </>
      )}
    </>
  );
}

async function documentsOf(environment: string, signal: AbortSignal): Promise<Documents> {
  const all: Documents = new Map();
  for (const kind of ["flag", "segment"] as const) {
    for (let after = ""; ; ) {
      const page: DocumentList = await get(`${environmentPath(environment)}/${kind}s?limit=1000${after}`, { exact: true, signal });
      for (const d of page.items) {
        all.set(nameOf(kind, d.key), { kind, key: d.key, revision: d.revision, document: d.document as Json });
      }
      if (!page.next) {
        break;
      }
      after = `&after=${encodeURIComponent(page.next)}`;
    }
  }
  return all;
}

function Compared({ here, there }: { here: string; there: string }) {
  const read = useReading(async (signal) => {
    const [a, b] = await Promise.all([documentsOf(here, signal), documentsOf(there, signal)]);
    return { here: a, there: b, unlike: unlike(a, b) };
  }, [moved.value?.revision, missed.value]);
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const more = useSignal(drawn);
  const { value, problem } = read.value;
  const wanted = useComputed(() => closure(chosen.value, read.value.value?.there ?? new Map()));
  if (!value) {
    return problem ? <ProblemNote problem={problem} /> : <Loading what="both environments" />;
  }
  const words = (place.value.query.get("q") ?? "").toLowerCase().split(/\s+/);
  const shown = value.unlike.filter((u) => words.every((w) => u.key.toLowerCase().includes(w)));
  const taken = value.unlike.filter((u) => wanted.value.has(u.name));
  const choose = (name: string, on: boolean) => {
    const next = new Set(chosen.value);
    next[on ? "add" : "delete"](name);
    chosen.value = next;
  };
  const selectable = shown.filter((u) => u.there);
  const all = selectable.length > 0 && selectable.every((u) => chosen.value.has(u.name));
  return (
    <>
      {problem && <ProblemNote problem={problem} />}
      <p role="status">
        {value.unlike.length === 0 ? <>All flags and segments of <EnvironmentName name={here} /> are as they are in <EnvironmentName name={there} />.</>
          : <>{value.unlike.length} of {new Set([...value.here.keys(), ...value.there.keys()]).size} flags and segments differ. Shown is what would change in <EnvironmentName name={here} /> if it were as in <EnvironmentName name={there} />.</>}
      </p>
      {selectable.length > 1 && <p><label class="check"><input type="checkbox" checked={all} onChange={(e) => { const next = new Set(chosen.value); const on = e.currentTarget.checked; selectable.forEach((u) => next[on ? "add" : "delete"](u.name)); chosen.value = next; }} /> Select all {selectable.length} that exist in {there}</label></p>}
      <ul class="cards compared">
        {shown.slice(0, more.value).map((u) => (
          <Row u={u} here={here} there={there} chosen={chosen.value.has(u.name)} needed={!chosen.value.has(u.name) && wanted.value.has(u.name)} choose={(on) => choose(u.name, on)} key={u.name} />
        ))}
      </ul>
      {shown.length > more.value && <p><button class="button" onClick={() => (more.value += drawn)}>Show {Math.min(drawn, shown.length - more.value)} more of {shown.length}</button></p>}
      {value.unlike.length > 0 && shown.length === 0 && <Empty><p>No key is like that.</p></Empty>}
      {taken.length > 0 && (
        <div class={`bar-below colour-${colourOf(here)}`} role="region" aria-label="What is selected">
          <p>{counted(taken)}{taken.length > chosen.value.size && `, ${taken.length - [...chosen.value].filter((n) => taken.some((t) => t.name === n)).length} of them because others need it`}.</p>
          <button class="button apply" onClick={() => go(composerAddress(here, { type: "documents", changes: changesFor(taken) }))}>Review copying to {here}…</button>
          <button class="button" onClick={() => (chosen.value = new Set())}>Select nothing</button>
        </div>
      )}
    </>
  );
}

/** The change that makes documents what they are there. Each names what is here now, so nothing newer is overwritten. */
function changesFor(taken: Unlike[]): CommandChange[] {
  return taken.filter((u) => u.there).map((u) => ({
    kind: u.kind, key: u.key, document: brought(u.there!.document, u.here?.document), ...(u.here ? { ifMatch: u.here.revision } : {}),
  }));
}

function counted(taken: Unlike[]): string {
  const count = (kind: string) => taken.filter((u) => u.kind === kind).length;
  return [["flag", count("flag")] as const, ["segment", count("segment")] as const].filter(([, n]) => n > 0).map(([kind, n]) => `${n} ${kind}${n === 1 ? "" : "s"}`).join(" and ");
}

interface RowOptions {
  u: Unlike;
  here: string;
  there: string;
  chosen: boolean;
  needed: boolean;
  choose: (on: boolean) => void;
}

function Row({ u, here, there, chosen, needed, choose }: RowOptions) {
  const section = u.kind === "flag" ? "flags" : "segments";
  return (
    <li class={chosen || needed ? "chosen" : ""}>
      <p class="title">
        <input type="checkbox" aria-label={`Copy ${u.kind} ${u.key}`} checked={chosen || needed} disabled={!u.there || needed} onChange={(e) => choose(e.currentTarget.checked)} />
        <a href={to([u.here ? here : there, section, u.key])}><bdi>{u.key}</bdi></a>
        {u.kind === "segment" && <Tag>segment</Tag>}
        {!u.here && <Tag tone="good">{`only in ${there}`}</Tag>}
        {!u.there && <Tag tone="warn">{`only in ${here}`}</Tag>}
        {needed && <Tag tone="accent">needed by what is selected</Tag>}
      </p>
      {u.here && u.there && <Difference before={u.here.document} after={brought(u.there.document, u.here.document)} />}
      {u.here && !u.there && <p class="quiet">It stays when others are copied. Archive it on its own page.</p>}
      {!u.here && u.there && <details><summary>What it says</summary><Difference before={undefined} after={u.there.document} open /></details>}
    </li>
  );
}

