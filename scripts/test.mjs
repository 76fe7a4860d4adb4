// `npm test`: every test, or the suites named: `npm test -- rust sim browser units server e2e`. Output streams through and is
// kept in target/test-logs. The last line counts all suites: `N passed, N failed`.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { build, server as buildServer } from "./build.mjs";
import { browserTests, programPath } from "./lib/cargo.mjs";
import { countTests, report } from "./lib/count.mjs";
import { attempt, Failure, isMain, main, must, root } from "./lib/run.mjs";
import { filesBelow } from "./lib/stamp.mjs";
import { TARGET, wasmEnvironment } from "./lib/toolchain.mjs";
import { wasmBindgenFolder } from "./lib/tools.mjs";
import { browserEnvironment, setup, setupTests } from "./setup.mjs";

const LOGS = join(root, "target/test-logs");
// Node's limit holds for a whole file. Each test of an e2e file starts a server, a browser and a first pull.
const E2E_FILE_MILLIS_MAX = 600_000;
const UNIT_FILE_MILLIS_MAX = 60_000;
const SERVER_FILE_MILLIS_MAX = 900_000;
const SIMULATED_SEEDS = 3000;
const BUILD_MINUTES_MAX = 20;

// Each suite answers with the command to run, or with nothing while it has no tests.
const SUITES = {
  rust: { limit: 50, plan: rust },
  sim: { limit: 40, plan: simulation },
  browser: { limit: 20, plan: browser },
  units: { limit: 5, plan: units },
  server: { limit: 30, plan: server },
  e2e: { limit: 20, plan: e2e },
};

async function rust() {
  return { command: "cargo", args: ["test", "--workspace", "--no-fail-fast"] };
}

/** The program as the Rust tests are built: where these have run there is nothing left to build. */
async function simulation() {
  await must("cargo", ["test", "--workspace", "--test", "seeds", "--no-run"], { limit: BUILD_MINUTES_MAX });
  return { command: programPath("flette-sim"), args: ["--seeds", String(SIMULATED_SEEDS)] };
}

async function browser() {
  const names = await browserTests();
  if (names.length === 0) return undefined;
  const tests = names.flatMap((name) => ["--test", name]);
  const env = {
    ...(await wasmEnvironment()),
    ...browserEnvironment(),
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: join(wasmBindgenFolder(), "wasm-bindgen-test-runner"),
    WASM_BINDGEN_TEST_TIMEOUT: "300",
  };
  const args = ["test", "--package", "flette", "--target", TARGET, "--no-fail-fast", ...tests];
  return { command: "cargo", args, env };
}

async function units() {
  const folders = ["www", "scripts"].flatMap(filesBelow);
  const files = folders.filter((path) => /\.test\.(ts|mjs|js)$/.test(path));
  const hooks = join(root, "scripts/lib/typescript-hooks.mjs");
  return nodeTests(files, ["--import", hooks, `--test-timeout=${UNIT_FILE_MILLIS_MAX}`]);
}

async function server() {
  const files = filesBelow("tests/server").filter((path) => /\.test\.mjs$/.test(path));
  return nodeTests(files, ["--test-concurrency=2", `--test-timeout=${SERVER_FILE_MILLIS_MAX}`]);
}

async function e2e() {
  const files = filesBelow("tests/e2e").filter((path) => /\.test\.mjs$/.test(path));
  // One browser at a time: measured times and storage quotas are those of a machine that does one thing.
  const options = ["--test-concurrency=1", `--test-timeout=${E2E_FILE_MILLIS_MAX}`];
  return nodeTests(files, options, browserEnvironment());
}

function nodeTests(files, options, env = {}) {
  if (files.length === 0) return undefined;
  return { command: process.execPath, args: ["--test", "--test-reporter=spec", ...options, ...files], env };
}

async function runSuite(name) {
  const { limit, plan } = SUITES[name];
  const started = Date.now();
  const planned = await plan();
  if (!planned) {
    console.log(`\n== ${name}: no tests`);
    return undefined;
  }
  console.log(`\n== ${name}`);
  const { command, args, env } = planned;
  const options = { env, limit, show: "live", log: join(LOGS, `${name}.log`) };
  const { code, output, timedOut } = await attempt(command, args, options);
  if (timedOut) console.log(`${name}: ended after ${limit} minutes`);
  return { name, ...countTests(output, code), seconds: (Date.now() - started) / 1000 };
}

/** A preparation that failed counts as one failed test, and the suites that can still run do. */
async function prepare(name, step) {
  const started = Date.now();
  try {
    await step();
    return undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`error: ${error.message}`);
    return { name, passed: 0, failed: 1, seconds: (Date.now() - started) / 1000 };
  }
}

async function test() {
  const chosen = process.argv.slice(2);
  const unknown = chosen.find((name) => !(name in SUITES));
  if (unknown) throw new Failure(`no suite ${unknown}; there are: ${Object.keys(SUITES).join(", ")}`);
  mkdirSync(LOGS, { recursive: true });
  const names = chosen.length > 0 ? chosen : Object.keys(SUITES);

  const results = [await prepare("setup", setup), await prepare("setup of tests", setupTests)];
  // Only the tests in a real browser need what a user gets.
  if (names.includes("e2e")) results.push(await prepare("build", build));
  else if (names.includes("server")) results.push(await prepare("build of the server", buildServer));
  for (const name of names) {
    let result;
    const problem = await prepare(name, async () => {
      result = await runSuite(name);
    });
    results.push(problem ?? result);
  }
  report(results.filter(Boolean));
}

if (isMain(import.meta.url)) await main(test);
