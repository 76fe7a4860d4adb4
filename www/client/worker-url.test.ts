import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_TABLES, tablesOf, workerUrl } from "./worker-url.ts";

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
