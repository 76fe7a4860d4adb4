import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { attempt, Failure, must } from "./run.mjs";

const SHORT_MINUTES = 1 / 60;
const node = (code) => [process.execPath, ["-e", code]];

test("output and exit code come back", async () => {
  const { code, output, stdout } = await attempt(
    ...node("console.log('a'); console.error('b'); process.exit(3)"),
  );
  assert.equal(code, 3);
  assert.equal(stdout, "a\n");
  assert.match(output, /b/);
});

test("a command that hangs is ended with all that it started", async () => {
  const inner = "setTimeout(() => {}, 60000)";
  const script = `const c = require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(inner)}]);
    console.log(c.pid); ${inner}`;
  const { timedOut, stdout } = await attempt(...node(script), { limit: SHORT_MINUTES });
  assert.equal(timedOut, true);
  for (let tries = 0; tries < 50 && runs(Number(stdout)); tries += 1) await setTimeout(100);
  assert.equal(runs(Number(stdout)), false);
});

/** Whether a process runs; one that has ended but was not yet collected does not. */
function runs(pid) {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

test("a program that is not there is a failure in one line", async () => {
  await assert.rejects(must("no-such-program", [], { hint: "get it" }), (error) => {
    assert.ok(error instanceof Failure);
    assert.doesNotMatch(error.message, /\n/);
    assert.match(error.message, /get it/);
    return true;
  });
});

test("a variable that is undefined is removed from the environment", async () => {
  process.env.FLETTE_TEST_VARIABLE = "set";
  const { stdout } = await attempt(...node("console.log(process.env.FLETTE_TEST_VARIABLE)"), {
    env: { FLETTE_TEST_VARIABLE: undefined },
  });
  assert.equal(stdout, "undefined\n");
});
