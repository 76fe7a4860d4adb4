// Who is signed in: kept in a small database of its own, so that a worker restarted offline opens the right replica.

import type { Mark } from "./owed.ts";

/** What `POST /auth/sign-in` and `GET /auth/who` tell. */
export interface Session {
  userid: string;
  fullname: string;
  organizationid: string;
  businessunitid: string;
}

const DATABASE = "flette-session";
const STORE = "session";
const KEY = "current";
/** The mark of a sign-out that the server has not heard of. */
const OWED = "sign-out-owed";
/** `open()` is known to hang in some browsers. */
const OPEN_MILLIS_MAX = 5_000;

let known: Promise<Session | null> | null = null;
let endings = 0;

/** The signed-in user, or `null`. Rejects where the browser gives no database. */
export function currentSession(): Promise<Session | null> {
  known ??= run<Session | null>("readonly", (store) => store.get(KEY)).then((found) => found ?? null);
  known.catch(() => {
    known = null;
  });
  return known;
}

/** Remembers the user; of a former one no sign-out is owed any more. Resolves once that is on disk. */
export async function keepSession(session: Session): Promise<void> {
  await run("readwrite", (store) => {
    store.delete(OWED);
    return store.put(session, KEY);
  });
  known = Promise.resolve(session);
}

/**
 * Forgets the user of a replica that was deleted, and notes that the server must hear of it. Where another user is signed in
 * by now, he stays, and what the server knows is his session.
 */
export async function dropSession(database: string): Promise<void> {
  endings += 1;
  const isOwn = (found: Session | undefined) => found !== undefined && databaseName(found) === database;
  const found = await run<Session | undefined>("readwrite", (store) => {
    const current = store.get(KEY);
    current.onsuccess = () => {
      if (!isOwn(current.result)) return;
      store.put(true, OWED);
      store.delete(KEY);
    };
    return current;
  });
  if (isOwn(found)) known = Promise.resolve(null);
}

/** How many users this worker has forgotten: what was asked before the last one says nothing about who is signed in. */
export const forgotten = (): number => endings;

/** The sign-out that the server has not heard of, as it is noted beside the session. */
export const signOutOwed: Mark = {
  stands: async () => (await run<unknown>("readonly", (store) => store.get(OWED))) === true,
  clear: () => run("readwrite", (store) => store.delete(OWED)),
};

/** The session in the body of an answer; `null` when it is not one. */
export function sessionOf(body: unknown): Session | null {
  const fields = body as Partial<Record<keyof Session, unknown>> | null;
  if (typeof fields?.userid !== "string" || typeof fields.organizationid !== "string") return null;
  return {
    userid: fields.userid,
    fullname: typeof fields.fullname === "string" ? fields.fullname : "",
    organizationid: fields.organizationid,
    businessunitid: typeof fields.businessunitid === "string" ? fields.businessunitid : "",
  };
}

/** Name of the user's replica: per server, organisation and user. */
export function databaseName(session: Session): string {
  return `flette:${self.location.origin}:${session.organizationid}:${session.userid}`;
}

async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((done, fail) => {
      const transaction = database.transaction(STORE, mode, { durability: "strict" });
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => done(request.result as T);
      transaction.onabort = () => fail(transaction.error ?? new Error("The transaction was aborted."));
    });
  } finally {
    // Opened anew each time: it is used a few times in a worker's life, and a held handle can be closed under us.
    database.close();
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error("The session database did not open.")), OPEN_MILLIS_MAX);
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => {
      clearTimeout(timer);
      done(request.result);
    };
    request.onerror = () => {
      clearTimeout(timer);
      fail(request.error ?? new Error("The session database could not be opened."));
    };
  });
}
