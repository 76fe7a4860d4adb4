// The state in words, for a state bar. Pure.

import type { GoingOffline, Progress, Status } from "./types.ts";

/** How loud a state is: `calm` needs nobody, `busy` passes, `away` is worth knowing, `alert` wants a human. */
export type Tone = "calm" | "busy" | "away" | "alert";

/** One line for the state bar. */
export interface Summary {
  tone: Tone;
  /** Short: "Online", "Working offline", "Syncing contacts". */
  label: string;
  /** A sentence for a tooltip and for assistive technology. */
  detail: string;
  /** Share done, `0..1`; `null` when unknown or nothing runs. */
  share: number | null;
}

/** @param status - `null` while no worker answers. */
export function summarise(status: Status | null): Summary {
  if (!status) {
    return { tone: "calm", label: "Online", detail: "The offline copy is being prepared.", share: null };
  }
  if (status.going_offline) return goingOffline(status.going_offline);
  // A try to reach a server that was away is no sync until something comes through: the state must not flicker.
  const trying = status.reachable === false && (status.progress?.done ?? 0) === 0;
  if (status.syncing && !trying) {
    if (status.progress) return syncing(status.progress);
    return { tone: "busy", label: "Syncing", detail: "Talking to the server.", share: null };
  }
  if (!status.signed_in) {
    const detail = "The server wants you to sign in again. Your changes are kept on this device.";
    return { tone: "alert", label: "Sign in to sync", detail, share: null };
  }
  if (status.mode === "offline" && status.chosen) {
    const detail = "You chose to work offline. Changes wait here until you go online.";
    return { tone: "away", label: "Working offline", detail, share: null };
  }
  if (status.mode === "offline" || status.reachable === false) {
    const detail = "The server cannot be reached. Go on working: changes are sent when it is back.";
    return { tone: "away", label: "Offline", detail, share: null };
  }
  if (status.problem) return { tone: "alert", label: "Sync problem", detail: status.problem, share: null };
  const detail = status.synced ? "Everything is saved on the server." : "Connected to the server.";
  return { tone: "calm", label: "Online", detail, share: null };
}

const STEPS: Record<GoingOffline["phase"], string> = {
  schema: "Reading tables and columns.",
  checks: "Checking permissions and space.",
  customizations: "Fetching views and forms.",
  data: "Fetching records.",
};

function goingOffline({ phase, rows, total, exact, millis_left }: GoingOffline): Summary {
  const label = "Going offline";
  if (total === null) return { tone: "busy", label, detail: STEPS[phase], share: null };
  const count = `${format(rows)} of ${exact ? "" : "about "}${format(total)} rows`;
  const left = millis_left === null ? "" : `, ${leftText(millis_left)} left`;
  const share = total === 0 ? 1 : Math.min(1, rows / total);
  return { tone: "busy", label, detail: `${count}${left}.`, share };
}

/** "20 s", "3 min", "2 h" */
export function leftText(millis: number): string {
  const seconds = Math.max(1, Math.ceil(millis / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.ceil(seconds / 60)} min`;
  return `${Math.ceil(seconds / 3600)} h`;
}

function syncing(progress: Progress): Summary {
  const share = progress.total ? Math.min(1, progress.done / progress.total) : null;
  const count = progress.total
    ? `${format(progress.done)} of ${format(progress.total)}`
    : format(progress.done);
  if (progress.phase === "schema") {
    return { tone: "busy", label: "Preparing", detail: "Reading tables and columns.", share };
  }
  if (progress.phase === "checks") {
    return { tone: "busy", label: "Preparing", detail: "Checking permissions and space.", share };
  }
  if (progress.phase === "push") {
    return { tone: "busy", label: "Sending changes", detail: `${count} sent.`, share };
  }
  return { tone: "busy", label: `Syncing ${progress.table}s`, detail: `${count} rows.`, share };
}

const format = (count: number) => count.toLocaleString("en");

/** "3 changes waiting" */
export function waitingText(count: number): string {
  if (count === 0) return "No changes waiting";
  return count === 1 ? "1 change waiting" : `${format(count)} changes waiting`;
}

/** "just now", "4 min ago", "3 h ago", or a date. `now` and `then` in milliseconds since 1970. */
export function agoText(then: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - then) / 1000));
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 24 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return new Date(then).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}
