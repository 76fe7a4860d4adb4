// One world per test file and database: a server process on a fresh database, and users that talk to it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { Postgres } from "../../lib/postgres.mjs";
import { Server } from "../../lib/process.mjs";
import { Client } from "./client.mjs";

const KINDS = ["sqlite", "postgres"];

/** The databases to test on: `FLETTE_DATABASES=sqlite` leaves the other out. */
export const kinds = (process.env.FLETTE_DATABASES ?? KINDS.join(",")).split(",");

/**
 * The same tests on each database. `body(world, kind)` declares them; the world's server runs while they do.
 * Options are the server's; `rows`: made-up contacts; `durable`: PostgreSQL syncs.
 */
export function onEachDatabase(name, options, body) {
  for (const kind of kinds) {
    describe(`${name} (${kind})`, () => {
      const world = new World(kind, options);
      before(() => world.start());
      after(() => world.stop());
      body(world, kind);
    });
  }
}

export class World {
  constructor(kind, { rows = 0, durable = false, ...options } = {}) {
    if (!KINDS.includes(kind)) throw new Error(`no database ${kind}; there are: ${KINDS.join(", ")}`);
    this.kind = kind;
    this.options = { demo: rows, ...options };
    this.durable = durable;
    this.clients = [];
    this.servers = [];
  }

  async start() {
    this.folder = mkdtempSync(join(tmpdir(), "flette-server-"));
    if (this.kind === "postgres") {
      this.postgres = await new Postgres({ durable: this.durable }).start();
      this.database = this.postgres.database();
    } else {
      this.database = `sqlite:${join(this.folder, "crm.sqlite")}`;
    }
    this.server = await this.another();
    this.demo = this.client("demo");
    this.admin = this.client("admin");
    return this;
  }

  /** One more server process on the same database. */
  async another(options = {}) {
    const server = new Server(this.database, { ...this.options, ...options });
    this.servers.push(server);
    return server.start();
  }

  /** A user of his own connections; `server` defaults to the first. */
  client(user, server = this.server) {
    const client = new Client(server, user);
    this.clients.push(client);
    return client;
  }

  async stop() {
    for (const client of this.clients) client.close();
    for (const server of this.servers) await server.stop();
    await this.postgres?.stop();
    if (this.folder) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
