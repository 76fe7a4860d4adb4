// Whether a round is due when a worker's life begins. Pure.

import { INTERVAL_MILLIS } from "../client/protocol.ts";
import type { Status } from "../client/types.ts";

/**
 * Whether something is to be done: changes or a wish wait, a pull is owed or unfinished, or the last one is long ago. A page
 * that nobody looks at asks for the status now and then, and every time that may begin a worker's life.
 *
 * @param now - Milliseconds since 1970. A clock that was changed by more than the interval makes a round due.
 */
export function isDue(status: Status, now: number): boolean {
  const isWhole = status.tables.length > 0 && status.tables.every((table) => table.complete);
  const isWaiting = status.pending > 0 || status.going_offline !== null;
  if (isWaiting || status.pull_due || !isWhole) return true;
  const age = Math.abs(now - Date.parse(status.last_sync ?? ""));
  // Not a number where there was none.
  return !(age < INTERVAL_MILLIS);
}
