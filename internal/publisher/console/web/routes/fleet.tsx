import { environmentPath, get } from "../api/http";
import type { Fleet } from "../api/types";
import { Empty, Loading, ProblemNote, Tag, Time } from "../components/marks";
import { moved } from "../state/live";
import { useReading } from "../state/reading";

const tones: Record<string, string> = { current: "good", behind: "warn", silent: "bad", diverged: "bad" };

export function FleetPage({ environment }: { environment: string }) {
  const fleet = useReading((signal) => get<Fleet>(`${environmentPath(environment)}/fleet?limit=1000`, { signal }), [environment, moved.value?.revision]);
  const { value, problem } = fleet.value;
  if (!value) {
    return problem ? <ProblemNote problem={problem} /> : <Loading what="the fleet" />;
  }
  return (
    <>
      <div class="head"><h1>Fleet</h1><p class="quiet count">{value.summary.sidecars} sidecars{!value.summary.complete && ", still counting"}</p><button class="button" onClick={value && fleet.value.again}>Read again</button></div>
      <p>The newest revision is <code>{value.revision || "none"}</code>. {Object.entries(value.summary.standings).filter(([, n]) => n > 0).map(([standing, n]) => <Tag tone={tones[standing] ?? ""}>{`${n} ${standing}`}</Tag>)}</p>
      {value.items.length > 0 && (
        <dl class="facts spread">
          <div><dt>They serve</dt><dd>{spread(value.items.map((s) => s.revision ?? "none")).map(([revision, n], i) => <>{i > 0 && ", "}{n} at <code>{revision}</code></>)}{value.next && <span class="quiet"> of the first {value.items.length}</span>}</dd></div>
          <div><dt>They answer from</dt><dd>{counted(value.summary.serving)}</dd></div>
          <div><dt>Versions of the sidecar</dt><dd>{counted(value.summary.versions)}</dd></div>
        </dl>
      )}
      {value.items.length === 0 ? <Empty><p>No sidecar of this environment has reported itself.</p></Empty> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Sidecars">
          <table>
            <thead><tr><th scope="col">Sidecar</th><th scope="col">Standing</th><th scope="col">Revision</th><th scope="col">Answers from</th><th scope="col">Version</th><th scope="col">Application</th><th scope="col">Reported</th></tr></thead>
            <tbody>
              {value.items.map((s) => (
                <tr key={s.boot}>
                  <th scope="row"><bdi>{s.name}</bdi></th>
                  <td><Tag tone={tones[s.standing] ?? ""}>{s.standing}</Tag>{s.conditions.map((c) => <Tag tone="warn">{c}</Tag>)}</td>
                  <td><code>{s.revision ?? "none"}</code></td><td>{s.serving}</td><td>{s.version}</td><td><bdi>{s.application ?? ""}</bdi></td>
                  <td><Time at={new Date(Date.now() - s.reportedMsAgo).toISOString()} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

/** How often each revision is served, the newest first. */
function spread(revisions: string[]): [string, number][] {
  const counts = new Map<string, number>();
  revisions.forEach((r) => counts.set(r, (counts.get(r) ?? 0) + 1));
  const number = (r: string) => Number(r.slice(r.indexOf("-") + 1)) || 0;
  return [...counts].sort(([a], [b]) => number(b) - number(a));
}

function counted(counts: { [name: string]: number }): string {
  return Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, n]) => `${n} × ${name || "not known"}`).join(", ");
}
