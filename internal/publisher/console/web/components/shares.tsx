// Which part of the users gets which variant.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { variantsOf, type Flag } from "../reading/flag";
import { percent, rulesOf, withShares } from "../reading/targeting";
import { compose } from "../state/change";
import { Variant } from "./words";

export function Shares({ environment, flag, close }: { environment: string; flag: Flag; close: () => void }) {
  const names = variantsOf(flag.document);
  const weights = useSignal(initial(flag));
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.select(), []);
  const changed = withShares(flag.document.targeting, [{ variant: names[0] ?? "", weight: 1 }]);
  if (changed === undefined) {
    return (
      <section class="panel" aria-label="Percentages">
        <p>The rule of this flag does not divide users in one place, so there are no percentages to change here. <a href={`${window.location.pathname}/edit`}>Edit the rules</a></p>
        <button class="button" onClick={close}>Close</button>
      </section>
    );
  }
  const total = [...weights.value.values()].reduce((a, b) => a + b, 0);
  const submit = (event: Event) => {
    event.preventDefault();
    const shares = [...weights.value].filter(([, weight]) => weight > 0).map(([variant, weight]) => ({ variant, weight }));
    compose(environment, { type: "put", key: flag.key, document: { ...flag.document, targeting: withShares(flag.document.targeting, shares) }, ifMatch: flag.revision });
  };
  const set = (variant: string, text: string) => {
    const next = new Map(weights.value);
    next.set(variant, Math.max(0, Math.min(100, Number(text) || 0)));
    const rest = [...next.keys()].filter((v) => v !== variant);
    if (rest.length === 1) {
      next.set(rest[0]!, Number((100 - next.get(variant)!).toFixed(3)));
    }
    weights.value = next;
  };
  return (
    <form class="panel" aria-label="Percentages" onSubmit={submit}>
      <h2>Percentages</h2>
      <div class="weights">
        {[...weights.value].map(([variant, weight], i) => (
          <label>
            <Variant name={variant} />
            <span class="percent"><input type="number" min="0" max="100" step="any" value={weight} ref={i === 0 ? first : undefined} onInput={(e) => set(variant, e.currentTarget.value)} /> %</span>
          </label>
        ))}
      </div>
      {total !== 100 && <p class="note" role="status">They sum up to {percent(total / 100)}: make it 100 %.</p>}
      <p class="actions"><button class="button primary" disabled={Math.abs(total - 100) > 0.001}>Review the change</button><button type="button" class="button" onClick={close}>Cancel</button></p>
    </form>
  );
}

/** The percentages of now, those of the rule first and in its order, so that users keep their variants as far as can be. */
function initial(flag: Flag): Map<string, number> {
  const names = variantsOf(flag.document);
  const now = rulesOf(flag.document.targeting).map((r) => r.then).find((t) => t.is === "shares");
  const total = now?.is === "shares" ? now.shares.reduce((sum, s) => sum + s.weight, 0) : 0;
  const result = new Map<string, number>();
  if (now?.is === "shares" && total > 0) {
    now.shares.forEach((s) => result.set(s.variant, (result.get(s.variant) ?? 0) + Number(((100 * s.weight) / total).toFixed(3))));
  }
  const fallback = flag.document.defaultVariant;
  [...names.filter((n) => n !== fallback), ...names.filter((n) => n === fallback)].forEach((n) => result.has(n) || result.set(n, total === 0 && n === fallback ? 100 : 0));
  return result;
}
