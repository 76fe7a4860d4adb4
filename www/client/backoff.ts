// When to try again. Pure: time and randomness come in as arguments.

import type { Status } from "./types.ts";

/** Shortest pause between two automatic rounds while the server is away or work is waiting. */
export const RETRY_MILLIS_MIN = 2_000;
/** Longest such pause, unless the server asks for more. */
export const RETRY_MILLIS_MAX = 30_000;
/** Longest wait a server's `Retry-After` is believed. */
export const RETRY_AFTER_MILLIS_MAX = 15 * 60_000;

/**
 * Pause before the next try in milliseconds, `RETRY_MILLIS_MIN..=RETRY_MILLIS_MAX`: doubling, with jitter over the
 * upper half so that many browsers do not come back at the same moment.
 *
 * @param attempt - Failures in a row so far, from 0.
 * @param random - In `0..1`.
 */
export function pauseMillis(attempt: number, random: number): number {
  const ceiling = Math.min(RETRY_MILLIS_MAX, RETRY_MILLIS_MIN * 2 ** Math.min(attempt, 10));
  return Math.round(Math.max(RETRY_MILLIS_MIN, ceiling * (0.5 + random / 2)));
}

/** Pause that also honours how much longer the server wants to be left alone. */
export function pauseAfter(status: Status, attempt: number, random: number): number {
  const asked = Math.min(status.retry_after_millis ?? 0, RETRY_AFTER_MILLIS_MAX);
  return Math.max(asked, pauseMillis(attempt, random));
}

/** Whether rounds that nobody asked for may begin. */
export function isWelcome(status: Status): boolean {
  return !status.chosen && status.signed_in && status.retry_after_millis === null;
}

/**
 * Whether rounds should be tried again without anyone asking: work is waiting, or the server was out of reach. Never
 * while the user chose to work offline, nor while nobody is signed in: then only a human can help.
 */
export function wantsRetry(status: Status): boolean {
  if (status.chosen || !status.signed_in) return false;
  return status.reachable === false || status.pending > 0 || !hasData(status);
}

/** Whether every table in scope has been pulled once. */
export function hasData(status: Status): boolean {
  return status.tables.length > 0 && status.tables.every((table) => table.complete);
}
