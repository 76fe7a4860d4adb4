// Change tracking over HTTP: pages, tombstones, tokens, both profiles.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { onEachDatabase } from "./lib/world.mjs";

const TRACK = { Prefer: "odata.track-changes" };

onEachDatabase("change tracking", { rows: 30 }, (world) => {
  const start = async (client = world.demo, path = "contacts?$select=lastname") =>
    (await client.all(path, TRACK)).deltaLink;

  test("the first answer holds every row, and its link nothing", async () => {
    const answer = await world.demo.send("GET", "contacts?$select=lastname", undefined, TRACK);
    assert.match(answer.headers["preference-applied"], /odata\.track-changes/);
    assert.ok(answer.body.value.length >= 30);
    const delta = await world.demo.get(answer.body["@odata.deltaLink"]);
    assert.match(delta["@odata.context"], /#contacts\(lastname\)\/\$delta$/);
    assert.deepEqual(delta.value, []);
    assert.ok(delta["@odata.deltaLink"]);
  });

  test("a delta holds whole selected rows and bare tombstones, also of rows that were never seen", async () => {
    const link = await start();
    const row = await world.demo.create("contacts", { lastname: "Delta", jobtitle: "x" });
    const brief = await world.demo.create("contacts", { lastname: "Brief" });
    await world.demo.delete(`contacts(${brief.contactid})`);
    await world.demo.patch(`contacts(${row.contactid})`, { jobtitle: "y" });
    const { value } = await world.demo.get(link);
    const changed = value.find((item) => item.contactid === row.contactid);
    assert.deepEqual(Object.keys(changed).sort(), ["@odata.etag", "contactid", "lastname"]);
    assert.equal(changed["@odata.etag"], (await world.demo.get(`contacts(${row.contactid})`))["@odata.etag"]);
    const gone = value.find((item) => item.id === brief.contactid);
    assert.match(gone["@odata.context"], /\$metadata#contacts\/\$deletedEntity$/);
    assert.deepEqual([gone.reason, gone.contactid, value.length], ["deleted", undefined, 2]);
    const count = await world.demo.send(
      "GET",
      link.replace("contacts?", "contacts/$count?").replace(/\$select=[^&]*&/, ""),
    );
    assert.equal(count.text.replace(/^\ufeff/, ""), "2", "$count of a delta");
  });

  test("the delta link comes on the last page alone, and pages are drained whatever happens meanwhile", async () => {
    const ids = new Set();
    let link = await start();
    for (let n = 0; n < 25; n++)
      ids.add((await world.demo.create("contacts", { lastname: `Paged ${n}` })).contactid);
    const seen = [];
    let page = await world.demo.get(link, { Prefer: "odata.maxpagesize=10" });
    while (page["@odata.nextLink"]) {
      assert.equal(page["@odata.deltaLink"], undefined);
      seen.push(...page.value);
      await world.demo.create("contacts", { lastname: "Meanwhile" });
      page = await world.demo.get(page["@odata.nextLink"], { Prefer: "odata.maxpagesize=10" });
    }
    seen.push(...page.value);
    link = page["@odata.deltaLink"];
    const next = (await world.demo.get(link)).value;
    const all = [...seen, ...next].map((row) => row.contactid);
    for (const id of ids) assert.ok(all.includes(id));
    assert.ok(next.length + seen.length >= 27);
  });

  test("what change tracking does not take is refused in its words", async () => {
    for (const option of ["$orderby=lastname", "$top=1", "$expand=ownerid"]) {
      const answer = await world.demo.send("GET", `contacts?${option}`, undefined, TRACK);
      assert.equal(answer.status, 400, option);
      assert.match(answer.body.error.message, /isn't supported when Change Tracking is enabled/);
    }
    for (const token of ["x", "1", "999999999%2101%2f15%2f2026%2009%3a30%3a00", "-1", ""]) {
      const answer = await world.demo.send("GET", `contacts?$select=lastname&$deltatoken=${token}`);
      assert.ok([400, 410].includes(answer.status), `${token}: ${answer.status}`);
    }
  });

  test("a user's feed holds what he may see, and a row that leaves his sight is removed", async () => {
    const anna = world.client("anna");
    const seen = await anna.all("contacts?$select=lastname", TRACK);
    const mine = new Set((await anna.all("contacts?$select=contactid")).rows.map((row) => row.contactid));
    assert.deepEqual(new Set(seen.rows.map((row) => row.contactid)), mine);
    assert.ok(mine.size < (await world.admin.all("contacts?$select=contactid")).rows.length);
    const [id] = mine;
    const ola = (await world.client("ola").get("WhoAmI")).UserId;
    await world.admin.patch(`contacts(${id})`, { "ownerid@odata.bind": `systemusers(${ola})` });
    const { value } = await anna.get(seen.deltaLink);
    assert.deepEqual(
      value.map((item) => [item.id, item.reason]),
      [[id, "changed"]],
    );
    assert.equal((await anna.send("GET", `contacts(${id})`)).status, 404);
    assert.ok((await world.client("ola").send("GET", `contacts(${id})`)).status === 200);
  });

  test("the feeds of all tables that track changes work", async () => {
    const definitions = await world.demo.get(
      "EntityDefinitions?$select=LogicalName,EntitySetName&$filter=ChangeTrackingEnabled%20eq%20true",
    );
    assert.ok(definitions.value.length >= 3);
    for (const { EntitySetName } of definitions.value) {
      const { deltaLink } = await world.admin.all(EntitySetName, TRACK);
      assert.ok(deltaLink, EntitySetName);
      assert.equal((await world.admin.send("GET", deltaLink)).status, 200, EntitySetName);
    }
  });

  test("with many writers at once, a follower misses nothing", async () => {
    const state = new Map();
    let link;
    const drain = async () => {
      let page = await world.demo.get(link ?? "tasks?$select=subject", link ? {} : TRACK);
      for (;;) {
        for (const item of page.value)
          item.reason ? state.delete(item.id) : state.set(item.activityid, item.subject);
        if (!page["@odata.nextLink"]) break;
        page = await world.demo.get(page["@odata.nextLink"]);
      }
      link = page["@odata.deltaLink"];
    };
    await drain();
    let writing = true;
    const writers = Array.from({ length: 12 }, async (_, writer) => {
      for (let n = 0; n < 15; n++) {
        const activityid = randomUUID();
        await world.demo.send("POST", "tasks", { activityid, subject: `f ${writer} ${n}` });
        if (n % 3 === 0) await world.demo.send("DELETE", `tasks(${activityid})`);
        else await world.demo.send("PATCH", `tasks(${activityid})`, { subject: `g ${writer} ${n}` });
      }
    });
    const follower = (async () => {
      while (writing) await drain();
    })();
    await Promise.all(writers);
    writing = false;
    await follower;
    await drain();
    const { rows } = await world.demo.all("tasks?$select=subject");
    assert.deepEqual(new Map(rows.map((row) => [row.activityid, row.subject])), state);
  });
});

onEachDatabase("change tracking as Dataverse has it", { rows: 30, profile: "dataverse" }, (world) => {
  test("who may not read the whole table gets no feed, others do", async () => {
    const refused = await world.client("anna").send("GET", "contacts?$select=lastname", undefined, TRACK);
    assert.deepEqual([refused.status, refused.body.error.code], [403, "0x80040220"]);
    assert.equal((await world.demo.send("GET", "contacts?$select=lastname", undefined, TRACK)).status, 200);
    const filtered = await world.demo.send("GET", "contacts?$filter=lastname%20eq%20'a'", undefined, TRACK);
    assert.equal(filtered.status, 400);
  });
});
