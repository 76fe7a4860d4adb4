// Real browsers with their profile on disk: what an in-memory profile would forgive, it does not.

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const found = (candidates) => candidates.find((path) => path && existsSync(path));

const VIEWPORT = { width: 1280, height: 860 };

/** A browser crashes now and then while it starts, before any test has begun: then it is started again, once. */
async function launch(options) {
  try {
    return await puppeteer.launch(options);
  } catch (error) {
    console.log(`the browser did not start, once more: ${String(error.message).split("\n")[0]}`);
    return await puppeteer.launch(options);
  }
}

/** A Chromium. */
export class Browser {
  static title = "Chromium";
  static executable = found([
    process.env.CHROME,
    "/usr/bin/chromium",
    "/usr/bin/google-chrome",
    "/usr/bin/chromium-browser",
  ]);

  constructor(profile) {
    this.profile = profile;
  }

  async start() {
    // What a killed browser leaves behind would keep the next one from starting.
    for (const name of ["DevToolsActivePort", "SingletonLock", "SingletonCookie", "SingletonSocket"]) {
      rmSync(join(this.profile, name), { force: true });
    }
    this.browser = await launch({
      executablePath: Browser.executable,
      headless: true,
      userDataDir: this.profile,
      defaultViewport: VIEWPORT,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--lang=en-US",
      ],
    });
    return this;
  }

  async page() {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(30_000);
    this.errors ??= [];
    page.on("pageerror", (error) => this.errors.push(String(error)));
    return page;
  }

  async close() {
    await this.browser?.close().catch(() => {});
  }

  /** kill -9 of the browser with all its processes. */
  async kill() {
    const child = this.browser.process();
    const ended = new Promise((done) => child.once("exit", done));
    process.kill(-child.pid, "SIGKILL");
    await ended;
  }

  /** Stops every service worker of the browser at once, as the browser may do at any time. */
  async stopWorkers(page) {
    const session = await page.createCDPSession();
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await session.detach();
  }

  /** Lets Background Sync fire, as the browser does when it thinks that there is a network again. */
  async backgroundSync(page, origin, tag) {
    const session = await page.createCDPSession();
    const registered = new Promise((done) => {
      session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
        const ours = registrations.find((r) => r.scopeURL.startsWith(origin) && !r.isDeleted);
        if (ours) done(ours.registrationId);
      });
    });
    await session.send("ServiceWorker.enable");
    const registrationId = await registered;
    await session.send("ServiceWorker.dispatchSyncEvent", { origin, registrationId, tag, lastChance: false });
    await session.detach();
  }
}

/** A Firefox, by WebDriver BiDi; it offers no way to stop its workers. */
export class Firefox extends Browser {
  static title = "Firefox";
  static executable = found([process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"]);

  async start() {
    mkdirSync(this.profile, { recursive: true });
    this.browser = await launch({
      browser: "firefox",
      executablePath: Firefox.executable,
      headless: true,
      userDataDir: this.profile,
      defaultViewport: VIEWPORT,
    });
    return this;
  }
}
