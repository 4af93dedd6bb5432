// What sidecars say that a change would do to recent evaluations, in sentences. What nothing is known of is never shown as nothing.

import type { Impact, ImpactChange, ImpactFlag } from "../api/types";

/** The most flags, and changes of each, that are told of one by one. */
const mostFlags = 20;
const mostChanges = 5;

export interface Told {
  headline: string;
  lines: string[];
}

export function told(i: Impact): Told {
  if (i.missing) {
    return { headline: `Not known: ${i.missing}.`, lines: [] };
  }
  if (i.answered === 0) {
    return { headline: `Not known: no sidecar has counts, of ${i.asked} that were asked.`, lines: unanswered(i) };
  }
  const all = i.asked === i.sidecars ? "" : ` (of ${i.sidecars.toLocaleString("en")})`;
  const lines = i.flags.slice(0, mostFlags).map((f) => `${f.key}: ${flagText(i, f)}`);
  const more = Math.max(i.flags.length - mostFlags, 0) + (i.moreFlags ?? 0);
  if (more > 0) {
    lines.push(`${counted(more, "flag")} more.`);
  }
  if (i.flags.length === 0) {
    lines.push("No flag that applications can ask for answers anything else.");
  }
  if (i.partial) {
    lines.push("Some sidecars looked at a part of what they remember, for lack of time.");
  }
  lines.push(...unanswered(i));
  if (i.inProcess) {
    lines.push(`Not in it: ${counted(i.inProcess, "client")} that evaluate by themselves.`);
  }
  const services = i.applications.length > 0 ? ` in ${counted(i.applications.length, "service")}` : "";
  return { headline: `As ${i.answered} of ${counted(i.asked, "sidecar")}${all}${services} say of about the last ${span(i.sinceSeconds)}:`, lines };
}

function unanswered(i: Impact): string[] {
  const refused = Object.entries(i.refused ?? {});
  const lines = refused.map(([why, n]) => `${counted(n, "sidecar")} without counts: ${reasons[why] ?? why}.`);
  const silent = i.asked - i.answered - refused.reduce((sum, [, n]) => sum + n, 0);
  if (silent > 0) {
    lines.push(`${counted(silent, "sidecar")} without an answer in time: those of older versions and with --preview=false do not answer.`);
  }
  for (const c of (i.clocks ?? []).slice(0, mostChanges)) {
    const where = c.namespace ? `${c.name} in ${c.namespace}` : c.name;
    lines.push(`The clock of ${where} is ${span(Math.abs(c.aheadSeconds))} ${c.aheadSeconds < 0 ? "behind" : "ahead of"} that of the publisher: set the one that is wrong.`);
  }
  if (i.answered > 0 && i.unanswered && i.unanswered.length > 0) {
    lines.push(`Not known: what evaluations of ${i.unanswered.map((name) => name || "applications without a name").join(", ")} would get.`);
  }
  return lines;
}

const reasons: Record<string, string> = {
  busy: "asked too often within a minute", behind: "they do not serve the newest revision yet", epoch: "they serve another history", "not-ready": "they are not ready",
  invalid: "they cannot compile the change, look at their versions", clock: "their clock and that of the publisher differ by more than a minute",
};

function flagText(i: Impact, f: ImpactFlag): string {
  const estimated = i.answered < i.sidecars || f.samples < f.evaluations;
  const about = estimated ? "about " : "";
  if (f.evaluations === 0) {
    return f.tooFew ? `${about}${f.tooFew.toLocaleString("en")} recent evaluations, too few to tell.` : "no recent evaluations.";
  }
  const from = estimated ? `; from ${counted(f.samples, "sample")}` : "";
  const few = f.tooFew ? `; ${f.tooFew.toLocaleString("en")} more where too few are remembered` : "";
  return `of ${about}${f.evaluations.toLocaleString("en")} recent evaluations ${changes(f)}; ${errors(f)}${from}${few}.`;
}

function changes(f: ImpactFlag): string {
  const shown = f.changes.slice(0, mostChanges);
  if (shown.length === 0) {
    return "none or few change"; // a few samples may be told as none
  }
  const texts = shown.map((c, n) => `${share(c.n, f.evaluations)}${n === 0 ? " change" : ""} ${change(c)}`);
  const rest = f.changed - shown.reduce((sum, c) => sum + c.n, 0);
  return [...texts, ...(rest > 0 ? [`${share(rest, f.evaluations)} otherwise`] : [])].join(", ");
}

function change(c: ImpactChange): string {
  if (c.from !== c.to) {
    return `from ${c.from || "no variant"} to ${c.to || "no variant"}`;
  }
  return c.from === "" ? "to another error" : c.from === "…" ? "otherwise" : `the value of ${c.from}`;
}

function errors(f: ImpactFlag): string {
  const now = f.errorsBefore > 0 ? `, ${f.errorsBefore.toLocaleString("en")} now` : "";
  return (f.errorsAfter === 0 && f.fails ? "few errors" : counted(f.errorsAfter, "error")) + now;
}

function share(part: number, whole: number): string {
  const percent = (100 * part) / whole;
  return percent < 0.05 ? "under 0.1 %" : `${Math.min(percent, 100).toFixed(1)} %`;
}

function span(seconds: number): string {
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
}

function counted(n: number, one: string): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : `${one}s`}`;
}
