import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { typing } from "../components/frame";
import { Empty, EnvironmentName, Loading, ProblemNote, State, Tag, Time } from "../components/marks";
import { Rows } from "../components/rows";
import { Sparkline } from "../components/sparkline";
import type { Flag } from "../reading/flag";
import { outcomeText, rulesOf } from "../reading/targeting";
import { composerAddress } from "../state/change";
import { environments } from "../state/environments";
import { aroundOf, flagsOf, type Around } from "../state/flags";
import { filters, listed, occurring, used } from "../state/listing";
import { go, place, setQuery, to } from "../state/router";

const stages = ["active", "stale", "expiring", "expired"];

export function FlagsPage({ environment }: { environment: string }) {
  const flags = flagsOf(environment);
  const around = aroundOf(environment);
  const query = place.value.query;
  const selected = useSignal(-1);
  const found = useComputed(() => listed(flagsOf(place.value.parts[0]!).value.items, aroundOf(place.value.parts[0]!).value, place.value.query));
  const kinds = useComputed(() => occurring(flagsOf(place.value.parts[0]!).value.items, (f) => [f.kind]));
  const owners = useComputed(() => occurring(flagsOf(place.value.parts[0]!).value.items, (f) => [f.owner]));
  const tags = useComputed(() => occurring(flagsOf(place.value.parts[0]!).value.items, (f) => f.tags));
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (typing(event)) {
        return;
      }
      const step = event.key === "j" ? 1 : event.key === "k" ? -1 : 0;
      const flag = found.value[selected.value];
      if (step !== 0) {
        selected.value = Math.max(0, Math.min(found.value.length - 1, selected.value + step));
      } else if (flag && event.key === "Enter" && (document.activeElement === document.body || document.activeElement?.id === "content")) {
        go(to([environment, "flags", flag.key]));
      } else if (flag && event.key === "t") {
        go(toggleAddress(environment, flag));
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [environment]);
  const others = (environments.value ?? []).map((e) => e.name).filter((e) => e !== environment);
  const named = others.find((e) => e === query.get("with"));
  const there = named ? flagsOf(named).value : undefined;
  const other = useMemo((): Other | undefined => (named && there ? { name: named, flags: new Map(there.items.map((f) => [f.key, f])), complete: there.complete } : undefined), [named, there]);
  const filtered = filters.some((f) => query.get(f));
  const loading = !flags.value.complete && flags.value.items.length === 0;
  return (
    <>
      <div class="head">
        <h1>Flags</h1>
        <p class="quiet count" role="status">
          {loading ? "" : filtered ? `${found.value.length} of ${flags.value.items.length}` : `${flags.value.items.length}`}{!flags.value.complete && !loading ? ", reading more" : ""}
        </p>
        <a class="button" href={to([environment, "new-flag"])}>New flag…</a>
      </div>
      <div class="filters" role="search">
        <input type="search" aria-label="Search flags by key and description" placeholder="Search flags" value={query.get("q") ?? ""}
          onInput={(e) => { selected.value = -1; setQuery({ q: e.currentTarget.value }); }}
          onKeyDown={(e) => { if (e.key === "Enter" && found.value[0]) { go(to([environment, "flags", found.value[0].key])); } else if (e.key === "Escape") { e.currentTarget.blur(); } }} />
        <Choice name="state" label="State" values={["on", "off"]} />
        <Choice name="kind" label="Kind" values={kinds.value} />
        <Choice name="owner" label="Owner" values={owners.value} />
        <Choice name="tag" label="Tag" values={tags.value} />
        <Choice name="stage" label="Stage" values={stages} />
        {others.length > 0 && <Choice name="with" label="Also in" values={others} every="none" />}
        <Choice name="sort" label="Order" values={["changed", "used"]} every="by key" titles={{ changed: "last changed", used: "last used" }} />
        {filtered && <button class="link" onClick={() => setQuery(Object.fromEntries(filters.map((f) => [f, ""])))}>Clear</button>}
      </div>
      {flags.value.problem && <ProblemNote problem={flags.value.problem} />}
      {loading ? <Loading what="flags" /> : found.value.length === 0 ? <None filtered={filtered} environment={environment} /> : (
        <Rows items={found.value} label="Flags" height={64} selected={selected.value} keyOf={(f) => f.key}
          row={(f) => <Row flag={f} environment={environment} other={other} around={around.value} />} />
      )}
    </>
  );
}

function None({ filtered, environment }: { filtered: boolean; environment: string }) {
  return (
    <Empty>
      {filtered ? <p>No flag is like that. <button class="link" onClick={() => setQuery(Object.fromEntries(filters.map((f) => [f, ""])))}>Show all flags</button></p>
        : <p>This environment has no flags yet. <a href={to([environment, "new-flag"])}>Create the first one</a></p>}
    </Empty>
  );
}

function Choice({ name, label, values, every = "any", titles = {} }: { name: string; label: string; values: string[]; every?: string; titles?: Record<string, string> }) {
  const value = place.value.query.get(name) ?? "";
  const all = value === "" || values.includes(value) ? values : [value, ...values];
  return (
    <label class={value === "" ? "choice" : "choice chosen"}>
      <span>{label}</span>
      <select value={value} onChange={(e) => setQuery({ [name]: e.currentTarget.value })}>
        <option value="">{every}</option>
        {all.map((v) => <option value={v}>{titles[v] ?? v}</option>)}
      </select>
    </label>
  );
}

/** The address of the change that turns a flag on or off. It names the flag and its revision, so that it is about what was seen. */
export function toggleAddress(environment: string, flag: Flag): string {
  return composerAddress(environment, { type: "toggle", key: flag.key, on: !flag.on, ifMatch: flag.revision });
}

function Row({ flag, environment, other, around }: { flag: Flag; environment: string; other: Other | undefined; around: Around }) {
  const stage = around.stages.get(flag.key)?.stage ?? "active";
  const hours = around.uses.get(flag.key)?.hours;
  return (
    <>
      <div role="cell" class="cell-state">
        <a class="state-link" href={toggleAddress(environment, flag)} aria-label={`${flag.key} is ${flag.on ? "on" : "off"}: review turning it ${flag.on ? "off" : "on"}`}><State on={flag.on} /></a>
      </div>
      <div role="cell" class="cell-name">
        <a href={to([environment, "flags", flag.key])}><bdi>{flag.key}</bdi></a>
        {other ? <Elsewhere flag={flag.key} other={other} /> : <p class="quiet"><bdi>{flag.description}</bdi></p>}
      </div>
      <div role="cell" class="cell-answer quiet"><bdi>{summary(flag)}</bdi></div>
      <div role="cell" class="cell-tags">
        {stage !== "active" && <Tag tone="warn">{stage}</Tag>}
        {flag.kind && <Tag>{flag.kind}</Tag>}
        {flag.owner && <Tag>{flag.owner}</Tag>}
      </div>
      <div role="cell" class="cell-used quiet">{hours && <Sparkline hours={hours} />}{!around.usageKept ? "" : used(around, flag.key) ? <>used <Time at={used(around, flag.key)} /></> : "never used"}</div>
    </>
  );
}

/** The flags of another environment by their keys, as they were when they were read for this list. */
interface Other {
  name: string;
  flags: Map<string, Flag>;
  complete: boolean;
}

function Elsewhere({ flag: key, other }: { flag: string; other: Other }) {
  const flag = other.flags.get(key);
  return <p class="quiet elsewhere">in <EnvironmentName name={other.name} /> {flag ? <><a href={to([other.name, "flags", key])} aria-label={`${key} in ${other.name} is ${flag.on ? "on" : "off"}`}><State on={flag.on} /></a> {summary(flag)}</> : other.complete ? "there is none" : "…"}</p>;
}

/** What a flag answers, in a few words. */
function summary(flag: Flag): string {
  const fallback = typeof flag.document.defaultVariant === "string" ? flag.document.defaultVariant : "the default of the application";
  if (!flag.on) {
    return "everyone: the default of the application";
  }
  const rules = rulesOf(flag.document.targeting);
  const last = rules.at(-1)!.then;
  const text = last.is === "default" ? fallback : outcomeText(last);
  return rules.length === 1 ? `everyone: ${text}` : `${rules.length - 1} ${rules.length === 2 ? "rule" : "rules"}, else ${text}`;
}
