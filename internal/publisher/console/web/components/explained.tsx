// What a flag answers in a context, and how that came about.

import { useSignal } from "@preact/signals";
import type { Evaluation } from "../api/types";
import { isObject, writeExact, type Json, type JsonObject } from "../reading/json";
import { outcomeText, plain, rulesOf } from "../reading/targeting";
import { Tag } from "./marks";
import { Variant } from "./words";

const reasons: Record<string, string> = {
  STATIC: "it has no rule", DEFAULT: "no rule decided, or a prerequisite is not met", TARGETING_MATCH: "a rule decided", SPLIT: "a percentage decided", DISABLED: "the flag is off", ERROR: "it failed",
};

/** The answer in one line. */
export function Answer({ answer }: { answer: Evaluation }) {
  return (
    <span class="answer">
      {answer.errorCode ? <Tag tone="bad">{answer.errorCode}</Tag> : answer.variant === undefined ? <span>the default of the application</span>
        : <><Variant name={answer.variant} /> <code class="short"><bdi>{writeExact(answer.value)}</bdi></code></>}
    </span>
  );
}

/** Why it is the answer: the reason, and the rule in words. */
export function Why({ answer, targeting }: { answer: Evaluation; targeting: Json | undefined }) {
  const rules = answer.rule ? rulesOf(targeting) : [];
  const rule = rules[answer.rule! - 1];
  return (
    <span class="quiet">
      <code>{answer.reason}</code> {answer.errorDetails ? <bdi>{answer.errorDetails}</bdi> : reasons[answer.reason] ?? ""}
      {answer.rule ? rule?.when ? <>: rule {answer.rule}, <bdi>{plain(rule.when)}</bdi></> : rule ? <>: everyone else, <bdi>{outcomeText(rule.then)}</bdi></> : `: result ${answer.rule}` : ""}
      {answer.timeDependent && ", and depends on the time"}
    </span>
  );
}

/** Prerequisites and the steps of the rule. */
export function Explanation({ explanation }: { explanation: Json | undefined }) {
  if (!isObject(explanation)) {
    return null;
  }
  const prerequisites = Array.isArray(explanation.prerequisites) ? explanation.prerequisites.filter(isObject) : [];
  return (
    <div class="explanation">
      {prerequisites.map((p) => {
        const inner = isObject(p.explanation) ? p.explanation : {};
        return (
          <details>
            <summary>Prerequisite <bdi>{text(inner.flag)}</bdi> answers {inner.variant === undefined ? "nothing" : <Variant name={text(inner.variant)} />}: <Tag tone={p.met === true ? "good" : "warn"}>{p.met === true ? "met" : "not met"}</Tag></summary>
            <Explanation explanation={inner} />
          </details>
        );
      })}
      {isObject(explanation.rule) ? <ul class="steps"><Step step={explanation.rule} /></ul> : prerequisites.length === 0 && <p class="quiet">There is no rule to look into.</p>}
      {explanation.truncated === true && <p class="quiet">There are more steps than are shown.</p>}
    </div>
  );
}

function Step({ step }: { step: JsonObject }) {
  const inputs = Array.isArray(step.inputs) ? step.inputs.filter(isObject) : [];
  const draw = isObject(step.distribution) ? step.distribution : undefined;
  return (
    <li>
      <span class="step">
        {step.operator !== undefined && <b>{step.operator === "$ref" ? "segment" : text(step.operator)}</b>} {step.name !== undefined && <code><bdi>{text(step.name)}</bdi></code>}
        {step.elements !== undefined && <span class="quiet"> a list of {text(step.elements)}</span>}
        {step.error !== undefined ? <span class="bad-text"> <bdi>{text(step.error)}</bdi></span>
          : step.result !== undefined && <> <span class="arrow" aria-label="gives">→</span> <code class="short"><bdi>{writeExact(step.result)}</bdi></code></>}
        {draw && <span class="quiet"> bucket {text(draw.bucket)} of {text(draw.weights)}, by <bdi>{text(draw.hashInput)}</bdi></span>}
      </span>
      {inputs.length > 0 && <ul>{inputs.map((i) => <Step step={i} />)}</ul>}
    </li>
  );
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : value === undefined ? "" : writeExact(value);
}

/** A command with a button that copies it. */
export function Command({ title, command }: { title: string; command: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(command).then(() => (copied.value = true), () => undefined); // where that is not allowed, the text can be selected
  };
  return (
    <div class="command">
      <p><b>{title}</b> <button class="link" onClick={copy}>Copy {title}</button> <span role="status" class="quiet">{copied.value ? "copied" : ""}</span></p>
      <pre tabIndex={0} aria-label={title}>{command}</pre>
    </div>
  );
}
