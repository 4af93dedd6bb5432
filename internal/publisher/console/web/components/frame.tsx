// What stands around every page: where you are, where you can go, and the keys that work everywhere.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { colourOf, environment, environments } from "../state/environments";
import { draftOf, dropAll } from "../state/draft";
import { live } from "../state/live";
import { go, place, to } from "../state/router";
import { session, signOut } from "../state/session";
import { theme, type Theme } from "../state/theme";
import { Help } from "./help";
import { EnvironmentName } from "./marks";
import { Palette } from "./palette";
import { TaskBar } from "./tasks";

export const sections: [string, string][] = [
  ["flags", "Flags"], ["segments", "Segments"], ["requests", "Requests"], ["activity", "Activity"], ["fleet", "Fleet"], ["lifecycle", "Lifecycle"],
  ["compare", "Compare"], ["playground", "Playground"], ["audit", "Audit"],
  ["sources", "Sources"], ["settings", "Settings"], ["access", "Access"], ["webhooks", "Webhooks"],
];

export function Logo() {
  return (
    <span class="logo">
      <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
        <path d="M4 2v16" stroke="currentColor" stroke-width="2" stroke-linecap="round" fill="none" />
        <path d="M6 3h11l-3.2 4L17 11H6z" fill="currentColor" />
      </svg>
      flagside
    </span>
  );
}

export function Frame({ children }: { children: ComponentChildren }) {
  const name = environment.value;
  const palette = useSignal(false);
  const help = useSignal(false);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        palette.value = true;
      } else if (!typing(event) && event.key === "?") {
        help.value = true;
      } else if (!typing(event) && (event.key === "j" || event.key === "k")) {
        step(event.key === "j" ? 1 : -1);
      } else if (!typing(event) && event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("input[type=search]");
        if (search) {
          event.preventDefault();
          search.focus();
          search.select();
        }
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
  useEffect(() => {
    document.title = [place.value.parts[2] ?? sections.find(([s]) => s === place.value.parts[1])?.[1] ?? "flagside", name].filter((t) => t !== "").join(" · ");
  }, [place.value]);
  const readOnly = environments.value?.find((e) => e.name === name)?.readOnly;
  return (
    <div class={`frame colour-${colourOf(name)}`}>
      <a class="skip" href="#content" data-leave>Skip to content</a>
      <header class="top">
        <a class="home" href={to([name, "flags"])} aria-label="flagside, all flags"><Logo /></a>
        <EnvironmentSwitcher name={name} />
        <button class="find" onClick={() => (palette.value = true)} aria-keyshortcuts="Control+K">
          <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><circle cx="7" cy="7" r="5" fill="none" stroke="currentColor" stroke-width="1.6" /><path d="m11 11 4 4" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" /></svg>
          <span class="find-text">Find</span><kbd aria-hidden="true">Ctrl K</kbd>
        </button>
        <Account />
      </header>
      <nav class="sections" aria-label="Pages">
        {sections.map(([section, title]) => (
          <a href={to([name, section])} aria-current={place.value.parts[1] === section ? "page" : undefined}>{title}</a>
        ))}
        <button class="keys" onClick={() => (help.value = true)}><kbd>?</kbd> Keys</button>
      </nav>
      <main id="content" tabIndex={-1}>
        {live.value === "lost" && <p class="note" role="status">The connection to the publisher is lost. What you see may be out of date; it is tried again.</p>}
        {readOnly && <p class="note" role="status"><strong>This environment is not changed here.</strong> <bdi>{readOnly}</bdi></p>}
        {environments.value?.some((e) => e.name === name) && <TaskBar environment={name} without={place.value.parts[1] === "audit" ? "verify" : undefined} key={name} />}
        <DraftBar name={name} />
        {children}
      </main>
      {palette.value && <Palette close={() => (palette.value = false)} />}
      {help.value && <Help close={() => (help.value = false)} />}
    </div>
  );
}

/** What is collected for one change, on every page of its environment until it is made or dropped. */
function DraftBar({ name }: { name: string }) {
  const sure = useSignal(false);
  const all = draftOf(name);
  if (all.length === 0 || place.value.query.has("draft")) {
    return null;
  }
  return (
    <aside class="draft" aria-label="Change of several documents">
      <p><b>{all.length === 1 ? "1 document" : `${all.length} documents`} changed, not yet proposed:</b> {all.slice(0, 5).map((k, i) => <>{i > 0 && ", "}<bdi>{k.key}</bdi></>)}{all.length > 5 && " …"}</p>
      <p class="actions">
        <a class="button primary" href={to([name, "change"], { draft: "1" })}>Review all</a>
        {sure.value ? <button class="button danger" onClick={() => { dropAll(name); sure.value = false; }}>Really drop all</button> : <button class="button" onClick={() => (sure.value = true)}>Drop…</button>}
      </p>
    </aside>
  );
}

/** Gives the focus to the link of the next row, or of the previous one, in lists and tables. The list of flags does that by itself. */
function step(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main .cards .title a, main tbody th a, main .feed li")].map((r) => (r.matches("a") ? r : r.querySelector<HTMLElement>("a"))).filter((r) => r !== null);
  const at = rows.findIndex((r) => r === document.activeElement);
  rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
}

/** Whether a key is meant for what has the focus. */
export function typing(event: KeyboardEvent): boolean {
  const at = event.target;
  return event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]") !== null ||
    (at instanceof HTMLElement && (at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName)));
}

function EnvironmentSwitcher({ name }: { name: string }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => menu.current?.removeAttribute("open");
  useEffect(close, [place.value]);
  const section = place.value.parts[1] ?? "flags";
  const flag = section === "flags" ? place.value.parts[2] : undefined;
  return (
    <details class="menu switcher" ref={menu} onKeyDown={(e) => e.key === "Escape" && close()}>
      <summary aria-label={`Environment ${name}, choose another`}><EnvironmentName name={name} /><Chevron /></summary>
      <ul>
        {(environments.value ?? []).map((e) => (
          <li>
            <a href={to(flag ? [e.name, "flags", flag] : [e.name, ["change"].includes(section) ? "flags" : section])} aria-current={e.name === name ? "true" : undefined}>
              <EnvironmentName name={e.name} /><span class="quiet">{e.flags} flags{e.protected ? ", protected" : ""}</span>
            </a>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Chevron() {
  return <svg viewBox="0 0 12 12" width="10" height="10" aria-hidden="true"><path d="m2 4 4 4 4-4" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" /></svg>;
}

const themes: [Theme, string][] = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];

function Account() {
  const who = session.value;
  if (who.state !== "in") {
    return null;
  }
  const name = who.principal.name || who.principal.id || who.principal.kind;
  return (
    <details class="menu account">
      <summary aria-label={`Account of ${name}`}><span class="face" aria-hidden="true">{[...name][0]?.toUpperCase()}</span></summary>
      <div>
        <p><b><bdi>{name}</bdi></b><br /><span class="quiet">{who.principal.groups.join(", ") || "no groups"}</span></p>
        <fieldset>
          <legend>Colours</legend>
          {themes.map(([value, title]) => (
            <label><input type="radio" name="theme" checked={theme.value === value} onChange={() => (theme.value = value)} /> {title}</label>
          ))}
        </fieldset>
        <button class="button wide" onClick={() => void signOut().then(() => go("/console/"))}>Sign out</button>
      </div>
    </details>
  );
}
