// Light, dark, or as the system has it.

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const stored = window.localStorage.getItem("theme");

export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "system");

/** Keeps the document and the storage as the theme says. */
export function applyTheme(): void {
  effect(() => {
    if (theme.value === "system") {
      delete document.documentElement.dataset.theme;
      window.localStorage.removeItem("theme");
    } else {
      document.documentElement.dataset.theme = theme.value;
      window.localStorage.setItem("theme", theme.value);
    }
  });
}
