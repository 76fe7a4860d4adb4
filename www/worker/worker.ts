// The service worker: API and control requests go to the engine, the app shell comes from the precache, all else
// goes to the network. Thin on purpose: what to answer is decided in the engine.

import type { Flette } from "flette-engine";
import { type Hello, type PageMessage, PROTOCOL, SYNC_TAG } from "../client/protocol.ts";
import {
  NOT_SIGNED_IN,
  problem,
  signedOut,
  signedOutStatus,
  tagged,
  UNAVAILABLE,
  UNSENT,
  unreachable,
} from "./answers.ts";
import { API_ROOT, currentEngine, destroyEngine, destroyUnopened } from "./engine.ts";
import { askBeforeRounds, hint, hintWritten, inTurn, roundOnStart, roundSoon, rounds } from "./rounds.ts";
import { serveShell } from "./shell.ts";
import { isSameUser, learn, settled, signIn, signOut, who } from "./user.ts";

declare const self: ServiceWorkerGlobalScope;
/** A bug planted on purpose, to see whether tests catch it: `false` in every build that is not made for that. */
declare const PLANTED_TAKE_OVER: boolean;

const CONTROL_ROOT = "/flette/";
/** Control requests that run a round. */
const ROUNDS = /^\/flette\/(sync|go-offline|go-online)$/;
/** How often pages are told to look how far it is, while a control request runs rounds. */
const TELL_MILLIS = 500;

askBeforeRounds(isSameUser);

let started = false;
let first = false;

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== self.location.origin) return;
  const request = event.request;
  if (url.pathname.startsWith(API_ROOT) || url.pathname.startsWith(CONTROL_ROOT)) {
    event.respondWith(answer(event, url));
  } else if (url.pathname === "/auth/sign-in" && request.method === "POST") {
    event.respondWith(signIn(event.request, (work) => event.waitUntil(work)));
  } else if (url.pathname === "/auth/sign-out" && request.method === "POST") {
    event.respondWith(signOut(event.request));
  } else if (url.pathname === "/auth/who" && request.method === "GET") {
    event.respondWith(who(event.request, (work) => event.waitUntil(work)));
  }
});

// After our own listener: requests answered above never reach the shell's routes.
serveShell();

self.addEventListener("install", () => {
  first = self.registration.active === null;
  if (PLANTED_TAKE_OVER) self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  // The first version takes the pages that are open, so that the first visit works offline. A later one takes over
  // only when they are closed or the user says so: a page must keep the assets it was loaded with.
  if (first) event.waitUntil(self.clients.claim());
});

self.addEventListener("message", (event) => {
  const message = event.data as PageMessage | null;
  if (message?.type === "flette:hello") event.ports[0]?.postMessage({ protocol: PROTOCOL } satisfies Hello);
  if (message?.type === "flette:activate") event.waitUntil(self.skipWaiting());
  if (message?.type === "flette:round") event.waitUntil(rounds());
});

self.addEventListener("sync", ((event: ExtendableEvent & { tag: string }) => {
  if (event.tag !== SYNC_TAG) return;
  // A rejection makes the browser try again.
  const round = rounds().then((done) => {
    if (!done) throw new Error("Work is left.");
  });
  event.waitUntil(round);
}) as EventListener);

/** An API or control request. Never rejects. */
async function answer(event: FetchEvent, url: URL): Promise<Response> {
  const control = url.pathname.startsWith(CONTROL_ROOT);
  let engine: Flette | null;
  try {
    engine = await currentEngine();
  } catch (error) {
    return isSignOut(event.request, url)
      ? signOutUnopened(event.request)
      : withoutEngine(event.request, control, error);
  }
  if (!engine) return withoutSession(event, url, control);
  if (!started) {
    started = true;
    event.waitUntil(roundOnStart());
  }
  try {
    const handle = () => engine.handle(event.request);
    const response = await (ROUNDS.test(url.pathname) ? inTurn(() => withRound(handle)) : handle());
    await after(event, url, engine, response);
    return response;
  } catch (error) {
    return problem(503, UNAVAILABLE, `The offline engine failed: ${reason(error)}`);
  }
}

/** A control request that runs a round: only as the user whose changes would be sent. */
async function withRound(handle: () => Promise<Response>): Promise<Response> {
  if (await isSameUser()) {
    // It may have waited for its turn, and pages have ceased to ask.
    const telling = setInterval(() => hint("status"), TELL_MILLIS);
    return handle().finally(() => clearInterval(telling));
  }
  return problem(409, NOT_SIGNED_IN, "Another user is signed in at the server. Reload the page.");
}

/** What an answered request sets in motion. */
async function after(event: FetchEvent, url: URL, engine: Flette, response: Response) {
  if (event.request.method === "GET" || !response.ok) return;
  if (isSignOut(event.request, url)) {
    await destroyEngine(engine);
    hint("data");
  } else if (url.pathname.startsWith(CONTROL_ROOT)) {
    hint("data");
    if (/\/(retry|discard|merge|resolve)$/.test(url.pathname)) event.waitUntil(roundSoon());
  } else {
    // The answer need not wait for what other pages are told.
    event.waitUntil(Promise.all([hintWritten(), roundSoon()]));
  }
}

async function withoutSession(event: FetchEvent, url: URL, control: boolean): Promise<Response> {
  if (!control) {
    // With the cookie of a former user the server would answer whoever is here now.
    if (!(await settled())) return signedOut();
    const response = await fetch(event.request).catch(() => unreachable());
    // Somebody is signed in after all: the sign-in passed by this worker.
    if (response.ok) event.waitUntil(learn());
    return response;
  }
  if (url.pathname === `${CONTROL_ROOT}status`) return signedOutStatus();
  return signedOut();
}

const isSignOut = (request: Request, url: URL) =>
  request.method === "POST" && url.pathname === `${CONTROL_ROOT}sign-out`;

/** The engine cannot be opened: whether changes wait cannot be told, so that they must be given up by name. */
async function signOutUnopened(request: Request): Promise<Response> {
  const body = (await request.json().catch(() => null)) as { unsent?: unknown } | null;
  if (body?.unsent !== "discard") {
    return problem(409, UNSENT, "The replica cannot be opened. Changes that were not sent would be lost.");
  }
  try {
    await destroyUnopened();
  } catch (error) {
    return problem(503, UNAVAILABLE, `The replica could not be deleted: ${reason(error)}`);
  }
  hint("data");
  return new Response(null, { status: 204 });
}

/** The engine cannot be opened: reads go to the server where it is in reach, writes are refused. */
async function withoutEngine(request: Request, control: boolean, error: unknown): Promise<Response> {
  const refusal = () => problem(503, UNAVAILABLE, `The offline engine could not be opened: ${reason(error)}`);
  if (control || request.method !== "GET") return refusal();
  return fetch(request)
    .then((response) => tagged(response, "network"))
    .catch(refusal);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
