// How a flag was used: how often, what it answered, and in which releases of which applications.

import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { environmentPath, get } from "../api/http";
import type { FlagUsage } from "../api/types";
import { others, releasesIn, stackOf, type Stack } from "../reading/usage";
import { useReading } from "../state/reading";
import { place, setQuery } from "../state/router";
import { later } from "./later";
import { Loading, Time } from "./marks";
import type { UsageChartOptions } from "./usage-chart";
import { Variant } from "./words";

const UsageChart = later<UsageChartOptions>(() => import("./usage-chart").then((m) => m.UsageChart));

/** How many answers are told apart: as many as there are colours. */
const mostParts = 6;

const [hour, day] = [3600, 86400];

/** The times that can be looked at: so many seconds in such steps, and which of them the axis may name. */
const spans: Record<string, { title: string; length: number; step: string; apart: number[] }> = {
  day: { title: "24 hours", length: day, step: "hour", apart: [3 * hour, 6 * hour, 12 * hour] },
  week: { title: "7 days", length: 7 * day, step: "hour", apart: [day, 2 * day] },
  month: { title: "35 days", length: 35 * day, step: "day", apart: [day, 2 * day, 5 * day, 7 * day, 14 * day] },
};

export function UsageOf({ environment, flag }: { environment: string; flag: string }) {
  const name = place.value.query.get("use") ?? "day";
  const span = spans[name] ?? spans.day!;
  const usage = useReading((signal) => {
    const query = span.step === "hour" && span.length === day ? "" : `?step=${span.step}&from=${new Date(Date.now() - span.length * 1000).toISOString()}`;
    return get<FlagUsage>(`${environmentPath(environment)}/usage/flags/${encodeURIComponent(flag)}${query}`, { signal });
  }, [span]);
  const { value, problem } = usage.value;
  return (
    <section aria-labelledby="usage" class="usage">
      <h2 id="usage">Use in the last {span.title}</h2>
      {problem ? <p class="quiet">{problem.problem.detail}</p> : !value ? <Loading what="usage" /> : !value.kept ? <p class="quiet">This publisher keeps no counts.</p> : (
        <>
          <p class="tabs" role="group" aria-label="Time">
            {Object.entries(spans).map(([key, s]) => <button class="link" aria-pressed={s === span} onClick={() => setQuery({ use: key === "day" ? "" : key })}>{s.title}</button>)}
          </p>
          <Counted usage={value} apart={span.apart} />
        </>
      )}
    </section>
  );
}

function Counted({ usage, apart }: { usage: FlagUsage; apart: number[] }) {
  const at = useSignal<number | undefined>(undefined);
  const stack = useMemo(() => stackOf(usage, mostParts), [usage]);
  const total = stack.totals.reduce((sum, n) => sum + n, 0);
  const until = <span class="quiet">evaluations, counted until {usage.foldedUntil ? <Time at={usage.foldedUntil} /> : "now"}</span>;
  if (total === 0) {
    return <p class="figure"><b>0</b> {until}</p>;
  }
  const bulk = usage.series.reduce((sum, s) => sum + (s.bulk ? s.evaluations : 0), 0);
  const write = usage.step === "day" || stack.times.length > 48 ? days : hours;
  const pointed = at.value !== undefined && at.value < stack.times.length ? at.value : undefined;
  return (
    <>
      <p class="figure"><b>{total.toLocaleString("en")}</b> {until}</p>
      {bulk > 0 && <p class="quiet">{bulk.toLocaleString("en")} of them in answers for all flags at once, of which it is not known which ones were looked at.</p>}
      <UsageChart stack={stack} end={Date.parse(usage.to) / 1000} apart={apart} written={(s) => write.format(s * 1000)} pointed={(i) => (at.value = i)}
        label={`Evaluations by ${usage.step} and variant, ${total.toLocaleString("en")} in all. The table below has the numbers.`} />
      <p class="quiet pointed">{pointed === undefined ? "Times are UTC." : `${timeOf(stack.times[pointed]!, usage.step)}: ${stack.names.map((n, i) => `${stack.counts[i]![pointed]!.toLocaleString("en")} ${titleOf(n)}`).join(", ")}`}</p>
      <ul class="legend" role="list">
        {stack.names.map((n, i) => <li><span class={`dot part-${i}`} aria-hidden="true" />{n === others ? "others" : <Variant name={n || "default of the application"} />} {stack.totals[i]!.toLocaleString("en")}<Last usage={usage} variant={n} /></li>)}
      </ul>
      <Numbers stack={stack} step={usage.step} />
      <Releases usage={usage} />
    </>
  );
}

function Last({ usage, variant }: { usage: FlagUsage; variant: string }) {
  const last = usage.uses.filter((u) => (u.variant ?? "") === variant).flatMap((u) => [u.last, u.lastBulk]).filter((t) => t !== undefined).sort().at(-1);
  return last ? <span class="quiet">, last <Time at={last} /></span> : null;
}

function Numbers({ stack, step }: { stack: Stack; step: string }) {
  const used = stack.times.map((_, i) => i).filter((i) => stack.counts.some((row) => row[i]! > 0));
  return (
    <details>
      <summary>As a table</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="Evaluations as a table">
        <table>
          <thead><tr><th scope="col">{step === "day" ? "Day" : "Hour"}, UTC</th>{stack.names.map((n) => <th scope="col"><bdi>{titleOf(n)}</bdi></th>)}</tr></thead>
          <tbody>{used.reverse().map((i) => <tr><th scope="row">{timeOf(stack.times[i]!, step)}</th>{stack.counts.map((row) => <td>{row[i]!.toLocaleString("en")}</td>)}</tr>)}</tbody>
        </table>
      </div>
    </details>
  );
}

/** In which releases of which applications it is used: what still asks for a flag that is to go. */
function Releases({ usage }: { usage: FlagUsage }) {
  const all = releasesIn(usage);
  return (
    <details>
      <summary>By application and release</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="Evaluations by application and release">
        <table>
          <thead><tr><th scope="col">Application</th><th scope="col">Release</th><th scope="col">Evaluations</th></tr></thead>
          <tbody>{all.map((r) => <tr><th scope="row"><bdi>{r.application || "not named"}</bdi></th><td><bdi>{r.release || "not named"}</bdi></td><td>{r.evaluations.toLocaleString("en")}</td></tr>)}</tbody>
        </table>
      </div>
    </details>
  );
}

function titleOf(name: string): string {
  return name === others ? "others" : name || "default of the application";
}

const hours = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });

function timeOf(seconds: number, step: string): string {
  return new Date(seconds * 1000).toISOString().slice(0, step === "day" ? 10 : 16).replace("T", " ");
}
