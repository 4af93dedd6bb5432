import { ask, flagPath, get } from "../api/http";
import type { DocumentChange, History } from "../api/types";
import { Remarks } from "../components/difference";
import { later } from "../components/later";
import { Loading, Person, ProblemNote, State, Tag, Time } from "../components/marks";
import { Shares } from "../components/shares";
import { Rules, Variant } from "../components/words";
import { flagOf, prerequisitesOf, segmentsIn, variantsOf, type Flag } from "../reading/flag";
import { remarksOf } from "../reading/difference";
import { pretty, writeExact, type Json, type JsonObject } from "../reading/json";
import { composerAddress } from "../state/change";
import { aroundOf, flagsOf } from "../state/flags";
import { missed, useMoved } from "../state/live";
import { useReading } from "../state/reading";
import { place, setQuery, to } from "../state/router";
import { toggleAddress } from "./flags";

const UsageOf = later<{ environment: string; flag: string }>(() => import("../components/usage").then((m) => m.UsageOf));
const TryPanel = later<{ environment: string; flag: Flag; close: () => void }>(() => import("./playground").then((m) => m.TryPanel));

export function FlagPage({ environment, flag: key }: { environment: string; flag: string }) {
  const cause = useMoved(environment, "flag", key);
  const document = useReading((signal) => ask<Json>("GET", flagPath(environment, key), { exact: true, signal }), [cause, missed.value]);
  const history = useReading((signal) => get<History>(`${flagPath(environment, key)}/history?limit=50`, { exact: true, signal }), [cause, missed.value]);
  const { value, problem } = document.value;
  if (!value) {
    return problem?.problem.status === 404 ? <Gone environment={environment} flag={key} history={history.value.value} /> : problem ? <ProblemNote problem={problem} /> : <Loading what="the flag" />;
  }
  const flag = flagOf(key, value.revision, value.value);
  return (
    <>
      <Head environment={environment} flag={flag} />
      {place.value.query.get("panel") === "try" && <TryPanel environment={environment} flag={flag} close={() => setQuery({ panel: "" })} />}
      {place.value.query.get("panel") === "shares" && <Shares environment={environment} flag={flag} close={() => setQuery({ panel: "" })} />}
      <div class="columns">
        <section aria-labelledby="answers">
          <h2 id="answers">What it answers</h2>
          <Answers environment={environment} flag={flag} />
        </section>
        <section aria-labelledby="json" class="json">
          <h2 id="json">JSON</h2>
          <pre tabIndex={0} aria-label="The document as JSON">{pretty(flag.document)}</pre>
        </section>
      </div>
      <div class="columns">
        <Around environment={environment} flag={flag} />
        <UsageOf environment={environment} flag={key} />
      </div>
      <section aria-labelledby="history">
        <h2 id="history">History</h2>
        {history.value.value ? <HistoryList environment={environment} flag={key} now={flag} history={history.value.value} />
          : history.value.problem ? <ProblemNote problem={history.value.problem} /> : <Loading what="the history" />}
      </section>
    </>
  );
}

function Head({ environment, flag }: { environment: string; flag: Flag }) {
  const stage = aroundOf(environment).value.stages.get(flag.key);
  return (
    <div class="head flag-head">
      <p class="above"><a href={to([environment, "flags"])}>Flags</a></p>
      <h1><bdi>{flag.key}</bdi> <State on={flag.on} /></h1>
      {flag.description && <p class="lead"><bdi>{flag.description}</bdi></p>}
      <p class="tags">
        {stage && stage.stage !== "active" && <Tag tone="warn">{stage.stage}</Tag>}
        {flag.kind && <Tag>{flag.kind}</Tag>}
        {flag.owner && <Tag>{`owner ${flag.owner}`}</Tag>}
        {flag.expires && <Tag>{`expires ${flag.expires}`}</Tag>}
        {flag.tags.map((t) => <Tag>{t}</Tag>)}
      </p>
      <p class="actions">
        <a class="button primary" href={toggleAddress(environment, flag)}>{flag.on ? "Turn off…" : "Turn on…"}</a>
        <button class="button" onClick={() => setQuery({ panel: "shares" })}>Change percentages…</button>
        <a class="button" href={to([environment, "flags", flag.key, "edit"])}>Edit…</a>
        <button class="button" onClick={() => setQuery({ panel: "try" })}>Try a context…</button>
        <a class="button" href={composerAddress(environment, { type: "archive", key: flag.key, ifMatch: flag.revision })}>Archive…</a>
      </p>
    </div>
  );
}

function Answers({ environment, flag }: { environment: string; flag: Flag }) {
  const fallback = typeof flag.document.defaultVariant === "string" ? flag.document.defaultVariant : undefined;
  const off = typeof flag.document.offVariant === "string" ? flag.document.offVariant : fallback;
  const offText = off === undefined ? "the default of the application" : <Variant name={off} />;
  const wanted = prerequisitesOf(flag.document);
  return (
    <>
      {!flag.on && <p class="note">The flag is off: everyone gets the default of the application. Once it is on, this applies:</p>}
      {wanted.length > 0 && (
        <div class="before">
          <p>Only while {wanted.map((p, i) => (
            <>{i > 0 && " and "}<a href={to([environment, "flags", p.flag])}><bdi>{p.flag}</bdi></a> answers {p.variants.map((v, j) => <>{j > 0 && " or "}<Variant name={v} /></>)}</>
          ))}; otherwise {offText}.</p>
        </div>
      )}
      <Rules targeting={flag.document.targeting} fallback={fallback} />
      <h3>Variants</h3>
      <dl class="variants">
        {variantsOf(flag.document).map((name) => (
          <div><dt><Variant name={name} /></dt><dd><code>{writeExact((flag.document.variants as JsonObject)[name])}</code>{name === fallback && <span class="quiet"> default</span>}</dd></div>
        ))}
      </dl>
    </>
  );
}

function Around({ environment, flag }: { environment: string; flag: Flag }) {
  const all = flagsOf(environment).value;
  const dependants = all.items.filter((f) => prerequisitesOf(f.document).some((p) => p.flag === flag.key));
  const segments = [...segmentsIn(flag.document.targeting)];
  const d = flag.document;
  const freshness = typeof d.freshness === "string" ? d.freshness : "cache_first";
  return (
    <section aria-labelledby="around">
      <h2 id="around">Around it</h2>
      <dl class="facts">
        <div>
          <dt>Depend on it</dt>
          <dd>{dependants.length === 0 ? <span class="quiet">{all.complete ? "no flag" : "…"}</span> : dependants.map((f, i) => <>{i > 0 && ", "}<a href={to([environment, "flags", f.key])}><bdi>{f.key}</bdi></a></>)}</dd>
        </div>
        <div>
          <dt>Segments</dt>
          <dd>{segments.length === 0 ? <span class="quiet">none</span> : segments.map((s, i) => <>{i > 0 && ", "}<a href={to([environment, "segments", s])}><bdi>{s}</bdi></a></>)}</dd>
        </div>
        <div>
          <dt>Freshness</dt>
          <dd>{freshnessText[freshness] ?? freshness}{typeof d.maxStaleness === "string" && `, at most ${d.maxStaleness} old`}{typeof d.onUnreachable === "string" && `, otherwise ${d.onUnreachable}`}</dd>
        </div>
        <div><dt>In code</dt><dd><span class="quiet">Where code names it is told by</span> <code>flagside refs scan FOLDER -e {environment}</code></dd></div>
        <div><dt>Revision</dt><dd><code>{flag.revision}</code></dd></div>
      </dl>
    </section>
  );
}

const freshnessText: Record<string, string> = {
  cache_first: "from memory, which events keep current", background_refresh: "from memory, checked behind the answer", always_fresh: "checked before each answer",
};

function HistoryList({ environment, flag, now, history }: { environment: string; flag: string; now?: Flag; history: History }) {
  return (
    <ol class="history">
      {history.items.map((change, i) => {
        const before = history.items[i + 1];
        const known = before !== undefined || history.next === undefined;
        return (
          <li>
            <p class="who"><Person id={change.actor} names={change.names} /> <Time at={change.time} />{change.changeRequest && <> by <a href={to([environment, "requests", change.changeRequest])}>request</a></>}
              {change.approvers && change.approvers.length > 0 && <span class="quiet"> agreed: {change.approvers.map((a) => change.names?.[a] ?? a).join(", ")}</span>}
              <code class="quiet">{change.revision}</code></p>
            {change.reason && <p class="reason"><bdi>{change.reason}</bdi></p>}
            {known ? <Remarks remarks={remarksOf(before?.document as Json | undefined, change.document as Json | undefined)} /> : <p class="quiet">What was before is further back.</p>}
            {i > 0 && change.action === "put" && <p><a class="link" href={backTo(environment, flag, now, change)}>Roll back to this…</a></p>}
          </li>
        );
      })}
    </ol>
  );
}

/** The address of the change that makes a flag what it was. It replaces what is seen here, and nothing newer. */
function backTo(environment: string, key: string, now: Flag | undefined, change: DocumentChange): string {
  return composerAddress(environment, { type: "put", key, document: change.document, ...(now ? { ifMatch: now.revision } : { ifAbsent: true }) });
}

function Gone({ environment, flag, history }: { environment: string; flag: string; history: History | undefined }) {
  const last = history?.items.find((c) => c.action === "put");
  return (
    <>
      <div class="head"><p class="above"><a href={to([environment, "flags"])}>Flags</a></p><h1><bdi>{flag}</bdi></h1></div>
      {!history || history.items.length === 0 ? <p>There is no flag of this name in this environment, and there was none.</p> : (
        <>
          <p class="note">This flag was archived.{last && <> <a href={backTo(environment, flag, undefined, last)}>Bring it back…</a></>}</p>
          <h2>History</h2>
          <HistoryList environment={environment} flag={flag} history={history} />
        </>
      )}
    </>
  );
}
