// A real flette-server in a process of its own.

import { spawn } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const START_MILLIS_MAX = 60_000;
const LOG_CHARACTERS_KEPT = 20_000;

/** The built server; `npm run build` leaves it there. `FLETTE_SERVER` names another. */
export const binary = process.env.FLETTE_SERVER ?? join(root, "target/release/flette-server");

const live = new Set();
process.on("exit", () => {
  for (const child of live) child.kill("SIGKILL");
});
// A test runner that loses patience sends a signal, which ends a process without its exit.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

export class Server {
  /**
   * @param {string} database path of an SQLite file, or a URL (`sqlite:…`, `postgres://…`)
   * @param {object} options demo (rows), site (folder), port, profile, args (more of the command line), env,
   *   startMillisMax
   */
  constructor(database, options = {}) {
    this.database = /^[a-z]{2,}:/.test(database) ? database : `sqlite:${database}`;
    this.options = options;
    this.port = options.port ?? 0;
  }

  /** Starts the process; a restart takes the same port again. */
  async start() {
    const {
      site,
      demo,
      profile,
      args: more = [],
      env = {},
      startMillisMax = START_MILLIS_MAX,
    } = this.options;
    const args = ["serve", "--listen", `127.0.0.1:${this.port}`, "--database", this.database];
    if (site) args.push("--site", site);
    if (demo !== undefined) args.push("--demo", String(demo));
    if (profile) args.push("--profile", profile);
    const child = spawn(binary, [...args, ...more], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    live.add(child);
    child.once("exit", () => live.delete(child));
    this.child = child;
    this.log = "";
    child.stderr.on("data", (data) => {
      this.log = (this.log + data).slice(-LOG_CHARACTERS_KEPT);
    });
    this.port = await new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`server does not start: ${this.log}`)), startMillisMax);
      child.once("error", fail);
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
