import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiProblem, environmentPath, get } from "../api/http";
import type { Activity, Event } from "../api/types";
import { Empty, Loading, Person, ProblemNote, Tag, Time } from "../components/marks";
import { moved, requestsMoved } from "../state/live";
import { place, setQuery, to } from "../state/router";

export function ActivityPage({ environment }: { environment: string }) {
  const query = place.value.query;
  const events = useSignal<Event[] | undefined>(undefined);
  const next = useSignal<string | undefined>(undefined);
  const problem = useSignal<ApiProblem | undefined>(undefined);
  const [flag, actor, since, until] = ["flag", "actor", "since", "until"].map((name) => query.get(name) ?? "");
  const read = async (before: string) => {
    const search = new URLSearchParams({ limit: "50" });
    Object.entries({ flag: flag!, actor: actor!, before, since: day(since!, 0), until: day(until!, 1) }).forEach(([name, value]) => value !== "" && search.set(name, value));
    try {
      const page = await get<Activity>(`${environmentPath(environment)}/activity?${search}`);
      events.value = before === "" ? page.items : [...(events.value ?? []), ...page.items];
      next.value = page.next;
      problem.value = undefined;
    } catch (error) {
      if (!(error instanceof ApiProblem)) {
        throw error;
      }
      problem.value = error;
    }
  };
  useEffect(() => void read(""), [flag, actor, since, until, moved.value?.revision, requestsMoved.value]);
  const field = (name: string, label: string, type: string, value: string) => (
    <label class={value === "" ? "choice" : "choice chosen"}><span>{label}</span><input type={type} value={value} onChange={(e) => setQuery({ [name]: e.currentTarget.value.trim() })} /></label>
  );
  return (
    <>
      <div class="head"><h1>Activity</h1></div>
      <div class="filters" role="search">
        {field("flag", "Flag", "text", flag!)}{field("actor", "Id of who did it", "text", actor!)}{field("since", "From", "date", since!)}{field("until", "To", "date", until!)}
        {[flag, actor, since, until].some((v) => v !== "") && <button class="link" onClick={() => setQuery({ flag: "", actor: "", since: "", until: "" })}>Clear</button>}
      </div>
      {problem.value && <ProblemNote problem={problem.value} />}
      {!events.value ? !problem.value && <Loading what="what happened" /> : events.value.length === 0 ? <Empty><p>Nothing happened that is like this.</p></Empty> : (
        <ol class="feed">{events.value.map((e) => <Row environment={environment} event={e} />)}</ol>
      )}
      {next.value && <p><button class="button" onClick={() => void read(next.value!)}>Show earlier</button></p>}
    </>
  );
}

/** The beginning of a day of the person, or of the one after it, as the API wants it. */
export function day(text: string, more: number): string {
  if (text === "") {
    return "";
  }
  const date = new Date(`${text}T00:00:00`);
  date.setDate(date.getDate() + more);
  return date.toISOString();
}

function Row({ environment, event: e }: { environment: string; event: Event }) {
  const documents = e.documents ?? [];
  return (
    <li>
      <p>
        <Person id={e.actor} names={e.names} /> <span class="did">{said(e)}</span>{" "}
        {documents.slice(0, 3).map((d, i) => (
          <>{i > 0 && ", "}{d.kind === "flag" || d.kind === "segment" ? <a href={to([environment, d.kind === "flag" ? "flags" : "segments", d.key ?? ""])}><bdi>{d.key}</bdi></a> : <bdi>{d.key || d.kind}</bdi>}</>
        ))}
        {documents.length > 3 && ` and ${documents.length - 3} more`}
        {e.breakGlass && <Tag tone="bad">without approval</Tag>}
      </p>
      {e.text && <p class="reason"><bdi>{e.text}</bdi></p>}
      <p class="quiet"><Time at={e.time} />{e.changeRequest && <> · <a href={to([environment, "requests", e.changeRequest])}>request</a></>}{e.revision && <> · <code>{e.revision}</code></>}</p>
    </li>
  );
}

/** What an event says, as a verb. */
export function said(e: Event): string {
  const puts = e.documents?.some((d) => d.action === "put");
  if (e.type === "change") {
    return puts === false && e.documents?.length ? "archived" : "changed";
  }
  return e.type === "refused" ? `was refused: ${e.action ?? ""}` : verbs[e.type] ?? e.type.replace(/[._]/g, " ");
}

const verbs: Record<string, string> = {
  "request.opened": "proposed to change", "request.approved": "approved the change of", "request.claimed": "began to apply the change of", "request.applied": "applied the change of",
  "request.rejected": "rejected the change of", "request.withdrawn": "withdrew the change of", "request.rebased": "updated the change of", "request.commented": "commented on the change of",
  "request.reviewed": "reviewed the change of", "request.expired": "gave up the change of", "settings.risk": "changed what is risky", "settings.lifecycle": "changed the lifecycle policy",
};
