// What the control API of the worker answers. Names are those on the wire.

/** Answer of `GET /flette/status`. */
export interface Status {
  mode: "online" | "offline";
  /** Offline because the user chose so, not because the network is gone. */
  chosen: boolean;
  /** Whether the last request of a round reached the server; `null` before the first. */
  reachable: boolean | null;
  /** Whether this browser context may run rounds. */
  primary: boolean;
  /** Journal entries not yet accepted by the server. */
  pending: number;
  /** Entries the server refused for good; they wait for a human. */
  parked: number;
  /** Conflicts not yet looked at. */
  conflicts: number;
  syncing: boolean;
  progress: Progress | null;
  /** RFC 3339, or `null` before the first complete round. */
  last_sync: string | null;
  /** Nothing is waiting and a pull after the last push succeeded. */
  synced: boolean;
  /** Whether something was sent, or a pull left unfinished, since the last pull that ended well. */
  pull_due: boolean;
  /** How far going offline has come, while it is wished for. */
  going_offline: GoingOffline | null;
  generation: number;
  /** `false` from a 401 until the next sign-in. */
  signed_in: boolean;
  problem: string | null;
  /** How much longer the server wants to be left alone, milliseconds; `null` when it does not. */
  retry_after_millis: number | null;
  tables: TableStatus[];
  storage: { bytes: number | null; persisted: boolean | null };
  /** Memory of the WebAssembly module, which never shrinks; `null` before it runs. */
  memory_bytes: number | null;
}

/** One table in `Status`. */
export interface TableStatus {
  name: string;
  set: string;
  rows: number;
  /** Whether every row that the user may see was pulled. */
  complete: boolean;
  /** How changes are learned; by `sweep`, where the server denies change tracking, deletions are noticed late. */
  feed: "delta" | "sweep";
  /** Rows kept although the profile leaves them out, since changes of them wait. */
  outside: number;
}

/** How far going offline has come. The wish outlives the worker: a new one goes on with it. */
export interface GoingOffline {
  /** RFC 3339. */
  since: string;
  phase: "schema" | "checks" | "customizations" | "data";
  rows: number;
  /** Counted by the server; `null` before it was asked. */
  total: number | null;
  /** `false`: the total is of rows that there are, of which the user may not see all. */
  exact: boolean;
  /** Stored bytes so far. */
  bytes: number;
  /** `null` while there is no pace yet. */
  millis_left: number | null;
  tables: {
    name: string;
    rows: number;
    total: number | null;
    exact: boolean;
    bytes: number;
    complete: boolean;
  }[];
}

/** Where a running round is. `total` is `null` where the server does not tell. */
export interface Progress {
  phase: "schema" | "checks" | "pull" | "push";
  table: string;
  done: number;
  total: number | null;
}

/** Outcome of one round: one pull and one push. */
export interface Report {
  ok: boolean;
  /** Work is left: ask again. */
  more: boolean;
  pushed: number;
  pulled: number;
  /** Rows whose edits here were merged with the server's without a conflict. */
  merged: number;
  conflicts: number;
  parked: number;
  problem: string | null;
  /** The server asked for patience; milliseconds. */
  retry_after_millis: number | null;
}

/** One waiting change. */
export interface JournalEntry {
  /** Id of the operation, for retry and discard. */
  op: string;
  seq: number;
  table: string;
  /** Entity set name, as in URLs. */
  set: string;
  id: string;
  /** What names the row, where the replica knows it. */
  name?: string | null;
  kind: "create" | "update" | "delete";
  /** When the change was made; RFC 3339. */
  at: string;
  state: "waiting" | "sent" | "parked";
  /**
   * Why the server refused it. With a status of 0 it is the device that does not send it: `code` is `OutOfScope` for what
   * needs a table that is not offline, `Unclear` for what may have been done already, and nobody can find out.
   * `class`: `duplicate`, `forbidden`, `missing`, `taken`, `too-large`, `unsendable`, `refused`.
   */
  reason: { status: number; class: string; code: string; message: string } | null;
  fields: { name: string; old: unknown; new: unknown }[];
}

/** A row that a refused new one may be meant to be. */
export interface LookAlike {
  table: string;
  set: string;
  id: string;
  name: string | null;
}

/** Who made a change. */
export interface Author {
  /** `systemuserid` */
  id: string;
  name: string | null;
}

/** One entry of the conflict log. */
export interface Conflict {
  id: string;
  table: string;
  set: string;
  row: string;
  kind: "field" | "deleted-there" | "deleted-here";
  field: string | null;
  local: unknown;
  server: unknown;
  local_at: string | null;
  server_at: string | null;
  local_author: Author | null;
  server_author: Author | null;
  /** What names the row, where the replica knows it. */
  name?: string | null;
  /** Of `deleted-there`: the edits that found no row. */
  edits?: { name: string; old: unknown; new: unknown }[];
  winner: "local" | "server";
  /** Left to a human by the rule `manual`, and not resolved yet: the server's value stands meanwhile. */
  open: boolean;
  resolved: null | "local" | "server";
}

/** One event of the trace. It never holds a value, a name or a text of a row. */
export interface TraceEvent {
  /** Grows with every event; a gap says that events were lost when a worker was stopped. */
  seq: number;
  /** RFC 3339. */
  at: string;
  /** What happened, such as `request`, `page` or `parked`; `docs/control-api.md` lists them with their other members. */
  what: string;
  [member: string]: unknown;
}

/** Answer of `GET /flette/trace`. */
export interface Trace {
  /** Number of the newest event; 0 when there is none. */
  last: number;
  /** Oldest first. */
  events: TraceEvent[];
}

/** Whose value stands when both sides changed a field. */
export type MergeRule = "newest" | "server" | "local" | "manual";

/** What is set for one column. */
export interface FieldProfile {
  /** Before the rule of the table. */
  merge?: MergeRule;
  /** `down`: cannot be edited here; `up`: pulls never change it; `none`: not kept here. Default `both`. */
  direction?: "both" | "down" | "up" | "none";
}

/** What is set for one table. */
export interface TableProfile {
  /** For all its columns and for deletions. Default `newest`. */
  merge?: MergeRule;
  /** By logical name of the column. */
  fields?: Readonly<Record<string, FieldProfile>>;
  /**
   * Which rows go offline: a `$filter`, in which `{me}` and `{my-business-unit}` stand for ids, or the name or id of a view
   * of `querytype` 16. Default all.
   */
  rows?: string | { readonly view: string };
  /**
   * Navigation properties: rows go offline too from which one leads to a row that the other table's `rows` keep. Without
   * `rows` here, only those do.
   */
  related?: readonly string[];
  /** Logical names of the columns that go offline, besides those that always do. Default all. */
  columns?: readonly string[];
}

/** Settings by logical name of the table. */
export type Profile = Readonly<Record<string, TableProfile>>;
