// Workers and browsers end at any moment; nothing acknowledged is lost and nothing is doubled.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, send, signIn, signInAgain, status, synced, until, world } from "./lib/world.mjs";

test("the worker is stopped in the middle of the first sync: the next one goes on and ends", async (t) => {
  const w = await world(t, { rows: 10_000 });
  const browser = await w.browser("train");
  const page = await browser.page();
  const held = w.proxy.hold((request) => /contacts\?.*skiptoken/.test(request.url));
  await signIn(page, w.origin);
  await until("the middle of the first sync", () => held.seen > 0);
  await browser.stopWorkers(page);
  held.release();
  await until("the worker is back", () => status(page));
  const done = await synced(page, "the first sync");
  const contacts = done.tables.find((table) => table.name === "contact");
  const ids = new Set();
  let next = "contacts?$select=contactid";
  while (next) {
    const body = await w.admin.get(next);
    for (const row of body.value) ids.add(row.contactid);
    next = body["@odata.nextLink"]?.split("/api/data/v9.2/")[1];
  }
  assert.equal(contacts.rows, ids.size);
});

test("the worker is stopped in the middle of a push: every change arrives once", async (t) => {
  const w = await world(t);
  const browser = await w.browser("train");
  const page = await open(w, browser);
  w.proxy.cut();
  for (let n = 0; n < 20; n++) {
    assert.equal((await send(page, "POST", "tasks", { subject: `Pushed once ${n}` })).status, 204);
  }
  const held = w.proxy.hold((request) => request.url.endsWith("/$batch"));
  w.proxy.restore();
  await until("a push under way", () => held.seen > 0);
  await browser.stopWorkers(page);
  held.release();
  await until("the worker is back", () => status(page));
  await synced(page);
  assert.equal(await w.admin.count("tasks", "startswith(subject,'Pushed once ')"), 20);
  assert.equal((await status(page)).parked, 0);
});

test("the browser is killed right after each 204: every acknowledged change is there and arrives once", async (t) => {
  const w = await world(t);
  let browser = await w.browser("train");
  let page = await open(w, browser);
  const row = (await w.admin.get("contacts?$filter=jobtitle ne null&$orderby=fullname&$top=1")).value[0]
    .contactid;
  w.proxy.cut();
  for (let kill = 0; kill < 3; kill++) {
    assert.equal((await send(page, "POST", "tasks", { subject: `Before kill ${kill}` })).status, 204);
    const edit = { telephone1: `kill ${kill}` };
    assert.equal((await send(page, "PATCH", `contacts(${row})`, edit, { "If-Match": "*" })).status, 204);
    await browser.kill();
    browser = await w.browser("train");
    page = await browser.page();
    await page.goto(w.origin, { waitUntil: "load" });
    const now = await until("the replica is back", () => status(page));
    assert.ok(now.pending >= 2 * (kill + 1) - kill, `after kill ${kill}: ${now.pending}`);
    assert.equal((await send(page, "GET", `contacts(${row})`)).body.telephone1, edit.telephone1);
    const tasks = (await send(page, "GET", "tasks?$filter=startswith(subject,'Before kill ')")).body.value;
    assert.equal(tasks.length, kill + 1);
  }
  w.proxy.restore();
  // Chromium writes cookies late, so a kill may take the session with it. The changes wait for their user then.
  await until("a round that reaches the server", async () => (await status(page)).reachable);
  if (!(await status(page)).signed_in) await signInAgain(page);
  await synced(page);
  assert.equal(await w.admin.count("tasks", "startswith(subject,'Before kill ')"), 3);
  assert.equal((await w.admin.get(`contacts(${row})`)).telephone1, "kill 2");
});
