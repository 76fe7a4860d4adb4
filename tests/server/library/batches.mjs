// The library's batches: change sets, references between their parts, failures, and answers in order.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { failure } from "./rows.mjs";

/** Resolves to what a batch that must fail is rejected with: its parts in order. */
async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the batch should have failed");
}

/** `unknown`: the status for a table that is not known. */
export function batches({ demo, unknown = 404 }) {
  test("a batch answers in order: rows, counts, ids, functions", async () => {
    const id = await demo().create({ collection: "contacts", data: { lastname: "In a batch" } });
    demo().startBatch();
    demo().retrieve({ collection: "contacts", key: id, select: ["lastname"] });
    demo().create({ collection: "contacts", data: { lastname: "From a batch" }, inChangeSet: false });
    demo().retrieveMultiple({
      collection: "contacts",
      filter: "lastname eq 'From a batch'",
      select: ["lastname"],
    });
    demo().count({ collection: "contacts" });
    demo().count({ collection: "contacts", filter: "lastname eq 'In a batch'" });
    demo().callFunction("WhoAmI");
    demo().update({ collection: "contacts", key: id, data: { jobtitle: "x" }, inChangeSet: false });
    demo().deleteRecord({ collection: "contacts", key: id, inChangeSet: false });
    const [row, made, list, , , who, updated, deleted] = await demo().executeBatch();
    assert.equal(row.lastname, "In a batch");
    assert.match(made, /^[0-9a-f-]{36}$/);
    assert.equal(list.value.length, 1);
    assert.match(who.UserId, /^[0-9a-f-]{36}$/);
    assert.deepEqual([updated, deleted], [true, true]);
  });

  // The library finds a plain number with a pattern that keeps its place from one answer to the next (`/g`): an answer
  // after a longer one reads as nothing or loses digits. A miss sets the place back, so of three equal answers one at
  // least is read whole.
  test("a batch answers counts as plain numbers", async () => {
    const data = { lastname: "Counted in a batch" };
    const ids = [];
    for (let made = 0; made < 12; made += 1) ids.push(await demo().create({ collection: "contacts", data }));
    const counts = [];
    for (let asked = 0; asked < 3; asked += 1) {
      demo().startBatch();
      demo().count({ collection: "contacts", filter: "lastname eq 'Counted in a batch'" });
      counts.push(...(await demo().executeBatch()));
    }
    for (const key of ids) await demo().deleteRecord({ collection: "contacts", key });
    assert.ok(counts.includes(12), counts.join(" "));
  });

  test("parts of a change set refer to each other", async () => {
    demo().startBatch();
    demo().create({ collection: "accounts", data: { name: "Batch Ltd" }, contentId: "1" });
    demo().create({
      collection: "contacts",
      data: { lastname: "Batched", "parentcustomerid_account@odata.bind": "$1" },
      contentId: "2",
    });
    demo().update({ contentId: "$2", data: { jobtitle: "Set by reference" } });
    demo().associateSingleValued({
      contentId: "$1",
      navigationProperty: "primarycontactid",
      relatedKey: "$2",
    });
    const [account, contact] = await demo().executeBatch();
    const row = await demo().retrieve({
      collection: "accounts",
      key: account,
      select: ["name"],
      expand: [{ property: "primarycontactid", select: ["jobtitle"] }],
    });
    assert.equal(row.primarycontactid.contactid, contact);
    assert.equal(row.primarycontactid.jobtitle, "Set by reference");
    demo().startBatch();
    demo().create({ collection: "tasks", data: { subject: "Linked by reference" }, contentId: "7" });
    demo().associate({
      collection: "accounts",
      primaryKey: account,
      relationshipName: "Account_Tasks",
      relatedKey: "$7",
      contentId: "8",
    });
    const [task] = await demo().executeBatch();
    const linked = await demo().retrieve({ collection: "tasks", key: task });
    assert.equal(linked._regardingobjectid_value, account);
    demo().startBatch();
    demo().upsert({ collection: "tasks", key: task, data: { subject: "By upsert" }, contentId: "1" });
    demo().updateSingleProperty({ contentId: "$1", fieldValuePair: { subject: "By property" } });
    demo().deleteRecord({ contentId: "$1", property: "subject" });
    await demo().executeBatch();
    assert.equal((await demo().retrieve({ collection: "tasks", key: task })).subject, null);
  });

  test("a change set is one transaction; what stood before it in the batch stays", async () => {
    const name = randomUUID();
    demo().startBatch();
    demo().create({ collection: "accounts", data: { name }, inChangeSet: false });
    demo().create({ collection: "accounts", data: { name } });
    demo().update({ collection: "accounts", key: randomUUID(), data: { name } });
    const parts = await refused(demo().executeBatch());
    assert.equal(parts.at(-1).status, 404, "the outer answer is a failure, its last part says why");
    assert.equal(await demo().count({ collection: "accounts", filter: `name eq '${name}'` }), 1);
  });

  test("a batch that goes on after errors answers every part", async () => {
    const name = randomUUID();
    demo().startBatch();
    demo().retrieve({ collection: "accounts", key: randomUUID() });
    demo().create({ collection: "accounts", data: { name }, inChangeSet: false });
    demo().retrieve({ collection: "nothing", key: randomUUID() });
    demo().count({ collection: "accounts", filter: `name eq '${name}'` });
    const [first, second, third, fourth] = await demo().executeBatch({ continueOnError: true });
    assert.equal(first.status, 404);
    assert.match(second, /^[0-9a-f-]{36}$/);
    assert.equal(third.status, unknown);
    assert.equal(fourth, 1);
  });

  test("a batch as a whole can do without change sets", async () => {
    const name = randomUUID();
    demo().startBatch();
    demo().create({ collection: "accounts", data: { name } });
    demo().update({ collection: "accounts", key: randomUUID(), data: { name } });
    demo().create({ collection: "accounts", data: { name } });
    const parts = await demo().executeBatch({ inChangeSet: false, continueOnError: true });
    assert.equal(parts.length, 3);
    assert.equal(await demo().count({ collection: "accounts", filter: `name eq '${name}'` }), 2);
  });

  test("an address too long for a GET goes as a batch", async () => {
    const names = Array.from({ length: 120 }, (_, n) => `lastname eq 'Nobody ${n}'`).join(" or ");
    const id = await demo().create({ collection: "contacts", data: { lastname: "Nobody 7" } });
    const list = await demo().retrieveMultiple({
      collection: "contacts",
      select: ["lastname"],
      filter: names,
    });
    assert.deepEqual(
      list.value.map((row) => row.contactid),
      [id],
    );
    const wrong = { collection: "contacts", filter: `${names} or nocolumn eq 1` };
    assert.equal((await failure(demo().retrieveMultiple(wrong))).status, 400);
  });
}
