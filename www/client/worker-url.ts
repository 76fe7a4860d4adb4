// What page and worker agree upon before they can talk: the tables that go offline, and the offline profile, stand in the
// worker's own URL, which the browser keeps with the registration, so that a worker started offline knows them too.

import type { Profile } from "./types.ts";

/** Tables of the web CRM, in pull order: what others point to comes first. */
export const DEFAULT_TABLES: readonly string[] = [
  "transactioncurrency",
  "systemuser",
  "account",
  "contact",
  "task",
];

const TABLES = "tables";
const PROFILE = "profile";

/** The worker's URL for these settings; without any it is the script itself, and the worker takes its defaults. */
export function workerUrl(script: string, tables?: readonly string[], profile?: Profile): string {
  const settings = new URLSearchParams();
  if (tables) settings.set(TABLES, tables.join(","));
  if (profile) settings.set(PROFILE, JSON.stringify(profile));
  return settings.size > 0 ? `${script}?${settings}` : script;
}

/** The offline profile of a worker with this query string, in JSON: the engine says what is wrong with it. */
export function profileOf(search: string): string | undefined {
  return new URLSearchParams(search).get(PROFILE) ?? undefined;
}

/** Logical names of the tables that a worker with this query string keeps offline; what is no name is left out. */
export function tablesOf(search: string): string[] {
  const names = (new URLSearchParams(search).get(TABLES) ?? "").split(",");
  const known = [...new Set(names.filter((name) => /^[a-z][a-z0-9_]*$/.test(name)))];
  return known.length > 0 ? known : [...DEFAULT_TABLES];
}
