// The library's methods for single rows and the links between them.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Resolves to the error of a call that must fail. */
export async function failure(promise) {
  try {
    const value = await promise;
    throw new Error(`should have failed, gave ${JSON.stringify(value)}`);
  } catch (error) {
    if (error.status === undefined && !/Abort|Timeout/.test(error.name)) throw error;
    return error;
  }
}

export function rows(use) {
  creates(use);
  reads(use);
  updates(use);
  upserts(use);
  deletes(use);
  links(use);
}

function creates({ demo }) {
  test("create gives the new id, or the row when it is asked for", async () => {
    const id = await demo().create({
      collection: "contacts",
      data: { firstname: "Ada", lastname: "Created" },
    });
    assert.match(id, GUID);
    const row = await demo().create({
      collection: "contacts",
      data: { lastname: "Shown", gendercode: 2 },
      returnRepresentation: true,
      select: ["fullname", "gendercode"],
      includeAnnotations: "OData.Community.Display.V1.FormattedValue",
    });
    assert.match(row.contactid, GUID);
    assert.equal(row.fullname, "Shown");
    assert.equal(row.gendercode_Formatted, "Female");
    assert.equal(row.jobtitle, undefined, "not selected");
  });

  test("create with nested rows and bindings makes all of them, linked", async () => {
    const boss = await demo().create({ collection: "contacts", data: { lastname: "Boss" } });
    const account = await demo().create({
      collection: "accounts",
      data: {
        name: "Deep Ltd",
        "primarycontactid@odata.bind": `contacts(${boss})`,
        Account_Tasks: [{ subject: "First" }, { subject: "Second" }],
        contact_customer_accounts: [{ lastname: "Inner", Contact_Tasks: [{ subject: "Innermost" }] }],
      },
      returnRepresentation: true,
      select: ["name"],
      expand: [{ property: "primarycontactid", select: ["fullname"] }],
    });
    assert.equal(account.primarycontactid.fullname, "Boss");
    const tasks = await demo().retrieveMultiple({
      collection: "tasks",
      filter: `_regardingobjectid_value eq ${account.accountid}`,
      orderBy: ["subject"],
    });
    assert.deepEqual(
      tasks.value.map((task) => task.subject),
      ["First", "Second"],
    );
    const inner = await demo().retrieveMultiple({
      collection: "tasks",
      filter: "subject eq 'Innermost'",
      expand: [{ property: "regardingobjectid_contact_task", select: ["fullname"] }],
    });
    assert.equal(inner.value[0].regardingobjectid_contact_task.fullname, "Inner");
  });

  test("create takes duplicate detection, the plug-in by-pass, a tag and further headers", async () => {
    const data = { lastname: randomUUID() };
    const id = await demo().create({
      collection: "contacts",
      data,
      duplicateDetection: true,
      bypassCustomPluginExecution: true,
      tag: "replayed offline",
      noCache: true,
      headers: { "MSCRM.SolutionUniqueName": "flette" },
    });
    assert.match(id, GUID);
  });

  test("create under an id that is taken fails and says so", async () => {
    const contactid = randomUUID();
    const request = { collection: "contacts", data: { contactid, lastname: "Once" } };
    assert.equal(await demo().create(request), contactid);
    const error = await failure(demo().create(request));
    assert.equal(error.status, 412);
    assert.equal(error.code, "0x80040237");
  });
}

function reads({ demo }) {
  const make = (data) =>
    demo().create({ collection: "contacts", data, returnRepresentation: true, select: ["lastname"] });

  test("retrieve reads a row: all of it, some of it, with what hangs on it, with labels", async () => {
    const account = await demo().create({ collection: "accounts", data: { name: "Seen Ltd" } });
    const { contactid } = await make({
      lastname: "Seen",
      gendercode: 1,
      "parentcustomerid_account@odata.bind": `/accounts(${account})`,
    });
    const request = { collection: "contacts", key: contactid };
    const whole = await demo().retrieve(request);
    assert.equal(whole.fullname, "Seen");
    assert.equal(whole.jobtitle, null);
    assert.ok(whole.createdon instanceof Date, "dates are in the form that the library reads");
    const part = await demo().retrieve({
      ...request,
      select: ["lastname", "gendercode", "_parentcustomerid_value"],
      expand: [{ property: "parentcustomerid_account", select: ["name"] }],
      includeAnnotations: "*",
    });
    assert.equal(part.gendercode_Formatted, "Male");
    assert.equal(part._parentcustomerid_value_Formatted, "Seen Ltd");
    assert.equal(part._parentcustomerid_value_LogicalName, "account");
    assert.equal(part._parentcustomerid_value_NavigationProperty, "parentcustomerid_account");
    assert.equal(part.parentcustomerid_account.name, "Seen Ltd");
    assert.equal(part.firstname, undefined);
  });

  test("retrieve goes along navigation properties and gives references", async () => {
    const account = await demo().create({ collection: "accounts", data: { name: "Along Ltd" } });
    const { contactid } = await make({
      lastname: "Along",
      "parentcustomerid_account@odata.bind": `/accounts(${account})`,
    });
    await demo().update({
      collection: "accounts",
      key: account,
      data: { "primarycontactid@odata.bind": `/contacts(${contactid})` },
    });
    const request = { collection: "accounts", key: account };
    const main = await demo().retrieve({
      ...request,
      navigationProperty: "primarycontactid",
      select: ["fullname"],
    });
    assert.equal(main.fullname, "Along");
    const child = await demo().retrieve({
      ...request,
      navigationProperty: "contact_customer_accounts",
      navigationPropertyKey: contactid,
      select: ["lastname"],
    });
    assert.equal(child.lastname, "Along");
    const reference = await demo().retrieve({ ...request, select: ["primarycontactid/$ref"] });
    assert.deepEqual([reference.collection, reference.id], ["contacts", contactid]);
    const short = await demo().retrieve({ ...request, select: ["/primarycontactid", "lastname"] });
    assert.equal(short.lastname, "Along");
  });

  test("retrieve heeds etags", async () => {
    const { contactid, "@odata.etag": etag } = await make({ lastname: "Tagged" });
    const request = { collection: "contacts", key: contactid, select: ["lastname"] };
    assert.equal((await demo().retrieve({ ...request, ifmatch: etag })).lastname, "Tagged");
    assert.ok(!(await demo().retrieve({ ...request, ifnonematch: etag })), "304 has no row");
    await demo().update({ collection: "contacts", key: contactid, data: { jobtitle: "Changed" } });
    assert.equal((await demo().retrieve({ ...request, ifnonematch: etag })).lastname, "Tagged");
  });

  test("retrieve of a row that is not there fails with 404", async () => {
    const error = await failure(demo().retrieve({ collection: "contacts", key: randomUUID() }));
    assert.equal(error.status, 404);
    assert.equal(error.code, "0x80040217");
  });
}

function updates({ demo }) {
  const make = () =>
    demo().create({
      collection: "contacts",
      data: { lastname: "Before", jobtitle: "Clerk" },
      returnRepresentation: true,
    });

  test("update changes what is named and nothing else", async () => {
    const { contactid } = await make();
    const request = { collection: "contacts", key: contactid };
    assert.equal(await demo().update({ ...request, data: { lastname: "After" } }), true);
    const row = await demo().retrieve(request);
    assert.deepEqual([row.lastname, row.jobtitle], ["After", "Clerk"]);
    const shown = await demo().update({
      ...request,
      data: { jobtitle: "Head" },
      returnRepresentation: true,
      select: ["jobtitle", "gendercode"],
      // Dataverse ignores it on an update.
      expand: [{ property: "owningbusinessunit", select: ["name"] }],
      includeAnnotations: "*",
      duplicateDetection: true,
      bypassCustomPluginExecution: true,
    });
    assert.equal(shown.jobtitle, "Head");
  });

  test("update with an etag holds against other writers", async () => {
    const { contactid, "@odata.etag": etag } = await make();
    const request = { collection: "contacts", key: contactid, ifmatch: etag };
    assert.equal(await demo().update({ ...request, data: { jobtitle: "Mine" } }), true);
    assert.equal(await demo().update({ ...request, data: { jobtitle: "Late" } }), false, "412 is false");
    const error = await failure(
      demo({ propagateErrors: true }).update({ ...request, data: { jobtitle: "Late" } }),
    );
    assert.equal(error.status, 412);
    assert.equal(error.code, "0x80060882");
    assert.equal((await demo().retrieve({ collection: "contacts", key: contactid })).jobtitle, "Mine");
  });

  test("update never creates", async () => {
    const key = randomUUID();
    const error = await failure(demo().update({ collection: "contacts", key, data: { lastname: "Ghost" } }));
    assert.equal(error.status, 404);
    assert.equal((await failure(demo().retrieve({ collection: "contacts", key }))).status, 404);
  });

  test("updateSingleProperty sets one column, deleteRecord with a property clears it", async () => {
    const { contactid } = await make();
    const request = { collection: "contacts", key: contactid };
    await demo().updateSingleProperty({ ...request, fieldValuePair: { jobtitle: "Alone" } });
    assert.equal((await demo().retrieve(request)).jobtitle, "Alone");
    await demo().deleteRecord({ ...request, property: "jobtitle" });
    assert.equal((await demo().retrieve(request)).jobtitle, null);
    await demo().updateSingleProperty({ ...request, fieldValuePair: { jobtitle: "Again" } });
    await demo().deleteRecord({ ...request, fieldName: "jobtitle" });
    assert.equal((await demo().retrieve(request)).jobtitle, null);
  });
}

function upserts({ demo }) {
  test("upsert creates and updates, unless it is told to do only one of them", async () => {
    const key = randomUUID();
    const request = { collection: "contacts", key, data: { lastname: "Upserted" } };
    assert.equal(await demo().upsert({ ...request, ifmatch: "*" }), null, "update only: 404 is null");
    assert.equal(await demo().upsert(request), key);
    assert.equal(await demo().upsert({ ...request, ifnonematch: "*" }), null, "create only: 412 is null");
    const row = await demo().upsert({
      ...request,
      data: { jobtitle: "Twice" },
      returnRepresentation: true,
      select: ["lastname", "jobtitle"],
    });
    assert.deepEqual([row.lastname, row.jobtitle], ["Upserted", "Twice"]);
  });

  test("upsert works by alternate key", async () => {
    const key = `accountnumber='${randomUUID().slice(0, 18)}'`;
    await demo().upsert({ collection: "accounts", key, data: { name: "By key" } });
    await demo().upsert({ collection: "accounts", key, data: { name: "By key again" } });
    const row = await demo().retrieve({ collection: "accounts", key, select: ["name", "accountnumber"] });
    assert.equal(row.name, "By key again");
    assert.equal(`accountnumber='${row.accountnumber}'`, key);
    assert.equal(await demo().deleteRecord({ collection: "accounts", key }), true);
    assert.equal((await failure(demo().retrieve({ collection: "accounts", key }))).status, 404);
  });
}

function deletes({ demo }) {
  test("deleteRecord deletes, once, and not what somebody else has changed", async () => {
    const row = await demo().create({
      collection: "contacts",
      data: { lastname: "Gone" },
      returnRepresentation: true,
    });
    const request = { collection: "contacts", key: row.contactid };
    await demo().update({ ...request, data: { jobtitle: "Changed" } });
    assert.equal(
      await demo().deleteRecord({ ...request, ifmatch: row["@odata.etag"] }),
      false,
      "412 is false",
    );
    assert.equal(await demo().deleteRecord({ ...request, bypassCustomPluginExecution: true }), true);
    assert.equal((await failure(demo().deleteRecord(request))).status, 404);
  });
}

function links({ demo }) {
  const parent = async (key) =>
    (await demo().retrieve({ collection: "contacts", key }))._parentcustomerid_value;

  test("associate and disassociate link rows through a collection", async () => {
    const account = await demo().create({ collection: "accounts", data: { name: "Linked Ltd" } });
    const contact = await demo().create({ collection: "contacts", data: { lastname: "Linked" } });
    const link = {
      collection: "accounts",
      primaryKey: account,
      relationshipName: "contact_customer_accounts",
      relatedKey: contact,
    };
    await demo().associate({ ...link, relatedCollection: "contacts" });
    assert.equal(await parent(contact), account);
    await demo().disassociate(link);
    assert.equal(await parent(contact), null);
  });

  test("associateSingleValued and disassociateSingleValued set and clear a lookup", async () => {
    const account = await demo().create({ collection: "accounts", data: { name: "Single Ltd" } });
    const contact = await demo().create({ collection: "contacts", data: { lastname: "Single" } });
    const link = {
      collection: "contacts",
      primaryKey: contact,
      navigationProperty: "parentcustomerid_account",
    };
    await demo().associateSingleValued({ ...link, relatedCollection: "accounts", relatedKey: account });
    assert.equal(await parent(contact), account);
    await demo().disassociateSingleValued(link);
    assert.equal(await parent(contact), null);
    const error = await failure(
      demo().associateSingleValued({ ...link, relatedCollection: "accounts", relatedKey: randomUUID() }),
    );
    assert.equal(error.status, 404);
  });
}
