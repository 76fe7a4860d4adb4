import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isWelcome,
  pauseAfter,
  pauseMillis,
  RETRY_AFTER_MILLIS_MAX,
  RETRY_MILLIS_MAX,
  RETRY_MILLIS_MIN,
  wantsRetry,
} from "./backoff.ts";
import type { Status } from "./types.ts";

const calm: Status = {
  mode: "online",
  chosen: false,
  reachable: true,
  primary: true,
  pending: 0,
  parked: 0,
  conflicts: 0,
  syncing: false,
  progress: null,
  going_offline: null,
  last_sync: "2026-01-15T10:02:11Z",
  synced: true,
  pull_due: false,
  generation: 1,
  signed_in: true,
  problem: null,
  retry_after_millis: null,
  tables: [{ name: "account", set: "accounts", rows: 3, complete: true, feed: "delta", outside: 0 }],
  storage: { bytes: 1, persisted: true },
  memory_bytes: null,
};

const asking = (retry_after_millis: number | null): Status => ({ ...calm, retry_after_millis });

test("pauses stay between two and thirty seconds for every attempt and every draw", () => {
  for (const attempt of [0, 1, 2, 3, 4, 5, 10, 11, 1_000, Number.MAX_SAFE_INTEGER]) {
    for (const random of [0, 0.25, 0.5, 0.999_999]) {
      const pause = pauseMillis(attempt, random);
      assert.ok(pause >= RETRY_MILLIS_MIN && pause <= RETRY_MILLIS_MAX, `${attempt} ${random}: ${pause}`);
    }
  }
});

test("pauses grow with failures, and two browsers draw different ones", () => {
  assert.ok(pauseMillis(3, 0.5) > pauseMillis(1, 0.5));
  assert.notEqual(pauseMillis(4, 0.1), pauseMillis(4, 0.9));
  assert.equal(pauseMillis(99, 1), RETRY_MILLIS_MAX);
});

test("a server that asks for patience gets it, within reason", () => {
  assert.equal(pauseAfter(asking(60_000), 0, 0), 60_000);
  assert.equal(pauseAfter(asking(1), 0, 0), RETRY_MILLIS_MIN);
  assert.equal(pauseAfter(asking(Number.MAX_SAFE_INTEGER), 0, 0), RETRY_AFTER_MILLIS_MAX);
  assert.equal(pauseAfter(asking(null), 0, 0), RETRY_MILLIS_MIN);
  assert.deepEqual([isWelcome(calm), isWelcome(asking(1))], [true, false]);
});

test("rounds are tried again only while trying can help", () => {
  const check = (change: Partial<Status>, expected: boolean) =>
    assert.equal(wantsRetry({ ...calm, ...change }), expected, JSON.stringify(change));
  check({}, false);
  check({ pending: 1 }, true);
  check({ reachable: false }, true);
  check(
    { tables: [{ name: "account", set: "accounts", rows: 3, complete: false, feed: "delta", outside: 0 }] },
    true,
  );
  check({ tables: [] }, true);
  check({ parked: 2 }, false);
  check({ pending: 1, chosen: true, mode: "offline" }, false);
  check({ pending: 1, signed_in: false }, false);
  check({ reachable: false, signed_in: false }, false);
});
