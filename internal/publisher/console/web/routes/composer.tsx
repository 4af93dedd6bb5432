// Shows what a change would do, for whom and who must agree, before anything happens.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { ApiProblem, ask, documentPath } from "../api/http";
import { apply, impactOf, permitted, preview, propose, step } from "../api/changes";
import type { ChangeRequest, Command, PolicyAnswer, Preview, Written } from "../api/types";
import { Difference } from "../components/difference";
import { Empty, EnvironmentName, Loading, ProblemNote } from "../components/marks";
import { Convergence } from "../components/convergence";
import { Impact } from "../components/impact";
import { Schedule, type Planned } from "../components/schedule";
import { overtakenBy, ThreeWay, type Overtaken } from "../components/three-way";
import { segmentsIn } from "../reading/flag";
import { same, type Json } from "../reading/json";
import { percent } from "../reading/targeting";
import { composerAddress, guarded, intended, targetsOf } from "../state/change";
import { drop, keep, replaceDraft } from "../state/draft";
import { forgetEdit } from "../state/edit";
import { colourOf, environments } from "../state/environments";
import { flagsOf } from "../state/flags";
import { missed, moved } from "../state/live";
import { useReading } from "../state/reading";
import { go, place, to } from "../state/router";
import { session } from "../state/session";
import { lookAtTasks } from "../state/tasks";

export function ComposerPage({ environment }: { environment: string }) {
  const drafted = place.value.query.has("draft");
  const made = useRef<Command | undefined>(undefined); // what is kept is dropped once it is made, and is still shown
  const command = made.current ?? intended(environment, place.value.query);
  if (!command) {
    return drafted ? <Empty><h1>Nothing is kept</h1><p>There is no change of several documents in this tab. Open one with <b>Keep for a change of several</b> where you edit or review a document.</p></Empty>
      : <Empty><h1>No change</h1><p>This address has no change, or one that another tab has kept for itself.</p></Empty>;
  }
  if (!guarded(command)) {
    return <Empty><h1>This change cannot be shown</h1><p>It does not say from which revision it was made, so it could overwrite newer work. Make it again on the page of the flag.</p></Empty>;
  }
  return <Composer environment={environment} command={command} drafted={drafted} made={made} key={drafted ? JSON.stringify(command) : ""} />;
}

/** What a command does, in a few words. */
export function titleOf(command: Command): string {
  switch (command.type) {
    case "toggle":
      return command.on ? "Turn on" : "Turn off";
    case "archive":
      return "Archive";
    case "documents":
      return command.changes?.length === 1 ? "Change" : `Change ${command.changes?.length} documents`;
    default:
      return command.ifAbsent ? "Create" : "Change";
  }
}

type Done = { is: "applied"; written: Written; revision: string; before: unknown } | { is: "proposed" | "broken"; request: ChangeRequest };

/** What is known of a change: what it would do, or that it was made from something that is no longer there. */
type Look = { preview: Preview } | { overtaken: Overtaken[] };

function Composer({ environment, command, drafted, made }: { environment: string; command: Command; drafted: boolean; made: { current?: Command | undefined } }) {
  const done = useSignal<Done | undefined>(undefined);
  const targets = targetsOf(command);
  const cause = useRef("");
  const event = moved.value;
  if (event?.environment === environment && event.documents.some((d) => targets.some((t) => t.kind === d.kind && t.key === d.key))) {
    cause.current = event.revision;
  }
  const inUse = useSignal(false);
  const effective: Command = command.type === "archive" && inUse.value ? { ...command, inUse: true } : command;
  const applying = useRef(false);
  const last = useRef<Look | undefined>(undefined);
  const looked = useReading(async (signal): Promise<Look | undefined> => {
    if (done.value || applying.current) {
      return last.current; // what has changed is this
    }
    if (cause.current !== "") { // an event told of it, so it is looked at before the publisher has to refuse
      const overtaken = await overtakenBy(environment, command, signal);
      if (overtaken.length > 0) {
        return { overtaken };
      }
    }
    try {
      return (last.current = { preview: await preview(environment, effective, signal) });
    } catch (error) {
      if (error instanceof ApiProblem && error.kind === "precondition-failed") {
        const overtaken = await overtakenBy(environment, command, signal);
        if (overtaken.length > 0) {
          return { overtaken };
        }
      }
      throw error;
    }
  }, [cause.current, missed.value, inUse.value]);
  const { value, problem } = looked.value;
  const single = command.type !== "documents";
  const back = single ? to([environment, targets[0]!.kind === "flag" ? "flags" : "segments", command.key ?? ""]) : to([environment, "flags"]);
  const goOn = (next: Command) => {
    if (drafted) {
      replaceDraft(environment, next);
    } else {
      go(composerAddress(environment, next), true);
    }
  };
  const finish = (d: Done) => {
    done.value = d;
    made.current = command;
    targets.forEach((t) => {
      forgetEdit(environment, t.kind, t.key);
      if (drafted) {
        drop(environment, t.kind, t.key);
      }
    });
  };
  return (
    <div class="composer">
      <div class="head">
        <p class="above"><a href={back}>{single ? <bdi>{command.key}</bdi> : "Flags"}</a></p>
        <h1>{titleOf(command)}{targets.length === 1 && <> <bdi>{targets[0]!.key}</bdi></>} in <EnvironmentName name={environment} /></h1>
      </div>
      {done.value ? <Outcome environment={environment} command={command} done={done.value} back={back} />
        : problem ? <Refused environment={environment} problem={problem} command={command} inUse={inUse} back={back} />
        : !value ? <Loading what="what would change" />
        : "overtaken" in value ? <ThreeWay environment={environment} command={command} overtaken={value.overtaken} goOn={goOn} back={back} />
        : <Review environment={environment} command={effective} preview={value.preview} inUse={inUse.value} drafted={drafted} back={back} finish={finish} applying={applying} overtaken={() => looked.value.again()} />}
    </div>
  );
}

interface RefusedOptions {
  environment: string;
  problem: ApiProblem;
  command: Command;
  inUse: { value: boolean };
  back: string;
}

/** Why a change cannot be made. What others depend on may be archived together with them. */
function Refused({ environment, problem, command, inUse, back }: RefusedOptions) {
  const failed = useSignal("");
  const target = targetsOf(command)[0]!;
  const depended = problem.kind === "in-use" && command.type === "archive" && (problem.problem.errors ?? []).length > 0;
  const keepIt = async () => {
    const now = await ask<Json>("GET", documentPath(environment, target.kind, target.key), { exact: true }).catch((error: unknown) => {
      if (error instanceof ApiProblem) {
        return undefined;
      }
      throw error;
    });
    failed.value = now?.revision !== command.ifMatch ? "It has changed since you looked: load the page again." : keep(environment, { ...target, before: now!.value }) ?? "";
    if (failed.value === "") {
      go(back);
    }
  };
  return (
    <>
      <ProblemNote problem={problem} />
      {failed.value && <p class="note bad" role="alert">{failed.value}</p>}
      {depended ? (
        <>
          <p>It can go together with what depends on it: keep it, keep the others, and review all.</p>
          <p class="actions"><button class="button" onClick={() => void keepIt()}>Keep for a change of several</button><a class="button" href={back}>Back</a></p>
        </>
      ) : problem.kind === "in-use" && command.type === "archive" && (
        <label class="check"><input type="checkbox" checked={inUse.value} onChange={(e) => (inUse.value = e.currentTarget.checked)} /> Go on although applications asked for it lately</label>
      )}
    </>
  );
}

interface ReviewOptions {
  environment: string;
  command: Command;
  preview: Preview;
  inUse: boolean;
  drafted: boolean;
  back: string;
  finish: (done: Done) => void;
  /** Whether the change is being made. */
  applying: { current: boolean };
  overtaken: () => void;
}

function Review({ environment, command, preview: seen, inUse, drafted, back, finish, applying, overtaken }: ReviewOptions) {
  const reason = useSignal("");
  const busy = useSignal(false);
  const problem = useSignal<ApiProblem | undefined>(undefined);
  const breaking = useSignal(false);
  const sure = useSignal(false);
  const asking = useRef(new AbortController());
  const planned = useSignal<Planned>({ on: false, lateSeconds: 0 });
  const once = useRef(crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("-"));
  const first = targetsOf(command).find((t) => t.kind === "flag") ?? targetsOf(command)[0]!;
  const resource = { environment, kind: first.kind, key: first.key };
  const action = command.type === "archive" ? "archive" : "change";
  const may = useReading(async (signal): Promise<{ propose: PolicyAnswer; breakGlass: PolicyAnswer }> => {
    const [proposing, breakGlass] = await Promise.all([permitted({ action: "propose", resource }, signal), permitted({ action: "break-glass", resource }, signal)]);
    return { propose: proposing, breakGlass };
  }, [action]);
  const nothing = seen.differences.length === 0 || seen.differences.every((d) => same(d.before as Json, d.after as Json));
  const approvals = seen.permitted ? 0 : seen.refused?.approvals ?? 0;
  const forbidden = !seen.permitted && approvals === 0;
  const carryOut = async (make: () => Promise<Done>) => {
    busy.value = true;
    applying.current = true;
    asking.current.abort();
    problem.value = undefined;
    lookAtTasks();
    try {
      finish(await make());
    } catch (error) {
      applying.current = false;
      asking.current = new AbortController();
      if (!(error instanceof ApiProblem)) {
        throw error;
      }
      problem.value = error;
      if (error.kind === "precondition-failed") {
        overtaken();
      }
    }
    busy.value = false;
  };
  const plan = planned.value;
  const how = { reason: reason.value, once: once.current, inUse, ...(plan.on && plan.at ? { at: plan.at, lateSeconds: plan.lateSeconds } : {}) };
  const applyNow = () => carryOut(async () => {
    const { value, revision } = await apply(environment, command, how);
    return { is: "applied", written: value, revision, before: seen.differences.find((d) => d.key === command.key)?.before };
  });
  const proposeNow = () => carryOut(async () => ({ is: "proposed", request: await propose(environment, command, how, false) }));
  const breakNow = () => carryOut(async () => {
    const request = await propose(environment, command, { ...how, at: undefined }, true);
    if (request.status === "open") {
      await step(environment, request, "apply", reason.value);
    }
    return { is: "broken", request };
  });
  const keepIt = () => {
    const d = seen.differences[0]!;
    const failed = keep(environment, {
      kind: first.kind, key: first.key, ...(d.after === undefined ? {} : { document: d.after as Json }), ...(d.before === undefined ? {} : { before: d.before as Json }), ...(command.ifMatch ? { ifMatch: command.ifMatch } : {}),
    });
    if (failed === undefined) {
      forgetEdit(environment, first.kind, first.key);
      go(back);
    } else {
      problem.value = new ApiProblem({ type: "urn:flagside:problem:too-large", title: "Not kept", status: 0, detail: failed });
    }
  };
  const keepable = !drafted && ["put", "toggle", "archive"].includes(command.type) && seen.differences.length === 1;
  const used = command.type === "documents" && seen.risk.reasons.some((r) => r.code === "removed-in-use");
  const colour = `colour-${colourOf(environment)}`;
  const tooLong = new TextEncoder().encode(reason.value.trim()).length > 500;
  const mayPropose = may.value.value?.propose.permitted === true;
  const timeless = plan.on && (!plan.at || plan.at.getTime() <= Date.now());
  const blocked = busy.value || tooLong || (used && !sure.value);
  return (
    <>
      <section aria-labelledby="changes">
        <h2 id="changes">What changes</h2>
        {seen.differences.map((d) => (
          <div class="changed-document" key={`${d.kind}/${d.key}`}>
            {(seen.differences.length > 1 || d.key !== command.key) && (
              <h3 class="document-name">{d.kind} <a href={to([environment, d.kind === "segment" ? "segments" : "flags", d.key, "edit"])}><bdi>{d.key}</bdi></a>
                {drafted && <button class="link" aria-label={`Take out ${d.kind} ${d.key}`} onClick={() => drop(environment, d.kind, d.key)}>Take out</button>}</h3>
            )}
            <Difference before={d.before as Json | undefined} after={d.after as Json | undefined} />
          </div>
        ))}
        {nothing && <p>Everything is so already: there is nothing to change.</p>}
        {(seen.warnings ?? []).map((w) => <p class="note">{w.key && <><bdi>{w.key}</bdi>: </>}{w.reason} {w.hint}</p>)}
      </section>
      <section aria-labelledby="stake">
        <h2 id="stake">What is at stake</h2>
        <Stake preview={seen} />
        <Naming environment={environment} preview={seen} />
        {!nothing && !forbidden && <Impact ask={(signal) => impactOf(environment, command, signal)} of={JSON.stringify(command)} until={asking.current.signal} />}
      </section>
      <section aria-labelledby="agree">
        <h2 id="agree">Who must agree</h2>
        {seen.permitted ? <p>You may apply this at once. It is recorded with your name.</p>
          : approvals > 0 ? <p><b>{approvals === 1 ? "One other person" : `${approvals} other people`}</b> must agree before this can be applied.{policies(seen.refused?.policies)}</p>
          : <Forbidden environment={environment} action={action} preview={seen} />}
      </section>
      {!nothing && forbidden && (
        <p class="actions"><button class="button" disabled>Apply to {environment}: forbidden</button><a class="button" href={back}>Back</a></p>
      )}
      {!nothing && !forbidden && (
        <section aria-labelledby="why" class="go">
          {mayPropose && <Schedule planned={planned} environment={environment} />}
          <h2 id="why"><label for="reason" class="heading">Reason</label></h2>
          <textarea id="reason" rows={2} value={reason.value} aria-describedby="reason-help" onInput={(e) => (reason.value = e.currentTarget.value)} />
          <p id="reason-help" class={tooLong ? "bad-text" : "quiet"}>{tooLong ? "At most 500 bytes: shorten it." : "It stays in the log for ever, for everyone who may read it. Name no person."}</p>
          {used && <label class="check"><input type="checkbox" checked={sure.value} onChange={(e) => (sure.value = e.currentTarget.checked)} /> Go on although applications asked lately for a flag that is archived</label>}
          {problem.value && problem.value.kind !== "precondition-failed" && <ProblemNote problem={problem.value} />}
          <p class="actions">
            {plan.on ? <button class={`button apply ${colour}`} disabled={blocked || timeless} onClick={proposeNow}>{seen.permitted ? `Schedule for ${environment}` : `Propose for ${environment} at this time`}</button> : (
              <>
                {seen.permitted && <button class={`button apply ${colour}`} disabled={blocked} onClick={applyNow}>Apply to {environment}</button>}
                {(approvals > 0 || seen.permitted) && mayPropose && (
                  <button class={seen.permitted ? "button" : `button apply ${colour}`} disabled={blocked} onClick={proposeNow}>Propose for {environment}</button>
                )}
              </>
            )}
            {keepable && <button class="button" disabled={busy.value} onClick={keepIt}>Keep for a change of several</button>}
            {command.type === "put" && !command.ifAbsent && <a class="button" href={`${back}/edit`}>Edit</a>}
            <a class="button" href={back}>Cancel</a>
          </p>
          {approvals > 0 && may.value.value && !mayPropose && <p class="note">You may not propose this here.{policies(may.value.value.propose.policies)}</p>}
          {!seen.permitted && may.value.value?.breakGlass.permitted && (
            <details class="glass" open={breaking.value} onToggle={(e) => (breaking.value = e.currentTarget.open)}>
              <summary>It cannot wait</summary>
              <p>Apply it without the approvals. It is logged loudly, needs a reason, and stays open until another person has reviewed it.</p>
              <button class="button danger" disabled={blocked || reason.value.trim() === ""} onClick={breakNow}>Apply to {environment} without approval</button>
              {reason.value.trim() === "" && <p class="quiet">Give a reason first.</p>}
            </details>
          )}
        </section>
      )}
    </>
  );
}

function policies(names: string[] | undefined) {
  return names && names.length > 0 ? <span class="quiet"> Decided by {names.join(", ")}.</span> : null;
}

/** The flags that name segments that change. */
function Naming({ environment, preview: seen }: { environment: string; preview: Preview }) {
  const segments = seen.differences.filter((d) => d.kind === "segment").map((d) => d.key ?? "");
  if (segments.length === 0) {
    return null;
  }
  const naming = flagsOf(environment).value.items.filter((f) => { const named = segmentsIn(f.document.targeting); return segments.some((s) => named.has(s)); });
  return (
    <p>{naming.length === 0 ? `No flag names ${segments.length === 1 ? "it" : "them"}.` : <>Flags that name {segments.length === 1 ? "it" : "them"}: {naming.slice(0, 50).map((f, i) => <>{i > 0 && ", "}<a href={to([environment, "flags", f.key])}><bdi>{f.key}</bdi></a></>)}{naming.length > 50 && ` and ${naming.length - 50} more`}.</>}</p>
  );
}

function Stake({ preview: seen }: { preview: Preview }) {
  const { risk } = seen;
  return (
    <>
      <p class={risk.high ? "risk high" : "risk"}>
        <span class="shape" aria-hidden="true">{risk.high ? "▲" : "●"}</span> {risk.high ? "The risk is high" : "The risk is not high"}
      </p>
      {risk.reasons.length > 0 && <ul class="plain">{risk.reasons.map((r) => <li><bdi>{r.sentence}</bdi></li>)}</ul>}
      <dl class="facts">
        <div><dt>Flags that depend on it</dt><dd>{risk.dependants}</dd></div>
        {risk.share !== undefined && <div><dt>Users whose answer changes</dt><dd>{percent(risk.share)}</dd></div>}
        {risk.inUse !== undefined && <div><dt>Evaluated lately</dt><dd>{risk.inUse ? "yes" : "no"}</dd></div>}
      </dl>
    </>
  );
}

/** Why it is forbidden, and who could: who is asked as the groups that policies know, where one may ask about others. */
function Forbidden({ environment, action, preview: seen }: { environment: string; action: "archive" | "change"; preview: Preview }) {
  const who = session.value;
  const others = useReading(async (signal) => {
    const found: string[] = [];
    if (!(await permitted({ action: "administer" }, signal)).permitted) {
      return undefined; // who may ask about others
    }
    for (const group of ["flagside:editor", "flagside:approver", "flagside:admin"]) {
      const answer = await permitted({ action, principal: "another", groups: [group], resource: { environment, kind: "flag" } }, signal);
      if (answer.permitted || (answer.approvals ?? 0) > 0) {
        found.push(answer.permitted ? group : `${group} with ${answer.approvals} approval${answer.approvals === 1 ? "" : "s"}`);
      }
    }
    return found;
  }, [action]);
  return (
    <div class="note bad">
      <p><strong>Forbidden.</strong> {seen.refused?.detail ?? "Policies do not permit it."}{policies(seen.refused?.policies)}</p>
      <p>You are in {who.state === "in" && who.principal.groups.length > 0 ? who.principal.groups.join(", ") : "no group"}.{" "}
        {others.value.value ? (others.value.value.length > 0 ? `People in these groups could: ${others.value.value.join(", ")}.` : "No group of the default policy could.")
          : "Editors and administrators can, where the policies of this publisher follow the default. An administrator can tell exactly: flagside policy check."}</p>
    </div>
  );
}

function Outcome({ environment, command, done, back }: { environment: string; command: Command; done: Done; back: string }) {
  const key = command.key ?? "";
  const single = command.type !== "documents";
  const flag = <a class="button primary" href={back}>{single ? `Back to the ${command.kind ?? "flag"}` : "Back to the flags"}</a>;
  if (done.is !== "applied") {
    const address = to([environment, "requests", done.request.id]);
    const at = done.request.applyAt;
    return (
      <div class="note good" role="status">
        {done.is === "broken" ? <p><strong>Applied without approval.</strong> Another person has to review it.</p>
          : done.request.approvalsNeeded > 0 ? <p><strong>Proposed.</strong> Nothing has changed yet: another person must agree. Send them the address of the request.</p>
          : <p><strong>{at ? "Scheduled." : "Proposed."}</strong> Nothing has changed yet.</p>}
        {at && done.is !== "broken" && <p>It is to be applied on {new Date(at).toISOString().slice(0, 16).replace("T", " at ")} UTC. Until then it can be withdrawn.</p>}
        <p class="actions"><a class="button primary" href={address}>Open the request</a>{flag}</p>
      </div>
    );
  }
  const { before } = done;
  const kind = command.kind === undefined ? {} : { kind: command.kind };
  const undo: Command | undefined = before === undefined || !single ? undefined
    : command.type === "archive" ? { type: "put", key, document: before, ifAbsent: true, ...kind } : { type: "put", key, document: before, ifMatch: done.revision, ...kind };
  const changed = environments.value?.find((e) => e.name === environment);
  return (
    <div class="note good" role="status">
      <p><strong>{done.written.changed ? `Applied to ${environment}` : "Nothing had to be changed"}</strong>{done.written.changed && <> at revision <code>{done.written.revision}</code></>}.{changed?.readOnly}</p>
      <Convergence environment={environment} revision={done.written.revision} />
      <p class="actions">{flag}{undo && done.written.changed && <a class="button" href={composerAddress(environment, undo)}>Undo…</a>}</p>
    </div>
  );
}
