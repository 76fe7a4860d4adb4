// Database files for the tests in browsers: Northwind and generated contacts, made once and copied.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { binary, root, Server } from "../../lib/process.mjs";

export { binary, Server };

/** The built site; `npm run build` leaves it there. */
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
