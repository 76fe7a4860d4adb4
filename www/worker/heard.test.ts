import assert from "node:assert/strict";
import { test } from "node:test";
import { type Heard, heard } from "./heard.ts";

function check(status: number, names: boolean, known: Heard, unknown: Heard) {
  assert.deepEqual([heard(status, names, true), heard(status, names, false)], [known, unknown], `${status}`);
}

test("while somebody is known, only a user's name and a 401 are the server's word", () => {
  check(200, true, "named", "named");
  check(401, false, "ended", "passed");
  // The login page of a network, a gateway's refusals.
  for (const status of [200, 204, 302, 400, 403, 404, 407, 429]) check(status, false, "kept", "passed");
  for (const status of [500, 502, 503, 511]) check(status, false, "kept", "unreachable");
});

test("a body that looks like a user's counts only with a 200", () => {
  check(403, true, "kept", "passed");
  check(503, true, "kept", "unreachable");
});
