import { useSignal } from "@preact/signals";
import { environmentPath, ApiProblem, get } from "../api/http";
import { documentAt, impactOfRequest, permitted, step, type Step } from "../api/changes";
import type { ChangeRequest, PolicyAnswer } from "../api/types";
import { Difference } from "../components/difference";
import { Impact } from "../components/impact";
import { EnvironmentName, Loading, Person, ProblemNote, Time } from "../components/marks";
import type { Json } from "../reading/json";
import { colourOf } from "../state/environments";
import { requestsMoved } from "../state/live";
import { useReading } from "../state/reading";
import { to } from "../state/router";
import { session } from "../state/session";
import { Status, subject, unfinished } from "./requests";

interface Shown {
  request: ChangeRequest;
  before: (Json | undefined)[];
  approve: PolicyAnswer;
}

export function RequestPage({ environment, request: id }: { environment: string; request: string }) {
  const me = session.value.state === "in" ? session.value.principal.id : undefined;
  const shown = useReading(async (signal): Promise<Shown> => {
    const request = await get<ChangeRequest>(`${environmentPath(environment)}/requests/${encodeURIComponent(id)}`, { exact: true, signal });
    const before = await Promise.all(request.changes.map((c) => {
      const base = request.bases.find((b) => b.kind === c.kind && b.key === c.key);
      return documentAt(environment, c.kind, c.key, request.epoch, base?.revision ?? 0, signal) as Promise<Json | undefined>;
    }));
    const resource = { environment, kind: "flag" as const, key: request.changes[0]?.key };
    return { request, before, approve: await permitted({ action: "approve", ownRequest: request.author === me, resource }, signal) };
  }, [id, requestsMoved.value]);
  const { value, problem } = shown.value;
  if (!value) {
    return problem ? <ProblemNote problem={problem} /> : <Loading what="the request" />;
  }
  const { request: r } = value;
  return (
    <>
      <div class="head">
        <p class="above"><a href={to([environment, "requests"])}>Requests</a></p>
        <h1>Change <bdi>{subject(r)}</bdi> in <EnvironmentName name={environment} /> <Status request={r} /></h1>
        {r.reason && <p class="lead"><bdi>{r.reason}</bdi></p>}
        <p class="quiet">Proposed by <Person id={r.author} names={r.names} /> <Time at={r.opened} />{unfinished.includes(r.status) && <>, expires <Time at={r.expires} /></>}</p>
        {r.applyAt && unfinished.includes(r.status) && (
          <p class="note">To be applied <Time at={r.applyAt} />, on <strong>{r.applyAt.slice(0, 16).replace("T", " at ")} UTC</strong>, if it has its approvals by then. Here that is {new Date(r.applyAt).toLocaleString("en-GB", { dateStyle: "full", timeStyle: "long" })}.</p>
        )}
      </div>
      {r.status === "needs_rebase" && (
        <p class="note" role="status">What it was made from has changed since: {(r.moved ?? []).map((m) => m.key).join(", ")}. Update it to what is there now; earlier approvals no longer count.</p>
      )}
      <section aria-labelledby="changes">
        <h2 id="changes">What changes</h2>
        {r.changes.map((c, i) => (
          <div class="changed-document">
            <h3>{c.kind} <a href={to([environment, c.kind === "segment" ? "segments" : "flags", c.key])}><bdi>{c.key}</bdi></a></h3>
            <Difference before={value.before[i]} after={c.document as Json | undefined} />
          </div>
        ))}
      </section>
      <section aria-labelledby="stake">
        <h2 id="stake">What is at stake</h2>
        <p class={r.risk.high ? "risk high" : "risk"}><span class="shape" aria-hidden="true">{r.risk.high ? "▲" : "●"}</span> {r.risk.high ? "The risk is high" : "The risk is not high"}</p>
        {r.risk.reasons.length > 0 && <ul class="plain">{r.risk.reasons.map((reason) => <li><bdi>{reason.sentence}</bdi></li>)}</ul>}
        {r.status === "open" && <Impact ask={(signal) => impactOfRequest(environment, r.id, signal)} of={r.hash} />}
      </section>
      <section aria-labelledby="approvals">
        <h2 id="approvals">Approvals: {r.approvals.length} of {r.approvalsNeeded}</h2>
        {r.approvals.length === 0 ? <p class="quiet">No approval yet.</p> : (
          <ul class="plain">{r.approvals.map((a) => <li><Person id={a.by} names={r.names} /> agreed <Time at={a.at} />{a.text && <>: <bdi>{a.text}</bdi></>}</li>)}</ul>
        )}
        {r.outcome && <p>{r.status} by <Person id={r.outcome.by} names={r.names} /> <Time at={r.outcome.at} />{r.outcome.text && <>: <bdi>{r.outcome.text}</bdi></>}</p>}
        {r.applied && <p>Applied at revision <code>{r.applied}</code></p>}
      </section>
      <section aria-labelledby="talk">
        <h2 id="talk">Discussion</h2>
        {r.comments.map((c) => <div class="comment"><p class="quiet"><Person id={c.by} names={r.names} /> <Time at={c.at} /></p><p><bdi>{c.text}</bdi></p></div>)}
        <Steps environment={environment} shown={value} again={shown.value.again} me={me} />
      </section>
    </>
  );
}

function Steps({ environment, shown, again, me }: { environment: string; shown: Shown; again: () => void; me: string | undefined }) {
  const { request: r, approve } = shown;
  const text = useSignal("");
  const busy = useSignal(false);
  const problem = useSignal<ApiProblem | undefined>(undefined);
  const take = async (name: Step) => {
    busy.value = true;
    problem.value = undefined;
    try {
      await step(environment, r, name, text.value);
      text.value = "";
    } catch (error) {
      if (!(error instanceof ApiProblem)) {
        throw error;
      }
      problem.value = error;
    }
    busy.value = false;
    again();
  };
  const own = r.author === me;
  const agreed = r.approvals.some((a) => a.by === me);
  const open = r.status === "open";
  const enough = r.approvals.length >= r.approvalsNeeded;
  const button = (name: Step, title: string, kind = "") => <button class={`button ${kind}`} disabled={busy.value} onClick={() => void take(name)}>{title}</button>;
  return (
    <>
      <label for="said" class="heading">{unfinished.includes(r.status) ? "Comment, or reason of a step" : "Comment"}</label>
      <textarea id="said" rows={2} value={text.value} onInput={(e) => (text.value = e.currentTarget.value)} />
      {problem.value && <ProblemNote problem={problem.value} />}
      <p class="actions">
        {open && enough && button("apply", `Apply to ${environment}`, `apply colour-${colourOf(environment)}`)}
        {open && !agreed && approve.permitted && button("approve", "Approve", enough ? "" : "primary")}
        {r.status === "needs_rebase" && button("rebase", "Update to what is there now", "primary")}
        {unfinished.includes(r.status) && !own && approve.permitted && button("reject", "Reject")}
        {unfinished.includes(r.status) && own && button("withdraw", "Withdraw")}
        {r.reviewOpen && !own && button("review", "I have reviewed it", "primary")}
        <button class="button" disabled={busy.value || text.value.trim() === ""} onClick={() => void take("comment")}>Comment</button>
      </p>
      {open && !approve.permitted && <p class="quiet">{own ? "You proposed it, so another person must agree." : `You may not approve this.`}{approve.policies.length > 0 && ` Decided by ${approve.policies.join(", ")}.`}</p>}
    </>
  );
}
