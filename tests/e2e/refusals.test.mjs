// Bad input: the worker refuses as the server does, offline too, and the journal stays as it was.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, send, status, world } from "./lib/world.mjs";

const nobody = "00000000-0000-4000-8000-00000000dead";

/** What is wrong: method, path (with {id} of a contact), body. */
const cases = {
  "an unknown column": ["PATCH", "contacts({id})", { telephon1: "1" }],
  "a text that is too long": ["PATCH", "contacts({id})", { firstname: "x".repeat(51) }],
  "a wrong type": ["PATCH", "contacts({id})", { firstname: 7 }],
  "a number as text": ["PATCH", "accounts({account})", { numberofemployees: "many" }],
  "a number out of range": ["PATCH", "accounts({account})", { numberofemployees: -1 }],
  "an unknown option": ["PATCH", "contacts({id})", { gendercode: 99 }],
  "a status of another state": ["PATCH", "contacts({id})", { statecode: 1, statuscode: 1 }],
  "a read-only column": ["PATCH", "contacts({id})", { fullname: "x" }],
  "an invalid GUID": ["PATCH", "contacts(not-a-guid)", { firstname: "x" }],
  "an invalid GUID in a bind": [
    "PATCH",
    "contacts({id})",
    { "parentcustomerid_account@odata.bind": "/accounts(7)" },
  ],
  "a bind to another table": [
    "PATCH",
    "contacts({id})",
    { "parentcustomerid_account@odata.bind": "/tasks({id})" },
  ],
  "a row that is not there": ["PATCH", `contacts(${nobody})`, { firstname: "x" }],
  "a delete of what is not there": ["DELETE", `contacts(${nobody})`, undefined],
  "broken JSON": ["PATCH", "contacts({id})", '{"firstname": "x"'],
  "a doubled member": ["PATCH", "contacts({id})", '{"firstname": "x", "firstname": "y"}'],
  "no object": ["POST", "contacts", "[]"],
  "a verb that does not fit": ["PATCH", "contacts", { firstname: "x" }],
  "null where a value is needed": ["PATCH", "contacts({id})", { statecode: null }],
  "an id that is taken": ["POST", "contacts", { contactid: "{id}", lastname: "x" }],
  "a bad filter": ["GET", "contacts?$filter=lastname eq 'O'Bryan'", undefined],
  "a filter on an unknown column": ["GET", "contacts?$filter=nosuch eq 1", undefined],
  "an option of another dialect": ["GET", "contacts?$skip=5", undefined],
};

test("what the server refuses, the worker refuses with the same status and error, offline too", async (t) => {
  const w = await world(t);
  const page = await open(w, await w.browser("train"));
  const contact = (await w.admin.get("contacts?$top=1")).value[0].contactid;
  const account = (await w.admin.get("accounts?$top=1")).value[0].accountid;
  const filled = (value) => value?.replaceAll("{id}", contact).replaceAll("{account}", account);
  const before = JSON.stringify((await send(page, "GET", "/flette/journal")).body);
  const ask = async (say, [method, path, body]) => {
    const text = filled(typeof body === "string" || body === undefined ? body : JSON.stringify(body));
    const answer = await say(method, filled(path), text, method === "PATCH" ? { "If-Match": "*" } : {});
    return { status: answer.status, code: answer.body?.error?.code, message: answer.body?.error?.message };
  };
  const server = (method, path, text, more) => w.admin.send(method, path, text, more);
  const worker = (method, path, text, more) => send(page, method, path, text, more);
  const wanted = {};
  for (const [what, request] of Object.entries(cases)) {
    wanted[what] = await ask(server, request);
    assert.ok(
      wanted[what].status >= 400 && wanted[what].status < 500,
      `${what}: ${JSON.stringify(wanted[what])}`,
    );
    assert.ok(wanted[what].message, what);
  }
  for (const line of ["online", "offline"]) {
    if (line === "offline") w.proxy.cut();
    for (const [what, request] of Object.entries(cases)) {
      assert.deepEqual(await ask(worker, request), wanted[what], `${what}, ${line}`);
    }
  }
  assert.equal(JSON.stringify((await send(page, "GET", "/flette/journal")).body), before);
  assert.equal((await status(page)).pending, 0);
});
