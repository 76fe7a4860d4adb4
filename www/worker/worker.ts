// The service worker: API and control requests go to the engine, the app shell comes from the precache, all else
// goes to the network. Thin on purpose: what to answer is decided in the engine.

import type { Flette } from "flette-engine";
import { type Hello, type PageMessage, PROTOCOL, SYNC_TAG } from "../client/protocol.ts";
import { json, problem, signedOutStatus, tagged } from "./answers.ts";
import { API_ROOT, closeEngine, currentEngine, destroyEngine } from "./engine.ts";
import { hint, inTurn, roundSoon, rounds } from "./rounds.ts";
import { currentSession, databaseName, dropSession, keepSession, sessionOf } from "./session.ts";
import { serveShell } from "./shell.ts";

declare const self: ServiceWorkerGlobalScope;

const CONTROL_ROOT = "/flette/";
/** Control requests that run a round. */
const ROUNDS = /^\/flette\/(sync|go-offline|go-online)$/;
/** CrmHttpError: no better code exists for "cannot answer now". */
const UNAVAILABLE = "0x8006088a";
const NOT_SIGNED_IN = "0x80044302";

let started = false;
let first = false;

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== self.location.origin) return;
  const request = event.request;
  if (url.pathname.startsWith(API_ROOT) || url.pathname.startsWith(CONTROL_ROOT)) {
    event.respondWith(answer(event, url));
  } else if (url.pathname === "/auth/sign-in" && request.method === "POST") {
    event.respondWith(signIn(event));
  } else if (url.pathname === "/auth/who" && request.method === "GET") {
    event.respondWith(who(event));
  }
});

// After our own listener: requests answered above never reach the shell's routes.
serveShell();

self.addEventListener("install", () => {
  first = self.registration.active === null;
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
    return withoutEngine(event.request, control, error);
  }
  if (!engine) return withoutSession(event.request, url, control);
  if (!started) {
    started = true;
    event.waitUntil(roundSoon());
  }
  try {
    const handle = () => engine.handle(event.request);
    // These run a round themselves.
    const response = await (ROUNDS.test(url.pathname) ? inTurn(handle) : handle());
    await after(event, url, response);
    return response;
  } catch (error) {
    return problem(503, UNAVAILABLE, `The offline engine failed: ${reason(error)}`);
  }
}

/** What an answered request sets in motion. */
async function after(event: FetchEvent, url: URL, response: Response) {
  if (event.request.method === "GET" || !response.ok) return;
  if (url.pathname === `${CONTROL_ROOT}sign-out`) {
    await destroyEngine();
    await dropSession();
    hint("data");
  } else if (url.pathname.startsWith(CONTROL_ROOT)) {
    hint("data");
    if (/\/(retry|resolve)$/.test(url.pathname)) event.waitUntil(roundSoon());
  } else {
    hint("data");
    event.waitUntil(roundSoon());
  }
}

async function withoutSession(request: Request, url: URL, control: boolean): Promise<Response> {
  if (!control) return fetch(request).catch(() => unreachable());
  if (url.pathname === `${CONTROL_ROOT}status`) return signedOutStatus();
  return problem(401, NOT_SIGNED_IN, "Nobody is signed in on this device.");
}

/** The engine cannot be opened: reads go to the server where it is in reach, writes are refused. */
async function withoutEngine(request: Request, control: boolean, error: unknown): Promise<Response> {
  const refusal = () => problem(503, UNAVAILABLE, `The offline engine could not be opened: ${reason(error)}`);
  if (control || request.method !== "GET") return refusal();
  return fetch(request)
    .then((response) => tagged(response, "network"))
    .catch(refusal);
}

async function signIn(event: FetchEvent): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(event.request);
  } catch {
    return unreachable();
  }
  if (response.ok) await remember(event, response.clone());
  return response;
}

/** Who is signed in: the server's answer, or without one what was last known. */
async function who(event: FetchEvent): Promise<Response> {
  try {
    const response = await fetch(event.request);
    if (response.ok) await remember(event, response.clone());
    // When the session at the server has ended, the user's work here goes on; only rounds wait for a new sign-in.
    if (response.status < 500 && response.status !== 401) return response;
    const session = await currentSession().catch(() => null);
    return session ? json({ ...session, signed_in: false }) : response;
  } catch {
    const session = await currentSession().catch(() => null);
    return session ? json(session) : unreachable();
  }
}

async function remember(event: FetchEvent, response: Response) {
  try {
    const session = sessionOf(await response.json());
    if (!session) return;
    const before = await currentSession();
    await keepSession(session);
    if (!before || databaseName(before) !== databaseName(session)) await closeEngine();
    hint("data");
    event.waitUntil(roundSoon());
  } catch {
    // The answer stands; without a session the app works online.
  }
}

function unreachable(): Response {
  return problem(503, UNAVAILABLE, "The server cannot be reached.");
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
