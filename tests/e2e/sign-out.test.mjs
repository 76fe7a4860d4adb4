// Who signs out is signed out, with or without a server in reach.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, send, signIn, status, until, world } from "./lib/world.mjs";

const WHO = "/auth/who";

async function signOut(page) {
  await page.click('[data-testid="user-menu"]');
  await page.click('[data-testid="sign-out"]');
  await page.waitForSelector('[data-testid="sign-in-form"]');
}

/** Names of the replicas in this browser. */
const replicas = (page) =>
  page.evaluate(async () =>
    (await indexedDB.databases()).map(({ name }) => name).filter((name) => name.startsWith("flette:")),
  );

test("a sign-out without a server in reach stands when it is back, also for a worker that was stopped", async (t) => {
  const w = await world(t);
  const browser = await w.browser("shared");
  const page = await open(w, browser);
  w.proxy.cut();
  await signOut(page);
  assert.equal((await send(page, "GET", WHO)).status, 401);
  await browser.stopWorkers(page);
  w.proxy.restore();
  assert.equal((await send(page, "GET", "contacts?$top=1")).status, 401, "nobody reads as the former user");
  assert.equal((await send(page, "GET", WHO)).status, 401);
  const ended = w.proxy.log.filter((call) => call.url === "/auth/sign-out");
  assert.deepEqual(
    ended.map((call) => call.status),
    [204],
    "told once",
  );
  assert.deepEqual(await replicas(page), []);
  await page.reload({ waitUntil: "load" });
  await signIn(page, w.origin, "anna");
  const anna = await until("the other user is signed in", async () => {
    const answer = await send(page, "GET", WHO);
    return answer.status === 200 && answer.body;
  });
  assert.match(anna.fullname, /anna/i);
  assert.equal((await replicas(page)).length, 1);
  assert.equal((await status(page)).signed_in, true);
});

test("requests while somebody signs out do not make his replica anew", async (t) => {
  const w = await world(t);
  const page = await open(w, await w.browser("busy"));
  const statuses = await page.evaluate(async () => {
    const get = () => fetch("/api/data/v9.2/contacts?$top=1").then((answer) => answer.status);
    const out = fetch("/flette/sign-out", { method: "POST" }).then((answer) => answer.status);
    let ended = false;
    out.finally(() => {
      ended = true;
    });
    while (!ended) await get();
    return [await out, await get()];
  });
  assert.deepEqual(statuses, [204, 401]);
  assert.deepEqual(await replicas(page), []);
});

test("where the engine cannot be opened, who gives his changes up can sign out", async (t) => {
  const w = await world(t);
  const browser = await w.browser("broken");
  const page = await open(w, browser);
  // A replica of a later version: this build cannot open it.
  const name = (await replicas(page))[0];
  await page.evaluate(
    (name) =>
      new Promise((done, fail) => {
        const request = indexedDB.open(name, 1_000);
        request.onsuccess = () => {
          request.result.close();
          done();
        };
        request.onerror = () => fail(request.error);
      }),
    name,
  );
  await browser.stopWorkers(page);
  await until("the engine fails", async () => (await send(page, "GET", "/flette/status")).status === 503);
  assert.equal((await send(page, "POST", "/flette/sign-out")).status, 409);
  assert.equal((await send(page, "POST", "/flette/sign-out", { unsent: "discard" })).status, 204);
  assert.deepEqual(await replicas(page), []);
  assert.equal((await send(page, "GET", WHO)).status, 401);
});
