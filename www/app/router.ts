// Addresses: `#/contacts?q=ann&sort=-modifiedon`, `#/contacts/new?parentcustomerid=account:GUID`, `#/contacts/GUID`,
// `#/sync`. In the hash, so that any static server, and the precache, serve every address by index.html.

import { store } from "./store.ts";

export interface Route {
  /** `accounts`, `contacts`, `tasks`, or `sync`. */
  page: string;
  /** Row id, `new`, or empty for the list. */
  id: string;
  query: URLSearchParams;
}

export const route = store<Route>(parse(location.hash));

/** Asked before an address is left; resolves to whether it may be. */
type Guard = () => boolean | Promise<boolean>;
let guard: Guard | null = null;
let shown = location.hash;
let returning = false;

/** Sets the guard of the view that is shown, or takes it away. */
export function setGuard(next: Guard | null): void {
  guard = next;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", id = ""] = path.split("/");
  return { page: page || "contacts", id: decodeURIComponent(id), query: new URLSearchParams(query) };
}

/** `#/contacts/GUID` */
export function address(page: string, id = "", query: Record<string, string> = {}): string {
  const filled = Object.entries(query).filter(([, value]) => value !== "");
  const tail = filled.length > 0 ? `?${new URLSearchParams(filled)}` : "";
  return `#/${page}${id ? `/${id}` : ""}${tail}`;
}

/** Goes to an address, with an entry in the history. */
export function go(hash: string): void {
  location.hash = hash;
}

/** Changes the address without an entry in the history and without asking the guard. */
export function replace(hash: string): void {
  history.replaceState(null, "", hash);
  shown = location.hash;
  route.set(parse(location.hash));
}

addEventListener("hashchange", async () => {
  if (returning) {
    returning = false;
    return;
  }
  const wanted = location.hash;
  if (wanted === shown) return;
  if (guard) {
    // The address changes back first: while the user decides, it names what is shown.
    const asked = guard();
    if (asked !== true) {
      returning = true;
      location.hash = shown;
      if (!(await asked)) return;
      guard = null;
      location.hash = wanted;
      return;
    }
    guard = null;
  }
  shown = wanted;
  route.set(parse(wanted));
});
