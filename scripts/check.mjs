// `npm run check`: formatting, lints, types and licences. All checks run even when one fails; each is one line of the
// summary, and the last line counts them: `N passed, N failed`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { browserTests } from "./lib/cargo.mjs";
import { report } from "./lib/count.mjs";
import { attempt, Failure, isMain, main, root } from "./lib/run.mjs";
import { filesBelow } from "./lib/stamp.mjs";
import { TARGET, wasmEnvironment } from "./lib/toolchain.mjs";
import { cargoDeny, setup, setupTests } from "./setup.mjs";
import { wasm } from "./wasm.mjs";

const CHECK_MINUTES_MAX = 15;
const tool = (name) => join(root, "node_modules/.bin", name);

const CHECKS = [
  ["setup", () => setup().then(setupTests)],
  ["rustfmt", () => run("cargo", ["fmt", "--all", "--check"])],
  [
    "clippy",
    () => run("cargo", ["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"]),
  ],
  ["clippy for wasm32", clippyForWasm],
  [
    "licences and sources",
    () => run(cargoDeny(), ["--log-level", "error", "check", "bans", "licenses", "sources"]),
  ],
  ["biome", () => run(tool("biome"), ["check", "--error-on-warnings"])],
  // The page's types include those generated with the wasm module.
  ["types", () => wasm().then(types)],
];

async function run(command, args, env) {
  const { code, timedOut } = await attempt(command, args, { env, limit: CHECK_MINUTES_MAX, show: "live" });
  if (timedOut) throw new Failure(`${command} took more than ${CHECK_MINUTES_MAX} minutes`);
  if (code !== 0) throw new Failure(`${command} ${args[0]} ended with code ${code}`);
}

async function clippyForWasm() {
  const tests = (await browserTests()).flatMap((name) => ["--test", name]);
  const targets = ["--package", "flette", "--lib", ...tests, "--target", TARGET];
  await run("cargo", ["clippy", ...targets, "--", "-D", "warnings"], await wasmEnvironment());
}

async function types() {
  const projects = filesBelow("www").filter((path) => /(^|[/\\])tsconfig(\.\w+)?\.json$/.test(path));
  if (existsSync(join(root, "tsconfig.json"))) projects.unshift("tsconfig.json");
  for (const project of projects) await run(tool("tsc"), ["--noEmit", "--project", project]);
}

async function check() {
  const results = [];
  for (const [name, body] of CHECKS) {
    console.log(`\n== ${name}`);
    const started = Date.now();
    let failed = 0;
    try {
      await body();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      console.error(`error: ${error.message}`);
      failed = 1;
    }
    results.push({ name, passed: 1 - failed, failed, seconds: (Date.now() - started) / 1000 });
  }
  report(results);
}

if (isMain(import.meta.url)) await main(check);
