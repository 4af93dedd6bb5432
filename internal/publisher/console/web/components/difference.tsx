// What is different between two documents: in sentences, and line by line.

import { linesOf, remarksOf, type Remark } from "../reading/difference";
import type { Json } from "../reading/json";

const signs = { added: "+", removed: "−", changed: "→" };

export function Remarks({ remarks }: { remarks: Remark[] }) {
  if (remarks.length === 0) {
    return <p class="quiet">Nothing is different.</p>;
  }
  return (
    <ul class="remarks">
      {remarks.map((r) => (
        <li class={r.is}>
          <span class="sign" aria-label={r.is}>{signs[r.is]}</span>
          <span class="what"><bdi>{r.what}</bdi></span>
          {(r.before !== undefined || r.after !== undefined) && (
            <span class="values">
              {r.before !== undefined && <del><bdi>{r.before}</bdi></del>}
              {r.before !== undefined && r.after !== undefined && <span class="arrow" aria-label="becomes"> → </span>}
              {r.after !== undefined && <ins><bdi>{r.after}</bdi></ins>}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

/** A difference with its lines, which are folded away at first. */
export function Difference({ before, after, open = false }: { before: Json | undefined; after: Json | undefined; open?: boolean }) {
  return (
    <div class="difference">
      <Remarks remarks={remarksOf(before, after)} />
      <details open={open}>
        <summary>Line by line</summary>
        <Lines before={before} after={after} />
      </details>
    </div>
  );
}

const marks = { added: "+", removed: "-", same: " ", skipped: " " };

export function Lines({ before, after }: { before: Json | undefined; after: Json | undefined }) {
  return (
    <pre class="lines" tabIndex={0} aria-label="Difference line by line">
      {linesOf(before, after).map((l) => (
        <div class={l.is}><span class="mark" aria-hidden="true">{marks[l.is]}</span>{l.text}{"\n"}</div>
      ))}
    </pre>
  );
}
