// A PostgreSQL of the test's own: a fresh cluster in a temporary folder on a free port. It ends and its folder goes
// when the process that started it ends, whatever ended that.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const SUPERUSER = "flette";
const START_MILLIS_MAX = 60_000;
const STOP_MILLIS_MAX = 30_000;
const CONNECTIONS_MAX = 200;
const PACKAGED = "/usr/lib/postgresql";
// PostgreSQL refuses to run as root; these are accounts that every system has, or that its package makes.
const UNPRIVILEGED = ["postgres", "nobody"];

// Ends with its standard input, which is a pipe from the process that started it.
const GUARD = `
"$1" -D "$2" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
  -c max_connections=${CONNECTIONS_MAX} -c fsync="$4" &
pid=$!
cat >/dev/null
kill -INT $pid
wait $pid
rm -rf "$2"
`;

export class Postgres {
  /** `durable`: commits reach the disk, as in earnest; without it the tests are faster. */
  constructor({ durable = false } = {}) {
    this.durable = durable;
    this.databases = 0;
  }

  async start() {
    this.bin = binFolder();
    this.port = await freePort();
    const account = unprivileged();
    this.folder = mkdtempSync(join(tmpdir(), "flette-postgres-"));
    if (account.uid !== undefined) chownSync(this.folder, account.uid, account.gid);
    const options = { ...account, cwd: "/", env: { ...process.env, LC_ALL: "C", HOME: this.folder } };
    const form = ["-D", this.folder, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
    const made = spawnSync(join(this.bin, "initdb"), form, { ...options, encoding: "utf8" });
    if (made.status !== 0) throw new Error(`initdb: ${made.error ?? made.stderr}`);
    const server = join(this.bin, "postgres");
    const args = ["-c", GUARD, "guard", server, this.folder, `${this.port}`, this.durable ? "on" : "off"];
    this.guard = spawn("/bin/sh", args, { ...options, stdio: ["pipe", "ignore", "pipe"] });
    await this.#ready();
    return this;
  }

  #ready() {
    let log = "";
    return new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`PostgreSQL does not start: ${log}`)), START_MILLIS_MAX);
      this.guard.once("error", fail);
      this.guard.once("exit", () => fail(new Error(`PostgreSQL ended: ${log}`)));
      this.guard.stderr.setEncoding("utf8").on("data", (text) => {
        log = (log + text).slice(-10_000);
        if (!log.includes("ready to accept connections")) return;
        clearTimeout(timer);
        done();
      });
    });
  }

  /** A new, empty database; gives its URL. */
  database() {
    this.databases += 1;
    const name = `flette_${this.databases}`;
    this.run("postgres", `CREATE DATABASE ${name}`);
    return `postgres://${SUPERUSER}@127.0.0.1:${this.port}/${name}`;
  }

  /** What a statement of the test's own prints, without frame or headings. */
  run(database, sql) {
    const to = ["-h", "127.0.0.1", "-p", `${this.port}`, "-U", SUPERUSER, "-d", database];
    const args = [
      "--no-psqlrc",
      "--quiet",
      "--tuples-only",
      "--no-align",
      "-v",
      "ON_ERROR_STOP=1",
      ...to,
      "-c",
      sql,
    ];
    return execFileSync(join(this.bin, "psql"), args, { encoding: "utf8" }).trim();
  }

  /** Ends it and removes its folder. */
  async stop() {
    if (!this.guard || this.guard.exitCode !== null) return;
    const ended = new Promise((done) => this.guard.once("exit", done));
    const timer = setTimeout(() => this.guard.kill("SIGKILL"), STOP_MILLIS_MAX);
    this.guard.stdin.end();
    await ended;
    clearTimeout(timer);
  }
}

/** Folder of PostgreSQL's programs: on PATH, or where Debian keeps the newest. */
function binFolder() {
  const path = (process.env.PATH ?? "").split(delimiter);
  const versions = existsSync(PACKAGED) ? readdirSync(PACKAGED).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...path, ...versions.map((version) => join(PACKAGED, version, "bin"))];
  const found = folders.find((folder) =>
    ["initdb", "postgres", "psql"].every((name) => existsSync(join(folder, name))),
  );
  if (!found) throw new Error("no PostgreSQL found: `node scripts/setup.mjs --tests` installs it");
  return found;
}

function unprivileged() {
  if (process.getuid?.() !== 0) return {};
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of UNPRIVILEGED) {
    const entry = lines.map((line) => line.split(":")).find((fields) => fields[0] === name);
    if (entry) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new Error(`PostgreSQL needs one of the accounts ${UNPRIVILEGED.join(", ")}`);
}

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}
