// What holds in an environment: what is protected, who may do what, how flags grow old, and where all of it is set.

import { useSignal } from "@preact/signals";
import { ApiProblem, ask, environmentPath, get, headerText } from "../api/http";
import { permitted } from "../api/changes";
import type { LifecyclePolicyResult, PolicyAnswer, PolicyQuestion, RiskSettings } from "../api/types";
import { Confirm } from "../components/confirm";
import { Remarks } from "../components/difference";
import { EnvironmentName, Loading, ProblemNote, Tag } from "../components/marks";
import { Recovery } from "../components/recovery";
import { remarksOf } from "../reading/difference";
import { pretty, same, type Json, type JsonObject } from "../reading/json";
import { colourOf, environments } from "../state/environments";
import { missed } from "../state/live";
import { useReading } from "../state/reading";
import { session } from "../state/session";

export function SettingsPage({ environment }: { environment: string }) {
  const about = environments.value?.find((e) => e.name === environment);
  const may = useReading((signal) => permitted({ action: "administer", resource: { environment } }, signal), [environment, missed.value]);
  return (
    <>
      <div class="head"><h1>Settings of <EnvironmentName name={environment} /></h1></div>
      {about?.readOnly && <p class="note">It is changed elsewhere: <bdi>{about.readOnly}</bdi></p>}
      {about?.writesRefused && <p class="note bad">Nothing can be written now: <bdi>{about.writesRefused}</bdi></p>}
      <Protection environment={environment} can={may.value.value} />
      <WhoMay environment={environment} />
      <Configured environment={environment} />
      <Recovery environment={environment} may={may.value.value} />
    </>
  );
}

function Protection({ environment, can }: { environment: string; can: PolicyAnswer | undefined }) {
  const read = useReading((signal) => get<RiskSettings>(`${environmentPath(environment)}/risk`, { signal }), [environment, missed.value]);
  const { value, problem } = read.value;
  return (
    <section aria-labelledby="protection">
      <h2 id="protection">Protection</h2>
      <p class="quiet">What makes a change risky. Policies decide what a risky change needs, which is shown below.</p>
      {!value ? problem ? <ProblemNote problem={problem} /> : <Loading what="what is protected" /> : (
        <RiskForm environment={environment} now={value} permitted={can?.permitted ?? false} again={read.value.again} key={JSON.stringify(value)} />
      )}
      {can && !can.permitted && <Forbidden what="change what is protected here" policies={can.policies} />}
    </section>
  );
}

function RiskForm({ environment, now, permitted: can, again }: { environment: string; now: RiskSettings; permitted: boolean; again: () => void }) {
  const wanted = useSignal({ protected: now.protected ?? false, tags: (now.tags ?? []).join(", "), share: String(Math.round((now.share ?? 0) * 1e6) / 1e4), dependants: String(now.dependants ?? 0) });
  const asking = useSignal(false);
  const next: RiskSettings = {
    protected: wanted.value.protected, tags: wanted.value.tags.split(",").map((t) => t.trim()).filter((t) => t !== ""), share: (Number(wanted.value.share) || 0) / 100, dependants: Number(wanted.value.dependants) || 0,
  };
  const before: RiskSettings = { protected: now.protected ?? false, tags: now.tags ?? [], share: now.share ?? 0, dependants: now.dependants ?? 0 };
  const patch = Object.fromEntries(Object.entries(next).filter(([name, v]) => !same(v as Json, (before as unknown as JsonObject)[name])));
  const set = (changed: Partial<typeof wanted.value>) => (wanted.value = { ...wanted.value, ...changed });
  const submit = (event: Event) => {
    event.preventDefault();
    asking.value = Object.keys(patch).length > 0;
  };
  return (
    <>
      <form class="panel form" onSubmit={submit}>
        <fieldset disabled={!can}>
          <legend class="sr-only">What is risky in {environment}</legend>
          <label class="check"><input type="checkbox" checked={wanted.value.protected} onChange={(e) => set({ protected: e.currentTarget.checked })} /> Every change is risky: the environment is protected</label>
          <label class="field">Tags of flags every change of which is risky <input type="text" value={wanted.value.tags} onInput={(e) => set({ tags: e.currentTarget.value })} /></label>
          <label class="field">From this percentage of users on whose answer changes, 0 for never <input type="number" min="0" max="100" step="any" value={wanted.value.share} onInput={(e) => set({ share: e.currentTarget.value })} /></label>
          <label class="field">From this number of flags on that depend on it, 0 for never <input type="number" min="0" step="1" value={wanted.value.dependants} onInput={(e) => set({ dependants: e.currentTarget.value })} /></label>
          {can && <p class="actions"><button class="button primary" disabled={Object.keys(patch).length === 0}>Review the change</button></p>}
        </fieldset>
      </form>
      {(now.freezes ?? []).length > 0 && (
        <><h3>Changes are frozen</h3><ul class="plain">{now.freezes!.map((f) => <li>{f.from} to {f.to}{f.reason && <>: <bdi>{f.reason}</bdi></>}</li>)}</ul></>
      )}
      <p class="quiet">Freezes are set by <code>flagside environment risk</code></p>
      {asking.value && (
        <Confirm title={`What is risky in ${environment}`} action={`Apply to ${environment}`} colour={`colour-${colourOf(environment)}`} close={() => (asking.value = false)}
          run={async (reason) => {
            await ask("PATCH", `${environmentPath(environment)}/risk`, { body: patch, mediaType: "application/merge-patch+json", headers: { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()), ...(reason.trim() === "" ? {} : { "Flagside-Reason": headerText(reason) }) } });
            again();
          }}>
          <Remarks remarks={remarksOf(before as unknown as Json, next as unknown as Json)} />
        </Confirm>
      )}
    </>
  );
}

/** What is forbidden, and who could. */
export function Forbidden({ what, policies }: { what: string; policies?: string[] }) {
  const who = session.value;
  return (
    <div class="note">
      <p><strong>Forbidden.</strong> You may not {what}. You are in {who.state === "in" && who.principal.groups.length > 0 ? who.principal.groups.join(", ") : "no group"}. {(policies ?? []).length > 0 && `Decided by ${policies!.join(", ")}. `}</p>
      <p class="quiet">It needs the action “administer”. By the default policy, people in flagside:admin could; a policy of your own may say otherwise.</p>
    </div>
  );
}

const actions: [PolicyQuestion["action"], string][] = [
  ["read", "Read"], ["propose", "Propose a change"], ["change", "Change a flag"], ["archive", "Archive a flag"], ["approve", "Approve what another proposed"], ["apply", "Apply a change request"], ["break-glass", "Break the glass"], ["administer", "Administer"],
];
const roles = ["flagside:viewer", "flagside:editor", "flagside:approver", "flagside:admin"];

/** Who may do what here, as policies answer now. Others are asked about as the groups that policies know, where one may ask about others. */
function WhoMay({ environment }: { environment: string }) {
  const read = useReading(async (signal) => {
    const others = (await permitted({ action: "administer" }, signal)).permitted ? roles : [];
    const ask1 = (action: PolicyQuestion["action"], group?: string) => permitted({ action, resource: { environment, kind: "flag" }, ...(group ? { principal: "another", groups: [group] } : {}) }, signal);
    const rows = await Promise.all(actions.map(async ([action, title]) => ({ title, mine: await ask1(action), theirs: await Promise.all(others.map((g) => ask1(action, g))) })));
    return { others, rows };
  }, [environment, missed.value]);
  const { value, problem } = read.value;
  return (
    <section aria-labelledby="who-may">
      <h2 id="who-may">Who may do what</h2>
      {!value ? problem ? <ProblemNote problem={problem} /> : <Loading what="policies" /> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Who may do what">
          <table>
            <thead><tr><th scope="col">To a flag here</th><th scope="col">You</th>{value.others.map((g) => <th scope="col">{g}</th>)}</tr></thead>
            <tbody>{value.rows.map((r) => <tr><th scope="row">{r.title}</th><td><Verdict answer={r.mine} /></td>{r.theirs.map((a) => <td><Verdict answer={a} /></td>)}</tr>)}</tbody>
          </table>
        </div>
      )}
      {value && value.others.length === 0 && <p class="quiet">What others may is shown to administrators.</p>}
      <p class="quiet">Policies are in the file of the publisher's <code>--policy</code>, for all environments. Try a question: <code>flagside policy check</code></p>
    </section>
  );
}

function Verdict({ answer }: { answer: PolicyAnswer }) {
  return answer.permitted ? <Tag tone="good">yes</Tag> : (answer.approvals ?? 0) > 0 ? <Tag tone="warn">{`with ${answer.approvals} approval${answer.approvals === 1 ? "" : "s"}`}</Tag> : <Tag>no</Tag>;
}

/** What is read only here, with where it is set. */
function Configured({ environment }: { environment: string }) {
  const lifecycle = useReading((signal) => get<LifecyclePolicyResult>(`${environmentPath(environment)}/lifecycle/policy`, { signal }), [environment, missed.value]);
  const wanted = useSignal(false);
  const settings = useReading(async (signal) => {
    if (!wanted.value) { // an environment may have none, and asking for that is an error in the browser's log
      return undefined;
    }
    try {
      return { document: await get<Json>(`${environmentPath(environment)}/settings`, { exact: true, signal }) };
    } catch (error) {
      if (error instanceof ApiProblem && error.problem.status === 404) {
        return {};
      }
      throw error;
    }
  }, [environment, wanted.value, missed.value]);
  return (
    <div class="columns">
      <section aria-labelledby="lifecycle-policy">
        <h2 id="lifecycle-policy">Lifecycle policy</h2>
        {lifecycle.value.value ? <pre tabIndex={0} aria-label="Lifecycle policy as JSON">{pretty(lifecycle.value.value.policy as unknown as Json)}</pre> : lifecycle.value.problem && <ProblemNote problem={lifecycle.value.problem} />}
        <p class="quiet">Set by <code>flagside environment lifecycle</code></p>
      </section>
      <section aria-labelledby="settings-document">
        <h2 id="settings-document">Settings document</h2>
        {!wanted.value && <p><button class="button" onClick={() => (wanted.value = true)}>Show it</button></p>}
        {settings.value.value ? settings.value.value.document === undefined ? <p>There is none: defaults hold.</p> : <pre tabIndex={0} aria-label="Settings as JSON">{pretty(settings.value.value.document)}</pre> : settings.value.problem && <ProblemNote problem={settings.value.problem} />}
        <p class="quiet">Set by <code>flagside settings put</code></p>
      </section>
    </div>
  );
}
