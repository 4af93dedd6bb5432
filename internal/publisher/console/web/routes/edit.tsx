import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, flagPath } from "../api/http";
import { Difference } from "../components/difference";
import { Loading, ProblemNote } from "../components/marks";
import { Rules } from "../components/words";
import { isObject, pretty, readExact, type Json } from "../reading/json";
import { compose } from "../state/change";
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

/** The document of a flag as text, with what it means beside it. Without a flag, a new one. */
export function EditPage({ environment, flag: key }: { environment: string; flag?: string }) {
  const base = useReading(async (signal) => (key === undefined ? undefined : ask<Json>("GET", flagPath(environment, key), { exact: true, signal })), []);
  const text = useSignal<string | undefined>(key === undefined ? template : undefined);
  const name = useSignal(key ?? "");
  const overtaken = useMoved(environment, "flag", key) !== "";
  const seen = base.value.value;
  useEffect(() => {
    if (seen && text.value === undefined) {
      text.value = pretty(seen.value);
    }
  }, [seen]);
  if (base.value.problem) {
    return <ProblemNote problem={base.value.problem} />;
  }
  if (text.value === undefined) {
    return <Loading what="the flag" />;
  }
  const [document, wrong] = read(text.value);
  const taken = key === undefined && flagsOf(environment).value.items.some((f) => f.key === name.value);
  const submit = (e: Event) => {
    e.preventDefault();
    compose(environment, { type: "put", key: name.value, document, ...(seen ? { ifMatch: seen.revision } : { ifAbsent: true }) });
  };
  const back = key === undefined ? to([environment, "flags"]) : to([environment, "flags", key]);
  return (
    <form onSubmit={submit} class="edit">
      <div class="head"><p class="above"><a href={back}>{key === undefined ? "Flags" : <bdi>{key}</bdi>}</a></p><h1>{key === undefined ? "New flag" : "Edit as JSON"}</h1></div>
      {overtaken && <p class="note" role="status">This flag has changed since you opened it. Your text is kept; the review shows what was, what you want, and what is there now.</p>}
      {key === undefined && (
        <p class="field">
          <label for="key">Key</label>
          <input id="key" required value={name.value} spellcheck={false} autocomplete="off" onInput={(e) => (name.value = e.currentTarget.value)} />
          {taken && <span class="bad-text" role="alert">There is a flag of this name.</span>}
        </p>
      )}
      <div class="columns">
        <section>
          <label for="document" class="heading">Document</label>
          <textarea id="document" class="code" rows={24} spellcheck={false} autocomplete="off" aria-invalid={wrong !== undefined} aria-describedby="document-state" value={text.value}
            onInput={(e) => (text.value = e.currentTarget.value)} />
          <p id="document-state" role="status" class={wrong ? "bad-text" : "quiet"}>{wrong ?? "The JSON can be read. The review checks what it means."}</p>
        </section>
        <section aria-labelledby="means">
          <h2 id="means">What it would answer</h2>
          {isObject(document) ? <Rules targeting={document.targeting} fallback={typeof document.defaultVariant === "string" ? document.defaultVariant : undefined} /> : <p class="quiet">Nothing that can be read.</p>}
          {seen && document !== undefined && <><h2>What is different</h2><Difference before={seen.value} after={document} /></>}
        </section>
      </div>
      <p class="actions"><button class="button primary" disabled={wrong !== undefined || taken}>Review the change</button><button type="button" class="button" onClick={() => go(back)}>Cancel</button></p>
    </form>
  );
}

function read(text: string): [Json | undefined, string | undefined] {
  try {
    const document = readExact(text);
    return isObject(document) ? [document, undefined] : [undefined, "A flag is a JSON object: { … }"];
  } catch (error) {
    return [undefined, (error as Error).message];
  }
}
