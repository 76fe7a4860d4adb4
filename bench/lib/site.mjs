// The site that the bench's pages come from: the built site as it is, and beside it the bench's own pages.

import { copyFileSync, cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import webpack from "webpack";
import { root } from "../../tests/lib/process.mjs";

const PAGE = join(root, "bench/page");
/** `/` is the engine's; `/plain/` is for who has no worker. */
const FOLDERS = ["bench", "plain"];
/** Folders with a worker of their own, which has the folder's name. */
const WORKERS = ["ready", "durable"];

/** Makes the folder anew and gives its path. */
export async function benchSite() {
  const site = join(root, "target/bench/site");
  rmSync(site, { recursive: true, force: true });
  cpSync(process.env.FLETTE_SITE ?? join(root, "dist"), site, { recursive: true });
  for (const folder of [...FOLDERS, ...WORKERS]) {
    mkdirSync(join(site, folder), { recursive: true });
    copyFileSync(join(PAGE, "index.html"), join(site, folder, "index.html"));
  }
  for (const name of WORKERS) copyFileSync(join(PAGE, `${name}.js`), join(site, name, "worker.js"));
  await bundled(join(site, "bench"));
  return site;
}

function bundled(path) {
  const compiler = webpack({
    mode: "production",
    entry: join(PAGE, "main.js"),
    output: { path, filename: "page.js" },
    performance: { hints: false },
  });
  return new Promise((done, fail) => {
    compiler.run((error, stats) => {
      if (error) return fail(error);
      if (stats.hasErrors()) return fail(new Error(stats.toString("errors-only")));
      done();
    });
  });
}
