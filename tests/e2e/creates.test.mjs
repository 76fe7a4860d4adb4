// Rows made offline arrive once, linked, whatever happens to the answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, openNew, save } from "./lib/page.mjs";
import { open, send, status, synced, until, world } from "./lib/world.mjs";

async function createThree(page) {
  await openNew(page, "accounts");
  await fill(page, "name", "Wüstenwind & Söhne");
  await save(page);
  const account = await until("the account's id", async () => {
    const found = await send(
      page,
      "GET",
      "accounts?$filter=name eq 'Wüstenwind %26 Söhne'&$select=accountid",
    );
    return found.body.value[0]?.accountid;
  });
  const made = async (set, body) => {
    const answer = await send(page, "POST", set, body);
    assert.equal(answer.status, 204);
    return /\(([^)]+)\)$/.exec(answer.headers["odata-entityid"])[1];
  };
  const contact = await made("contacts", {
    firstname: "Zoë",
    lastname: "O'Wüst",
    "parentcustomerid_account@odata.bind": `/accounts(${account})`,
  });
  // A circle: the account's main contact is the contact that belongs to it.
  const link = { "primarycontactid@odata.bind": `/contacts(${contact})` };
  assert.equal((await send(page, "PATCH", `accounts(${account})`, link, { "If-Match": "*" })).status, 204);
  const task = await made("tasks", {
    subject: "Call Zoë",
    "regardingobjectid_contact_task@odata.bind": `/contacts(${contact})`,
  });
  return { account, contact, task };
}

async function check(w, { account, contact, task }) {
  const sets = { accounts: account, contacts: contact, tasks: task };
  for (const [set, id] of Object.entries(sets))
    assert.equal((await w.admin.send("GET", `${set}(${id})`)).status, 200, set);
  assert.equal(await w.admin.count("accounts", "name eq 'Wüstenwind & Söhne'"), 1);
  assert.equal(await w.admin.count("contacts", "lastname eq 'O''Wüst'"), 1);
  assert.equal(await w.admin.count("tasks", "subject eq 'Call Zoë'"), 1);
  assert.equal((await w.admin.get(`contacts(${contact})`))._parentcustomerid_value, account);
  assert.equal((await w.admin.get(`accounts(${account})`))._primarycontactid_value, contact);
  assert.equal((await w.admin.get(`tasks(${task})`))._regardingobjectid_value, contact);
}

test("a new account, a contact of it and a task about the contact, made offline, arrive once and linked", async (t) => {
  const w = await world(t);
  const page = await open(w, await w.browser("train"));
  w.proxy.cut();
  const made = await createThree(page);
  assert.ok((await status(page)).pending >= 4);
  w.proxy.restore();
  await synced(page);
  await check(w, made);
  assert.equal((await status(page)).parked, 0);
});

test("the answer to the push is lost and the push sent again: still once", async (t) => {
  const w = await world(t);
  const page = await open(w, await w.browser("train"));
  w.proxy.cut();
  const made = await createThree(page);
  const lost = w.proxy.loseAnswers((request) => request.url.endsWith("/$batch"), 2);
  w.proxy.restore();
  await synced(page);
  assert.equal(lost.seen, 2, "two answers were lost");
  await check(w, made);
  const { conflicts, parked } = await status(page);
  assert.deepEqual({ conflicts, parked }, { conflicts: 0, parked: 0 });
});

test("a row the server refuses for good is parked with the reason and holds nothing else up", async (t) => {
  const w = await world(t);
  const made = await w.admin.send(
    "POST",
    "accounts",
    { name: "Soon gone" },
    { Prefer: "return=representation" },
  );
  const gone = made.body;
  const page = await open(w, await w.browser("train"));
  const [victim, other] = (await w.admin.get("contacts?$filter=jobtitle ne null&$orderby=fullname&$top=2"))
    .value;
  w.proxy.cut();
  const bind = { "parentcustomerid_account@odata.bind": `/accounts(${gone.accountid})` };
  assert.equal(
    (await send(page, "PATCH", `contacts(${victim.contactid})`, bind, { "If-Match": "*" })).status,
    204,
  );
  const edit = { jobtitle: "Goes through" };
  assert.equal(
    (await send(page, "PATCH", `contacts(${other.contactid})`, edit, { "If-Match": "*" })).status,
    204,
  );
  assert.equal((await w.admin.send("DELETE", `accounts(${gone.accountid})`)).status, 204);
  w.proxy.restore();
  await until(
    "the other row arrives",
    async () => (await w.admin.get(`contacts(${other.contactid})`)).jobtitle === edit.jobtitle,
  );
  const now = await until("the bad row is parked", async () => {
    const now = await status(page);
    return now.parked === 1 && now;
  });
  assert.equal(now.pending, 0);
  const entry = (await send(page, "GET", "/flette/journal")).body.entries.find((e) => e.state === "parked");
  assert.ok(entry.reason.status >= 400 && entry.reason.message.length > 0);
  assert.equal((await send(page, "POST", `/flette/journal/${entry.op}/discard`)).status, 204);
  assert.equal((await status(page)).parked, 0);
});
