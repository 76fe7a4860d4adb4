// Real browsers with their profile on disk, where throw-away contexts would keep IndexedDB in memory and flatter.

import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import puppeteer from "puppeteer-core";

const CALL_MILLIS_MAX = 15 * 60_000;
const VIEWPORT = { width: 1280, height: 860 };
/** With this, Firefox ends a worker that has nothing to do; it offers no command for it. */
const FIREFOX_IDLE_MILLIS = 300;
const FIREFOX_END_MILLIS = 2_500;
/** How long a browser that is closed may take to end. */
const END_MILLIS_MAX = 10_000;
const TIDY_MILLIS = 20;

const found = (paths) => paths.find((path) => path && existsSync(path));

class Browser {
  constructor(profile) {
    this.profile = profile;
  }

  /** A page at a path of the origin, loaded. */
  async page(url) {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(CALL_MILLIS_MAX);
    page.on("pageerror", (error) => console.error(`page: ${error}`));
    await page.goto(url, { waitUntil: "load" });
    return page;
  }

  /** Resolves when nobody writes to the profile any more. */
  async close() {
    const ended = this.#ended();
    await this.browser?.close().catch(() => undefined);
    await ended;
  }

  /** kill -9. */
  async kill() {
    const ended = this.#ended();
    this.browser.process().kill("SIGKILL");
    await ended;
  }

  /** The process, and what its driver does afterwards. */
  async #ended() {
    const child = this.browser?.process();
    if (!child) return;
    const exit = child.exitCode === null && child.signalCode === null ? once(child, "exit") : null;
    await Promise.race([exit, sleep(END_MILLIS_MAX, undefined, { ref: false })]);
    await this.tidied();
  }

  async tidied() {}
}

class Chromium extends Browser {
  static title = "Chromium";
  static executable = found([process.env.CHROME, "/usr/bin/chromium", "/usr/bin/google-chrome"]);

  async start() {
    for (const name of ["DevToolsActivePort", "SingletonLock", "SingletonCookie", "SingletonSocket"]) {
      rmSync(join(this.profile, name), { force: true });
    }
    this.browser = await puppeteer.launch({
      executablePath: Chromium.executable,
      headless: true,
      userDataDir: this.profile,
      defaultViewport: VIEWPORT,
      protocolTimeout: CALL_MILLIS_MAX,
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

  /** Ends every service worker, as the browser may do at any time. */
  async stopWorkers(page) {
    const session = await page.createCDPSession();
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await session.detach();
  }

  /** Folders that IndexedDB keeps for an origin, and the kind of store. */
  storage(port) {
    const folder = join(this.profile, "Default/IndexedDB");
    const names = readdirSync(folder).filter((name) => name.includes(`localhost_${port}`));
    const kind = names.some((name) => name.endsWith(".leveldb")) ? "LevelDB" : "SQLite";
    return { kind, bytes: names.reduce((sum, name) => sum + size(join(folder, name)), 0) };
  }
}

class Firefox extends Browser {
  static title = "Firefox";
  static executable = found([process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"]);

  /** `mortal`: workers end soon when they have nothing to do. */
  async start({ mortal = false } = {}) {
    mkdirSync(this.profile, { recursive: true });
    this.browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: Firefox.executable,
      headless: true,
      userDataDir: this.profile,
      defaultViewport: VIEWPORT,
      protocolTimeout: CALL_MILLIS_MAX,
      extraPrefsFirefox: {
        "privacy.reduceTimerPrecision": false,
        "dom.min_background_timeout_value": 4,
        ...(mortal ? { "dom.serviceWorkers.idle_timeout": FIREFOX_IDLE_MILLIS } : {}),
      },
    });
    return this;
  }

  async stopWorkers() {
    await sleep(FIREFOX_END_MILLIS);
  }

  /** The driver puts the settings back that it found, when the process has ended. */
  async tidied() {
    const backups = ["prefs.js.puppeteer", "user.js.puppeteer"].map((name) => join(this.profile, name));
    const until = Date.now() + END_MILLIS_MAX;
    while (backups.some(existsSync) && Date.now() < until) await sleep(TIDY_MILLIS);
  }

  storage(port) {
    const folder = join(this.profile, "storage/default", `http+++localhost+${port}`, "idb");
    return { kind: "SQLite", bytes: size(folder) };
  }
}

const KINDS = { chromium: Chromium, firefox: Firefox };

/** The browsers to measure in: `--browser chromium`, `firefox`, or both. */
export function browsers(named) {
  const wanted = named ? [named] : Object.keys(KINDS);
  return wanted.map((name) => {
    const Kind = KINDS[name];
    if (!Kind?.executable) throw new Error(`no browser ${name}`);
    return Kind;
  });
}

function size(path) {
  const known = statSync(path);
  if (!known.isDirectory()) return known.size;
  return readdirSync(path).reduce((sum, name) => sum + size(join(path, name)), 0);
}
