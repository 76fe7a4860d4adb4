// An unmodified client written for Dataverse, the npm package dynamics-web-api, in real browsers with the server stopped:
// the cases that it passes against the server. Afterwards the server starts again and hears of everything.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { batches } from "../server/library/batches.mjs";
import { definitions } from "../server/library/metadata.mjs";
import { queries } from "../server/library/queries.mjs";
import { Recorder } from "../server/library/recorder.mjs";
import { failure, rows } from "../server/library/rows.mjs";
import { Browser, Firefox } from "./lib/browser.mjs";
import { librarySite, PageLibrary } from "./lib/library.mjs";
import { Client, send, status, synced, world } from "./lib/world.mjs";

const TABLES = [
  "transactioncurrency",
  "businessunit",
  "systemuser",
  "account",
  "contact",
  "task",
  "savedquery",
  "userquery",
];
/** Sets that the cases write to, with their keys. */
const SETS = {
  accounts: "accountid",
  contacts: "contactid",
  tasks: "activityid",
  userqueries: "userqueryid",
};
/** What the server says anew of each row that it hears of. */
const STAMPS = new Set(["@odata.etag", "versionnumber", "createdon", "modifiedon"]);
/** So many changes wait at least when the cases are through. */
const PENDING_MIN = 50;

// Methods that are not called here, each with the reason.
const LISTS = "only the server knows every definition";
const BESIDE = "it calls a service beside the Web API, which is the network's";
const LEFT_OUT = new Map([
  ...["search", "query", "suggest", "autocomplete"].map((name) => [name, BESIDE]),
  ...["getBackgroundOperationStatus", "cancelBackgroundOperation"].map((name) => [name, BESIDE]),
  ["setConfig", "settings of an instance reach no server"],
  ["initializeInstance", "settings of an instance reach no server"],
  ["retrieveRelationships", LISTS],
  ["retrieveRelationship", LISTS],
  ["retrieveGlobalOptionSets", LISTS],
  ["retrieveGlobalOptionSet", LISTS],
]);

for (const Kind of [Browser, Firefox]) {
  const skip = Kind.executable ? false : `skipped: no ${Kind.title}`;
  describe(`dynamics-web-api in ${Kind.title}, the server stopped`, { skip }, () => scenario(Kind));
}

function scenario(Kind) {
  const ends = [];
  const recorder = new Recorder();
  const kept = new Map();
  let w;
  let page;
  let library;
  before(async () => {
    w = await world({ after: (end) => ends.push(end) }, { served: librarySite });
    const browser = await w.browser("anywhere", Kind);
    page = await browser.page();
    await page.goto(`${w.origin}/library/index.html`, { waitUntil: "load" });
    library = new PageLibrary(page);
    await library.open("demo", TABLES);
    await synced(page);
    await w.server.kill();
  });
  after(async () => {
    for (const end of ends) await end();
  });
  /** The library in the page; the same settings give the same instance, which a batch needs. */
  const demo = (config = {}) => {
    const key = JSON.stringify(config);
    if (!kept.has(key)) kept.set(key, recorder.library(config, library.instance(config)));
    return kept.get(key);
  };
  // What is no table here may be one on the server, and definitions are those of the tables here.
  const use = { demo, unknown: 501, tables: TABLES.length };
  rows(use);
  queries(use);
  batches(use);
  calls(use);
  definitions(use);
  refusals(use);

  test("no method of the library is forgotten", () => {
    const methods = [...recorder.declared()].filter((name) => !name.includes("."));
    const forgotten = methods.filter((name) => !recorder.used.has(name) && !LEFT_OUT.has(name));
    assert.deepEqual(forgotten, []);
  });

  test("the server hears of everything when it is back", async () => {
    const before = await status(page);
    assert.equal(before.mode, "offline");
    assert.ok(before.pending >= PENDING_MIN, `${before.pending} changes wait`);
    const here = await everything((path) => send(page, "GET", path));
    await w.server.start();
    await library.sync();
    const now = await synced(page);
    assert.deepEqual([now.conflicts, now.parked ?? 0], [0, 0], JSON.stringify(now));
    const online = new Client(w.server, "demo");
    const there = await everything((path) => online.send("GET", path));
    for (const set of Object.keys(SETS)) assert.deepEqual(there[set], here[set], set);
  });
}

/** Functions and actions that need no server. */
function calls({ demo }) {
  test("callFunction tells who asks, callAction makes and changes several rows", async () => {
    const who = await demo().callFunction("WhoAmI");
    assert.equal((await demo().callFunction({ functionName: "WhoAmI" })).UserId, who.UserId);
    const target = (data) => ({ "@odata.type": "Microsoft.Dynamics.CRM.account", ...data });
    const several = (actionName, Targets) =>
      demo().callAction({
        collection: "accounts",
        actionName: `Microsoft.Dynamics.CRM.${actionName}`,
        action: { Targets },
      });
    const { Ids } = await several(
      "CreateMultiple",
      ["One", "Two"].map((name) => target({ name })),
    );
    assert.equal(Ids.length, 2);
    await several(
      "UpdateMultiple",
      Ids.map((accountid, n) => target({ accountid, description: `number ${n}` })),
    );
    const row = await demo().retrieve({ collection: "accounts", key: Ids[1] });
    assert.deepEqual([row.name, row.description], ["Two", "number 1"]);
  });
}

/** What only the server can do is refused with the reason. */
function refusals({ demo }) {
  const contact = { collection: "contacts", key: randomUUID() };
  const data = { LogicalName: "new_thing" };
  const attribute = { entityKey: "LogicalName='contact'", data };
  for (const [name, request] of [
    ["callFunction", { name: "RetrieveTotalRecordCount", parameters: { EntityNames: ["account"] } }],
    ["callFunction", { name: "NoSuchFunction" }],
    ["callAction", { actionName: "NoSuchAction", action: { a: 1 } }],
    ["retrieveMultiple", { collection: "contacts", trackChanges: true }],
    ["retrieveMultiple", { collection: "opportunities" }],
    ["callFunction", { functionName: "WhoAmI", impersonate: randomUUID() }],
    ["createEntity", { data }],
    ["updateEntity", { data: { ...data, MetadataId: randomUUID() } }],
    ["createAttribute", attribute],
    ["updateAttribute", { ...attribute, data: { ...data, MetadataId: randomUUID() } }],
    ["createRelationship", { data }],
    ["updateRelationship", { data: { ...data, MetadataId: randomUUID() } }],
    ["deleteRelationship", { key: randomUUID() }],
    ["createGlobalOptionSet", { data }],
    ["updateGlobalOptionSet", { data: { ...data, MetadataId: randomUUID() } }],
    ["deleteGlobalOptionSet", { key: randomUUID() }],
    ["downloadFile", { ...contact, property: "new_file" }],
    ["uploadFile", { ...contact, property: "new_file", fileName: "a.txt", data: "a" }],
  ]) {
    test(`${name} ${JSON.stringify(request).slice(0, 60)} is refused with the reason`, async () => {
      const error = await failure(demo()[name](request));
      assert.equal(error.status, 501);
      assert.ok(error.message.length > 10);
    });
  }

  // Without a method of its own the library's request says GET in Node, and in a browser "undefined".
  test("retrieveCsdlMetadata in a browser asks by a method that there is not, and hears so", async () => {
    assert.equal((await failure(demo().retrieveCsdlMetadata())).status, 405);
  });
}

/** Every row of the sets, without what the server says of a change when it hears of it. */
async function everything(get) {
  const all = {};
  for (const [set, key] of Object.entries(SETS)) {
    const answer = await get(set);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(answer.body["@odata.nextLink"], undefined);
    const values = (row) => Object.entries(row).filter(([name]) => !STAMPS.has(name));
    all[set] = Object.fromEntries(
      answer.body.value.map((row) => [row[key], Object.fromEntries(values(row))]),
    );
  }
  return all;
}
