// `npm run sim -- --seeds N`: builds the simulation and runs it. `--first K`, `--threads T`, `--tell` and
// `--planted NAME|all` as it knows them.

import { programPath } from "./lib/cargo.mjs";
import { Failure, isMain, main, must, start } from "./lib/run.mjs";

const BUILD_MINUTES_MAX = 20;

// The profile of tests, with our own crates optimised: all others are those that the tests were built with.
const OPTIMISED = ["--config", "profile.dev.opt-level=2", "--config", "profile.dev.debug=false"];

/** Builds a program of the workspace, optimised but with every check; its path. */
async function build(name) {
  const planted = process.argv.includes("--planted") ? ["--features", "flette-sim/planted-bugs"] : [];
  const args = ["build", "--workspace", "--bin", name, ...OPTIMISED, ...planted];
  await must("cargo", args, { limit: BUILD_MINUTES_MAX, env: { CARGO_INCREMENTAL: "0" } });
  return programPath(name);
}

/** Builds a program and runs it with this script's arguments. */
export async function program(name) {
  const child = start(await build(name), process.argv.slice(2));
  const code = await new Promise((done) => child.on("close", done));
  if (code !== 0) throw new Failure(`${name} ended with code ${code}`);
}

if (isMain(import.meta.url)) await main(() => program("flette-sim"));
