import { environmentPath, get } from "../api/http";
import type { ChangeRequest, RequestList } from "../api/types";
import { Empty, Loading, Person, ProblemNote, Tag, Time } from "../components/marks";
import { requestsMoved } from "../state/live";
import { useReading } from "../state/reading";
import { place, to } from "../state/router";
import { session } from "../state/session";

const views = [["waiting", "Waiting for me"], ["mine", "Mine"], ["review", "To review"], ["all", "All"]] as const;

/** Statuses in which a request may still become a change. */
export const unfinished = ["open", "claimed", "needs_rebase"];

export function RequestsPage({ environment }: { environment: string }) {
  const requests = useReading(async (signal) => {
    const all: ChangeRequest[] = [];
    for (let after = ""; ; ) {
      const page: RequestList = await get(`${environmentPath(environment)}/requests?limit=1000${after}`, { signal });
      all.push(...page.items);
      if (!page.next) {
        return all.reverse();
      }
      after = `&after=${encodeURIComponent(page.next)}`;
    }
  }, [environment, requestsMoved.value]);
  const view = place.value.query.get("view") ?? "waiting";
  const me = session.value.state === "in" ? session.value.principal.id : undefined;
  const { value, problem } = requests.value;
  const shown = value?.filter((r) => belongs(r, view, me)) ?? [];
  return (
    <>
      <div class="head"><h1>Requests</h1></div>
      <nav class="tabs" aria-label="Which requests">
        {views.map(([name, title]) => (
          <a href={to([environment, "requests"], { view: name === "waiting" ? "" : name })} aria-current={view === name ? "page" : undefined}>
            {title}{value && <span class="quiet"> {value.filter((r) => belongs(r, name, me)).length}</span>}
          </a>
        ))}
      </nav>
      {problem ? <ProblemNote problem={problem} /> : !value ? <Loading what="requests" /> : shown.length === 0 ? <Empty><p>{view === "waiting" ? "Nothing waits for you." : "There are none."}</p></Empty> : (
        <ul class="cards">{shown.map((r) => <Card environment={environment} request={r} key={r.id} />)}</ul>
      )}
    </>
  );
}

function belongs(r: ChangeRequest, view: string, me: string | undefined): boolean {
  switch (view) {
    case "waiting":
      return r.status === "open" && r.author !== me && !r.approvals.some((a) => a.by === me);
    case "mine":
      return r.author === me;
    case "review":
      return r.reviewOpen === true;
    default:
      return true;
  }
}

/** What a request is about: the keys of its documents. */
export function subject(r: ChangeRequest): string {
  const keys = r.changes.map((c) => c.key);
  return keys.length <= 2 ? keys.join(" and ") : `${keys[0]} and ${keys.length - 1} more`;
}

function Card({ environment, request: r }: { environment: string; request: ChangeRequest }) {
  return (
    <li>
      <p class="title"><a href={to([environment, "requests", r.id])}><bdi>{subject(r)}</bdi></a> <Status request={r} /></p>
      {r.reason && <p><bdi>{r.reason}</bdi></p>}
      <p class="quiet"><Person id={r.author} names={r.names} /> <Time at={r.opened} /> · {r.approvals.length} of {r.approvalsNeeded} approvals{r.risk.high && " · high risk"}</p>
    </li>
  );
}

const tones: Record<string, string> = { open: "accent", applied: "good", needs_rebase: "warn", failed: "bad", rejected: "bad" };

export function Status({ request: r }: { request: ChangeRequest }) {
  return <><Tag tone={tones[r.status] ?? ""}>{r.status.replace("_", " ")}</Tag>{r.breakGlass && <Tag tone="bad">without approval</Tag>}{r.reviewOpen && <Tag tone="warn">to review</Tag>}</>;
}
