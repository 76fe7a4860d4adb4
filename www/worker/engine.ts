// The one engine of this worker: the WebAssembly module is started once per worker life, on the first request that
// needs it, while the session is read; a replica is opened once per user.

import init, { Flette } from "flette-engine";
import { matchPrecache } from "workbox-precaching";
import { profileOf, tablesOf } from "../client/worker-url.ts";
import { currentSession, databaseName, dropSession, type Session } from "./session.ts";

/** Path prefix of the API that the engine answers. */
export const API_ROOT = "/api/data/v9.2/";
/** Tables that go offline, as the page that registered this worker named them. */
const TABLES = tablesOf(self.location.search);
/** What of them, and how they merge. */
const PROFILE = profileOf(self.location.search);
/** Rows per pulled page: half of Dataverse's maximum, as the bodies of two pages are the peak of a first sync. */
const PAGE_SIZE = 2_500;
const MODULE = "/flette_bg.wasm";
/** How long the deletion of a replica may take that cannot be opened, milliseconds: a frozen page may hold it up. */
const DELETE_MILLIS_MAX = 5_000;

let module: Promise<unknown> | null = null;
let opened: { database: string; engine: Promise<Flette> } | null = null;
/** Names of the replicas by engine: whoever signs out ends the one that answered, whichever is open by then. */
const databases = new WeakMap<Flette, string>();
/** Replicas that are being deleted: no request makes them anew meanwhile. */
const ending = new Set<string>();

/** Starts the module unless that was done. A failed start is tried again by the next call. */
function start(): Promise<unknown> {
  module ??= init({ module_or_path: moduleResponse() }).catch((error: unknown) => {
    module = null;
    throw error;
  });
  return module;
}

async function moduleResponse(): Promise<Response> {
  return (await matchPrecache(MODULE)) ?? fetch(MODULE);
}

/** The engine of the signed-in user, or `null` when nobody is signed in. Rejects when it cannot be opened. */
export async function currentEngine(): Promise<Flette | null> {
  // Both at once; when nobody is signed in, the module is warm for the sign-in that follows.
  await Promise.all([currentSession(), start()]);
  // Asked again: meanwhile he may have signed out.
  const session = await currentSession();
  return session ? engineOf(session) : null;
}

/**
 * Deletes the replica of an engine that may be deleted, and forgets its user. Rejects when it cannot be deleted; it then
 * stays, and its user with it.
 */
export async function destroyEngine(engine: Flette): Promise<void> {
  const database = databases.get(engine);
  if (database !== undefined) await end(database, () => engine.destroy());
}

/** The same of the signed-in user's replica that cannot be opened. */
export async function destroyUnopened(): Promise<void> {
  const session = await currentSession();
  if (!session) return;
  const database = databaseName(session);
  await end(database, () => deleteDatabase(database));
}

async function end(database: string, destroy: () => Promise<void>): Promise<void> {
  ending.add(database);
  try {
    await destroy();
    await dropSession(database);
  } finally {
    // Closed in any case: where the replica stays, the next request opens it anew.
    if (opened?.database === database) opened = null;
    ending.delete(database);
  }
}

function deleteDatabase(name: string): Promise<void> {
  return new Promise((done, fail) => {
    const late = () => fail(new Error("The replica could not be deleted in time."));
    const timer = setTimeout(late, DELETE_MILLIS_MAX);
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => {
      clearTimeout(timer);
      done();
    };
    request.onerror = () => {
      clearTimeout(timer);
      fail(request.error ?? new Error("The replica could not be deleted."));
    };
  });
}

/** Ends the engine's life before another user's. */
export async function closeEngine(): Promise<void> {
  const before = opened;
  opened = null;
  await before?.engine.then((engine) => engine.close()).catch(() => undefined);
}

async function engineOf(session: Session): Promise<Flette> {
  const database = databaseName(session);
  if (opened?.database === database) return opened.engine;
  if (ending.has(database)) throw new Error("Its user is signing out.");
  const before = opened;
  const engine = Flette.open({
    root: API_ROOT,
    database,
    user: session.userid,
    business_unit: session.businessunitid,
    organization: session.organizationid,
    tables: TABLES,
    page_size: PAGE_SIZE,
    ...(PROFILE === undefined ? {} : { profile: PROFILE }),
  }).then((flette) => {
    databases.set(flette, database);
    return flette;
  });
  const current = { database, engine };
  opened = current;
  engine.catch(() => {
    // The next request tries again: a full disk or a blocked upgrade may pass.
    if (opened === current) opened = null;
  });
  await before?.engine.then((old) => old.close()).catch(() => undefined);
  return engine;
}
