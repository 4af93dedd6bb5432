// Finds flags, segments, pages and environments by a few letters.

import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { environment, environments } from "../state/environments";
import { flagsOf } from "../state/flags";
import { people, readPeople } from "../state/people";
import { go, to } from "../state/router";
import { Dialog } from "./dialog";
import { sections } from "./frame";

interface Found {
  kind: string;
  name: string;
  address: string;
}

const most = 12;

export function Palette({ close }: { close: () => void }) {
  const text = useSignal("");
  const chosen = useSignal(0);
  const found = useComputed(() => find(text.value));
  useEffect(() => void readPeople(), []);
  const open = (f: Found | undefined) => {
    if (f) {
      close();
      go(f.address);
    }
  };
  const press = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      chosen.value = Math.max(0, Math.min(found.value.length - 1, chosen.value + step));
    } else if (event.key === "Enter") {
      event.preventDefault();
      open(found.value[chosen.value]);
    }
  };
  return (
    <Dialog label="Find" close={close}>
      <div class="palette">
        <input type="text" role="combobox" aria-label="Find a flag, a page or an environment" aria-expanded="true" aria-controls="found" autocomplete="off" spellcheck={false}
          aria-activedescendant={found.value.length > 0 ? `found-${chosen.value}` : undefined} placeholder="Find a flag, a page or an environment" autofocus
          value={text.value} onKeyDown={press} onInput={(e) => { text.value = e.currentTarget.value; chosen.value = 0; }} />
        <ul id="found" role="listbox" aria-label="Found">
          {found.value.map((f, i) => (
            <li role="option" id={`found-${i}`} aria-selected={i === chosen.value} onClick={() => open(f)} onMouseMove={() => (chosen.value = i)}>
              <bdi>{f.name}</bdi><span class="quiet">{f.kind}</span>
            </li>
          ))}
        </ul>
        {found.value.length === 0 && <p class="quiet nothing">Nothing is called like that.</p>}
      </div>
    </Dialog>
  );
}

function find(text: string): Found[] {
  const name = environment.value;
  const flags = flagsOf(name).value;
  const all: Found[] = [
    ...sections.map(([section, title]) => ({ kind: "page", name: title, address: to([name, section]) })),
    ...(environments.value ?? []).map((e) => ({ kind: "environment", name: e.name, address: to([e.name, "flags"]) })),
    ...flags.items.map((f) => ({ kind: "flag", name: f.key, address: to([name, "flags", f.key]) })),
    ...flags.segments.map((s) => ({ kind: "segment", name: s, address: to([name, "segments", s]) })),
    ...people.value.map((p) => ({ kind: "what a person did", name: p.name || p.subject || p.id, address: to([name, "audit"], { actor: p.id }) })),
  ];
  const words = text.toLowerCase().split(/[\s\-_.]+/).filter((w) => w !== "");
  const ranked = all.map((f): [number, Found] => [rank(f.name.toLowerCase(), text.toLowerCase(), words), f]).filter(([r]) => r >= 0);
  return ranked.sort(([a], [b]) => a - b).slice(0, most).map(([, f]) => f);
}

/** How well a name fits, 0 best; negative if it does not. */
function rank(name: string, text: string, words: string[]): number {
  if (!words.every((w) => name.includes(w))) {
    return -1;
  }
  return name === text ? 0 : name.startsWith(text) ? 1 : words.some((w) => name.split(/[\s\-_.]+/).some((part) => part.startsWith(w))) ? 2 : 3;
}
