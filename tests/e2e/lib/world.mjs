// One world per test: a server, a proxy in front of it, and browsers that know only the proxy.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Browser } from "./browser.mjs";
import { FaultProxy } from "./proxy.mjs";
import { Server, sampleDatabase, site } from "./server.mjs";

export const API = "/api/data/v9.2/";
const WAIT_MILLIS_MAX = 60_000;

/**
 * A world with Northwind and generated contacts; everything in it ends with the test. `served` makes another site than
 * the built one in a folder.
 */
export async function world(t, { rows = 300, profile, served } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "flette-e2e-"));
  const database = join(folder, "crm.sqlite");
  await sampleDatabase(database, rows);
  const pages = served ? served(join(folder, "site")) : site;
  const server = await new Server(database, { site: pages, profile }).start();
  const proxy = await new FaultProxy(server).start();
  const browsers = [];
  t.after(async () => {
    for (const browser of browsers) await browser.close();
    await proxy.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    folder,
    server,
    proxy,
    origin: proxy.origin,
    admin: new Client(server, "admin"),
    async browser(name, Kind = Browser) {
      const browser = await new Kind(join(folder, name)).start();
      browsers.push(browser);
      return browser;
    },
  };
}

/** Another user, on a line of his own. */
export class Client {
  constructor(server, user) {
    this.server = server;
    this.user = user;
  }

  async #headers() {
    const address = `http://127.0.0.1:${this.server.port}`;
    if (!this.token) {
      const form = new URLSearchParams({ grant_type: "password", username: this.user, password: "flette" });
      const answer = await fetch(`${address}/oauth2/v2.0/token`, { method: "POST", body: form });
      if (!answer.ok) throw new Error(`sign-in of ${this.user}: ${answer.status}`);
      this.token = (await answer.json()).access_token;
    }
    return {
      Authorization: `Bearer ${this.token}`,
      "Content-Type": "application/json",
      "OData-Version": "4.0",
    };
  }

  /** Gives { status, headers, body }; the body is parsed where it is JSON. */
  async send(method, path, body, headers = {}) {
    const answer = await fetch(`http://127.0.0.1:${this.server.port}${API}${path}`, {
      method,
      headers: { ...(await this.#headers()), ...headers },
      body: typeof body === "string" || body === undefined ? body : JSON.stringify(body),
    });
    return answered(answer.status, Object.fromEntries(answer.headers), await answer.text());
  }

  async get(path) {
    const answer = await this.send("GET", path);
    if (answer.status !== 200)
      throw new Error(`GET ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async patch(path, body) {
    const answer = await this.send("PATCH", path, body, { "If-Match": "*" });
    if (answer.status !== 204)
      throw new Error(`PATCH ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** How many rows match. */
  async count(set, filter) {
    return (await this.get(`${set}?$filter=${encodeURIComponent(filter)}`)).value.length;
  }
}

function answered(status, headers, text) {
  let body = text;
  try {
    body = JSON.parse(text);
  } catch {}
  return { status, headers, body };
}

/** The same from inside the page, by its own fetch: through the worker. */
export async function send(page, method, path, body, headers = {}) {
  const url = path.startsWith("/") ? path : API + path;
  const answer = await page.evaluate(
    async (method, url, body, headers) => {
      const answer = await fetch(url, {
        method,
        headers: { "Content-Type": "application/json", "OData-Version": "4.0", ...headers },
        body: body ?? undefined,
      });
      return [answer.status, Object.fromEntries(answer.headers), await answer.text()];
    },
    method,
    url,
    typeof body === "string" || body === undefined ? body : JSON.stringify(body),
    headers,
  );
  return answered(...answer);
}

export async function status(page) {
  return (await send(page, "GET", "/flette/status")).body;
}

/** Opens the web CRM, signs in, and waits for the end of the first sync. */
export async function signIn(page, origin, user = "demo") {
  await page.goto(origin, { waitUntil: "load" });
  await page.waitForSelector("[data-testid=sign-in-form]");
  await page.type("[data-testid=username]", user);
  await page.type("[data-testid=password]", "flette");
  await page.click("[data-testid=sign-in]");
}

/** Signs in once more by the button that the state bar offers when the session has ended. */
export async function signInAgain(page, user = "demo") {
  const button = await page.waitForSelector("[data-testid=sign-in-again]");
  await button.click();
  const form = "[data-testid=sign-in-dialog] [data-testid=sign-in-form]";
  await page.waitForSelector(form, { visible: true });
  await page.type(`${form} [data-testid=username]`, user);
  await page.type(`${form} [data-testid=password]`, "flette");
  await page.click(`${form} [data-testid=sign-in]`);
}

/** Waits until `check` gives something true; says what was last seen otherwise. */
export async function until(what, check, millis = WAIT_MILLIS_MAX) {
  const end = Date.now() + millis;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what} did not happen within ${millis} ms; last: ${last}`);
    await sleep(100);
  }
}

/** Waits until the replica holds everything and nothing waits. */
export function synced(page, what = "the sync") {
  return until(what, async () => {
    const now = await status(page);
    const whole = now.synced && now.pending === 0 && now.tables.every((table) => table.complete);
    if (!whole || now.syncing) throw new Error(JSON.stringify(now));
    return now;
  });
}

/** A signed-in, synced page. */
export async function open(w, browser, user) {
  const page = await browser.page();
  await signIn(page, w.origin, user);
  await synced(page, "the first sync");
  return page;
}
