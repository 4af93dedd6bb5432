// What flags answer in the contexts that a person keeps, evaluated as sidecars do.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiProblem, ask, environmentPath } from "../api/http";
import type { Evaluation, Evaluations } from "../api/types";
import { Answer, Command, Explanation, Why } from "../components/explained";
import { Empty, Loading, ProblemNote } from "../components/marks";
import { commandLine, curl } from "../reading/commands";
import type { Flag } from "../reading/flag";
import { isObject, readExact, writeExact, type Json } from "../reading/json";
import { contextsOf, mostSaved, save, type Saved } from "../state/contexts";
import { flagsOf } from "../state/flags";
import { moved } from "../state/live";
import { useReading } from "../state/reading";
import { place, setQuery, to } from "../state/router";

/** How many flags are drawn before someone asks for more. */
const drawn = 25;

/** Evaluates, and tries again for a while where the publisher has others to answer first. */
async function evaluate(environment: string, contexts: Json[], flags: string[], explain: boolean, signal: AbortSignal): Promise<Evaluations> {
  for (let tries = 1; ; tries++) {
    try {
      return (await ask<Evaluations>("POST", `${environmentPath(environment)}/evaluate`, { body: { contexts, flags, explain }, write: writeExact, exact: true, signal })).value;
    } catch (error) {
      if (!(error instanceof ApiProblem) || ![429, 503].includes(error.problem.status) || tries === 3) {
        throw error;
      }
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

/** A context as JSON, or why it is none. */
function contextIn(text: string): { value?: Json; wrong?: string } {
  try {
    const value = readExact(text);
    return isObject(value) ? { value } : { wrong: "A context is a JSON object." };
  } catch (error) {
    return { wrong: `This is no JSON: ${error instanceof Error ? error.message : ""}` };
  }
}

/** A value that follows another one once that rests. */
function useRested<T>(value: T, milliseconds: number): T {
  const rested = useSignal(value);
  useEffect(() => {
    const timer = window.setTimeout(() => (rested.value = value), milliseconds);
    return () => window.clearTimeout(timer);
  }, [value]);
  return rested.value;
}

export function PlaygroundPage({ environment }: { environment: string }) {
  const saved = contextsOf(environment).value;
  const flags = flagsOf(environment).value;
  const more = useSignal(drawn);
  const words = (place.value.query.get("q") ?? "").toLowerCase().split(/\s+/);
  const found = flags.items.filter((f) => words.every((w) => f.key.toLowerCase().includes(w)));
  const shown = found.slice(0, more.value);
  const read = saved.map((s) => contextIn(s.text));
  const usable = read.flatMap((r, i) => (r.value === undefined ? [] : [{ at: i, value: r.value }]));
  const asked = useRested(JSON.stringify([usable.map((u) => writeExact(u.value)), shown.map((f) => f.key)]), 200);
  const told = useReading(async (signal) => {
    const [contexts, keys] = JSON.parse(asked) as [string[], string[]];
    return { contexts, answers: contexts.length > 0 && keys.length > 0 ? await evaluate(environment, contexts.map(readExact), keys, false, signal) : undefined };
  }, [asked, moved.value?.revision]);
  const { value, problem } = told.value;
  const answers = new Map<string, Evaluation>();
  value?.answers?.items.forEach((e) => answers.set(`${value.contexts[e.context]} ${e.flag}`, e));
  const [flag, column] = [place.value.query.get("flag"), Number(place.value.query.get("in") ?? "0")];
  const chosen = found.find((f) => f.key === flag);
  const inContext = read[column]?.value;
  return (
    <>
      <div class="head"><h1>Playground</h1><p class="quiet count" role="status">{value?.answers && <>at revision <code>{value.answers.revision}</code></>}</p></div>
      <p class="quiet">What flags answer, evaluated as sidecars do. Contexts are kept in this browser only, and the publisher neither keeps nor logs them.</p>
      <Contexts environment={environment} saved={saved} wrong={read.map((r) => r.wrong)} />
      <div class="filters" role="search">
        <input type="search" aria-label="Search flags by key" placeholder="Search keys" value={place.value.query.get("q") ?? ""} onInput={(e) => setQuery({ q: e.currentTarget.value })} />
      </div>
      {problem && <ProblemNote problem={problem} />}
      {!flags.complete && flags.items.length === 0 ? <Loading what="flags" /> : shown.length === 0 ? <Empty><p>No flag is like that.</p></Empty> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Answers">
          <table class="answers">
            <thead><tr><th scope="col">Flag</th>{saved.map((s) => <th scope="col"><bdi>{s.name || "unnamed"}</bdi></th>)}</tr></thead>
            <tbody>
              {shown.map((f) => (
                <tr key={f.key}>
                  <th scope="row"><a href={to([environment, "flags", f.key])}><bdi>{f.key}</bdi></a></th>
                  {read.map((r, i) => {
                    const answer = r.value === undefined ? undefined : answers.get(`${writeExact(r.value)} ${f.key}`);
                    return (
                      <td>
                        {answer && (
                          <>
                            <button class="cell" aria-pressed={f.key === flag && i === column} onClick={() => setQuery({ flag: f.key, in: i === 0 ? "" : String(i) })}><Answer answer={answer} /><span class="sr-only"> why {f.key} answers so for {saved[i]!.name}</span></button>
                            <Why answer={answer} targeting={f.document.targeting} />
                          </>
                        )}
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {found.length > shown.length && <p><button class="button" onClick={() => (more.value = Math.min(more.value + drawn, 100))} disabled={more.value >= 100}>{more.value >= 100 ? `The first 100 of ${found.length}: search for others` : `Show more of ${found.length}`}</button></p>}
      {chosen && inContext !== undefined && <Details environment={environment} flag={chosen} context={inContext} name={saved[column]?.name ?? ""} />}
    </>
  );
}

function Contexts({ environment, saved, wrong }: { environment: string; saved: Saved[]; wrong: (string | undefined)[] }) {
  const change = (at: number, changed: Partial<Saved>) => save(environment, saved.map((s, i) => (i === at ? { ...s, ...changed } : s)));
  return (
    <section class="contexts" aria-label="Contexts">
      {saved.map((s, i) => (
        <fieldset>
          <legend class="sr-only">Context {i + 1}</legend>
          <div class="context-head">
            <input type="text" aria-label={`Name of context ${i + 1}`} maxLength={60} value={s.name} onInput={(e) => change(i, { name: e.currentTarget.value })} />
            {saved.length > 1 && <button class="link" aria-label={`Delete the context ${s.name}`} onClick={() => save(environment, saved.filter((_, j) => j !== i))}>Delete</button>}
          </div>
          <textarea class="code" rows={4} spellcheck={false} maxLength={100_000} aria-label={`Context ${i + 1} as JSON`} aria-invalid={wrong[i] !== undefined} value={s.text} onInput={(e) => change(i, { text: e.currentTarget.value })} />
          {wrong[i] && <p class="bad-text" role="status">{wrong[i]}</p>}
        </fieldset>
      ))}
      {saved.length < mostSaved && <button class="button" onClick={() => save(environment, [...saved, { name: `Context ${saved.length + 1}`, text: saved.at(-1)?.text ?? "{}" }])}>Add a context</button>}
    </section>
  );
}

function Details({ environment, flag, context, name }: { environment: string; flag: Flag; context: Json; name: string }) {
  return (
    <section class="panel" aria-label="How the answer came about">
      <h2><bdi>{flag.key}</bdi> for <bdi>{name}</bdi></h2>
      <Explained environment={environment} flag={flag} context={context} />
    </section>
  );
}

/** One answer, live, with its steps and the commands that ask the same. */
function Explained({ environment, flag, context }: { environment: string; flag: Flag; context: Json }) {
  const text = writeExact(context);
  const told = useReading((signal) => evaluate(environment, [context], [flag.key], true, signal), [text, flag.key, flag.revision, moved.value?.revision]);
  const { value, problem } = told.value;
  const answer = value?.items[0];
  const command = commandLine(environment, flag.key, context);
  return (
    <>
      {problem && <ProblemNote problem={problem} />}
      {!answer ? !problem && <Loading what="the answer" /> : (
        <div role="status" class="live-answer">
          <p><Answer answer={answer} /></p>
          <p><Why answer={answer} targeting={flag.document.targeting} /></p>
        </div>
      )}
      {answer && <><h3>Step by step</h3><Explanation explanation={answer.explanation as Json} /></>}
      <h3>Ask the same elsewhere</h3>
      <Command title="curl" command={curl(flag.key, context)} />
      {command ? <Command title="command line" command={command} /> : <p class="quiet">The command line cannot express this context: a name in it has “=”.</p>}
    </>
  );
}

/** A context that is tried on one flag while it is typed. */
export function TryPanel({ environment, flag, close }: { environment: string; flag: Flag; close: () => void }) {
  const saved = contextsOf(environment).value;
  const at = Math.min(Number(place.value.query.get("in") ?? "0") || 0, saved.length - 1);
  const { value, wrong } = contextIn(saved[at]!.text);
  const rested = useRested(value === undefined ? "" : writeExact(value), 150);
  return (
    <section class="panel" aria-label="Try a context">
      <h2>Try a context</h2>
      <div class="columns">
        <div>
          {saved.length > 1 && (
            <p><label class="choice chosen"><span>Context</span><select value={String(at)} onChange={(e) => setQuery({ in: e.currentTarget.value })}>{saved.map((s, i) => <option value={String(i)}>{s.name}</option>)}</select></label></p>
          )}
          <textarea class="code" rows={8} spellcheck={false} maxLength={100_000} aria-label="Context as JSON" aria-invalid={wrong !== undefined} value={saved[at]!.text}
            onInput={(e) => save(environment, saved.map((s, i) => (i === at ? { ...s, text: e.currentTarget.value } : s)))} />
          {wrong && <p class="bad-text" role="status">{wrong}</p>}
          <p class="quiet">Kept in this browser only. <a href={to([environment, "playground"], { q: flag.key })}>Compare contexts in the playground</a></p>
        </div>
        <div>{rested !== "" && <Explained environment={environment} flag={flag} context={readExact(rested)} />}</div>
      </div>
      <p class="actions"><button class="button" onClick={close}>Close</button></p>
    </section>
  );
}
