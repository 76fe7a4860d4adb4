import assert from "node:assert/strict";
import { test } from "node:test";
import { agoText, leftText, summarise, waitingText } from "./summary.ts";
import type { GoingOffline, Status } from "./types.ts";

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
  last_sync: null,
  synced: true,
  pull_due: false,
  generation: 1,
  signed_in: true,
  problem: null,
  retry_after_millis: null,
  tables: [],
  storage: { bytes: null, persisted: null },
  memory_bytes: null,
};

test("the state has one label for each thing a user must tell apart", () => {
  const check = (change: Partial<Status>, label: string, tone: string) => {
    const summary = summarise({ ...calm, ...change });
    assert.deepEqual([summary.label, summary.tone], [label, tone], JSON.stringify(change));
  };
  check({}, "Online", "calm");
  check({ reachable: false }, "Offline", "away");
  check({ mode: "offline" }, "Offline", "away");
  check({ mode: "offline", chosen: true }, "Working offline", "away");
  check({ mode: "offline", chosen: true, reachable: false }, "Working offline", "away");
  check({ signed_in: false, reachable: false }, "Sign in to sync", "alert");
  check({ problem: "The disk is full." }, "Sync problem", "alert");
  check({ syncing: true }, "Syncing", "busy");
  const progress = { phase: "push" as const, table: "contact", done: 0, total: null };
  check({ syncing: true, reachable: false, progress }, "Offline", "away");
  check({ syncing: true, reachable: false, progress: { ...progress, done: 1 } }, "Sending changes", "busy");
});

test("progress is a share of the whole only where the whole is known", () => {
  const progress = { phase: "pull" as const, table: "contact", done: 2_500, total: 10_000 };
  const known = summarise({ ...calm, syncing: true, progress });
  assert.equal(known.share, 0.25);
  assert.equal(known.detail, "2,500 of 10,000 rows.");
  const open = summarise({ ...calm, syncing: true, progress: { ...progress, total: null } });
  assert.equal(open.share, null);
  const beyond = summarise({ ...calm, syncing: true, progress: { ...progress, done: 12_000 } });
  assert.equal(beyond.share, 1);
});

test("going offline tells its step, then rows of rows and the time left", () => {
  const going: GoingOffline = {
    since: "2026-01-01T00:00:00Z",
    phase: "checks",
    rows: 0,
    total: null,
    exact: true,
    bytes: 0,
    millis_left: null,
    tables: [],
  };
  const check = (change: Partial<GoingOffline>, detail: string, share: number | null) => {
    const summary = summarise({ ...calm, reachable: false, going_offline: { ...going, ...change } });
    assert.deepEqual([summary.label, summary.detail, summary.share], ["Going offline", detail, share]);
  };
  check({}, "Checking permissions and space.", null);
  const data = { phase: "data" as const, rows: 3_000, total: 12_000 };
  check(data, "3,000 of 12,000 rows.", 0.25);
  check({ ...data, millis_left: 61_000 }, "3,000 of 12,000 rows, 61 s left.", 0.25);
  check({ ...data, exact: false }, "3,000 of about 12,000 rows.", 0.25);
  check({ phase: "data", rows: 0, total: 0 }, "0 of 0 rows.", 1);
  assert.deepEqual([1, 89_001, 90_001, 5_400_000].map(leftText), ["1 s", "2 min", "2 min", "2 h"]);
});

test('"everything is saved" is said only when it is', () => {
  assert.match(summarise(calm).detail, /Everything is saved/);
  assert.doesNotMatch(summarise({ ...calm, synced: false }).detail, /Everything is saved/);
});

test("counts and times read like words", () => {
  assert.equal(waitingText(0), "No changes waiting");
  assert.equal(waitingText(1), "1 change waiting");
  assert.equal(waitingText(1_200), "1,200 changes waiting");
  const now = Date.parse("2026-01-15T12:00:00Z");
  assert.equal(agoText(now - 10_000, now), "just now");
  assert.equal(agoText(now + 60_000, now), "just now");
  assert.equal(agoText(now - 240_000, now), "4 min ago");
  assert.equal(agoText(now - 2 * 3_600_000, now), "2 h ago");
});
