// What two people do to the same row while one of them is offline.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fill, openRecord, save } from "./lib/page.mjs";
import { open, send, status, synced, until, world } from "./lib/world.mjs";

/** Some contact that was imported, with its columns. */
async function someContact(w) {
  const found = await w.admin.get(
    "contacts?$filter=jobtitle ne null and telephone1 ne null&$orderby=fullname&$top=1",
  );
  return found.value[0];
}

test("telephone changed here, address there: on reconnect, by itself, everybody has both", async (t) => {
  const w = await world(t);
  const [train, office] = [await w.browser("train"), await w.browser("office")];
  const [here, there] = [await open(w, train), await open(w, office)];
  const contact = await someContact(w);
  const row = `contacts(${contact.contactid})`;

  w.proxy.cut();
  await openRecord(here, "contacts", contact.contactid);
  await fill(here, "telephone1", "+49 30 5550199");
  await save(here);
  assert.equal((await send(here, "GET", row)).body.telephone1, "+49 30 5550199");
  assert.equal((await status(here)).pending, 1);
  await w.admin.patch(row, { address1_line1: "Unter den Linden 77", address1_city: "Berlin" });
  w.proxy.restore();

  const both = (r) => r.telephone1 === "+49 30 5550199" && r.address1_line1 === "Unter den Linden 77";
  await until("the server has both", async () => both(await w.admin.get(row)));
  await until("this browser has both", async () => both((await send(here, "GET", row)).body));
  await synced(here);
  assert.equal((await status(here)).conflicts, 0);
  await until("the other browser has both", async () => {
    await send(there, "POST", "/flette/sync");
    return both((await send(there, "GET", row)).body);
  });
  const changed = await w.admin.get(row);
  assert.equal(changed.lastname, contact.lastname);
  assert.equal(changed.jobtitle, contact.jobtitle);
});

test("same field on both sides: the newer edit wins, whichever side it is on; the loser can be taken back", async (t) => {
  const w = await world(t);
  const page = await open(w, await w.browser("train"));
  const contact = await someContact(w);
  const row = `contacts(${contact.contactid})`;
  const conflicts = async () => (await send(page, "GET", "/flette/conflicts")).body.conflicts;
  const here = (value) => send(page, "PATCH", row, { telephone1: value }, { "If-Match": "*" });

  // The server's edit is the older one.
  w.proxy.cut();
  await w.admin.patch(row, { telephone1: "111 server, older" });
  await sleep(2100);
  assert.equal((await here("222 here, newer")).status, 204);
  w.proxy.restore();
  await synced(page);
  assert.equal((await w.admin.get(row)).telephone1, "222 here, newer");
  let log = await conflicts();
  assert.equal(log.length, 1);
  assert.deepEqual(
    [log[0].field, log[0].local, log[0].server, log[0].winner],
    ["telephone1", "222 here, newer", "111 server, older", "local"],
  );

  // The server's edit is the newer one.
  w.proxy.cut();
  assert.equal((await here("333 here, older")).status, 204);
  await sleep(2100);
  await w.admin.patch(row, { telephone1: "444 server, newer" });
  w.proxy.restore();
  await synced(page);
  assert.equal((await w.admin.get(row)).telephone1, "444 server, newer");
  assert.equal((await send(page, "GET", row)).body.telephone1, "444 server, newer");
  log = await conflicts();
  assert.equal(log.length, 2);
  const lost = log.find((conflict) => conflict.winner === "server");
  assert.deepEqual(
    [lost.field, lost.local, lost.server],
    ["telephone1", "333 here, older", "444 server, newer"],
  );

  // Taken back by the button a person has.
  await page.evaluate(() => {
    location.hash = "#/sync";
  });
  const mine = await page.waitForSelector(`[data-conflict="${lost.id}"] [data-testid="take-mine"]`);
  await mine.click();
  await until(
    "the loser stands again",
    async () => (await w.admin.get(row)).telephone1 === "333 here, older",
  );
  await synced(page);
  assert.equal((await conflicts()).find((conflict) => conflict.id === lost.id).resolved, "local");
});

test("edited here, deleted there: the row is gone, the edit is kept, and one click makes it again", async (t) => {
  const w = await world(t);
  const page = await open(w, await w.browser("train"));
  const contact = await someContact(w);
  const row = `contacts(${contact.contactid})`;
  w.proxy.cut();
  assert.equal((await send(page, "PATCH", row, { jobtitle: "Ghost" }, { "If-Match": "*" })).status, 204);
  assert.equal((await w.admin.send("DELETE", row)).status, 204);
  w.proxy.restore();
  await synced(page);
  assert.equal((await w.admin.send("GET", row)).status, 404, "nothing deleted comes back");
  assert.equal((await send(page, "GET", row)).status, 404);
  const [conflict] = (await send(page, "GET", "/flette/conflicts")).body.conflicts;
  assert.equal(conflict.kind, "deleted-there");
  assert.equal(conflict.edits.find((edit) => edit.name === "jobtitle").new, "Ghost");
  const again = await send(page, "POST", `/flette/conflicts/${conflict.id}/resolve`, { take: "local" });
  assert.equal(again.status, 204);
  await send(page, "POST", "/flette/sync");
  await synced(page);
  const made = (await w.admin.get("contacts?$filter=jobtitle eq 'Ghost'")).value;
  assert.equal(made.length, 1);
  assert.notEqual(made[0].contactid, contact.contactid);
  assert.equal(made[0].lastname, contact.lastname);
});

test("deleted here, edited there: the newer wins", async (t) => {
  const w = await world(t);
  const page = await open(w, await w.browser("train"));
  const rows = (await w.admin.get("contacts?$filter=jobtitle ne null&$orderby=fullname&$top=2")).value;
  const [first, second] = rows.map((contact) => `contacts(${contact.contactid})`);

  w.proxy.cut();
  assert.equal((await send(page, "DELETE", first)).status, 204);
  await w.admin.patch(second, { jobtitle: "Older" });
  await sleep(2100);
  await w.admin.patch(first, { jobtitle: "Saved" });
  assert.equal((await send(page, "DELETE", second)).status, 204);
  assert.equal((await send(page, "GET", first)).status, 404);
  w.proxy.restore();
  await synced(page);

  assert.equal((await w.admin.get(first)).jobtitle, "Saved", "the newer edit keeps the row");
  assert.equal((await send(page, "GET", first)).body.jobtitle, "Saved");
  assert.equal((await w.admin.send("GET", second)).status, 404, "the newer delete stands");
  const log = (await send(page, "GET", "/flette/conflicts")).body.conflicts;
  assert.deepEqual(
    log.map((conflict) => conflict.kind),
    ["deleted-here"],
  );
});

test("Background Sync sends what waits when no page is open any more", async (t) => {
  const w = await world(t);
  const train = await w.browser("train");
  const page = await open(w, train);
  const contact = await someContact(w);
  const row = `contacts(${contact.contactid})`;
  w.proxy.cut();
  assert.equal((await send(page, "PATCH", row, { jobtitle: "By itself" }, { "If-Match": "*" })).status, 204);
  const blank = await train.page();
  await page.close();
  // Long enough for the rounds that the edit and the page had started to fail.
  await sleep(3000);
  assert.equal((await w.admin.get(row)).jobtitle, contact.jobtitle);
  w.proxy.restore();
  await train.backgroundSync(blank, w.origin, "flette-round");
  await until("the change arrives", async () => (await w.admin.get(row)).jobtitle === "By itself");
});
