// When a change is to be applied.

import { useSignal, type Signal } from "@preact/signals";
import { instantsOf, localOf, offsetText, turnNear, zones } from "../reading/zone";

/** A choice of a time. Without one, the change waits until a person applies it. */
export interface Planned {
  on: boolean;
  /** The instant; absent while what is written means none, or two. */
  at?: Date;
  lateSeconds: number;
}

const latest: [number, string][] = [[0, "at any later time"], [900, "until 15 minutes later"], [3600, "until an hour later"], [86400, "until a day later"]];

const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function Schedule({ planned, environment }: { planned: Signal<Planned>; environment: string }) {
  const zone = useSignal(own);
  const local = useSignal(localOf(new Date(Math.ceil((Date.now() + 3_600_000) / 3_600_000) * 3_600_000), own));
  const second = useSignal(false);
  const set = (changed: { zone?: string; local?: string; second?: boolean; on?: boolean; lateSeconds?: number }) => {
    zone.value = changed.zone ?? zone.value;
    local.value = changed.local ?? local.value;
    second.value = changed.second ?? (changed.local !== undefined || changed.zone !== undefined ? false : second.value);
    const found = instantsOf(local.value, zone.value);
    const at = found[second.value ? 1 : 0];
    planned.value = { on: changed.on ?? planned.value.on, at, lateSeconds: changed.lateSeconds ?? planned.value.lateSeconds };
  };
  const { on, at, lateSeconds } = planned.value;
  return (
    <fieldset class="schedule">
      <legend class="heading">When</legend>
      <label class="check"><input type="radio" name="when" checked={!on} onChange={() => set({ on: false })} /> As soon as it may, when a person applies it</label>
      <label class="check"><input type="radio" name="when" checked={on} onChange={() => set({ on: true })} /> At a time</label>
      {on && (
        <div class="time">
          <label class="field">Date and time<input type="datetime-local" value={local.value} onInput={(e) => set({ local: e.currentTarget.value })} /></label>
          <label class="field">Time zone
            <select value={zone.value} onChange={(e) => set({ zone: e.currentTarget.value })}>
              {[...new Set([own, ...zones()])].map((z) => <option value={z}>{z === own ? `${z} (yours)` : z}</option>)}
            </select>
          </label>
          <label class="field">If it is late, apply it
            <select value={String(lateSeconds)} onChange={(e) => set({ lateSeconds: Number(e.currentTarget.value) })}>{latest.map(([s, text]) => <option value={String(s)}>{text}</option>)}</select>
          </label>
          <Meaning local={local.value} zone={zone.value} second={second.value} choose={(value) => set({ second: value })} />
          {at && <p class="quiet">It is applied by the publisher at this time, if it has its approvals by then and nothing that it was made from has changed in {environment}. Otherwise it waits, and says so.</p>}
        </div>
      )}
    </fieldset>
  );
}

/** What a time means, and where it means nothing or two things. */
function Meaning({ local, zone, second, choose }: { local: string; zone: string; second: boolean; choose: (second: boolean) => void }) {
  const found = instantsOf(local, zone);
  const turn = turnNear(local, zone);
  const time = local.slice(11);
  if (local === "") {
    return <p class="bad-text" role="alert">Give a date and a time.</p>;
  }
  if (found.length === 0) {
    return (
      <p class="note bad" role="alert"><strong>{time} does not exist on this day in {zone}.</strong> {turn ? `Clocks go from ${turn.from} to ${turn.to}. Choose a time before ${turn.from}, or from ${turn.to} on.` : "Choose another time."}</p>
    );
  }
  const at = found[second ? 1 : 0] ?? found[0]!;
  return (
    <>
      {found.length > 1 && (
        <fieldset class="note">
          <legend class="visually-hidden">Which of two times</legend>
          <p role="alert"><strong>{time} comes twice on this day in {zone}.</strong> {turn && `Clocks go back from ${turn.from} to ${turn.to}.`} Which one?</p>
          {found.map((instant, i) => (
            <label class="check"><input type="radio" name="which" checked={second === (i === 1)} onChange={() => choose(i === 1)} /> {i === 0 ? "The first" : "The second"}, {offsetText(instant, zone)}: {utc(instant)}</label>
          ))}
        </fieldset>
      )}
      <p role="status">This is <strong>{utc(at)}</strong>{zone !== "UTC" && `, ${offsetText(at, zone)} in ${zone}`}.</p>
      {found.length === 1 && turn && <p class="note">Clocks in {zone} go from {turn.from} to {turn.to} within a day of this time. What counts is the time in UTC.</p>}
      {at.getTime() <= Date.now() && <p class="bad-text" role="alert">This time is over.</p>}
    </>
  );
}

function utc(instant: Date): string {
  return `${instant.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
