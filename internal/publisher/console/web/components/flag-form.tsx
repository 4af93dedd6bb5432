// A flag as a form. It writes the same document that stands beside it as JSON.

import { having, formOf, ofEntries, renamed, targetingOf } from "../reading/form";
import { isObject, type Json, type JsonObject } from "../reading/json";
import { variantsOf, type Flag } from "../reading/flag";
import { drawable, PrerequisiteFields } from "./prerequisite-fields";
import { RuleFields } from "./rule-fields";
import { as, typeOf, types, ValueField, type Type } from "./value-field";

export interface FormOptions {
  document: JsonObject;
  segments: string[];
  attributes: string[];
  /** The other flags of the environment. */
  flags: Flag[];
  set: (document: JsonObject) => void;
}

export function FlagForm({ document, segments, attributes, flags, set }: FormOptions) {
  const names = variantsOf(document);
  const variants = isObject(document.variants) ? document.variants : undefined;
  const member = (name: string, value: Json | undefined) => set(having(document, name, value));
  const off = typeof document.offVariant === "string" ? document.offVariant : "";
  const form = formOf(document.targeting);
  const prerequisites = document.prerequisites;
  const drawn = [...(drawable(prerequisites) ? ["prerequisites"] : []), "description", "state", "variants", "defaultVariant", "offVariant", "targeting"];
  const others = Object.keys(document).filter((n) => !drawn.includes(n));
  const usual = (v: Json | undefined) => v === undefined || typeof v === "string";
  return (
    <div class="flag-form">
      {usual(document.description) && (
        <label class="field">Description<input value={(document.description as string | undefined) ?? ""} onInput={(e) => member("description", e.currentTarget.value)} /></label>
      )}
      <div class="fields">
        <label class="field">State
          <select value={String(document.state)} onChange={(e) => member("state", e.currentTarget.value)}>
            <option value="ENABLED">On</option><option value="DISABLED">Off</option>
            {document.state !== "ENABLED" && document.state !== "DISABLED" && <option value={String(document.state)} disabled>none yet</option>}
          </select>
        </label>
        <Choice label="Default variant" names={names} value={document.defaultVariant} none="none: the default of the application" set={(v) => member("defaultVariant", v)} />
        <Choice label="Variant while off" names={names} value={off === "" ? undefined : off} none="the default variant" set={(v) => member("offVariant", v)} />
      </div>
      {variants ? <Variants document={document} variants={variants} set={set} /> : <p class="note">Variants are not drawn here: they are no object. See the JSON.</p>}
      {drawable(prerequisites) && <PrerequisiteFields prerequisites={prerequisites ?? []} flags={flags} set={(all) => member("prerequisites", all.length === 0 ? undefined : all)} />}
      <h3>Rules</h3>
      <RuleFields form={form} variants={names} segments={segments} attributes={attributes} set={(next) => member("targeting", targetingOf(next))} />
      {others.length > 0 && <p class="quiet">Only in the JSON, and kept as it is: {others.join(", ")}.</p>}
    </div>
  );
}

function Choice({ label, names, value, none, set }: { label: string; names: string[]; value: Json | undefined; none: string; set: (name: string | undefined) => void }) {
  const now = typeof value === "string" ? value : "";
  return (
    <label class="field">{label}
      <select value={now === "" ? "" : `=${now}`} onChange={(e) => set(e.currentTarget.value === "" ? undefined : e.currentTarget.value.slice(1))}>
        <option value="">{none}</option>
        {names.map((n) => <option value={`=${n}`}>{n}</option>)}
        {now !== "" && !names.includes(now) && <option value={`=${now}`}>{now} (there is none)</option>}
      </select>
    </label>
  );
}

function Variants({ document, variants, set }: { document: JsonObject; variants: JsonObject; set: (document: JsonObject) => void }) {
  const entries = Object.entries(variants);
  const type = typeOf(entries[0]?.[1]);
  const same = entries.every(([, v]) => typeOf(v) === type);
  const write = (all: [string, Json][]) => set(having(document, "variants", ofEntries(all)));
  const add = () => {
    let n = entries.length + 1;
    while (Object.hasOwn(variants, `variant-${n}`)) {
      n++;
    }
    write([...entries, [`variant-${n}`, entries.length === 0 ? true : as(type, "")]]);
  };
  return (
    <fieldset class="variants-form">
      <legend class="heading">Variants</legend>
      {entries.length > 0 && same && (
        <label class="field inline">All are
          <select value={type} onChange={(e) => write(entries.map(([n, v]) => [n, as(e.currentTarget.value as Type, v)]))}>{types.map((t) => <option>{t}</option>)}</select>
        </label>
      )}
      <ul>
        {entries.map(([name, value], i) => (
          <li key={i}>
            <input class="name" aria-label={`Name of variant ${i + 1}`} value={name} spellcheck={false} autocomplete="off"
              onChange={(e) => {
                const next = e.currentTarget.value.trim();
                if (next === name || next === "" || Object.hasOwn(variants, next)) {
                  e.currentTarget.value = name;
                  return;
                }
                set(renamed(document, name, next));
              }} />
            <ValueField label={`Value of ${name}`} value={value} choices={same ? undefined : types} set={(v) => write(entries.map(([n, old]) => [n, n === name ? v : old]))} />
            <button type="button" class="link" aria-label={`Remove variant ${name}`} onClick={() => write(entries.filter(([n]) => n !== name))}>Remove</button>
          </li>
        ))}
      </ul>
      <button type="button" class="button small" onClick={add}>Add a variant</button>
    </fieldset>
  );
}
