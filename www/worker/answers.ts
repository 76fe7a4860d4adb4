// Answers that the worker gives without the engine, in Dataverse's shape.

const JSON_TYPE = "application/json; odata.metadata=minimal";

/** CrmHttpError: no better code exists for "cannot answer now". */
export const UNAVAILABLE = "0x8006088a";
/** CrmHttpError: the caller is not who he would have to be. */
export const NOT_SIGNED_IN = "0x80044302";
/** What the engine answers to a sign-out while changes wait. */
export const UNSENT = "0x80044188";

/** The server gave no answer. */
export function unreachable(): Response {
  return problem(503, UNAVAILABLE, "The server cannot be reached.");
}

/** Nobody is signed in. */
export function signedOut(): Response {
  return problem(401, NOT_SIGNED_IN, "Nobody is signed in on this device.");
}

/** Where an API answer came from. */
export type Source = "replica" | "network";

/** An error as Dataverse would give it. */
export function problem(status: number, code: string, message: string): Response {
  return json({ error: { code, message } }, status);
}

/** A JSON answer of the worker's own. */
export function json(body: unknown, status = 200): Response {
  const headers = {
    "Content-Type": JSON_TYPE,
    "OData-Version": "4.0",
    "Cache-Control": "no-store",
    "Flette-Source": "replica",
  };
  return new Response(JSON.stringify(body), { status, headers });
}

/** The same answer with the header that tells where it came from. */
export function tagged(response: Response, source: Source): Response {
  // Redirects and network errors cannot be made anew.
  if (response.type === "opaqueredirect" || response.type === "error") return response;
  const headers = new Headers(response.headers);
  headers.set("Flette-Source", source);
  const empty = response.status === 204 || response.status === 304;
  return new Response(empty ? null : response.body, {
    status: response.status,
    statusText: response.statusText,
    headers,
  });
}

/** `GET /flette/status` while nobody is signed in. */
export function signedOutStatus(): Response {
  return json({
    mode: "online",
    chosen: false,
    reachable: null,
    primary: false,
    pending: 0,
    parked: 0,
    conflicts: 0,
    syncing: false,
    progress: null,
    last_sync: null,
    synced: false,
    pull_due: false,
    going_offline: null,
    generation: 0,
    signed_in: false,
    problem: null,
    retry_after_millis: null,
    tables: [],
    storage: { bytes: null, persisted: null },
    memory_bytes: null,
  });
}
