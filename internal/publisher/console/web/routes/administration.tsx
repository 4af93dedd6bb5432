// Tokens, people and sessions; webhooks; sources.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ask, environmentPath, get, headerText } from "../api/http";
import { permitted } from "../api/changes";
import type { CreatedToken, NewToken, PersonList, Session, SessionList, SourceList, Token, TokenList, WebhookList, WebhookTest } from "../api/types";
import { Confirm } from "../components/confirm";
import { Empty, Loading, Person, ProblemNote, Tag, Time } from "../components/marks";
import { environments } from "../state/environments";
import { useReading } from "../state/reading";
import { loadSession } from "../state/session";
import { to } from "../state/router";
import { Forbidden } from "./settings";

function reasonHeader(reason: string): Record<string, string> {
  return reason.trim() === "" ? {} : { "Flagside-Reason": headerText(reason) };
}

function Table({ label, columns, children }: { label: string; columns: string[]; children: ComponentChildren }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table><thead><tr>{columns.map((c) => <th scope="col">{c || <span class="sr-only">Actions</span>}</th>)}</tr></thead><tbody>{children}</tbody></table>
    </div>
  );
}

/** Who may come in. Tokens and people are for those who may administer; everyone sees the own sessions. */
export function AccessPage() {
  const may = useReading((signal) => permitted({ action: "administer" }, signal), []);
  const can = may.value.value;
  return (
    <>
      <div class="head"><h1>Access</h1><p class="quiet count">to this installation: all environments</p></div>
      <Sessions all={can?.permitted ?? false} />
      {can?.permitted ? <><Tokens /><People /></> : can ? <Forbidden what="see tokens and people" policies={can.policies} /> : may.value.problem ? <ProblemNote problem={may.value.problem} /> : <Loading what="what you may" />}
    </>
  );
}

function Sessions({ all }: { all: boolean }) {
  const read = useReading((signal) => get<SessionList>("/api/v1/sessions", { signal }), []);
  const ending = useSignal<Session | undefined>(undefined);
  const { value, problem } = read.value;
  return (
    <section aria-labelledby="sessions">
      <h2 id="sessions">{all ? "Sessions of the console" : "Your sessions"}</h2>
      {!value ? problem ? <ProblemNote problem={problem} /> : <Loading what="sessions" /> : (
        <Table label="Sessions" columns={["Who", "How", "Browser", "Began", "Ends", ""]}>
          {value.items.map((s) => (
            <tr key={s.id}>
              <th scope="row"><bdi>{s.name || s.principal}</bdi> {s.current && <Tag tone="accent">this one</Tag>}</th>
              <td>{s.how}</td><td class="wide"><bdi>{s.browser}</bdi></td><td><Time at={s.created} /></td><td><Time at={s.expires} /></td>
              <td><button class="link" onClick={() => (ending.value = s)}>End<span class="sr-only"> the session of {s.name || s.principal}, {s.id}</span></button></td>
            </tr>
          ))}
        </Table>
      )}
      {ending.value && (
        <Confirm title="End a session" action={`End the session of ${ending.value.name || ending.value.principal}`} reason={false} close={() => (ending.value = undefined)}
          run={async () => {
            const mine = ending.value!.current;
            await ask("DELETE", `/api/v1/sessions/${encodeURIComponent(ending.value!.id)}`);
            await (mine ? loadSession() : Promise.resolve(read.value.again()));
          }}>
          <p>{ending.value.current ? "It is the one that you use now: you will have to sign in again." : "The person will have to sign in again."}</p>
        </Confirm>
      )}
    </section>
  );
}

const roles = ["flagside:viewer", "flagside:editor", "flagside:approver", "flagside:admin"];

function Tokens() {
  const read = useReading((signal) => get<TokenList>("/api/v1/tokens", { signal }), []);
  const creating = useSignal(false);
  const ending = useSignal<Token | undefined>(undefined);
  const rotating = useSignal<Token | undefined>(undefined);
  const created = useSignal<{ made: CreatedToken; instead?: Token } | undefined>(undefined);
  const every = useSignal(false);
  const { value, problem } = read.value;
  const make = async (wanted: NewToken, reason: string, instead?: Token) => {
    created.value = { made: (await ask<CreatedToken>("POST", "/api/v1/tokens", { body: wanted, headers: reasonHeader(reason) })).value, instead };
    read.value.again();
  };
  const over = (t: Token) => t.revoked !== undefined || (t.expires !== undefined && new Date(t.expires) < new Date());
  const shown = (value?.items ?? []).filter((t) => every.value || !over(t)).reverse();
  return (
    <section aria-labelledby="tokens">
      <h2 id="tokens">API tokens</h2>
      {created.value && <Secret made={created.value.made} instead={created.value.instead} revoke={(t) => (ending.value = t)} close={() => (created.value = undefined)} />}
      <p class="actions"><button class="button" onClick={() => (creating.value = !creating.value)}>New token…</button>
        <label class="check"><input type="checkbox" checked={every.value} onChange={(e) => (every.value = e.currentTarget.checked)} /> Show those that have ended</label></p>
      {creating.value && <NewTokenForm close={() => (creating.value = false)} make={make} />}
      {!value ? problem ? <ProblemNote problem={problem} /> : <Loading what="tokens" /> : shown.length === 0 ? <Empty><p>There is no token{!every.value && " that counts"}.</p></Empty> : (
        <Table label="API tokens" columns={["Name", "Groups", "Narrowed to", "Created", "Ends", ""]}>
          {shown.map((t) => (
            <tr key={t.id}>
              <th scope="row"><bdi>{t.name}</bdi> <code class="quiet">…{t.hint}</code></th>
              <td>{t.groups.map((g) => <Tag>{g}</Tag>)}</td>
              <td>{[...(t.scope?.environments ?? []), ...(t.scope?.actions ?? [])].map((s) => <Tag>{s}</Tag>)}</td>
              <td><Time at={t.created} /> by <Person id={t.author} names={t.names} /></td>
              <td>{t.revoked ? <>revoked <Time at={t.revoked} /></> : <Time at={t.expires} />}</td>
              <td>{!over(t) && <span class="actions-inline">
                <button class="link" onClick={() => (rotating.value = t)}>Rotate<span class="sr-only"> the token {t.name}, {t.id}</span></button>
                <button class="link" onClick={() => (ending.value = t)}>Revoke<span class="sr-only"> the token {t.name}, {t.id}</span></button></span>}</td>
            </tr>
          ))}
        </Table>
      )}
      {rotating.value && (
        <Confirm title="Rotate a token" action={`Create the successor of ${rotating.value.name}`} colour="colour-blue" close={() => (rotating.value = undefined)}
          run={(reason) => make({ name: rotating.value!.name, groups: rotating.value!.groups, ...(rotating.value!.scope ? { scope: rotating.value!.scope } : {}) }, reason, rotating.value)}>
          <p>A new token with the same name, groups and limits is created and shown once. The old one counts until you revoke it, so that its holder has time to change.</p>
        </Confirm>
      )}
      {ending.value && (
        <Confirm title="Revoke a token" action={`Revoke ${ending.value.name} in all environments`} close={() => (ending.value = undefined)}
          run={async (reason) => {
            await ask("DELETE", `/api/v1/tokens/${encodeURIComponent(ending.value!.id)}`, { headers: reasonHeader(reason) });
            if (created.value?.instead?.id === ending.value!.id) {
              created.value = undefined;
            }
            read.value.again();
          }}>
          <p>The token <b><bdi>{ending.value.name}</bdi></b> (…{ending.value.hint}) ends for good, in all environments, and with it the sessions that were begun with it.</p>
        </Confirm>
      )}
    </section>
  );
}

/** The secret of a new token, which is shown once. */
function Secret({ made, instead, revoke, close }: { made: CreatedToken; instead?: Token; revoke: (t: Token) => void; close: () => void }) {
  const copied = useSignal(false);
  return (
    <div class="note good" role="status">
      <p><strong>The token “<bdi>{made.token.name}</bdi>” was created.</strong> This is its secret. It is shown now and never again:</p>
      <pre tabIndex={0} aria-label="Secret of the token">{made.secret}</pre>
      <p class="actions">
        <button class="button" onClick={() => void navigator.clipboard?.writeText(made.secret).then(() => (copied.value = true), () => undefined)}>{copied.value ? "Copied" : "Copy"}</button>
        {instead && <button class="button danger" onClick={() => revoke(instead)}>Revoke the old one…</button>}
        <button class="button" onClick={close}>I have kept it</button>
      </p>
    </div>
  );
}

function NewTokenForm({ close, make }: { close: () => void; make: (wanted: NewToken, reason: string) => Promise<void> }) {
  const name = useSignal("");
  const groups = useSignal<string[]>(["flagside:viewer"]);
  const only = useSignal<string[]>([]);
  const expires = useSignal("");
  const asking = useSignal(false);
  const toggled = (list: string[], one: string, on: boolean) => (on ? [...list, one] : list.filter((x) => x !== one));
  return (
    <>
    <form class="panel form" aria-label="New token" onSubmit={(e) => { e.preventDefault(); asking.value = true; }}>
      <label class="field">What it is for <span class="quiet">It stays in the records: name no person.</span><input type="text" required maxLength={100} value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} /></label>
      <fieldset class="choices"><legend>Groups</legend>
        {roles.map((r) => <label class="check"><input type="checkbox" checked={groups.value.includes(r)} onChange={(e) => (groups.value = toggled(groups.value, r, e.currentTarget.checked))} /> {r}</label>)}
      </fieldset>
      <fieldset class="choices"><legend>Only in these environments <span class="quiet">none is all</span></legend>
        {(environments.value ?? []).map((e) => <label class="check"><input type="checkbox" checked={only.value.includes(e.name)} onChange={(x) => (only.value = toggled(only.value, e.name, x.currentTarget.checked))} /> {e.name}</label>)}
      </fieldset>
      <label class="field">Ends at the end of <span class="quiet">empty is the longest that is allowed</span><input type="date" value={expires.value} onInput={(e) => (expires.value = e.currentTarget.value)} /></label>
      <p class="actions"><button class="button primary" disabled={name.value.trim() === "" || groups.value.length === 0}>Review the token</button><button type="button" class="button" onClick={close}>Cancel</button></p>
      </form>
      {asking.value && (
        <Confirm title="Create a token" action={`Create it for ${only.value.length > 0 ? only.value.join(", ") : "all environments"}`} colour="colour-blue" close={() => (asking.value = false)}
          run={async (reason) => {
            await make({
              name: name.value.trim(), groups: groups.value, ...(only.value.length > 0 ? { scope: { environments: only.value } } : {}),
              ...(expires.value !== "" ? { expires: new Date(`${expires.value}T23:59:59`).toISOString() } : {}),
            }, reason);
            close();
          }}>
          <p>The holder of “<bdi>{name.value}</bdi>” may do what {groups.value.join(", ")} may, in {only.value.length > 0 ? only.value.join(", ") : "all environments"}.</p>
        </Confirm>
      )}
    </>
  );
}

function People() {
  const read = useReading((signal) => get<PersonList>("/api/v1/persons", { signal }), []);
  const { value, problem } = read.value;
  return (
    <section aria-labelledby="people">
      <h2 id="people">People</h2>
      <p class="quiet">Those whom an identity provider named and who have changed something. Their groups come from its claims, as the file of the publisher's <code>--issuers</code> maps them. Erase one: <code>flagside person erase</code></p>
      {!value ? problem ? <ProblemNote problem={problem} /> : <Loading what="people" /> : value.items.length === 0 ? <Empty><p>No person has changed anything yet.</p></Empty> : (
        <Table label="People" columns={["Name", "As policies know them", "Id in the records", "Since"]}>
          {value.items.map((p) => <tr key={p.id}><th scope="row">{p.erased ? <span class="quiet">erased</span> : <bdi>{p.name}</bdi>}</th><td><bdi>{p.subject}</bdi></td><td><code>{p.id}</code></td><td><Time at={p.created} /></td></tr>)}
        </Table>
      )}
    </section>
  );
}

const breakers: Record<string, string> = { closed: "good", "half-open": "warn", open: "bad" };
const states: Record<string, string> = { ok: "good", failing: "bad" };

export function WebhooksPage() {
  const may = useReading((signal) => permitted({ action: "administer" }, signal), []);
  const can = may.value.value;
  return (
    <>
      <div class="head"><h1>Webhooks</h1><p class="quiet count">of this installation, in all environments</p></div>
      {can?.permitted ? <Webhooks /> : can ? <Forbidden what="see webhooks" policies={can.policies} /> : may.value.problem ? <ProblemNote problem={may.value.problem} /> : <Loading what="what you may" />}
    </>
  );
}

function Webhooks() {
  const read = useReading((signal) => get<WebhookList>("/api/v1/webhooks", { signal }), []);
  const testing = useSignal<string | undefined>(undefined);
  const tested = useSignal<{ name: string; found: WebhookTest } | undefined>(undefined);
  const { value, problem } = read.value;
  if (!value) {
    return problem ? <ProblemNote problem={problem} /> : <Loading what="webhooks" />;
  }
  return (
    <>
      <p class="quiet">They are set in the file of the publisher's <code>--webhooks</code>, and shown without their secrets. <button class="link" onClick={value && read.value.again}>Read again</button></p>
      {tested.value && <p class={tested.value.found.delivered ? "note good" : "note bad"} role="status">{tested.value.found.delivered ? `${tested.value.name} took the test.` : <>{tested.value.name} did not take the test: <bdi>{tested.value.found.error}</bdi></>}</p>}
      {value.items.length === 0 ? <Empty><p>This publisher has no webhooks.</p></Empty> : value.items.map((w) => (
        <section aria-label={`Webhook ${w.name}`}>
          <h2><bdi>{w.name}</bdi> <Tag tone={breakers[w.breaker] ?? ""}>{`breaker ${w.breaker}`}</Tag></h2>
          <p><bdi>{w.host}</bdi>, as {w.format}, {w.events ? w.events.join(", ") : "all events"} <button class="link" onClick={() => (testing.value = w.name)}>Send a test<span class="sr-only"> to {w.name}</span>…</button></p>
          <Table label={`Deliveries of ${w.name}`} columns={["Environment", "State", "Waiting", "Oldest waits since", "Last delivered", "Last error"]}>
            {w.environments.map((d) => (
              <tr><th scope="row">{d.environment}</th><td><Tag tone={states[d.state] ?? ""}>{d.state}</Tag>{d.failedAttempts ? <span class="quiet"> {d.failedAttempts} failed since <Time at={d.failingSince} /></span> : null}</td>
                <td>{d.waiting}</td><td>{d.oldestWaiting && <Time at={d.oldestWaiting} />}</td><td><Time at={d.lastDelivered} /></td><td class="wide"><bdi>{d.lastError}</bdi></td></tr>
            ))}
          </Table>
        </section>
      ))}
      {testing.value !== undefined && (
        <Confirm title="Send a test" action={`Send an event to ${testing.value}`} colour="colour-blue" reason={false} close={() => (testing.value = undefined)}
          run={async () => {
            tested.value = { name: testing.value!, found: (await ask<WebhookTest>("POST", `/api/v1/webhooks/${encodeURIComponent(testing.value!)}/test`)).value };
          }}>
          <p>One event of type test, whatever waits for the receiver.</p>
        </Confirm>
      )}
    </>
  );
}

const sourceTones: Record<string, string> = { applied: "good", "waiting-for-approval": "warn", delayed: "warn", behind: "warn", broken: "bad", missing: "bad", conflict: "bad", refused: "bad" };

export function SourcesPage({ environment }: { environment: string }) {
  const read = useReading((signal) => get<SourceList>(`${environmentPath(environment)}/sources`, { signal }), [environment]);
  const { value, problem } = read.value;
  return (
    <>
      <div class="head"><h1>Sources</h1><p class="quiet count">files and objects that {environment} follows, by <code>--source</code> of its publishers, and what they own</p></div>
      {!value ? problem ? <ProblemNote problem={problem} /> : <Loading what="sources" /> : value.items.length === 0 ? (
        <Empty><p>No file or object is followed here: flags are changed on this page and by the command line. Publishers follow what their option <code>--source</code> names.</p></Empty>
      ) : (
        <Table label="Sources" columns={["Source", "State", "Owns", "Version", "As it says since"]}>
          {value.items.map((s) => (
            <tr key={s.name}>
              <th scope="row" class="place"><bdi>{s.place}</bdi> <span class="quiet">{s.kind}</span></th>
              <td class="wide"><Tag tone={sourceTones[s.state] ?? ""}>{s.state}</Tag>{s.detail && <span class="quiet"> <bdi>{s.detail}</bdi></span>}
                {s.changeRequest && <> <a href={to([environment, "requests", s.changeRequest])}>request</a></>}
                {(s.conflicts ?? []).map((c) => <div class="bad-text">{c.kind} <bdi>{c.key}</bdi> belongs to another</div>)}</td>
              <td>{s.documents === 1 ? "1 document" : `${s.documents} documents`}</td><td><code>{s.version}</code></td><td><Time at={s.applied} /></td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}
