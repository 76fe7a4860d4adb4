// The app shell, precached by Workbox. Nothing else ever enters a cache: no API answer, no session.

import { cleanupOutdatedCaches, createHandlerBoundToURL, precacheAndRoute } from "workbox-precaching";
import { NavigationRoute, registerRoute } from "workbox-routing";

declare const self: ServiceWorkerGlobalScope & {
  __WB_MANIFEST: { url: string; revision: string | null }[];
};

/** Paths that belong to the server or to the engine, never to the shell. */
const NOT_THE_SHELL = [/^\/api\//, /^\/auth\//, /^\/oauth2\//, /^\/flette\//, /^\/healthz$/, /\.[a-z0-9]+$/i];

/** Sets up caching and routes; to be called while the worker script is evaluated. */
export function serveShell(): void {
  cleanupOutdatedCaches();
  precacheAndRoute(self.__WB_MANIFEST, { ignoreURLParametersMatching: [/^utm_/, /^source$/] });
  registerRoute(new NavigationRoute(createHandlerBoundToURL("/index.html"), { denylist: NOT_THE_SHELL }));
}
