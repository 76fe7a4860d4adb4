// What several views share: the user, the worker's state, waiting changes by row, notices.

import { FletteClient, type JournalEntry, type Snapshot } from "../client/index.ts";
import { store } from "./store.ts";

export interface User {
  userid: string;
  fullname: string;
}

/** `starting` until it is known whether somebody is signed in. */
export interface Account {
  phase: "starting" | "out" | "in";
  user: User | null;
  /** The server cannot be reached and nobody is known on this device. */
  unreachable: boolean;
}

export const account = store<Account>({ phase: "starting", user: null, unreachable: false });
export const snapshot = store<Snapshot>({
  status: null,
  worker: null,
  updateReady: false,
  reloadNeeded: false,
});
/** Raised whenever rows may have changed. */
export const rowsVersion = store(0);
/** Waiting changes by `set:id`. */
export const waiting = store<ReadonlyMap<string, JournalEntry[]>>(new Map());
export const centreOpen = store(false);

let client: FletteClient | null = null;
let waitingKey = "";

/** The page library; it lives as long as the page. */
export function flette(): FletteClient {
  if (!client) throw new Error("The page library is used before start().");
  return client;
}

/** Registers the worker and follows its state. */
export async function start(): Promise<void> {
  client = await FletteClient.start();
  client.subscribe((next) => {
    snapshot.set(next);
    void followJournal(next);
  });
  client.onData(() => rowsVersion.change((version) => version + 1));
}

/** Finds out who is signed in. Offline the worker answers with the last user. */
export async function findUser(): Promise<void> {
  try {
    const response = await fetch("/auth/who", { cache: "no-store" });
    if (response.ok) {
      account.set({ phase: "in", user: (await response.json()) as User, unreachable: false });
    } else {
      account.set({ phase: "out", user: null, unreachable: response.status >= 500 });
    }
  } catch {
    account.set({ phase: "out", user: null, unreachable: true });
  }
}

/** Signs in at the server. Resolves to a sentence that says what is wrong, or `null`. */
export async function signIn(username: string, password: string): Promise<string | null> {
  try {
    const response = await fetch("/auth/sign-in", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ username, password }),
    });
    if (response.status === 400 || response.status === 401) return "User name or password is not right.";
    if (!response.ok) return "The server cannot be reached. Try again in a moment.";
    account.set({ phase: "in", user: (await response.json()) as User, unreachable: false });
  } catch {
    return "The server cannot be reached. Try again in a moment.";
  }
  rowsVersion.change((version) => version + 1);
  await flette().identify();
  if (snapshot.get().worker === true) {
    await flette().refresh();
    void flette()
      .sync()
      .catch(() => undefined);
  }
  return null;
}

/** Ends the session here and, when in reach, at the server. The replica must be gone before. */
export async function endSession(): Promise<void> {
  // The header is one that no foreign form can send: the server asks for it.
  const headers = { "X-Requested-With": "flette" };
  await fetch("/auth/sign-out", { method: "POST", headers }).catch(() => undefined);
  // A new page: nothing of the last user stays in memory.
  location.replace("/");
}

async function followJournal({ status }: Snapshot) {
  const key = status ? `${status.pending} ${status.parked} ${status.last_sync}` : "";
  if (key === waitingKey) return;
  waitingKey = key;
  await readJournal();
}

/** Reads the waiting changes again. */
export async function readJournal(): Promise<void> {
  const status = snapshot.get().status;
  const none = !status || status.pending + status.parked === 0;
  const entries = none
    ? []
    : await flette()
        .journal()
        .catch(() => []);
  const byRow = new Map<string, JournalEntry[]>();
  for (const entry of entries) {
    const key = `${entry.set}:${entry.id}`;
    byRow.set(key, [...(byRow.get(key) ?? []), entry]);
  }
  waiting.set(byRow);
}

/** A notice that goes away by itself, with at most one thing to do about it. */
export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
  action?: { label: string; run: () => void };
  onEnd?: () => void;
}

export const toasts = store<readonly Toast[]>([]);
const TOAST_MILLIS = 3_000;
/** Long enough to undo. */
const TOAST_ACTION_MILLIS = 6_000;
const TOAST_BAD_MILLIS = 12_000;
let lastToast = 0;

export function toast(text: string, options: Partial<Omit<Toast, "id" | "text">> = {}): void {
  const next: Toast = { id: ++lastToast, text, tone: "plain", ...options };
  // One plain notice at a time; those that offer or warn stay.
  for (const old of toasts.get()) if (old.tone === "plain" && !old.action) endToast(old.id);
  toasts.change((all) => [...all, next]);
  setTimeout(() => endToast(next.id), toastMillis(next));
}

function toastMillis({ tone, action }: Toast): number {
  if (tone === "bad") return TOAST_BAD_MILLIS;
  return action ? TOAST_ACTION_MILLIS : TOAST_MILLIS;
}

export function endToast(id: number): void {
  const ended = toasts.get().find((each) => each.id === id);
  if (!ended) return;
  toasts.change((all) => all.filter((each) => each.id !== id));
  ended.onEnd?.();
}

/** A question in a dialog. Resolves to the chosen value, or `null` when it was closed. */
export interface Question {
  title: string;
  text: string;
  choices: { value: string; label: string; tone?: "main" | "danger" }[];
  answer: (value: string | null) => void;
}

export const question = store<Question | null>(null);

export function ask(parts: Omit<Question, "answer">): Promise<string | null> {
  return new Promise((done) => {
    question.get()?.answer(null);
    question.set({
      ...parts,
      answer: (value) => {
        question.set(null);
        done(value);
      },
    });
  });
}
