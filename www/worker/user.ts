// Who the user is: learned from sign-ins that pass by and from the server, known without it.

import { json, signedOut, unreachable } from "./answers.ts";
import { closeEngine } from "./engine.ts";
import { heard } from "./heard.ts";
import { isSignedOut, settling } from "./owed.ts";
import { hint, roundSoon } from "./rounds.ts";
import {
  currentSession,
  databaseName,
  forgotten,
  keepSession,
  type Session,
  sessionOf,
  signOutOwed,
} from "./session.ts";

/** How long the server may take to say who is signed in while somebody is known here, milliseconds. */
const WHO_MILLIS_MAX = 2_500;

/**
 * Tells the server of a sign-out that it has not heard of. Resolves to whether none is owed any more; until then nobody is
 * signed in, whatever the server says. Never rejects.
 */
export const settled = settling(signOutOwed, () => {
  // The header is one that no foreign form can send: the server asks for it.
  const headers = { "X-Requested-With": "flette" };
  const signal = AbortSignal.timeout(WHO_MILLIS_MAX);
  return fetch("/auth/sign-out", { method: "POST", headers, cache: "no-store", signal });
});

/** Keeps the worker alive for work that goes on after an answer. */
type Keep = (work: Promise<unknown>) => void;

/** `POST /auth/sign-in`: the server's answer, remembered. */
export async function signIn(request: Request, keep: Keep): Promise<Response> {
  // Not while an older session is being ended: the answer to that would take the new cookie away.
  await settled();
  let response: Response;
  try {
    response = await fetch(request);
  } catch {
    return unreachable();
  }
  const named = response.ok ? sessionOf(await bodyOf(response)) : null;
  if (named) await remember(named, forgotten(), keep);
  return response;
}

/** `POST /auth/sign-out`: the server's answer; what it has heard of is not owed any more. */
export async function signOut(request: Request): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request);
  } catch {
    return unreachable();
  }
  // Where that cannot be noted, the server is told once more.
  if (isSignedOut(response)) await signOutOwed.clear().catch(() => undefined);
  return response;
}

/** `GET /auth/who`: the server's answer, or without one the user last known on this device. */
export async function who(request: Request, keep: Keep): Promise<Response> {
  if (!(await settled())) return signedOut();
  const before = forgotten();
  const session = await known();
  const response = await fetch(request, session ? { signal: AbortSignal.timeout(WHO_MILLIS_MAX) } : {}).catch(
    () => null,
  );
  // Out of reach, or too slow.
  if (!response) return session ? json(session) : unreachable();
  const named = sessionOf(await bodyOf(response));
  switch (heard(response.status, named !== null, session !== null)) {
    case "named":
      if (named) await remember(named, before, keep);
      return response;
    case "passed":
      return response;
    // The user's work here goes on; only rounds wait for a new sign-in.
    case "ended":
      return json({ ...session, signed_in: false });
    case "kept":
      return json(session);
    case "unreachable":
      return unreachable();
  }
}

/** Asks the server who is signed in, and remembers it. Never rejects. */
export async function learn(): Promise<void> {
  if (!(await settled())) return;
  const before = forgotten();
  const named = await askServer();
  if (named) await remember(named, before, () => undefined);
}

/**
 * Whether a round would run as the user whose changes it sends. A page that this worker does not control may have signed
 * in somebody else; then that user is remembered, and the first one's changes stay where they are. Without an answer
 * the round itself finds out what is wrong. Never rejects.
 */
export async function isSameUser(): Promise<boolean> {
  const before = forgotten();
  const session = await known();
  const current = await askServer();
  if (!session || !current || databaseName(current) === databaseName(session)) return true;
  await remember(current, before, () => undefined);
  return false;
}

/** Whom the server names; `null` where it names nobody, or does not answer. */
async function askServer(): Promise<Session | null> {
  const signal = AbortSignal.timeout(WHO_MILLIS_MAX);
  const response = await fetch("/auth/who", { cache: "no-store", signal }).catch(() => null);
  return response?.ok ? sessionOf(await bodyOf(response)) : null;
}

/** The body of an answer, which can still be read by others; `null` where it is no JSON. */
async function bodyOf(response: Response): Promise<unknown> {
  return response
    .clone()
    .json()
    .catch(() => null);
}

async function known(): Promise<Session | null> {
  return currentSession().catch(() => null);
}

/** Remembers a user whom the server named when it was asked after `forgottenBefore` users had been forgotten. */
async function remember(session: Session, forgottenBefore: number, keep: Keep): Promise<void> {
  try {
    if (forgotten() !== forgottenBefore) return;
    const before = await currentSession();
    await keepSession(session);
    if (!before || databaseName(before) !== databaseName(session)) await closeEngine();
    hint("data");
    keep(roundSoon());
  } catch {
    // The answer stands; without a session the app works online.
  }
}
