import assert from "node:assert/strict";
import { test } from "node:test";
import { closingLine, countTests } from "./count.mjs";

const cargo = (passed, failed) =>
  `test result: ${failed ? "FAILED" : "ok"}. ${passed} passed; ${failed} failed; 1 ignored; 0 measured; 0 filtered out\n`;

for (const [name, output, code, expected] of [
  ["test binaries are added up", cargo(3, 0) + cargo(4, 0), 0, "7 passed, 0 failed"],
  ["failed tests are counted once", cargo(3, 2) + cargo(4, 0), 101, "7 passed, 2 failed"],
  ["a binary that crashed is a failure", cargo(3, 0), 101, "3 passed, 1 failed"],
  ["a build that failed is a failure", "error: could not compile\n", 101, "0 passed, 1 failed"],
  ["a run without a summary is a failure", "nothing\n", 0, "0 passed, 1 failed"],
  ["node's reporter is read", "ℹ pass 5\nℹ fail 1\nℹ cancelled 2\nℹ skipped 9\n", 1, "5 passed, 3 failed"],
  ["node's TAP is read", "# pass 5\n# fail 0\n# cancelled 0\n", 0, "5 passed, 0 failed"],
  ["the simulation is read", "3 s\n2999 passed, 1 failed\n", 1, "2999 passed, 1 failed"],
  ["what a test prints is not read", "  test result: ok. 9 passed; 0 failed;\n", 0, "0 passed, 1 failed"],
]) {
  test(name, () => assert.equal(closingLine(countTests(output, code)), expected));
}
