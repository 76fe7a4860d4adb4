// Activities, parties, notes, states and cascades: what belongs to rows beyond their columns.

import assert from "node:assert/strict";
import { test } from "node:test";
import { onEachDatabase } from "./lib/world.mjs";

onEachDatabase("activities", { rows: 5 }, (world) => {
  const contact = async (lastname) => (await world.demo.create("contacts", { lastname })).contactid;
  const code = ({ status, body }) => [status, body.error?.code];

  test("every activity is in the union, which is read-only", async () => {
    const made = {};
    for (const set of ["tasks", "appointments", "emails", "phonecalls"]) {
      made[set] = (await world.demo.create(set, { subject: `Union of ${set}` })).activityid;
    }
    const { value } = await world.demo.get(
      "activitypointers?$select=subject,activitytypecode&$filter=startswith(subject,'Union%20of%20')&$orderby=subject",
    );
    assert.deepEqual(
      value.map((row) => [row.activitytypecode, row.activityid]),
      [
        ["appointment", made.appointments],
        ["email", made.emails],
        ["phonecall", made.phonecalls],
        ["task", made.tasks],
      ],
    );
    assert.equal((await world.demo.get(`activitypointers(${made.tasks})`)).subject, "Union of tasks");
    assert.ok((await world.demo.send("POST", "activitypointers", { subject: "x" })).status >= 400);
  });

  test("a state needs a status that fits it, and knows its default", async () => {
    const { activityid, statecode, statuscode } = await world.demo.create("tasks", { subject: "States" });
    assert.deepEqual([statecode, statuscode], [0, 2]);
    const set = (body) => world.demo.send("PATCH", `tasks(${activityid})`, body, { "If-Match": "*" });
    assert.deepEqual(code(await set({ statecode: 1, statuscode: 2 })), [400, "0x80048408"]);
    assert.deepEqual(code(await set({ statecode: 9 })), [400, "0x8004431a"]);
    assert.equal((await set({ statecode: 1, statuscode: 5 })).status, 204);
    const closed = await world.demo.get(`tasks(${activityid})?$select=statecode,statuscode`);
    assert.deepEqual([closed.statecode, closed.statuscode], [1, 5]);
  });

  test("deletions follow their relationships: cascade, removed link, restriction", async () => {
    const account = (await world.demo.create("accounts", { name: "Parent" })).accountid;
    const child = await world.demo.create("contacts", {
      lastname: "Child",
      "parentcustomerid_account@odata.bind": `accounts(${account})`,
    });
    const task = await world.demo.create("tasks", {
      subject: "Hangs on the child",
      "regardingobjectid_contact_task@odata.bind": `contacts(${child.contactid})`,
    });
    const sub = await world.demo.create("accounts", {
      name: "Subsidiary",
      "parentaccountid@odata.bind": `accounts(${account})`,
    });
    const feed = (await world.demo.all("contacts?$select=lastname", { Prefer: "odata.track-changes" }))
      .deltaLink;
    await world.demo.delete(`accounts(${account})`);
    for (const gone of [`contacts(${child.contactid})`, `tasks(${task.activityid})`]) {
      assert.equal((await world.demo.send("GET", gone)).status, 404, gone);
    }
    const kept = await world.demo.get(`accounts(${sub.accountid})`);
    assert.equal(kept._parentaccountid_value, null);
    assert.notEqual(kept["@odata.etag"], sub["@odata.etag"], "a removed link is a change");
    const tombstones = (await world.demo.get(feed)).value.map(({ id }) => id);
    assert.deepEqual(tombstones, [child.contactid], "a cascade tells of every row");
  });

  test("sales: rows of every kind, their states and what links them", async () => {
    const lead = await world.demo.create("leads", {
      subject: "Wants boats",
      firstname: "Lea",
      lastname: "Der",
    });
    assert.deepEqual([lead.fullname, lead.statecode, lead.statuscode], ["Lea Der", 0, 1]);
    const account = (await world.demo.create("accounts", { name: "Buyer" })).accountid;
    const opportunity = await world.demo.create("opportunities", {
      name: "Ten boats",
      estimatedvalue: 1000.5,
      closeprobability: 50,
      "customerid_account@odata.bind": `accounts(${account})`,
      "originatingleadid@odata.bind": `leads(${lead.leadid})`,
    });
    assert.equal(opportunity._customerid_value, account);
    const other = await contact("Other buyer");
    await world.demo.patch(`opportunities(${opportunity.opportunityid})`, {
      "customerid_contact@odata.bind": `contacts(${other})`,
    });
    const shown = await world.demo.get(
      `opportunities(${opportunity.opportunityid})?$select=_customerid_value,estimatedvalue`,
      { Prefer: 'odata.include-annotations="*"' },
    );
    assert.equal(shown._customerid_value, other, "setting one sibling clears the other");
    assert.equal(shown["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "contact");
    const won = await world.demo.send(
      "PATCH",
      `opportunities(${opportunity.opportunityid})`,
      { statecode: 1, statuscode: 3 },
      { "If-Match": "*" },
    );
    assert.equal(won.status, 204, won.text);
  });
});
