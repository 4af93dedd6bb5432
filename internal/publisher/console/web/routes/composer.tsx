// Shows what a change would do, for whom and who must agree, before anything happens.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { ask, ApiProblem, flagPath } from "../api/http";
import { apply, documentAt, permitted, preview, propose, step } from "../api/changes";
import type { ChangeRequest, Command, PolicyAnswer, Preview, Written } from "../api/types";
import { Difference, Remarks } from "../components/difference";
import { Empty, EnvironmentName, Loading, ProblemNote } from "../components/marks";
import { Convergence } from "../components/convergence";
import { remarksOf } from "../reading/difference";
import { isObject, merged, pretty, same, type Json, type JsonObject } from "../reading/json";
import { percent } from "../reading/targeting";
import { composerAddress, guarded, intended } from "../state/change";
import { colourOf, environments } from "../state/environments";
import { missed, useMoved } from "../state/live";
import { useReading } from "../state/reading";
import { go, place, to } from "../state/router";
import { session } from "../state/session";

export function ComposerPage({ environment }: { environment: string }) {
  const command = intended(place.value.query);
  if (!command) {
    return <Empty><h1>No change</h1><p>This address has no change, or one that another tab has kept for itself.</p></Empty>;
  }
  if (!guarded(command)) {
    return <Empty><h1>This change cannot be shown</h1><p>It does not say from which revision it was made, so it could overwrite newer work. Make it again on the page of the flag.</p></Empty>;
  }
  return <Composer environment={environment} command={command} />;
}

/** What a command does, in a few words. */
export function titleOf(command: Command): string {
  switch (command.type) {
    case "toggle":
      return command.on ? "Turn on" : "Turn off";
    case "archive":
      return "Archive";
    default:
      return command.ifAbsent ? "Create" : "Change";
  }
}

/** How many documents change together; absent for a command about one. */
function several(command: Command): string | undefined {
  const n = command.changes?.length ?? 0;
  return command.type !== "documents" ? undefined : n === 1 ? command.changes![0]!.key ?? "" : `${n} documents`;
}

type Done = { is: "applied"; written: Written; revision: string; before: unknown } | { is: "proposed"; request: ChangeRequest } | { is: "broken"; request: ChangeRequest };

function Composer({ environment, command }: { environment: string; command: Command }) {
  const key = command.key ?? "";
  const done = useSignal<Done | undefined>(undefined);
  const cause = useMoved(environment, "flag", key);
  const inUse = useSignal(false);
  const effective: Command = command.type === "archive" && inUse.value ? { ...command, inUse: true } : command;
  const looked = useReading((signal) => (done.value ? Promise.resolve(undefined) : preview(environment, effective, signal)), [cause, missed.value, inUse.value]);
  const { value, problem } = looked.value;
  const overtaken = problem?.kind === "precondition-failed";
  return (
    <div class="composer">
      <div class="head">
        <p class="above">{several(command) ? <a href={to([environment, "flags"])}>Flags</a> : <a href={to([environment, "flags", key])}><bdi>{key}</bdi></a>}</p>
        <h1>{titleOf(command)} <bdi>{several(command) ?? key}</bdi> in <EnvironmentName name={environment} /></h1>
      </div>
      {done.value ? <Outcome environment={environment} command={command} done={done.value} />
        : overtaken && several(command) ? <p class="note bad" role="alert"><strong>Something has changed since you looked.</strong> Nothing was applied. {problem.problem.detail} Go back, and select again on what is there now.</p>
        : overtaken ? <ThreeWay environment={environment} command={command} />
        : problem ? <Refused problem={problem} command={command} inUse={inUse} />
        : !value ? <Loading what="what would change" />
        : <Review environment={environment} command={effective} preview={value} inUse={inUse.value} finish={(d) => (done.value = d)} overtaken={() => looked.value.again()} />}
    </div>
  );
}

function Refused({ problem, command, inUse }: { problem: ApiProblem; command: Command; inUse: { value: boolean } }) {
  return (
    <>
      <ProblemNote problem={problem} />
      {problem.kind === "in-use" && command.type === "archive" && (
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
  finish: (done: Done) => void;
  overtaken: () => void;
}

function Review({ environment, command, preview: seen, inUse, finish, overtaken }: ReviewOptions) {
  const reason = useSignal("");
  const busy = useSignal(false);
  const problem = useSignal<ApiProblem | undefined>(undefined);
  const breaking = useSignal(false);
  const once = useRef(crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("-"));
  const resource = { environment, kind: "flag" as const, key: command.key ?? command.changes?.find((c) => c.kind !== "segment")?.key };
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
    problem.value = undefined;
    try {
      finish(await make());
    } catch (error) {
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
  const how = { reason: reason.value, once: once.current, inUse };
  const applyNow = () => carryOut(async () => {
    const { value, revision } = await apply(environment, command, how);
    return { is: "applied", written: value, revision, before: seen.differences.find((d) => d.key === command.key)?.before };
  });
  const proposeNow = () => carryOut(async () => ({ is: "proposed", request: await propose(environment, command, how, false) }));
  const breakNow = () => carryOut(async () => {
    const request = await propose(environment, command, how, true);
    if (request.status === "open") {
      await step(environment, request, "apply", reason.value);
    }
    return { is: "broken", request };
  });
  const colour = `colour-${colourOf(environment)}`;
  const tooLong = new TextEncoder().encode(reason.value.trim()).length > 500;
  return (
    <>
      <section aria-labelledby="changes">
        <h2 id="changes">What changes</h2>
        {seen.differences.map((d) => (
          <div class="changed-document">
            {(seen.differences.length > 1 || d.key !== command.key) && <h3>{d.kind} <bdi>{d.key}</bdi></h3>}
            <Difference before={d.before as Json | undefined} after={d.after as Json | undefined} />
          </div>
        ))}
        {nothing && <p>Everything is so already: there is nothing to change.</p>}
        {(seen.warnings ?? []).map((w) => <p class="note">{w.key && <><bdi>{w.key}</bdi>: </>}{w.reason} {w.hint}</p>)}
      </section>
      <section aria-labelledby="stake">
        <h2 id="stake">What is at stake</h2>
        <Stake preview={seen} />
      </section>
      <section aria-labelledby="agree">
        <h2 id="agree">Who must agree</h2>
        {seen.permitted ? <p>You may apply this at once. It is recorded with your name.</p>
          : approvals > 0 ? <p><b>{approvals === 1 ? "One other person" : `${approvals} other people`}</b> must agree before this can be applied.{policies(seen.refused?.policies)}</p>
          : <Forbidden environment={environment} action={action} preview={seen} />}
      </section>
      {!nothing && forbidden && (
        <p class="actions"><button class="button" disabled>Apply to {environment}: forbidden</button><a class="button" href={to([environment, "flags", command.key ?? ""])}>{several(command) ? "Back to the flags" : "Back to the flag"}</a></p>
      )}
      {!nothing && !forbidden && (
        <section aria-labelledby="why" class="go">
          <h2 id="why"><label for="reason" class="heading">Reason</label></h2>
          <textarea id="reason" rows={2} value={reason.value} aria-describedby="reason-help" onInput={(e) => (reason.value = e.currentTarget.value)} />
          <p id="reason-help" class={tooLong ? "bad-text" : "quiet"}>{tooLong ? "At most 500 bytes: shorten it." : "It stays in the log for ever, for everyone who may read it. Name no person."}</p>
          {problem.value && problem.value.kind !== "precondition-failed" && <ProblemNote problem={problem.value} />}
          <p class="actions">
            {seen.permitted && <button class={`button apply ${colour}`} disabled={busy.value || tooLong} onClick={applyNow}>Apply to {environment}</button>}
            {(approvals > 0 || seen.permitted) && may.value.value?.propose.permitted && (
              <button class={seen.permitted ? "button" : `button apply ${colour}`} disabled={busy.value || tooLong} onClick={proposeNow}>Propose for {environment}</button>
            )}
            <a class="button" href={to([environment, "flags", command.key ?? ""])}>Cancel</a>
          </p>
          {approvals > 0 && may.value.value && !may.value.value.propose.permitted && <p class="note">You may not propose this here.{policies(may.value.value.propose.policies)}</p>}
          {!seen.permitted && may.value.value?.breakGlass.permitted && (
            <details class="glass" open={breaking.value} onToggle={(e) => (breaking.value = e.currentTarget.open)}>
              <summary>It cannot wait</summary>
              <p>Apply it without the approvals. It is logged loudly, needs a reason, and stays open until another person has reviewed it.</p>
              <button class="button danger" disabled={busy.value || reason.value.trim() === "" || tooLong} onClick={breakNow}>Apply to {environment} without approval</button>
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

/** What was, what is wanted, and what is there now: shown when the flag has changed since the change was made. */
function ThreeWay({ environment, command }: { environment: string; command: Command }) {
  const key = command.key ?? "";
  const all = useReading(async (signal) => {
    const [epoch = "", revision = "0"] = (command.ifMatch ?? "").split("-");
    const base = (await documentAt(environment, "flag", key, epoch, Number(revision), signal)) as Json | undefined;
    const now = await ask<Json>("GET", flagPath(environment, key), { exact: true, signal }).catch((error: unknown) => {
      if (error instanceof ApiProblem && error.problem.status === 404) {
        return undefined;
      }
      throw error;
    });
    return { base, now };
  }, []);
  const { value, problem } = all.value;
  if (!value) {
    return problem ? <ProblemNote problem={problem} /> : <Loading what="what has changed" />;
  }
  const { base, now } = value;
  const yours = command.type === "put" ? (command.document as Json) : command.type === "toggle" ? merged(base, { state: command.on ? "ENABLED" : "DISABLED" }) : undefined;
  const [next, conflicts] = combined(base, yours, now?.value);
  const again = (): Command | undefined => {
    if (!now) {
      return command.type === "put" ? { type: "put", key, document: command.document, ifAbsent: true } : undefined;
    }
    return command.type === "put" ? (next === undefined ? undefined : { type: "put", key, document: next, ifMatch: now.revision }) : { ...command, ifMatch: now.revision };
  };
  const redone = again();
  return (
    <>
      <p class="note bad" role="alert"><strong>The flag has changed since you looked.</strong> Nothing was applied. See what is there now, then decide.</p>
      <div class="columns three">
        <section><h2>Changed by others</h2>{now ? <Remarks remarks={remarksOf(base, now.value)} /> : <p>The flag was archived.</p>}</section>
        <section><h2>Your change</h2><Remarks remarks={remarksOf(base, yours)} /></section>
      </div>
      <details>
        <summary>All three documents</summary>
        <div class="columns three">
          {[["What you saw", base], ["Yours", yours], ["Now", now?.value]].map(([title, d]) => (
            <section><h3>{title as string}</h3><pre tabIndex={0} aria-label={`${title as string}, as JSON`}>{d === undefined ? "absent" : pretty(d as Json)}</pre></section>
          ))}
        </div>
      </details>
      {conflicts.length > 0 && <p class="note">Both changed {conflicts.join(", ")}: edit what is there now.</p>}
      <p class="actions">
        {redone && conflicts.length === 0 && <button class="button primary" onClick={() => go(composerAddress(environment, redone), true)}>Review your change on what is there now</button>}
        {now && <a class="button" href={to([environment, "flags", key, "edit"])}>Edit what is there now</a>}
        <a class="button" href={to([environment, "flags", key])}>Drop the change</a>
      </p>
    </>
  );
}

/** Yours on top of now, member by member, and the members that both have changed. */
function combined(base: Json | undefined, yours: Json | undefined, now: Json | undefined): [JsonObject | undefined, string[]] {
  if (!isObject(base) || !isObject(yours) || !isObject(now)) {
    return [undefined, []];
  }
  const result: JsonObject = Object.assign(Object.create(null), now);
  const conflicts: string[] = [];
  for (const name of new Set([...Object.keys(base), ...Object.keys(yours), ...Object.keys(now)])) {
    if (same(base[name], yours[name]) || same(yours[name], now[name])) {
      continue;
    }
    if (!same(base[name], now[name])) {
      conflicts.push(name);
    } else if (yours[name] === undefined) {
      delete result[name];
    } else {
      result[name] = yours[name];
    }
  }
  return [result, conflicts];
}

function Outcome({ environment, command, done }: { environment: string; command: Command; done: Done }) {
  const key = command.key ?? "";
  const flag = <a class="button primary" href={to([environment, "flags", key])}>{several(command) ? "Back to the flags" : "Back to the flag"}</a>;
  if (done.is !== "applied") {
    const address = to([environment, "requests", done.request.id]);
    return (
      <div class="note good" role="status">
        {done.is === "proposed" ? <p><strong>Proposed.</strong> Nothing has changed yet: another person must agree. Send them the address of the request.</p>
          : <p><strong>Applied without approval.</strong> Another person has to review it.</p>}
        <p class="actions"><a class="button primary" href={address}>Open the request</a>{flag}</p>
      </div>
    );
  }
  const { before } = done;
  const undo: Command | undefined = before === undefined ? undefined
    : command.type === "archive" ? { type: "put", key, document: before, ifAbsent: true } : { type: "put", key, document: before, ifMatch: done.revision };
  const changed = environments.value?.find((e) => e.name === environment);
  return (
    <div class="note good" role="status">
      <p><strong>{done.written.changed ? `Applied to ${environment}` : "Nothing had to be changed"}</strong>{done.written.changed && <> at revision <code>{done.written.revision}</code></>}.{changed?.readOnly}</p>
      <Convergence environment={environment} revision={done.written.revision} />
      <p class="actions">{flag}{undo && done.written.changed && <a class="button" href={composerAddress(environment, undo)}>Undo…</a>}</p>
    </div>
  );
}
