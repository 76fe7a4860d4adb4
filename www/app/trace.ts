// Events of the trace in words. Pure.

import type { TraceEvent } from "../client/index.ts";

const WHY: Record<string, string> = {
  whole: "everything is in",
  problem: "not everything went well",
  "time-up": "goes on in a moment",
  cancelled: "cancelled",
  "signed-out": "the server wants a sign-in",
  "other-user": "another user is signed in",
  gateway: "something on the way refuses requests",
  busy: "the server is busy",
  "no-answer": "no answer",
  refused: "refused",
  replica: "the copy on this device could not be read or written",
  nonsense: "the answer makes no sense",
};

const MODES: Record<string, string> = {
  "offline-wanted": "You want to go offline",
  "offline-checked": "Permissions and space checked",
  "offline-refused": "Going offline was refused",
  "offline-failed": "Going offline failed",
  "offline-cancelled": "Going offline was cancelled",
  offline: "Offline",
  online: "Online again",
};

const PLAIN: Record<string, string> = {
  started: "Started",
  "round-began": "Sync began",
  lineage: "The server's database is another one",
};

/** One line. What a later worker tells beyond this is shown by its name. */
export function traceText(event: TraceEvent): string {
  const word = (name: string) => String(event[name] ?? "");
  const count = (name: string) => Number(event[name] ?? 0).toLocaleString("en");
  switch (event.what) {
    case "round-ended":
      return `Sync ended: ${WHY[word("why")] ?? word("why")} (${count("pushed")} sent, ${count("pulled")} received, ${count("merged")} merged, ${count("conflicts")} conflicts, ${count("parked")} refused)`;
    case "request":
      return `${word("method")} ${word("about")}: ${word("status") || word("failed")}, ${count("millis")} ms`;
    case "page":
      return `${word("table")}: ${count("rows")} rows, ${count("gone")} deleted`;
    case "accepted":
      return `${word("table")}: ${word("kind")} accepted`;
    case "merged":
      return `${word("table")}: ${word("kind")} merged`;
    case "conflict":
      return `${word("table")}: conflict, the ${word("winner") === "local" ? "change here" : "server's value"} stands`;
    case "parked":
      return `${word("table")}: ${word("kind")} refused (${word("class")}, ${word("status")} ${word("code")})`;
    case "refused":
      return `${word("table")}: not given by the server (${word("status")} ${word("code")})`;
    case "schema":
      return `Tables and columns changed (generation ${count("generation")})`;
    case "resync":
      return `${word("table")}: read in full again`;
    case "swapped":
      return `${word("table")}: the new copy is in place`;
    case "feed-lost":
      return `${word("table")}: the place in the list of changes is lost`;
    case "hold":
      return `Waiting: ${WHY[word("why")] ?? word("why")}`;
    case "decided":
      return `You decided: ${word("decision")}`;
    case "mode":
      return MODES[word("step")] ?? word("step");
    default:
      return PLAIN[event.what] ?? event.what;
  }
}
