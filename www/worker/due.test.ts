import assert from "node:assert/strict";
import { test } from "node:test";
import { INTERVAL_MILLIS } from "../client/protocol.ts";
import type { Status } from "../client/types.ts";
import { isDue } from "./due.ts";

const SYNCED_AT = "2026-01-15T10:02:11Z";
const SYNCED = Date.parse(SYNCED_AT);

const calm: Status = {
  mode: "online",
  chosen: false,
  reachable: null,
  primary: false,
  pending: 0,
  parked: 0,
  conflicts: 0,
  syncing: false,
  progress: null,
  going_offline: null,
  last_sync: SYNCED_AT,
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

const check = (change: Partial<Status>, expected: boolean, now = SYNCED + 60_000) =>
  assert.equal(isDue({ ...calm, ...change }, now), expected, `${JSON.stringify(change)} ${now - SYNCED}`);

test("a worker that was started for a look at the status runs no round", () => {
  check({}, false);
  // What waits for a human alone.
  check({ parked: 2, synced: false }, false);
  check({ conflicts: 1 }, false);
});

test("what waits, or was left unfinished, makes a round due", () => {
  check({ pending: 1, synced: false }, true);
  check({ pull_due: true, synced: false }, true);
  check({ last_sync: null, synced: false }, true);
  check({ tables: [] }, true);
  const [table] = calm.tables;
  if (table) check({ tables: [{ ...table, complete: false }] }, true);
  const going = { since: SYNCED_AT, phase: "data", rows: 0, total: 0, exact: true, bytes: 0 } as const;
  check({ going_offline: { ...going, millis_left: null, tables: [] } }, true);
});

test("so does a last round that is long ago, by whatever clock", () => {
  check({}, false, SYNCED + INTERVAL_MILLIS - 1);
  check({}, true, SYNCED + INTERVAL_MILLIS);
  check({}, false, SYNCED - INTERVAL_MILLIS + 1);
  check({}, true, SYNCED - INTERVAL_MILLIS);
});
