// What the measurements in browsers share: one server per number of rows, on a database made once and copied; the
// request with which the engine begins a table; rows of the server to compare with; profiles on disk.

import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { FaultProxy } from "../../tests/e2e/lib/proxy.mjs";
import { binary, root, Server } from "../../tests/lib/process.mjs";
import { Client } from "../../tests/server/lib/client.mjs";
import { benchSite } from "./site.mjs";

export const USER = "demo";
const FOLDER = join(root, "target/bench");
const FILL_MILLIS_MAX = 60 * 60_000;
const SAMPLE_ROWS = 20;
/** Files of a profile that belong to a browser that runs, or to its driver. */
const PASSING = /\/(Singleton\w+|lock|user\.js|\w+\.js\.puppeteer)$/;

let site;
const stages = new Map();

/** The server with so many contacts; one for the whole run. Who changes rows on it takes one for a purpose of its own. */
export async function stageOf(rows, purpose = "reading") {
  site ??= benchSite();
  const key = `${purpose} ${rows}`;
  const opening = stages.get(key) ?? new Stage(rows).start(await site);
  stages.set(key, opening);
  return opening;
}

/** Ends all servers and deletes the profiles. */
export async function endStages() {
  for (const opening of stages.values()) await (await opening).stop();
  stages.clear();
}

class Stage {
  #profiles = 0;

  constructor(rows) {
    this.rows = rows;
    /** Profiles that later measurements go on with, by what is in them. */
    this.kept = new Map();
  }

  async start(folder) {
    this.site = folder;
    mkdirSync(FOLDER, { recursive: true });
    this.folder = mkdtempSync(join(FOLDER, "run-"));
    const database = join(this.folder, "crm.sqlite");
    copyFileSync(await template(this.rows), database);
    this.server = await new Server(database, { site: folder }).start();
    this.port = this.server.port;
    this.origin = `http://localhost:${this.port}`;
    this.client = new Client(this.server, USER);
    return this;
  }

  async stop() {
    this.client.close();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Starts a browser on a new profile, or on a given one. */
  browser(Kind, options = {}) {
    this.#profiles += 1;
    const profile = options.profile ?? join(this.folder, `profile-${this.#profiles}`);
    return new Kind(profile).start(options);
  }

  /** Keeps a profile for later measurements, in place of the one kept before. */
  keep(key, profile) {
    const before = this.kept.get(key);
    this.kept.set(key, profile);
    if (before) this.drop(before);
  }

  /** A copy of a profile, for who changes what is in it. */
  copied(profile) {
    this.#profiles += 1;
    const copy = join(this.folder, `profile-${this.#profiles}`);
    cpSync(profile, copy, { recursive: true, filter: (path) => !PASSING.test(path) });
    return copy;
  }

  drop(profile) {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A page with the engine's worker in control, for these tables. */
  async engine(browser, tables) {
    const page = await browser.page(`${this.origin}/bench/index.html`);
    await call(page, "flette.register", `/worker.js?tables=${tables.join("%2C")}`, "/");
    return page;
  }

  /** A page with the worker that answers ready bodies in control. */
  ready(browser) {
    return this.#ruled(browser, "ready");
  }

  /** A page with the worker that makes what it is sent durable in control. */
  durable(browser) {
    return this.#ruled(browser, "durable");
  }

  async #ruled(browser, folder) {
    const page = await browser.page(`${this.origin}/${folder}/index.html`);
    await call(page, "flette.register", `/${folder}/worker.js`, `/${folder}/`);
    return page;
  }

  /** A page without a worker, signed in. */
  async plain(browser) {
    const page = await browser.page(`${this.origin}/plain/index.html`);
    await call(page, "flette.signIn", USER);
    return page;
  }

  /** The request with which the engine begins to read contacts, as { url, headers }: seen on its way. */
  firstCall(Kind) {
    this.seen ??= this.#watch(Kind);
    return this.seen;
  }

  async #watch(Kind) {
    const proxy = await new FaultProxy(this.server).start();
    let found;
    proxy.hold(({ url, headers }) => {
      if (!found && /\/contacts\?/.test(url)) {
        const wanted = Object.entries(headers).filter(([name]) => /^(prefer|odata-|accept$)/.test(name));
        found = { url, headers: Object.fromEntries(wanted) };
      }
      return false;
    });
    const browser = await this.browser(Kind);
    try {
      const page = await this.engine(
        { page: (url) => browser.page(url.replace(this.origin, proxy.origin)) },
        ["contact"],
      );
      await call(page, "flette.firstSync", USER, "/api/data/v9.2/contacts?$top=1");
    } finally {
      await browser.close();
      await proxy.stop();
    }
    return found;
  }

  /** Ids of all contacts, and some of them with every column that the engine reads. */
  async truth(Kind) {
    if (this.known) return this.known;
    const { rows } = await this.client.all("contacts?$select=contactid");
    const ids = rows.map((row) => row.contactid);
    const { url, headers } = await this.firstCall(Kind);
    const sample = [];
    for (let n = 0; n < SAMPLE_ROWS; n++) {
      const id = ids[Math.floor(Math.random() * ids.length)];
      const { prefer } = headers;
      sample.push(
        await this.client.get(`contacts(${id})?${url.split("?")[1]}`, { Prefer: annotations(prefer) }),
      );
    }
    this.known = { ids, sample };
    return this.known;
  }
}

const annotations = (prefer) => /odata\.include-annotations="[^"]*"/.exec(prefer)?.[0] ?? "";

/** Calls a function of the bench in a page: `flette.sync` is `bench.flette.sync`. */
export function call(page, name, ...args) {
  return page.evaluate(
    (path, args) => path.split(".").reduce((known, part) => known[part], globalThis.bench)(...args),
    name,
    args,
  );
}

/** A database with so many contacts, made once for each build of the server. */
async function template(rows) {
  const built = Math.round(statSync(binary).mtimeMs);
  const path = join(FOLDER, `contacts-${rows}-${built}.sqlite`);
  if (!existsSync(path)) {
    console.log(`filling a database with ${rows} contacts`);
    const fresh = `${path}.${process.pid}`;
    const server = await new Server(fresh, { demo: rows, startMillisMax: FILL_MILLIS_MAX }).start();
    await server.stop();
    copyFileSync(fresh, path);
    rmSync(fresh);
  }
  return path;
}
