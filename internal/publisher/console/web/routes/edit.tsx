import { useComputed, useSignal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, ApiProblem, documentPath } from "../api/http";
import { preview } from "../api/changes";
import type { Command, ProblemPlace } from "../api/types";
import { Difference } from "../components/difference";
import { FlagForm } from "../components/flag-form";
import { JsonEditor } from "../components/json-editor";
import { Loading, ProblemNote } from "../components/marks";
import { WhenFields } from "../components/rule-fields";
import type { Mark } from "../editor/editor";
import { attributesIn } from "../reading/flag";
import { ofWhen, whenOf } from "../reading/form";
import { isObject, pretty, readExact, type Json } from "../reading/json";
import { compose } from "../state/change";
import { keep } from "../state/draft";
import { editOf, forgetEdit, keepEdit } from "../state/edit";
import { flagsOf } from "../state/flags";
import { useMoved } from "../state/live";
import { useReading } from "../state/reading";
import { go, to } from "../state/router";

const template = `{
  "description": "",
  "state": "ENABLED",
  "variants": { "on": true, "off": false },
  "defaultVariant": "off"
}`;

export type Kind = "flag" | "segment";

export interface EditOptions {
  environment: string;
  kind: Kind;
  /** Absent for a new one. */
  name?: string;
}

/** A document as a form and as JSON, side by side. The text is the truth: the form is drawn from it, and writes it. */
export function EditPage({ environment, kind, name }: EditOptions) {
  const begun = useSignal(editOf(environment, kind, name ?? ""));
  const base = useReading(async (signal) => {
    const kept = begun.value;
    return kept?.base ? { value: kept.base.value, revision: kept.base.revision } : name === undefined ? undefined : ask<Json>("GET", documentPath(environment, kind, name), { exact: true, signal });
  }, [begun.value === undefined]);
  const text = useSignal<string | undefined>(begun.value ? begun.value.text : name !== undefined ? undefined : kind === "flag" ? template : `{ "==": [{ "var": "country" }, "DE"] }`);
  const key = useSignal(name ?? "");
  const overtaken = useMoved(environment, kind, name) !== "";
  const seen = base.value.value;
  useEffect(() => {
    if (seen && text.value === undefined) {
      text.value = pretty(seen.value);
    }
  }, [seen]);
  useEffect(() => {
    const written = text.value;
    if (written === undefined || (seen ? written === pretty(seen.value) : name !== undefined || written === template)) {
      return undefined;
    }
    const wait = window.setTimeout(() => keepEdit(environment, kind, name ?? "", { text: written, ...(seen ? { base: { value: seen.value, revision: seen.revision } } : {}) }), 300);
    return () => window.clearTimeout(wait);
  }, [text.value]);
  const read = useComputed(() => readDocument(kind, text.value ?? ""));
  const { document, mark } = read.value;
  const command: Command = { type: "put", key: key.value, document, ...(kind === "segment" ? { kind } : {}), ...(seen ? { ifMatch: seen.revision } : { ifAbsent: true }) };
  const checked = useChecked(environment, text.value !== undefined && document !== undefined && (name === undefined || seen) && key.value !== "" && !overtaken ? command : undefined, text);
  const all = flagsOf(environment).value;
  const attributes = useComputed(() => attributesIn(flagsOf(environment).value.items.map((f) => f.document.targeting)));
  if (base.value.problem) {
    return <ProblemNote problem={base.value.problem} />;
  }
  if (text.value === undefined || (name !== undefined && !seen)) {
    return <Loading what={`the ${kind}`} />;
  }
  const taken = name === undefined && (kind === "flag" ? all.items.some((f) => f.key === key.value) : all.segments.includes(key.value));
  const section = kind === "flag" ? "flags" : "segments";
  const back = name === undefined ? to([environment, section]) : to([environment, section, name]);
  const marks = mark ? [mark] : checked.places.map((p): Mark => ({ pointer: p.pointer ?? "", text: [p.reason, p.hint].filter(Boolean).join(": ") }));
  const usable = document !== undefined && !taken;
  const write = (next: Json) => (text.value = pretty(next));
  const known = { segments: all.segments.filter((s) => kind === "flag" || s !== name), attributes: attributes.value };
  const submit = (e: Event) => {
    e.preventDefault();
    if (usable) {
      keepEdit(environment, kind, name ?? "", { text: text.value ?? "", ...(seen ? { base: { value: seen.value, revision: seen.revision } } : {}) });
      compose(environment, command);
    }
  };
  const leave = () => {
    forgetEdit(environment, kind, name ?? "");
    go(back);
  };
  const startAgain = () => {
    forgetEdit(environment, kind, name ?? "");
    text.value = name === undefined ? template : undefined;
    begun.value = undefined;
  };
  const collect = () => {
    keep(environment, { kind, key: key.value, document, before: seen?.value, ...(seen ? { ifMatch: seen.revision } : {}) });
    leave();
  };
  return (
    <form onSubmit={submit} class="edit">
      <div class="head">
        <p class="above"><a href={back}>{name === undefined ? (kind === "flag" ? "Flags" : "Segments") : <bdi>{name}</bdi>}</a></p>
        <h1>{name === undefined ? `New ${kind}` : <>Edit <bdi>{name}</bdi></>}</h1>
      </div>
      {begun.value && <p class="note" role="status">This is what you had begun to write. <button type="button" class="link" onClick={startAgain}>Start again from what is there now</button></p>}
      {overtaken && (
        <p class="note" role="status">
          This {kind} has changed since you opened it. Nothing of yours is lost. <button class="link" disabled={!usable}>See what was, what you want, and what is there now</button>
        </p>
      )}
      {name === undefined && (
        <p class="field">
          <label for="key">Key</label>
          <input id="key" required value={key.value} spellcheck={false} autocomplete="off" onInput={(e) => (key.value = e.currentTarget.value)} />
          {taken && <span class="bad-text" role="alert">There is a {kind} of this name.</span>}
        </p>
      )}
      <div class="columns sides">
        <section aria-labelledby="as-form">
          <h2 id="as-form">Form</h2>
          {document === undefined ? <p class="note">The JSON cannot be read, so there is no form of it. Nothing is lost: it comes back as soon as the JSON is in order.</p>
            : kind === "segment" ? <WhenFields name="the segment" when={whenOf(document)} known={{ ...known, variants: [] }} set={(when) => write(ofWhen(when))} />
            : isObject(document) && <FlagForm document={document} {...known} flags={all.items.filter((f) => f.key !== name)} set={write} />}
        </section>
        <section aria-labelledby="as-json">
          <h2 id="as-json">JSON</h2>
          <JsonEditor label="The document as JSON" text={text} marks={marks} />
          <p role="status" class={marks.length > 0 ? "bad-text" : "quiet"}>{marks.length > 0 ? `${marks.length} ${marks.length === 1 ? "place is" : "places are"} wrong.` : checked.state}</p>
          {checked.warnings.map((w) => <p class="note">{w.pointer && <code>{w.pointer}</code>} <bdi>{w.reason}</bdi>{w.hint && `: ${w.hint}`}</p>)}
        </section>
      </div>
      {seen && document !== undefined && <section aria-labelledby="different"><h2 id="different">What is different</h2><Difference before={seen.value} after={document} /></section>}
      <p class="actions sticky">
        <button class="button primary" disabled={!usable}>Review the change</button>
        <button type="button" class="button" disabled={!usable || key.value === ""} onClick={collect}>Keep for a change of several</button>
        <button type="button" class="button" onClick={() => go(back)}>Cancel</button>
      </p>
    </form>
  );
}

interface Checked {
  places: ProblemPlace[];
  warnings: ProblemPlace[];
  state: string;
}

/** What the publisher says of a document while it is written: the same checks that the change will have to pass. */
function useChecked(environment: string, command: Command | undefined, text: Signal<string | undefined>): Checked {
  const checked = useSignal<Checked>({ places: [], warnings: [], state: "" });
  useEffect(() => {
    if (!command) {
      checked.value = { places: [], warnings: [], state: "" };
      return undefined;
    }
    const ended = new AbortController();
    const wait = window.setTimeout(() => {
      preview(environment, command, ended.signal).then(
        (seen) => (checked.value = { places: [], warnings: seen.warnings ?? [], state: "The publisher would take it." }),
        (error: unknown) => {
          if (!(error instanceof ApiProblem) || ended.signal.aborted) {
            return;
          }
          checked.value = { places: error.problem.errors ?? [], warnings: [], state: error.problem.errors ? "" : error.problem.detail ?? error.problem.title };
        },
      );
    }, 400);
    return () => {
      window.clearTimeout(wait);
      ended.abort();
    };
  }, [text.value, command?.key, command === undefined]);
  return checked.value;
}

function readDocument(kind: Kind, text: string): { document?: Json; mark?: Mark } {
  try {
    const document = readExact(text);
    return kind === "segment" || isObject(document) ? { document } : { mark: { offset: 0, text: "A flag is a JSON object: { … }" } };
  } catch (error) {
    const message = (error as Error).message;
    const place = /position (\d+)/.exec(message);
    return { mark: { offset: place ? Number(place[1]) : text.length, text: message } };
  }
}
