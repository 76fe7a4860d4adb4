// The control API of the worker, typed. Each call is one request to `/flette/...` on this origin.

import type { Conflict, JournalEntry, LookAlike, Report, Status, Trace } from "./types.ts";

/** A refusal of the control API: the error of the body, with its HTTP status. */
export class FletteError extends Error {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "FletteError";
    this.status = status;
    this.code = code;
  }
}

/** Typed calls; no state. */
export const control = {
  status: () => json<Status>("GET", "status"),
  sync: () => json<Report>("POST", "sync"),
  goOffline: () => json<Report>("POST", "go-offline"),
  cancelOffline: () => call("POST", "go-offline/cancel"),
  goOnline: () => json<Report>("POST", "go-online"),
  journal: async () => (await json<{ entries: JournalEntry[] }>("GET", "journal")).entries,
  conflicts: async () => (await json<{ conflicts: Conflict[] }>("GET", "conflicts")).conflicts,
  retry: (op: string) => call("POST", `journal/${encodeURIComponent(op)}/retry`),
  discard: (op: string) => call("POST", `journal/${encodeURIComponent(op)}/discard`),
  exportChange: async (op: string) => (await call("GET", `journal/${encodeURIComponent(op)}/export`)).blob(),
  duplicates: async (op: string) =>
    (await json<{ rows: LookAlike[] }>("GET", `journal/${encodeURIComponent(op)}/duplicates`)).rows,
  merge: (op: string, id: string) => call("POST", `journal/${encodeURIComponent(op)}/merge`, { id }),
  resolve: (id: string, take: "local" | "server") =>
    call("POST", `conflicts/${encodeURIComponent(id)}/resolve`, { take }),
  export: async () => (await call("GET", "export")).blob(),
  trace: (after = 0) => json<Trace>("GET", `trace?after=${after}`),
  exportTrace: async () => (await call("GET", "trace/export")).blob(),
  signOut: (unsent: "keep-refuse" | "discard") => call("POST", "sign-out", { unsent }),
};

async function json<T>(method: string, path: string): Promise<T> {
  return (await call(method, path)).json() as Promise<T>;
}

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(`/flette/${path}`, {
      method,
      headers,
      cache: "no-store",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new FletteError(0, "", "The service worker did not answer.");
  }
  if (response.ok) return response;
  const answer = (await response.json().catch(() => null)) as {
    error?: { code?: string; message?: string };
  } | null;
  const message = answer?.error?.message ?? `The request was answered with status ${response.status}.`;
  throw new FletteError(response.status, answer?.error?.code ?? "", message);
}
