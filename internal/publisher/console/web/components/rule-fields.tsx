// Rules as fields. What has no fields is shown as JSON, and stays where it is.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { comparisons, versionComparisons, weightOf, withRules, type Condition, type FormRule, type Part, type RuleForm, type Scalar, type Share, type Then, type When } from "../reading/form";
import { ExactNumber, pretty, readExact, writeExact, type Json } from "../reading/json";
import { percent } from "../reading/targeting";
import { numberIn, ValueField } from "./value-field";

interface Known {
  variants: string[];
  segments: string[];
  attributes: string[];
}

export function RuleFields({ form, set, ...known }: Known & { form: RuleForm; set: (form: RuleForm) => void }) {
  const { rules } = form;
  const change = (i: number, rule: FormRule) => set({ ...form, rules: rules.map((r, j) => (j === i ? rule : r)) });
  const swap = (i: number, j: number) => {
    const next = [...rules];
    [next[i], next[j]] = [next[j]!, next[i]!];
    set(withRules(form, next));
  };
  const add = () => set(withRules(form, [...rules, { when: { parts: [fresh("==")] }, then: known.variants[0] === undefined ? { is: "default" } : { is: "variant", variant: known.variants[0] } }]));
  return (
    <>
      <datalist id="attributes">{known.attributes.map((a) => <option value={a} />)}</datalist>
      <ol class="rule-form">
        {rules.map((rule, i) => (
          <li key={i}>
            <fieldset>
              <legend>Rule {i + 1}</legend>
              <WhenFields name={`rule ${i + 1}`} when={rule.when} known={known} set={(when) => change(i, { ...rule, when })} />
              <ThenFields name={`Rule ${i + 1}`} then={rule.then} known={known} set={(then) => change(i, { ...rule, then })} />
              <p class="tools">
                {i > 0 && <button type="button" class="link" aria-label={`Move rule ${i + 1} up`} onClick={() => swap(i, i - 1)}>Up</button>}
                {i + 1 < rules.length && <button type="button" class="link" aria-label={`Move rule ${i + 1} down`} onClick={() => swap(i, i + 1)}>Down</button>}
                <button type="button" class="link" aria-label={`Remove rule ${i + 1}`} onClick={() => set(withRules(form, rules.filter((_, j) => j !== i)))}>Remove</button>
              </p>
            </fieldset>
          </li>
        ))}
        <li>
          <fieldset>
            <legend>{rules.length === 0 ? "Everyone" : "Everyone else"}</legend>
            <ThenFields name="Everyone else" then={form.otherwise ?? { is: "default" }} known={known}
              set={(then) => set({ ...form, otherwise: then.is === "default" ? undefined : then, empty: undefined })} />
          </fieldset>
        </li>
      </ol>
      <button type="button" class="button small" onClick={add}>Add a rule</button>
    </>
  );
}

/** Kinds of conditions as the select has them: operators, and words for what has another shape. */
const kinds: [string, string][] = [
  ...Object.entries(comparisons), ["one-of", "is one of"], ["contains", "contains"], ...Object.entries(versionComparisons).map(([o, text]): [string, string] => [`v${o}`, text]),
  ["segment", "in segment"], ["json", "JSON"],
];

function kindOf(c: Condition): string {
  return c.is === "comparison" ? c.operator : c.is === "version" ? `v${c.operator}` : c.is;
}

/** A condition of a kind, with what can be kept of another one. */
function fresh(kind: string, from?: Condition, segment = ""): Condition {
  const attribute = from && "attribute" in from ? from.attribute : "";
  const value: Scalar = from && "value" in from ? from.value : from?.is === "one-of" ? from.values[0] ?? "" : "";
  if (kind === "segment") {
    return { is: "segment", segment: from?.is === "segment" ? from.segment : segment };
  }
  if (kind === "one-of") {
    return { is: "one-of", attribute, values: from?.is === "one-of" ? from.values : [value] };
  }
  if (kind === "contains") {
    return { is: "contains", attribute, value };
  }
  if (kind.startsWith("v")) {
    return { is: "version", attribute, operator: kind.slice(1), value: typeof value === "string" ? value : writeExact(value) };
  }
  return { is: "comparison", attribute, operator: kind, value };
}

export function WhenFields({ name, when, known, set }: { name: string; when: When; known: Known; set: (when: When) => void }) {
  const { join, parts } = when;
  const change = (i: number, part: Part) => set({ ...when, parts: parts.map((p, j) => (j === i ? part : p)) });
  const remove = (i: number) => {
    const rest = parts.filter((_, j) => j !== i);
    set(rest.length === 1 ? { parts: rest } : { ...when, parts: rest });
  };
  return (
    <div class="when-fields">
      {parts.length > 1 && (
        <label class="field inline">If
          <select aria-label={`How conditions of ${name} are joined`} value={join} onChange={(e) => set({ ...when, join: e.currentTarget.value as "and" | "or" })}>
            <option value="and">all of these hold</option><option value="or">any of these holds</option>
          </select>
        </label>
      )}
      {parts.map((part, i) => (
        <div class="condition" key={i}>
          <PartFields name={`condition ${i + 1} of ${name}`} part={part} known={known} set={(p) => change(i, p)} />
          {parts.length > 1 && <button type="button" class="link" aria-label={`Remove condition ${i + 1} of ${name}`} onClick={() => remove(i)}>Remove</button>}
        </div>
      ))}
      <button type="button" class="link" aria-label={`Add a condition to ${name}`} onClick={() => set({ join: join ?? "and", parts: [...parts, fresh("==")] })}>Add a condition</button>
    </div>
  );
}

function PartFields({ name, part, known, set }: { name: string; part: Part; known: Known; set: (part: Part) => void }) {
  if (part.is === "json") {
    return <Node label={`JSON of ${name}`} json={part.json} set={(json) => set({ is: "json", json })} />;
  }
  const not = part.not;
  const keep = (c: Condition): Part => (not === undefined ? c : { ...c, not });
  return (
    <>
      <select class="not" aria-label={`Whether ${name} is to hold`} value={not === undefined ? "" : "not"}
        onChange={(e) => {
          const { not: _, ...bare } = part;
          set(e.currentTarget.value === "not" ? { ...bare, not: "list" } : (bare as Condition));
        }}>
        <option value="">if</option><option value="not">unless</option>
      </select>
      {part.is !== "segment" && (
        <input class="attribute" list="attributes" placeholder="attribute" aria-label={`Attribute of ${name}`} value={part.attribute} spellcheck={false} autocomplete="off"
          onInput={(e) => set(keep({ ...part, attribute: e.currentTarget.value }))} />
      )}
      <select aria-label={`Comparison of ${name}`} value={kindOf(part)} onChange={(e) => set(keep(fresh(e.currentTarget.value, part, known.segments[0])))}>
        {kinds.filter(([kind]) => kind !== "json").map(([kind, text]) => <option value={kind}>{text}</option>)}
      </select>
      {part.is === "segment" && (
        <select aria-label={`Segment of ${name}`} value={part.segment} onChange={(e) => set(keep({ is: "segment", segment: e.currentTarget.value }))}>
          {[...new Set([...known.segments, part.segment])].map((s) => <option>{s}</option>)}
        </select>
      )}
      {part.is === "version" && <input aria-label={`Version of ${name}`} value={part.value} placeholder="1.2.0" onInput={(e) => set(keep({ ...part, value: e.currentTarget.value }))} />}
      {part.is === "one-of" && <Values name={name} values={part.values} set={(values) => set(keep({ ...part, values }))} />}
      {(part.is === "comparison" || part.is === "contains") && (
        <ValueField label={`value of ${name}`} value={part.value} choices={["text", "number", "true or false"]} set={(v) => set(keep({ ...part, value: v as Scalar }))} />
      )}
    </>
  );
}

/** Values one below the other: texts, or numbers, or what JSON they are. */
function Values({ name, values, set }: { name: string; values: Scalar[]; set: (values: Scalar[]) => void }) {
  const texts = values.every((v) => typeof v === "string" && !v.includes("\n"));
  const numbers = values.every((v) => typeof v === "number" || v instanceof ExactNumber);
  const written = texts ? (values as string[]).join("\n") : numbers ? values.map(writeExact).join("\n") : undefined;
  const draft = useSignal<string | undefined>(undefined);
  const wrong = useSignal(false);
  if (written === undefined) {
    return <Node label={`Values of ${name}, as JSON`} json={values} set={(v) => Array.isArray(v) && v.length > 0 && set(v as Scalar[])} />;
  }
  const input = (text: string) => {
    const lines = text.split("\n");
    const read = texts ? lines : lines.map((l) => numberIn(l));
    wrong.value = !read.every((v) => v !== undefined);
    draft.value = wrong.value ? text : undefined;
    if (!wrong.value) {
      set(read as Scalar[]);
    }
  };
  return (
    <span class="values-field">
      <textarea rows={Math.min(6, Math.max(2, values.length))} aria-label={`Values of ${name}, one a line`} aria-invalid={wrong.value} spellcheck={false} value={draft.value ?? written} onInput={(e) => input(e.currentTarget.value)} />
      <span class={wrong.value ? "bad-text" : "quiet"}>{wrong.value ? "A line is no number, so nothing is taken over." : `one a line: ${values.length}`}</span>
    </span>
  );
}

export function ThenFields({ name, then, known, set }: { name: string; then: Then; known: Known; set: (then: Then) => void }) {
  if (then.is === "json") {
    return <div class="then-fields"><span>gets</span> <Node label={`${name} gets, as JSON`} json={then.json} set={(json) => set({ is: "json", json })} /></div>;
  }
  const now = then.is === "variant" ? `=${then.variant}` : then.is;
  const choose = (value: string) => {
    if (value === "shares") {
      const names = then.is === "variant" ? [then.variant, ...known.variants.filter((v) => v !== then.variant)] : known.variants;
      set({ is: "shares", shares: names.map((variant, i) => ({ variant, weight: i === 0 ? 100 : 0 })) });
    } else {
      set(value === "default" ? { is: "default" } : { is: "variant", variant: value.slice(1) });
    }
  };
  return (
    <div class="then-fields">
      <label class="field inline">gets
        <select aria-label={`${name} gets`} value={now} onChange={(e) => choose(e.currentTarget.value)}>
          {known.variants.map((v) => <option value={`=${v}`}>{v}</option>)}
          {then.is === "variant" && !known.variants.includes(then.variant) && <option value={now}>{then.variant} (there is none)</option>}
          <option value="default">the default variant</option><option value="shares">percentages</option>
        </select>
      </label>
      {then.is === "shares" && <SharesFields name={name} by={then.by} shares={then.shares} known={known} set={(shares, by) => set(by === undefined ? { is: "shares", shares } : { is: "shares", by, shares })} />}
    </div>
  );
}

function SharesFields({ name, by, shares, known, set }: { name: string; by: Json | undefined; shares: Share[]; known: Known; set: (shares: Share[], by: Json | undefined) => void }) {
  const total = shares.reduce((sum, s) => sum + weightOf(s), 0);
  const missing = known.variants.filter((v) => !shares.some((s) => s.variant === v));
  return (
    <div class="shares-form">
      {shares.map((share, i) => (
        <p key={i}>
          <span class="variant"><bdi>{share.variant}</bdi></span>
          <ValueField label={`Weight of ${share.variant} in ${name}`} value={share.weight ?? 1} set={(v) => set(shares.map((s, j) => (j === i ? { ...s, weight: v as number | ExactNumber } : s)), by)} />
          <span class="quiet">{total > 0 ? percent(weightOf(share) / total) : "–"}</span>
          {shares.length > 1 && <button type="button" class="link" aria-label={`Remove ${share.variant} from ${name}`} onClick={() => set(shares.filter((_, j) => j !== i), by)}>Remove</button>}
        </p>
      ))}
      {missing.length > 0 && (
        <p class="tools">{missing.map((v) => <button type="button" class="link" onClick={() => set([...shares, { variant: v, weight: 0 }], by)}>Add {v}</button>)}</p>
      )}
      {by !== undefined && <p class="quiet">by <code>{writeExact(by)}</code></p>}
      {total > 0 && total !== 100 && shares.every((s) => s.weight !== undefined) && <p class="quiet">The weights sum up to {total}; each counts as its part of that.</p>}
    </div>
  );
}

/** A piece of JSON that has no fields. */
function Node({ label, json, set }: { label: string; json: Json; set: (json: Json) => void }) {
  const text = useSignal(pretty(json));
  const wrong = useSignal(false);
  useEffect(() => {
    try {
      if (writeExact(readExact(text.value)) === writeExact(json)) {
        return;
      }
    } catch {
      // What is written here cannot be read, and the JSON beside it has changed.
    }
    text.value = pretty(json);
    wrong.value = false;
  }, [writeExact(json)]);
  return (
    <span class="node-field">
      <textarea class="code" rows={Math.min(8, text.value.split("\n").length + 1)} spellcheck={false} aria-label={label} aria-invalid={wrong.value} value={text.value}
        onInput={(e) => {
          text.value = e.currentTarget.value;
          try {
            set(readExact(text.value));
            wrong.value = false;
          } catch {
            wrong.value = true;
          }
        }} />
      {wrong.value && <span class="bad-text" role="alert">This is no JSON, so it is not taken over.</span>}
    </span>
  );
}
