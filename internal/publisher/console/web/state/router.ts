// Where the page is. Every state that a person may want to send to another one is in the address.

import { signal } from "@preact/signals";

export const root = "/console";

export interface Place {
  /** The parts of the path below /console, decoded. */
  parts: string[];
  query: URLSearchParams;
}

function read(): Place {
  const parts = window.location.pathname.slice(root.length).split("/").filter((p) => p !== "").map(decodeURIComponent);
  return { parts, query: new URLSearchParams(window.location.search) };
}

export const place = signal<Place>(read());

/** The address of a page. */
export function to(parts: string[], query: Record<string, string> = {}): string {
  const filled = Object.entries(query).filter(([, value]) => value !== "");
  const search = new URLSearchParams(filled).toString();
  return `${root}/${parts.map(encodeURIComponent).join("/")}${search === "" ? "" : `?${search}`}`;
}

export function go(address: string, replace = false): void {
  if (replace) {
    window.history.replaceState(null, "", address);
  } else {
    window.history.pushState(null, "", address);
    window.scrollTo(0, 0);
  }
  place.value = read();
}

/** Changes members of the query; empty ones go. */
export function setQuery(changed: Record<string, string>): void {
  const all = { ...Object.fromEntries(place.value.query), ...changed };
  go(to(place.value.parts, all), true);
}

/** Has links of the page change the place without loading it again. */
export function followLinks(): void {
  window.addEventListener("popstate", () => (place.value = read()));
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target !== "") {
      return;
    }
    if (link.origin === window.location.origin && link.pathname.startsWith(`${root}/`) && !link.hasAttribute("data-leave")) {
      event.preventDefault();
      go(link.pathname + link.search);
    }
  });
}
