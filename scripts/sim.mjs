// `npm run sim -- --seeds N`: builds the simulation and runs it. `--first K`, `--threads T` and `--tell` as it knows them.

import { join } from "node:path";
import { Failure, isMain, main, must, root, start } from "./lib/run.mjs";

const BUILD_MINUTES_MAX = 20;

/** Builds the simulation; the path of its program. */
async function build() {
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  await must("cargo", ["build", "--profile", "sim", "--package", "flette-sim"], { limit: BUILD_MINUTES_MAX });
  return join(target, "sim", process.platform === "win32" ? "flette-sim.exe" : "flette-sim");
}

async function sim() {
  const child = start(await build(), process.argv.slice(2));
  const code = await new Promise((done) => child.on("close", done));
  if (code !== 0) throw new Failure(`the simulation ended with code ${code}`);
}

if (isMain(import.meta.url)) await main(sim);
