// A worker that does nothing but keep what it is sent, each by one strict put, and answer when that is durable: what no
// local change can be faster than.

const ROOT = "/durable/kept/";
const STORE = "changes";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const path = new URL(event.request.url).pathname;
  if (path.startsWith(ROOT)) event.respondWith(keep(path.slice(ROOT.length), event.request));
});

let opening;

function database() {
  opening ??= new Promise((done, fail) => {
    const request = indexedDB.open("durable", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
  return opening;
}

async function keep(key, request) {
  const [opened, body] = await Promise.all([database(), request.arrayBuffer()]);
  const transaction = opened.transaction(STORE, "readwrite", { durability: "strict" });
  transaction.objectStore(STORE).put(body, key);
  await new Promise((done, fail) => {
    transaction.oncomplete = done;
    transaction.onabort = () => fail(transaction.error);
  });
  return new Response(null, { status: 204 });
}
