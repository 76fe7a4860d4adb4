// The page library of Flette: what an existing Dataverse app puts into its page to work offline.
//
//     import { FletteClient } from "/client.js";
//     const flette = await FletteClient.start();
//     flette.subscribe(({ status }) => console.log(status?.pending));
//
// It registers the worker, starts rounds when a page can know that it is time, and offers the worker's state. Data
// calls of the app stay as they are: they go to the Web API and the worker answers them.

import { isWelcome, pauseAfter, wantsRetry } from "./backoff.ts";
import { control, FletteError } from "./control.ts";
import { CHANNEL, type Hint, INTERVAL_MILLIS } from "./protocol.ts";
import { type Registration, register } from "./register.ts";
import type { Profile, Report, Status } from "./types.ts";
import { workerUrl } from "./worker-url.ts";

export * from "./backoff.ts";
export { control, FletteError } from "./control.ts";
export * from "./summary.ts";
export type * from "./types.ts";

/** Settings of {@link FletteClient.start}. */
export interface Options {
  /** Path of the worker on this origin. Default `/worker.js`. */
  worker?: string;
  /**
   * Logical names of the tables that go offline, in pull order: what others point to comes first. Default:
   * transactioncurrency, systemuser, account, contact, task. Another list is another worker, which takes over like a
   * new version.
   */
  tables?: readonly string[];
  /**
   * What of these tables goes offline, which way columns go, and whose value stands in a conflict. See `docs/profile.md`.
   * As with tables, another profile is another worker.
   */
  profile?: Profile;
  /** Time between rounds while nothing else asks for one, milliseconds. Default 15 minutes. */
  intervalMillis?: number;
}

/** What listeners are given. A new object with every change. */
export interface Snapshot {
  /** `null` while no worker answers. */
  status: Status | null;
  /** Whether a worker controls the page. `null` while that is open; `false` where it is not possible. */
  worker: boolean | null;
  /** A new version waits for {@link FletteClient.activateUpdate}. */
  updateReady: boolean;
  /** Another version took over, or page and worker do not fit: reload. */
  reloadNeeded: boolean;
}

/** How often the state is asked for while a round runs, and while all is quiet. */
const POLL_BUSY_MILLIS = 500;
const POLL_QUIET_MILLIS = 60_000;
/** A page that becomes visible asks for a round when the last one is older than this. */
const STALE_MILLIS = 60_000;
/** Rounds in a row when the engine says that more is left. */
const ROUNDS_MAX = 1_000;

const NOTHING_DONE: Report = {
  ok: false,
  more: false,
  pushed: 0,
  pulled: 0,
  merged: 0,
  conflicts: 0,
  parked: 0,
  problem: null,
  retry_after_millis: null,
};

/** One per page. */
export class FletteClient {
  private snapshot: Snapshot = { status: null, worker: null, updateReady: false, reloadNeeded: false };
  private readonly listeners = new Set<(snapshot: Snapshot) => void>();
  private readonly dataListeners = new Set<() => void>();
  private readonly channel = new BroadcastChannel(CHANNEL);
  private readonly stopped = new AbortController();
  private readonly intervalMillis: number;
  private registration: Registration | null = null;
  private poll: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private running: Promise<Report> | null = null;
  private asking: Promise<void> | null = null;

  private constructor(options: Options) {
    this.intervalMillis = options.intervalMillis ?? INTERVAL_MILLIS;
  }

  /** Registers the worker and begins to watch. Never rejects: without a worker the app works online only. */
  static async start(options: Options = {}): Promise<FletteClient> {
    const client = new FletteClient(options);
    client.listen();
    try {
      client.registration = await register(
        workerUrl(options.worker ?? "/worker.js", options.tables, options.profile),
        {
          onUpdateReady: () => client.change({ updateReady: true }),
          onReplaced: () => client.change({ reloadNeeded: true }),
        },
      );
      void client.registration.controlled.then(() => client.controlled());
    } catch {
      client.change({ worker: false });
    }
    return client;
  }

  /** The last known state. */
  get current(): Snapshot {
    return this.snapshot;
  }

  /** Calls `listener` now and with every change; returns the way to stop. */
  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    this.listeners.add(listener);
    listener(this.snapshot);
    return () => this.listeners.delete(listener);
  }

  /** Calls `listener` when rows may have changed by a round or by another tab. */
  onData(listener: () => void): () => void {
    this.dataListeners.add(listener);
    return () => this.dataListeners.delete(listener);
  }

  /** Asks the worker for its state. */
  refresh(): Promise<void> {
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  /** Rounds until nothing is left to pull or push. Calls at the same time share one run. Rejects with FletteError. */
  sync(): Promise<Report> {
    this.running ??= this.rounds().finally(() => {
      this.running = null;
      void this.refresh();
    });
    void this.refresh();
    return this.running;
  }

  /**
   * Tells the worker who is signed in; to be called after a sign-in. A worker that takes over the page while the sign-in
   * is under way sees neither its request nor its answer.
   */
  async identify(): Promise<void> {
    if (navigator.serviceWorker?.controller) {
      await fetch("/auth/who", { cache: "no-store" }).catch(() => undefined);
    }
  }

  /**
   * Checks rights and space, brings schema, customizations and data up to date, then cuts the line. `going_offline` of the
   * status tells how far it has come. Rejects with a FletteError: 403 where a table may not be read, 507 where there is no
   * space, 409 for what may pass. When it was cancelled, the report is not `ok`.
   */
  goOffline(): Promise<Report> {
    return this.act(() => control.goOffline().catch((error: unknown) => this.goneOffline(error)));
  }

  /** Gives going offline up: it ends at the next slice; what was pulled stays, and the line stays open. */
  cancelOffline = () => this.act(() => control.cancelOffline());

  /** Pushes and pulls, then stays connected. */
  async goOnline(): Promise<Report> {
    const report = await this.act(() => control.goOnline());
    return report.more ? this.sync() : report;
  }

  /** Changes waiting, oldest first. */
  journal = () => control.journal();

  /** The conflict log. */
  conflicts = () => control.conflicts();

  /**
   * Sends a parked change again, with what was refused together with it. To correct it, change the row at the Web API: that
   * sends it again, too.
   */
  retryChange = (op: string) => this.act(() => control.retry(op));

  /** Throws a waiting change away; the server's value shows again. Of a change set only this row is given up. */
  discardChange = (op: string) => this.act(() => control.discard(op));

  /** One waiting change as a JSON file, to be kept elsewhere. */
  exportChange = (op: string) => control.exportChange(op);

  /** Rows that a refused new one may be meant to be: the same alternate key first, then those that it resembles. */
  duplicates = (op: string) => control.duplicates(op);

  /**
   * Makes a refused new row one with a row that the server has: what was said of the new one becomes an edit of the other,
   * and from then on both ids mean it.
   */
  mergeChange = (op: string, id: string) => this.act(() => control.merge(op, id));

  /** Settles a conflict. */
  resolve = (id: string, take: "local" | "server") => this.act(() => control.resolve(id, take));

  /** Waiting changes as a JSON file, to be kept elsewhere. */
  exportUnsent = () => control.export();

  /**
   * What happened lately between this device and the server, oldest first: rounds, requests, what became of changes.
   * Never a value, a name or a text of a row.
   *
   * @param after - Only events with a higher number than this; give the `last` of the answer before.
   */
  trace = (after = 0) => control.trace(after);

  /** The trace as a JSON file, to be given to whoever looks for the reason of something. */
  exportTrace = () => control.exportTrace();

  /**
   * Deletes this user's replica. With `keep-refuse` it rejects with a FletteError of status 409 while changes are
   * unsent; `discard` deletes them too.
   */
  signOut = (unsent: "keep-refuse" | "discard") => this.act(() => control.signOut(unsent));

  /** Lets the waiting version take over. The page should reload when `reloadNeeded` becomes true. */
  activateUpdate(): void {
    this.registration?.activate();
  }

  /** Ends timers and listeners. */
  stop(): void {
    this.stopped.abort();
    clearTimeout(this.poll);
    clearTimeout(this.retry);
    this.registration?.stop();
    this.channel.close();
    this.listeners.clear();
    this.dataListeners.clear();
  }

  private async controlled() {
    this.change({ worker: true });
    // A worker that was installed after the sign-in learns who the user is.
    await this.identify();
    if (!(await this.registration?.agrees())) this.change({ reloadNeeded: true });
    await this.refresh();
    this.tell();
    void this.syncQuietly();
  }

  private listen() {
    this.channel.onmessage = (event: MessageEvent<Hint>) => {
      void this.refresh();
      if (event.data.type === "data") this.tell();
    };
    const { signal } = this.stopped;
    addEventListener(
      "online",
      () => {
        this.failures = 0;
        void this.syncQuietly();
      },
      { signal },
    );
    const visible = () => {
      if (document.visibilityState !== "visible") return;
      const last = Date.parse(this.snapshot.status?.last_sync ?? "");
      if (!(Date.now() - last < STALE_MILLIS)) void this.syncQuietly();
      else void this.refresh();
    };
    document.addEventListener("visibilitychange", visible, { signal });
    const timer = setInterval(() => void this.syncQuietly(), this.intervalMillis);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** A round that nobody waits for: not while the user works offline, and without a rejection. */
  private async syncQuietly() {
    await this.refresh();
    const status = this.snapshot.status;
    if (!status || !isWelcome(status)) return;
    await this.sync().catch(() => undefined);
  }

  private async rounds(): Promise<Report> {
    clearTimeout(this.retry);
    for (let round = 1; ; round++) {
      const report = await control.sync().catch((error: unknown) => {
        this.failures++;
        throw error;
      });
      this.failures = report.ok || report.more ? 0 : this.failures + 1;
      if (report.pulled + report.pushed + report.conflicts > 0) this.tell();
      // A round whose time was up is not "ok" yet: the next one goes on from there.
      if (!report.more || round >= ROUNDS_MAX) return report;
    }
  }

  /** A worker that was stopped gives no answer, and the next one goes on: this waits for its end. */
  private async goneOffline(error: unknown): Promise<Report> {
    if (!(error instanceof FletteError) || error.status !== 0) throw error;
    for (;;) {
      await new Promise((done) => setTimeout(done, POLL_BUSY_MILLIS));
      const status = await control.status();
      if (status.chosen) return { ...NOTHING_DONE, ok: true };
      if (!status.going_offline) throw error;
    }
  }

  private async act<T>(action: () => Promise<T>): Promise<T> {
    try {
      // Progress of a long action shows meanwhile.
      setTimeout(() => void this.refresh(), POLL_BUSY_MILLIS / 2);
      return await action();
    } finally {
      await this.refresh();
      this.tell();
    }
  }

  private async ask() {
    clearTimeout(this.poll);
    if (this.snapshot.worker !== true) return;
    try {
      this.change({ status: await control.status() });
    } catch (error) {
      const problem = error instanceof FletteError ? error.message : "The service worker did not answer.";
      const status = this.snapshot.status;
      if (status) this.change({ status: { ...status, syncing: false, problem } });
    }
    const status = this.snapshot.status;
    const busy = status?.syncing || status?.going_offline || this.running !== null;
    this.poll = setTimeout(() => void this.refresh(), busy ? POLL_BUSY_MILLIS : POLL_QUIET_MILLIS);
    this.planRetry();
  }

  private planRetry() {
    clearTimeout(this.retry);
    const status = this.snapshot.status;
    if (!status || this.running || status.syncing || !wantsRetry(status)) return;
    const pause = pauseAfter(status, this.failures, Math.random());
    this.retry = setTimeout(() => void this.syncQuietly(), pause);
  }

  private change(part: Partial<Snapshot>) {
    this.snapshot = { ...this.snapshot, ...part };
    for (const listener of this.listeners) listener(this.snapshot);
  }

  private tell() {
    for (const listener of this.dataListeners) listener();
  }
}
