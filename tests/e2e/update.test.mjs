// A new version of the site: pages that are open keep their worker until their user agrees to the next one.

import assert from "node:assert/strict";
import { appendFileSync, cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Browser, Firefox } from "./lib/browser.mjs";
import { site } from "./lib/server.mjs";
import { open, send, status, until, world } from "./lib/world.mjs";

/** Time for a worker that is installed to take over where nothing holds it back. */
const TAKE_OVER_MILLIS = 2_000;

function siteOfOurOwn(folder) {
  cpSync(site, folder, { recursive: true });
  return folder;
}

/** Notes from here on how often the page gets another worker. */
const watch = (page) =>
  page.evaluate(() => {
    globalThis.takenOver = 0;
    navigator.serviceWorker.addEventListener("controllerchange", () => globalThis.takenOver++);
  });

/** `undefined` once the page was loaded again. */
const takenOver = (page) => page.evaluate(() => globalThis.takenOver);

/** Publishes another worker and waits until the browser has installed it. */
async function publish(w, page) {
  appendFileSync(join(w.folder, "site/worker.js"), "\n// The next version.\n");
  await until("the next version is installed", () =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      await registration.update();
      return registration.waiting !== null || globalThis.takenOver > 0;
    }),
  );
}

for (const Kind of [Browser, Firefox]) {
  const skip = Kind.executable ? false : `skipped: no ${Kind.title}`;
  test(`an open page keeps its worker until its user agrees to the next one, in ${Kind.title}`, {
    skip,
  }, async (t) => {
    const w = await world(t, { served: siteOfOurOwn });
    const browser = await w.browser("anywhere", Kind);
    const page = await open(w, browser);
    const other = await browser.page();
    await other.goto(w.origin, { waitUntil: "load" });
    await until("the other page has the worker", () => status(other));
    await watch(page);
    await watch(other);

    await publish(w, page);
    await sleep(TAKE_OVER_MILLIS);
    const changes = [await takenOver(page), await takenOver(other)];
    assert.deepEqual(changes, [0, 0], "I-2: a new worker took over under an old page");
    // What an old page does meanwhile is done by its own version.
    w.proxy.cut();
    assert.equal((await send(page, "POST", "tasks", { subject: "Under the old version" })).status, 204);
    w.proxy.restore();

    // A page in the background is not painted, and cannot be clicked.
    await page.bringToFront();
    const agree = await page.waitForSelector('[data-testid="update-reload"]');
    await agree.click();
    await until("the page is loaded again", async () => (await takenOver(page)) === undefined);
    await other.waitForSelector('[data-testid="notice-reload"]');
    assert.equal(await takenOver(other), 1, "the other page is told, and not loaded again by itself");
    const kept = (await send(page, "GET", "tasks?$filter=subject eq 'Under the old version'")).body.value;
    assert.equal(kept.length, 1);
  });
}
