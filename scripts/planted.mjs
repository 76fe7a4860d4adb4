// `npm run planted`: hunts the planted bugs that the simulation cannot see, each by a test that also runs without it; some of them with
// `npm run planted -- NAME…`. Each is a line, as a row of the table in docs/reliability.md; the last line counts them: `N passed, N failed`.

import { join } from "node:path";
import { build } from "./build.mjs";
import { report } from "./lib/count.mjs";
import { attempt, Failure, isMain, main, must, root } from "./lib/run.mjs";
import { TARGET, wasmEnvironment } from "./lib/toolchain.mjs";
import { wasmBindgenFolder } from "./lib/tools.mjs";
import { browserEnvironment, setup, setupTests } from "./setup.mjs";

const HUNT_MINUTES_MAX = 20;
const FEATURE = ["--features", "planted-bugs"];
const PLANTED = ["--", "planted", "--nocapture"];
/** Where webpack leaves a site with a bug. */
const PLANTED_SITE = join(root, "target/planted-site");
/** What the test of new versions says when an old page has lost its worker. */
const TAKEN_OVER = "I-2: a new worker took over under an old page";

const HUNTS = {
  "commits-out-of-order": () => cargo(["-p", "flette-server", "--test", "server"]),
  "closed-handle-kept": closedHandle,
  values: () => cargo(["-p", "flette", "--test", "doors"]),
  "worker-takes-over": workerTakesOver,
};

/** The hunt is a test itself: it fails where the bug is not caught, or something else is. */
async function cargo(args, env = {}) {
  const options = { env, limit: HUNT_MINUTES_MAX, show: "live" };
  const { code, output } = await attempt("cargo", ["test", ...args, ...FEATURE, ...PLANTED], options);
  if (code !== 0) throw new Failure(`the hunt ended with code ${code}`);
  if (!/^test result: ok\. [1-9]/m.test(output)) throw new Failure("nothing was hunted");
}

async function closedHandle() {
  await cargo(["-p", "flette", "--target", TARGET, "--test", "browser"], {
    ...(await wasmEnvironment()),
    ...browserEnvironment(),
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: join(wasmBindgenFolder(), "wasm-bindgen-test-runner"),
    WASM_BINDGEN_TEST_TIMEOUT: "300",
  });
}

/** The test of new versions must fail upon a site with the bug, by the promise it breaks, and pass upon the product's. */
async function workerTakesOver() {
  await build();
  const webpack = join(root, "node_modules/.bin/webpack");
  await must(webpack, ["--mode", "production", "--env", "planted=worker-takes-over"], { limit: 10 });
  const planted = await update({ FLETTE_SITE: PLANTED_SITE });
  if (planted.code === 0) throw new Failure("it is not caught");
  if (!planted.output.includes(TAKEN_OVER)) throw new Failure("something else failed");
  if ((await update({})).code !== 0) throw new Failure("it fails without the bug, too");
  console.log("| 29 | worker-takes-over | 1 | I-2 |");
}

function update(env) {
  const args = ["--test", "--test-reporter=spec", "--test-concurrency=1", "tests/e2e/update.test.mjs"];
  const options = { env: { ...browserEnvironment(), ...env }, limit: HUNT_MINUTES_MAX, show: "live" };
  return attempt(process.execPath, args, options);
}

async function hunt() {
  const chosen = process.argv.slice(2);
  const unknown = chosen.find((name) => !(name in HUNTS));
  if (unknown) throw new Failure(`no hunt ${unknown}; there are: ${Object.keys(HUNTS).join(", ")}`);
  await setup();
  await setupTests();
  const results = [];
  for (const name of chosen.length > 0 ? chosen : Object.keys(HUNTS)) {
    console.log(`\n== ${name}`);
    const started = Date.now();
    let failed = 0;
    try {
      await HUNTS[name]();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      console.error(`error: ${error.message}`);
      failed = 1;
    }
    results.push({ name, passed: 1 - failed, failed, seconds: (Date.now() - started) / 1000 });
  }
  report(results);
}

if (isMain(import.meta.url)) await main(hunt);
