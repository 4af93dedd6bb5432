import { environmentPath, get } from "../api/http";
import type { Lifecycle, UnknownFlags } from "../api/types";
import { Empty, Loading, ProblemNote, Tag, Time } from "../components/marks";
import { useReading } from "../state/reading";
import { place, setQuery, to } from "../state/router";

const order = ["expired", "expiring", "stale"];

export function LifecyclePage({ environment }: { environment: string }) {
  const read = useReading((signal) => get<Lifecycle>(`${environmentPath(environment)}/lifecycle`, { signal }), [environment]);
  const unknown = useReading((signal) => get<UnknownFlags>(`${environmentPath(environment)}/usage/unknown`, { signal }), [environment]);
  const { value, problem } = read.value;
  if (!value) {
    return problem ? <ProblemNote problem={problem} /> : <Loading what="the lifecycle" />;
  }
  const stage = place.value.query.get("stage") ?? "";
  const items = value.items.filter((f) => (stage === "" ? f.stage !== "active" : f.stage === stage)).sort((a, b) => order.indexOf(a.stage) - order.indexOf(b.stage));
  return (
    <>
      <div class="head"><h1>Lifecycle</h1><p class="quiet count">flags that have outlived their purpose, or soon will</p></div>
      <nav class="tabs" aria-label="Which flags">
        {["", ...order].map((s) => <button class="link" aria-pressed={stage === s} onClick={() => setQuery({ stage: s })}>{s === "" ? "all of these" : s} <span class="quiet">{value.items.filter((f) => (s === "" ? f.stage !== "active" : f.stage === s)).length}</span></button>)}
      </nav>
      {items.length === 0 ? <Empty><p>No flag is like that.</p></Empty> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Flags by stage">
          <table>
            <thead><tr><th scope="col">Flag</th><th scope="col">Stage</th><th scope="col">Why</th><th scope="col">Owner</th><th scope="col">Last use</th></tr></thead>
            <tbody>
              {items.map((f) => (
                <tr key={f.key}>
                  <th scope="row"><a href={to([environment, "flags", f.key])}><bdi>{f.key}</bdi></a></th>
                  <td><Tag tone={f.stage === "expired" ? "bad" : "warn"}>{f.stage}</Tag></td>
                  <td>{f.expires ? `expires ${f.expires.slice(0, 10)}` : f.off ? "everyone gets the default of the application" : f.everyone ? `everyone gets ${f.everyone}` : f.unused ? "no application asks for it" : ""}{f.detail && `, ${f.detail}`}</td>
                  <td><bdi>{f.owner ?? ""}</bdi></td><td><Time at={f.lastUse} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {unknown.value.value && unknown.value.value.items.length > 0 && (
        <section><h2>Asked for, and do not exist</h2><ul class="plain">{unknown.value.value.items.map((u) => <li><bdi>{u.key}</bdi></li>)}</ul></section>
      )}
    </>
  );
}
