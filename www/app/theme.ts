// Light or dark: as the system says, unless the user chose.

import { store } from "./store.ts";

export type Theme = "system" | "light" | "dark";

const KEY = "flette-theme";

export const theme = store<Theme>(read());
theme.subscribe(apply);
apply(theme.get());

function read(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system";
  }
}

function apply(value: Theme) {
  if (value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
  try {
    if (value === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, value);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}
