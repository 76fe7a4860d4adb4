// When this worker runs rounds by itself: after local writes, on start, on Background Sync, on a page's message.

import type { Flette, Report } from "flette-engine";
import { CHANNEL, type Hint, SYNC_TAG } from "../client/protocol.ts";
import type { Status } from "../client/types.ts";
import { isDue } from "./due.ts";
import { currentEngine } from "./engine.ts";
import { spaced } from "./spaced.ts";

/** Quiet time after a local write before it is sent. */
const DEBOUNCE_MILLIS = 300;
/** Pages are told of local writes at most this often: after each hint they look at all that they show. */
const HINT_MILLIS = 50;
/** Rounds in a row when more is left; a longer first sync is driven by a page. */
const ROUNDS_MAX = 50;

const channel = new BroadcastChannel(CHANNEL);
let running: Promise<boolean> | null = null;
let again = false;
/** Asked before rounds; set by the worker, as the answer depends on rounds in turn. */
let mayRun: () => Promise<boolean> = () => Promise.resolve(true);
let pause: Promise<void> | null = null;
let turn: Promise<unknown> = Promise.resolve();

/**
 * Runs `act` when no other round of this worker runs: two at a time would take each other for another context and
 * give way.
 */
export function inTurn<T>(act: () => Promise<T>): Promise<T> {
  const mine = turn.then(act);
  turn = mine.catch(() => undefined);
  return mine;
}

/** Sets what is asked before rounds start. */
export function askBeforeRounds(ask: () => Promise<boolean>): void {
  mayRun = ask;
}

/** Tells open pages to look again. */
export function hint(type: Hint["type"]): void {
  channel.postMessage({ type } satisfies Hint);
}

/** Tells open pages soon that a row was written here. Resolves when they were told. */
export const hintWritten = spaced(() => hint("data"), HINT_MILLIS);

/** A round soon: calls within the pause share one. Resolves when it ended; never rejects. */
export function roundSoon(): Promise<void> {
  pause ??= new Promise<void>((done) => setTimeout(done, DEBOUNCE_MILLIS)).then(async () => {
    pause = null;
    await rounds();
  });
  return pause;
}

/** The same when this worker's life begins, where a round is due. Resolves when it ended; never rejects. */
export async function roundOnStart(): Promise<void> {
  // What the worker was started for goes first.
  await new Promise((done) => setTimeout(done, DEBOUNCE_MILLIS));
  if (await isRoundDue().catch(() => true)) await rounds();
}

/** Rounds until nothing is left. Resolves to whether the server has everything. Never rejects. */
export function rounds(): Promise<boolean> {
  if (running) {
    again = true;
    return running;
  }
  running = loop().finally(() => {
    running = null;
  });
  return running;
}

async function loop(): Promise<boolean> {
  let done = true;
  try {
    const engine = await currentEngine();
    if (!engine) return true;
    const { chosen, retry_after_millis } = await statusOf(engine);
    if (chosen) return true;
    // Not even who is signed in is asked of a server that wants to be left alone.
    const welcome = retry_after_millis === null;
    if (welcome && !(await mayRun())) return true;
    done = welcome;
    for (let round = 0; welcome && round < ROUNDS_MAX; round++) {
      again = false;
      hint("status");
      const report = await inTurn(() => engine.round());
      hint(changed(report) ? "data" : "status");
      done = report.ok && !report.more;
      // A round whose time was up is not "ok" yet: the next one goes on from there.
      if (!report.more && (!report.ok || !again)) break;
    }
  } catch {
    done = false;
  }
  if (!done) await askForSync();
  return done;
}

async function isRoundDue(): Promise<boolean> {
  const engine = await currentEngine();
  return engine !== null && isDue(await statusOf(engine), Date.now());
}

async function statusOf(engine: Flette): Promise<Status> {
  const answer = await engine.handle(new Request(new URL("/flette/status", self.location.origin)));
  if (!answer.ok) throw new Error(`status: ${answer.status}`);
  return answer.json();
}

const changed = (report: Report) => report.pulled + report.pushed + report.conflicts + report.parked > 0;

/** Where the browser has Background Sync, it wakes a worker when the network is back, with all pages closed. */
async function askForSync() {
  const registration = (self as unknown as ServiceWorkerGlobalScope).registration as {
    sync?: { register(tag: string): Promise<void> };
  };
  await registration.sync?.register(SYNC_TAG).catch(() => undefined);
}
