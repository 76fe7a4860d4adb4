// A worker that does nothing but answer ready bodies: what no engine in a worker can be faster than. `PUT` keeps a body
// under its URL; without one, an answer is as long as `?bytes=` says.

const HEADERS = {
  "Content-Type": "application/json; odata.metadata=minimal",
  "OData-Version": "4.0",
  "Cache-Control": "no-store",
};
const bodies = new Map();
/** Another one in every life of the worker. */
const life = String(Math.random());

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (!url.pathname.startsWith("/ready/answer")) return;
  if (request.method === "PUT") {
    event.respondWith(keep(url.href, request));
  } else {
    const body = bodies.get(url.href) ?? new Uint8Array(Number(url.searchParams.get("bytes") ?? 0)).fill(32);
    event.respondWith(new Response(body, { headers: { ...HEADERS, Life: life } }));
  }
});

async function keep(href, request) {
  bodies.set(href, await request.arrayBuffer());
  return new Response(null, { status: 204 });
}
