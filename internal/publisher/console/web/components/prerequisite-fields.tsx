// The flags that must answer something before this one does, as fields.

import { having, ofEntries } from "../reading/form";
import { isObject, type Json, type JsonObject } from "../reading/json";
import { variantsOf, type Flag } from "../reading/flag";

/** The most flags that are offered while one types. */
const mostOffered = 500;

/** Whether prerequisites are as the form draws them: each a flag and its variants. */
export function drawable(prerequisites: Json | undefined): prerequisites is JsonObject[] | undefined {
  return prerequisites === undefined || (Array.isArray(prerequisites) && prerequisites.every((p) =>
    isObject(p) && Object.keys(p).length === 2 && typeof p.flag === "string" && Array.isArray(p.variants) && p.variants.every((v) => typeof v === "string")));
}

export interface PrerequisiteOptions {
  prerequisites: JsonObject[];
  flags: Flag[];
  set: (prerequisites: JsonObject[]) => void;
}

export function PrerequisiteFields({ prerequisites, flags, set }: PrerequisiteOptions) {
  const change = (i: number, p: JsonObject) => set(prerequisites.map((old, j) => (j === i ? p : old)));
  return (
    <fieldset class="prerequisites-form">
      <legend class="heading">Prerequisites</legend>
      <datalist id="flags">{flags.slice(0, mostOffered).map((f) => <option value={f.key} />)}</datalist>
      <ul>
        {prerequisites.map((p, i) => {
          const wanted = p.variants as string[];
          const flag = flags.find((f) => f.key === p.flag);
          const names = [...new Set([...(flag ? variantsOf(flag.document) : []), ...wanted])];
          return (
            <li key={i}>
              <label class="field inline">Only while <input list="flags" aria-label={`Flag of prerequisite ${i + 1}`} value={p.flag as string} spellcheck={false} autocomplete="off" onInput={(e) => change(i, having(p, "flag", e.currentTarget.value))} /></label>
              <fieldset>
                <legend class="quiet">answers one of</legend>
                {names.map((name) => (
                  <label class="check">
                    <input type="checkbox" checked={wanted.includes(name)} aria-label={`Prerequisite ${i + 1}: ${name}`}
                      onChange={(e) => change(i, having(p, "variants", e.currentTarget.checked ? [...wanted, name] : wanted.filter((v) => v !== name)))} /> <bdi>{name}</bdi>
                  </label>
                ))}
                {!flag && <span class="bad-text">There is no flag of this name.</span>}
                {flag && wanted.length === 0 && <span class="bad-text">Choose at least one.</span>}
              </fieldset>
              <button type="button" class="link" aria-label={`Remove prerequisite ${i + 1}`} onClick={() => set(prerequisites.filter((_, j) => j !== i))}>Remove</button>
            </li>
          );
        })}
      </ul>
      <button type="button" class="button small" onClick={() => set([...prerequisites, ofEntries([["flag", ""], ["variants", []]])])}>Add a prerequisite</button>
    </fieldset>
  );
}
