// What page and worker must agree on. Shared by both, so that a change here changes both in one build.

/** Raised when page and worker of different builds can no longer talk to each other. */
export const PROTOCOL = 1;

/** BroadcastChannel for hints. A hint says "look again"; the truth is what the control API answers. */
export const CHANNEL = "flette";

/** A hint from the worker: `status` when the state bar is stale, `data` when rows may have changed. */
export interface Hint {
  type: "status" | "data";
}

/** Messages from a page to the worker. */
export type PageMessage = { type: "flette:hello" } | { type: "flette:activate" } | { type: "flette:round" };

/** Answer to `flette:hello`, through the port that came with it. */
export interface Hello {
  protocol: number;
}

/** Background Sync tag of a round. */
export const SYNC_TAG = "flette-round";

/** A round runs at least this often while somebody is there, milliseconds; a page may be given another interval. */
export const INTERVAL_MILLIS = 15 * 60_000;
