// A real flette-server in a process of its own, on a database file of its own.

import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const START_MILLIS_MAX = 60_000;

/** The built server and site; `npm run build` leaves them there. */
export const binary = process.env.FLETTE_SERVER ?? join(root, "target/release/flette-server");
export const site = process.env.FLETTE_SITE ?? join(root, "dist");

/** Folder of the Northwind files (`FLETTE_SHARED` names another), or of the project's own where these are not at hand. */
export function sampleFolder() {
  const named = process.env.FLETTE_SHARED;
  const shared = named ? [named] : [join(root, "../shared"), join(root, "../../shared")];
  const found = shared.find((folder) => existsSync(join(folder, "data/northwind/customers.csv")));
  return found ? join(found, "data/northwind") : join(root, "tests/data");
}

/** Whether the Northwind files are at hand: 91 customers and 29 suppliers. */
export const hasNorthwind = !sampleFolder().startsWith(join(root, "tests/data"));

/** Copies a database with Northwind and `rows` generated contacts to `path`; it is made once per server build. */
export async function sampleDatabase(path, rows) {
  const folder = join(root, "target/e2e");
  mkdirSync(folder, { recursive: true });
  const built = Math.round(statSync(binary).mtimeMs);
  const template = join(folder, `sample-${rows}-${hasNorthwind ? "northwind" : "own"}-${built}.sqlite`);
  if (!existsSync(template)) {
    const fresh = `${template}.${process.pid}`;
    const server = new Server(fresh, { demo: rows });
    await server.start();
    await server.stop();
    for (const file of ["customers.csv", "suppliers.csv"]) {
      importCsv(fresh, "accounts", join(sampleFolder(), file));
    }
    copyFileSync(fresh, template);
  }
  copyFileSync(template, path);
}

/** `flette-server import`; gives what it printed. */
export function importCsv(database, table, file) {
  const args = ["import", "--database", `sqlite:${database}`, "--table", table, file];
  const done = spawnSync(binary, args, { encoding: "utf8" });
  if (done.status !== 0) {
    throw new Error(`flette-server ${args.join(" ")}: ${done.stderr}`);
  }
  return done.stdout + done.stderr;
}

export class Server {
  /** @param {string} database path of the file; options: demo (rows), site (folder), port, profile */
  constructor(database, options = {}) {
    this.database = database;
    this.options = options;
    this.port = options.port ?? 0;
  }

  /** Starts the process; a restart takes the same port again. */
  async start() {
    const args = ["serve", "--listen", `127.0.0.1:${this.port}`, "--database", `sqlite:${this.database}`];
    if (this.options.site) args.push("--site", this.options.site);
    if (this.options.demo !== undefined) args.push("--demo", String(this.options.demo));
    if (this.options.profile) args.push("--profile", this.options.profile);
    const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    this.log = "";
    child.stderr.on("data", (data) => {
      this.log = (this.log + data).slice(-20_000);
    });
    this.port = await new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`server does not start: ${this.log}`)), START_MILLIS_MAX);
      child.once("exit", (code) => fail(new Error(`server ended with ${code}: ${this.log}`)));
      createInterface({ input: child.stdout }).once("line", (line) => {
        clearTimeout(timer);
        const port = /^listening on http:\/\/.*:(\d+)$/.exec(line)?.[1];
        port ? done(Number(port)) : fail(new Error(`unexpected line: ${line}`));
      });
    });
    return this;
  }

  /** Ends the process in good order. */
  stop() {
    return this.#end("SIGTERM");
  }

  /** kill -9. */
  kill() {
    return this.#end("SIGKILL");
  }

  async #end(signal) {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  }
}
