// The web CRM opens, lists, searches and opens a record with no server anywhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, openList, openRecord, save, search, shown } from "./lib/page.mjs";
import { hasNorthwind } from "./lib/server.mjs";
import { open, send, signIn, status, synced, until, world } from "./lib/world.mjs";

test("the first sync shows progress; then the app opens, lists, searches and opens a record without a server", async (t) => {
  const w = await world(t, { rows: 10_000 });
  const browser = await w.browser("anywhere");
  const page = await browser.page();
  const pages = w.proxy.hold((request) => /contacts\?.*skiptoken/.test(request.url));
  await signIn(page, w.origin);
  await until("progress of the first sync", async () => {
    const now = await status(page);
    return now.syncing && now.progress?.table === "contact" && now.progress.done > 0 && now;
  });
  await page.waitForSelector('[data-testid="progress"]');
  pages.release();
  const done = await synced(page, "the first sync");
  const rows = Object.fromEntries(done.tables.map((table) => [table.name, table.rows]));
  const onServer = (await w.admin.get("contacts?$select=contactid&$filter=lastname ne null")).value.length;
  assert.ok(rows.contact >= 10_000, `contacts: ${rows.contact}`);
  assert.ok(onServer >= 5_000, "the server gives a full page");
  const accounts = (await w.admin.get("accounts?$select=name")).value;
  assert.equal(rows.account, accounts.length);
  if (hasNorthwind) {
    const [customers, suppliers, generated] = [91, 29, 1_000];
    const named = (name) => accounts.filter((account) => account.name === name).length;
    assert.equal(named("Alfreds Futterkiste"), 1);
    assert.equal(named("Exotic Liquids"), 1);
    assert.equal(accounts.length, customers + suppliers + generated);
    assert.equal(rows.contact, customers + suppliers + 10_000);
  }

  await w.server.stop();
  await page.reload({ waitUntil: "load" });
  await openList(page, "contacts");
  const sample = (await send(page, "GET", "contacts?$filter=jobtitle eq 'Owner'&$orderby=lastname&$top=1"))
    .body.value[0];
  await search(page, sample.fullname, sample.fullname);
  await openRecord(page, "contacts", sample.contactid);
  assert.equal(await shown(page, "lastname"), sample.lastname);
  const answer = await send(page, "GET", `contacts(${sample.contactid})`);
  assert.equal(answer.headers["flette-source"], "replica");
  assert.equal((await status(page)).mode, "offline");
  assert.deepEqual(browser.errors, []);
});

test("a query that the replica cannot answer is refused with the reason, never answered in part", async (t) => {
  const w = await world(t);
  const browser = await w.browser("anywhere");
  const page = await browser.page();
  await signIn(page, w.origin);
  await synced(page);
  w.proxy.cut();
  for (const path of [
    "opportunities?$top=1",
    "contacts?$filter=Microsoft.Dynamics.CRM.EqualUserTeams(PropertyName='ownerid')",
    "RetrieveTotalRecordCount(EntityNames=['account'])",
  ]) {
    const answer = await send(page, "GET", path);
    assert.equal(answer.status, 501, path);
    assert.ok(answer.body.error.message.length > 10, path);
  }
});

test("no answer of the API ever stands in a cache", async (t) => {
  const w = await world(t);
  const browser = await w.browser("anywhere");
  const page = await browser.page();
  await signIn(page, w.origin);
  await synced(page);
  await send(page, "GET", "contacts?$top=5");
  const urls = await page.evaluate(async () => {
    const all = [];
    for (const name of await caches.keys()) {
      for (const request of await (await caches.open(name)).keys()) all.push(new URL(request.url).pathname);
    }
    return all;
  });
  assert.ok(urls.length > 3, "the shell is cached");
  assert.deepEqual(
    urls.filter((path) => /^\/(api|auth|oauth2|flette)\//.test(path)),
    [],
  );
});

test("chosen offline: nothing leaves while the server is in reach; going online sends it and says so", async (t) => {
  const w = await world(t);
  const page = await open(w, await w.browser("plane"));
  const contact = (await w.admin.get("contacts?$filter=jobtitle ne null&$orderby=fullname&$top=1")).value[0];
  const row = `contacts(${contact.contactid})`;
  await page.click('[data-testid="go-offline"]');
  await page.waitForSelector('[data-testid="go-online"]');
  assert.deepEqual([(await status(page)).mode, (await status(page)).chosen], ["offline", true]);

  const before = w.proxy.log.length;
  await openRecord(page, "contacts", contact.contactid);
  await fill(page, "jobtitle", "In the air");
  await save(page);
  assert.equal((await send(page, "POST", "/flette/sync")).body.pushed, 0);
  assert.equal((await send(page, "GET", "opportunities")).status, 501, "no request is passed on either");
  const calls = w.proxy.log.slice(before).filter((call) => call.url.startsWith("/api/"));
  assert.deepEqual(calls, []);
  assert.equal((await w.admin.get(row)).jobtitle, contact.jobtitle);

  await page.reload({ waitUntil: "load" });
  const online = await page.waitForSelector('[data-testid="go-online"]');
  assert.equal(await page.$eval('[data-testid="pending"]', (chip) => chip.dataset.count), "1");
  await online.click();
  await until("the change arrives", async () => (await w.admin.get(row)).jobtitle === "In the air");
  await synced(page);
  assert.equal((await status(page)).mode, "online");
});

test("going offline tells rows of rows, can be cancelled, and goes on after the worker was stopped", async (t) => {
  const w = await world(t, { rows: 6_000 });
  const browser = await w.browser("wish");
  const page = await browser.page();
  // The first sync stands still at the first page of contacts.
  const pages = w.proxy.hold((request) => /contacts\?.*skiptoken/.test(request.url));
  await signIn(page, w.origin);
  await until("the first pages", async () => (await status(page)).progress?.table === "contact");
  await page.click('[data-testid="go-offline"]');
  pages.release();
  const more = w.proxy.hold((request) => /systemforms\?/.test(request.url));
  const going = await until("the way offline", async () => {
    const now = (await status(page)).going_offline;
    return now?.phase === "customizations" && now;
  });
  const contacts = going.tables.find((table) => table.name === "contact");
  assert.ok(contacts.total >= 6_000, JSON.stringify(contacts));
  await page.waitForSelector('[data-testid="cancel-offline"]');
  const label = await page.$eval('[data-testid="state-label"]', (state) => state.textContent);
  assert.equal(label, "Going offline");

  await page.click('[data-testid="cancel-offline"]');
  more.release();
  await until("the end of the wish", async () => {
    const now = await status(page);
    return now.going_offline === null && !now.syncing && now;
  });
  assert.equal((await status(page)).chosen, false);

  // Once more; the worker is stopped on the way, and the page's next question starts another one.
  await page.waitForSelector('[data-testid="go-offline"]:enabled');
  // What is held comes after the rows were counted, which is a batch: an ordinary round has nothing to send.
  let counted = false;
  const held = w.proxy.hold((request) => {
    counted ||= /\$batch/.test(request.url);
    return counted && /systemforms\?|savedqueries\?/.test(request.url);
  });
  await page.click('[data-testid="go-offline"]');
  await until("the wish", async () => (await status(page)).going_offline?.total > 0);
  await browser.stopWorkers(page);
  held.release();
  await page.waitForSelector('[data-testid="go-online"]');
  const done = await status(page);
  assert.deepEqual([done.mode, done.chosen, done.going_offline], ["offline", true, null]);
  assert.ok(done.tables.find((table) => table.name === "systemform").complete);
  const events = (await send(page, "GET", "/flette/trace")).body.events.map((event) => event.what);
  assert.ok(
    events.filter((what) => what === "started").length >= 2,
    "the other worker goes on with the trace, too",
  );
});
