// Who the user is: learned from sign-ins that pass by and from the server, known without it.

import { json, unreachable } from "./answers.ts";
import { closeEngine } from "./engine.ts";
import { hint, roundSoon } from "./rounds.ts";
import { currentSession, databaseName, keepSession, type Session, sessionOf } from "./session.ts";

/** How long the server may take to say who is signed in while somebody is known here, milliseconds. */
const WHO_MILLIS_MAX = 2_500;

/** Keeps the worker alive for work that goes on after an answer. */
type Keep = (work: Promise<unknown>) => void;

/** `POST /auth/sign-in`: the server's answer, remembered. */
export async function signIn(request: Request, keep: Keep): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request);
  } catch {
    return unreachable();
  }
  if (response.ok) await remember(response.clone(), keep);
  return response;
}

/** `GET /auth/who`: the server's answer, or without one the user last known on this device. */
export async function who(request: Request, keep: Keep): Promise<Response> {
  const session = await known();
  try {
    const response = await fetch(request, session ? { signal: AbortSignal.timeout(WHO_MILLIS_MAX) } : {});
    if (response.ok) await remember(response.clone(), keep);
    // When the session at the server has ended, the user's work here goes on; only rounds wait for a new sign-in.
    if (session && response.status === 401) return json({ ...session, signed_in: false });
    if (response.status < 500) return response;
  } catch {
    // Out of reach, or too slow.
  }
  return session ? json(session) : unreachable();
}

/** Asks the server who is signed in, and remembers it. Never rejects. */
export async function learn(): Promise<void> {
  const response = await askServer();
  if (response?.ok) await remember(response, () => undefined);
}

/**
 * Whether a round would run as the user whose changes it sends. A page that this worker does not control may have signed
 * in somebody else; then that user is remembered, and the first one's changes stay where they are. Without an answer
 * the round itself finds out what is wrong. Never rejects.
 */
export async function isSameUser(): Promise<boolean> {
  const session = await known();
  const response = await askServer();
  if (!session || !response?.ok) return true;
  const copy = response.clone();
  const current = sessionOf(await response.json().catch(() => null));
  if (!current || databaseName(current) === databaseName(session)) return true;
  await remember(copy, () => undefined);
  return false;
}

async function askServer(): Promise<Response | null> {
  return fetch("/auth/who", { cache: "no-store", signal: AbortSignal.timeout(WHO_MILLIS_MAX) }).catch(
    () => null,
  );
}

async function known(): Promise<Session | null> {
  return currentSession().catch(() => null);
}

async function remember(response: Response, keep: Keep): Promise<void> {
  try {
    const session = sessionOf(await response.json());
    if (!session) return;
    const before = await currentSession();
    await keepSession(session);
    if (!before || databaseName(before) !== databaseName(session)) await closeEngine();
    hint("data");
    keep(roundSoon());
  } catch {
    // The answer stands; without a session the app works online.
  }
}
