import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_TABLES, profileOf, tablesOf, workerUrl } from "./worker-url.ts";

test("tables that the page names arrive at the worker, in order", () => {
  const url = new URL(workerUrl("/worker.js", ["account", "new_visit"]), "http://localhost");
  assert.equal(url.pathname, "/worker.js");
  assert.deepEqual(tablesOf(url.search), ["account", "new_visit"]);
});

test("without tables, or with names that are none, the default stands", () => {
  assert.equal(workerUrl("/worker.js"), "/worker.js");
  for (const search of ["", "?tables=", "?tables=Account,../x", "?other=account"]) {
    assert.deepEqual(tablesOf(search), DEFAULT_TABLES, search);
  }
  assert.deepEqual(tablesOf("?tables=account,account,%3Cb%3E"), ["account"]);
});

test("a profile arrives at the worker as it is written, with tables and without", () => {
  const profile = { account: { merge: "server", fields: { fax: { direction: "up" } } } } as const;
  for (const tables of [undefined, ["account"]]) {
    const url = new URL(workerUrl("/worker.js", tables, profile), "http://localhost");
    assert.deepEqual(JSON.parse(profileOf(url.search) ?? ""), profile);
    assert.deepEqual(tablesOf(url.search), tables ?? DEFAULT_TABLES);
  }
  assert.equal(profileOf("?tables=account"), undefined);
});
