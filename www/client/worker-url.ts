// What page and worker agree upon before they can talk: the tables that go offline stand in the worker's own URL, which
// the browser keeps with the registration, so that a worker started offline knows them too.

/** Tables of the web CRM, in pull order: what others point to comes first. */
export const DEFAULT_TABLES: readonly string[] = [
  "transactioncurrency",
  "systemuser",
  "account",
  "contact",
  "task",
];

const TABLES = "tables";

/** The worker's URL for these tables; without any it is the script itself, and the worker takes its default. */
export function workerUrl(script: string, tables?: readonly string[]): string {
  if (!tables) return script;
  return `${script}?${new URLSearchParams({ [TABLES]: tables.join(",") })}`;
}

/** Logical names of the tables that a worker with this query string keeps offline; what is no name is left out. */
export function tablesOf(search: string): string[] {
  const names = (new URLSearchParams(search).get(TABLES) ?? "").split(",");
  const known = [...new Set(names.filter((name) => /^[a-z][a-z0-9_]*$/.test(name)))];
  return known.length > 0 ? known : [...DEFAULT_TABLES];
}
