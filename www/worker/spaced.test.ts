import assert from "node:assert/strict";
import { test } from "node:test";
import { spaced } from "./spaced.ts";

const MILLIS = 40;

test("acts that follow one another closely become one, and the last one is never left out", async () => {
  const times: number[] = [];
  const act = spaced(() => times.push(performance.now()), MILLIS);
  const first = act();
  assert.equal(times.length, 0, "not in the task of the caller");
  await first;
  assert.equal(times.length, 1);
  const rest = [act(), act(), act()];
  assert.equal(times.length, 1);
  await Promise.all(rest);
  assert.equal(times.length, 2, "three calls, one act after them");
  const [before = 0, after = 0] = times;
  // The first act may have come late itself, on a machine that is busy.
  assert.ok(after - before >= MILLIS / 2, `${after - before} ms between two acts`);
  await act();
  assert.equal(times.length, 3);
});
