// Sentences about targeting, with the attributes, values and segments in them marked.

import { listed, percentages, rulesOf, type Outcome, type Word } from "../reading/targeting";
import { pretty, type Json } from "../reading/json";

/** The most values of a list that are shown at once. */
const mostValues = 12;

export function Words({ words }: { words: Word[] }) {
  const shown: preact.ComponentChildren[] = [];
  let row = 0;
  let hidden = 0;
  words.forEach((word, i) => {
    row = listed(word) && listed(words[i - 1]) ? row + 1 : 0;
    if (row >= mostValues) {
      hidden++;
      if (!listed(words[i + 1])) {
        shown.push(<span class="quiet">and {hidden} more</span>);
        hidden = 0;
      }
      return;
    }
    shown.push(<OneWord word={word} />, " ");
  });
  return <span class="words">{shown}</span>;
}

function OneWord({ word }: { word: Word }) {
  switch (word.is) {
    case "attribute":
      return <b class="attribute">{word.text}</b>;
    case "value":
      return <bdi class="value">{word.text}</bdi>;
    case "constant":
      return <code class="constant">{word.text}</code>;
    case "segment":
      return <bdi class="segment">{word.text}</bdi>;
    case "json":
      return <code class="node">{word.text}</code>;
    default:
      return <>{word.text}</>;
  }
}

/** What a rule answers. */
export function Answer({ outcome, fallback }: { outcome: Outcome; fallback: string | undefined }) {
  switch (outcome.is) {
    case "variant":
      return <Variant name={outcome.variant} />;
    case "default":
      return fallback === undefined ? <span>the default of the application</span> : <Variant name={fallback} />;
    case "json":
      return <code class="node">{pretty(outcome.json)}</code>;
    case "shares":
      return (
        <div class="shares">
          <div class="bar" aria-hidden="true">
            {outcome.shares.map((s, i) => <span class={`part part-${i % 6}`} style={{ flexGrow: s.weight }} />)}
          </div>
          <ul>
            {percentages(outcome.shares).map((s, i) => (
              <li><span class={`dot part-${i % 6}`} aria-hidden="true" />{s.percent} <Variant name={s.variant} /></li>
            ))}
          </ul>
          {outcome.by.length > 0 && <p class="quiet">divided by <Words words={outcome.by} /></p>}
        </div>
      );
  }
}

export function Variant({ name }: { name: string }) {
  return <bdi class="variant">{name}</bdi>;
}

/** Targeting as a list of rules: the first one that applies answers. */
export function Rules({ targeting, fallback }: { targeting: Json | undefined; fallback: string | undefined }) {
  const rules = rulesOf(targeting);
  return (
    <ol class="rules">
      {rules.map((rule, i) => (
        <li>
          <span class="number" aria-hidden="true">{i + 1}</span>
          <div class="when">{rule.when ? <>If <Words words={rule.when} /></> : i === 0 ? "Everyone" : "Everyone else"}</div>
          <div class="then"><Answer outcome={rule.then} fallback={fallback} /></div>
        </li>
      ))}
    </ol>
  );
}

