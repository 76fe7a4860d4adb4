// Registration of the service worker, through a Trusted Types policy that lets one URL pass.

import { type Hello, type PageMessage, PROTOCOL } from "./protocol.ts";

/** How long the worker may take to say hello before it counts as too old, milliseconds. */
const HELLO_MILLIS_MAX = 5_000;
/** How often a page that stays open asks for a new version, milliseconds. */
const UPDATE_CHECK_MILLIS = 60 * 60_000;

interface PolicyFactory {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string };
}

/** A registered worker. */
export interface Registration {
  /** Resolves once a worker controls this page. */
  readonly controlled: Promise<void>;
  /** Makes the waiting version take over; every page of the origin then changes to it. */
  activate(): void;
  /** Whether the controlling worker speaks this page's protocol. */
  agrees(): Promise<boolean>;
  stop(): void;
}

/** What the page wants to hear of. */
export interface RegistrationEvents {
  /** A new version is installed and waits until `activate` is called or all pages are closed. */
  onUpdateReady(): void;
  /** Another version took over this page: its assets may be gone, so reload when it suits. */
  onReplaced(): void;
}

/**
 * Registers `/worker.js` or another script of this origin.
 *
 * @throws TypeError where service workers are not supported, DOMException where the browser refuses.
 */
export async function register(script: string, events: RegistrationEvents): Promise<Registration> {
  if (!("serviceWorker" in navigator)) throw new TypeError("This browser has no service workers.");
  const container = navigator.serviceWorker;
  let controlledBefore = container.controller !== null;
  const controlled = new Promise<void>((done) => {
    if (container.controller) done();
    container.addEventListener("controllerchange", () => {
      if (controlledBefore) events.onReplaced();
      controlledBefore = true;
      done();
    });
  });
  const registration = await container.register(trusted(script), { scope: "/", updateViaCache: "none" });
  watch(registration, events);
  const timer = setInterval(() => void registration.update().catch(() => undefined), UPDATE_CHECK_MILLIS);
  return {
    controlled,
    activate: () => registration.waiting?.postMessage({ type: "flette:activate" } satisfies PageMessage),
    agrees: () => agrees(container.controller),
    stop: () => clearInterval(timer),
  };
}

/** Chrome 140 and Safari 26 check the script URL against Trusted Types. */
function trusted(script: string): string {
  const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
  if (!factory) return script;
  const policy = factory.createPolicy("flette", {
    createScriptURL: (url) => {
      if (url !== script) throw new TypeError("Only the service worker may be loaded by this policy.");
      return url;
    },
  });
  return policy.createScriptURL(script);
}

function watch(registration: ServiceWorkerRegistration, events: RegistrationEvents) {
  const offer = (worker: ServiceWorker | null) => {
    if (worker?.state === "installed" && registration.active) events.onUpdateReady();
  };
  offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = registration.installing;
    worker?.addEventListener("statechange", () => offer(worker));
  });
}

function agrees(worker: ServiceWorker | null): Promise<boolean> {
  if (!worker) return Promise.resolve(true);
  return new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => done(false), HELLO_MILLIS_MAX);
    port1.onmessage = (event: MessageEvent<Hello>) => {
      clearTimeout(timer);
      done(event.data.protocol === PROTOCOL);
    };
    worker.postMessage({ type: "flette:hello" } satisfies PageMessage, [port2]);
  });
}
