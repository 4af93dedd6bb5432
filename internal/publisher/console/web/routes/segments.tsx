import { ask, environmentPath, get } from "../api/http";
import type { History } from "../api/types";
import { Remarks } from "../components/difference";
import { Members } from "../components/members";
import { Empty, Loading, Person, ProblemNote, Time } from "../components/marks";
import { Words } from "../components/words";
import { remarksOf } from "../reading/difference";
import { segmentsIn } from "../reading/flag";
import { whenOf } from "../reading/form";
import { pretty, writeExact, type Json } from "../reading/json";
import { rulesOf } from "../reading/targeting";
import { flagsOf } from "../state/flags";
import { missed, useMoved } from "../state/live";
import { useReading } from "../state/reading";
import { to } from "../state/router";

/** More members than these are a list that can be searched, and this many characters of JSON are drawn at once. */
const [mostWords, mostText] = [12, 20_000];

export function SegmentsPage({ environment }: { environment: string }) {
  const { items, segments, complete, problem } = flagsOf(environment).value;
  return (
    <>
      <div class="head"><h1>Segments</h1><p class="quiet count">{complete ? segments.length : ""}</p><a class="button" href={to([environment, "new-segment"])}>New segment…</a></div>
      {problem && <ProblemNote problem={problem} />}
      {!complete ? <Loading what="segments" /> : segments.length === 0 ? <Empty><p>This environment has no segments.</p></Empty> : (
        <ul class="cards">
          {segments.map((s) => {
            const flags = items.filter((f) => segmentsIn(f.document.targeting).has(s)).length;
            return <li key={s}><p class="title"><a href={to([environment, "segments", s])}><bdi>{s}</bdi></a></p><p class="quiet">named by {flags} {flags === 1 ? "flag" : "flags"}</p></li>;
          })}
        </ul>
      )}
    </>
  );
}

export function SegmentPage({ environment, segment }: { environment: string; segment: string }) {
  const path = `${environmentPath(environment)}/segments/${encodeURIComponent(segment)}`;
  const cause = useMoved(environment, "segment", segment);
  const read = useReading((signal) => ask<Json>("GET", path, { exact: true, signal }), [cause, missed.value]);
  const history = useReading((signal) => get<History>(`${path}/history?limit=50`, { exact: true, signal }), [cause, missed.value]);
  const { value, problem } = read.value;
  if (!value) {
    return problem ? <ProblemNote problem={problem} /> : <Loading what="the segment" />;
  }
  const flags = flagsOf(environment).value.items.filter((f) => segmentsIn(f.document.targeting).has(segment));
  const rule = rulesOf({ if: [value.value, "in", "out"] })[0]!;
  const [only, ...others] = whenOf(value.value).parts;
  const many = only?.is === "one-of" && others.length === 0 && only.values.length > mostWords ? only : undefined;
  const text = pretty(value.value);
  return (
    <>
      <div class="head"><p class="above"><a href={to([environment, "segments"])}>Segments</a></p><h1><bdi>{segment}</bdi></h1>
        <p class="actions"><a class="button" href={to([environment, "segments", segment, "edit"])}>Edit…</a></p></div>
      <div class="columns">
        <section aria-labelledby="who"><h2 id="who">Who is in it</h2><p class="lead"><Words words={rule.when ?? []} /></p>
          <h3>Flags that name it</h3>
          {flags.length === 0 ? <p class="quiet">none</p> : <ul class="plain">{flags.map((f) => <li><a href={to([environment, "flags", f.key])}><bdi>{f.key}</bdi></a></li>)}</ul>}
        </section>
        <section aria-labelledby="json" class="json"><h2 id="json">JSON</h2><pre tabIndex={0} aria-label="The segment as JSON">{text.slice(0, mostText)}</pre>
          {text.length > mostText && <p class="quiet">These are the first {mostText.toLocaleString("en")} characters. <a href={to([environment, "segments", segment, "edit"])}>Edit it</a> to see all.</p>}</section>
      </div>
      {many && <Members attribute={many.attribute} values={many.values.map((v) => (typeof v === "string" ? v : writeExact(v)))} key={value.revision} />}
      <section aria-labelledby="history">
        <h2 id="history">History</h2>
        <ol class="history">
          {history.value.value?.items.map((c, i, all) => (
            <li>
              <p class="who"><Person id={c.actor} names={c.names} /> <Time at={c.time} /><code class="quiet">{c.revision}</code></p>
              {c.reason && <p class="reason"><bdi>{c.reason}</bdi></p>}
              {(all[i + 1] || !history.value.value!.next) && <Remarks remarks={remarksOf(all[i + 1]?.document as Json | undefined, c.document as Json | undefined)} />}
            </li>
          ))}
        </ol>
      </section>
    </>
  );
}
