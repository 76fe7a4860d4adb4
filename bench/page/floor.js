// The least that has to be done: for a sync, fetch the pages one after the other and keep each raw as one value; for
// edits, send them in batches.

import { inTurn } from "./pages.js";

const STORE = "pages";

/** Fetches only. Gives the time and how much came. */
export async function network(first) {
  const started = performance.now();
  let bytes = 0;
  for await (const page of inTurn(first)) bytes += page.byteLength;
  return { millis: performance.now() - started, bytes };
}

/** Fetches and writes. Throws when not every page can be read back. */
export async function floor(first) {
  const database = await open();
  const started = performance.now();
  let count = 0;
  let bytes = 0;
  for await (const page of inTurn(first)) {
    await put(database, page, count);
    count += 1;
    bytes += page.byteLength;
  }
  const millis = performance.now() - started;
  const pages = await done(database.transaction(STORE).objectStore(STORE).getAll());
  const kept = pages.reduce((sum, page) => sum + page.byteLength, 0);
  if (pages.length !== count || kept !== bytes) throw new Error(`${kept} of ${bytes} bytes were kept`);
  database.close();
  return { millis, bytes };
}

/** Sends batches, each as `{ text, boundary }`, one after the other. Gives the time and how many parts were accepted. */
export async function batches(all) {
  const started = performance.now();
  let accepted = 0;
  for (const { text, boundary } of all) {
    const answer = await fetch("/api/data/v9.2/$batch", {
      method: "POST",
      headers: { "Content-Type": `multipart/mixed; boundary="${boundary}"`, "OData-Version": "4.0" },
      body: text,
    });
    accepted += (await answer.text()).match(/^HTTP\/1\.1 20[04] /gm)?.length ?? 0;
  }
  return { millis: performance.now() - started, accepted };
}

/** All values of another database's store as text, by key. */
export async function texts(name, store) {
  const database = await done(indexedDB.open(name));
  const kept = database.transaction(store).objectStore(store);
  const [keys, values] = await Promise.all([done(kept.getAllKeys()), done(kept.getAll())]);
  database.close();
  return Object.fromEntries(keys.map((key, n) => [key, new TextDecoder().decode(values[n])]));
}

/** Reads back all values of another database's store. */
export async function readAll(name, store) {
  const database = await done(indexedDB.open(name));
  const started = performance.now();
  const values = await done(database.transaction(store).objectStore(store).getAll());
  const bytes = values.reduce((sum, value) => sum + value.byteLength, 0);
  const millis = performance.now() - started;
  database.close();
  return { millis, bytes, values: values.length };
}

function open() {
  const request = indexedDB.open("floor", 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

function put(database, value, key) {
  const transaction = database.transaction(STORE, "readwrite", { durability: "relaxed" });
  transaction.objectStore(STORE).put(value, key);
  return new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
