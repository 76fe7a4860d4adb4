// `npm run build`: leaves the server at target/release/flette-server and the site in dist/.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Failure, isMain, main, must, root } from "./lib/run.mjs";
import { fingerprint, isCurrent, mark } from "./lib/stamp.mjs";
import { setup } from "./setup.mjs";
import { wasm } from "./wasm.mjs";

const SITE_INPUTS = ["www", "webpack.config.js", "tsconfig.json", "package-lock.json", "target/wasm-bindgen"];
const SITE = join(root, "dist");
const STAMP = join(root, "target/site-inputs");

/** Path of the server that `build` leaves. */
export const SERVER = join(root, "target/release/flette-server");

/** Builds what is missing or out of date. */
export async function build() {
  await setup();
  await wasm();
  await site();
  await server();
}

/** Builds the server alone; cargo itself skips what is current. */
export async function server() {
  const args = ["build", "--release", "--package", "flette-server"];
  await must("cargo", args, { limit: 25, show: "live" });
}

async function site() {
  if (!existsSync(join(root, "webpack.config.js"))) throw new Failure("webpack.config.js is missing");
  const wanted = fingerprint(SITE_INPUTS);
  if (isCurrent(STAMP, wanted, [join(SITE, "index.html")])) return;
  const webpack = join(root, "node_modules/.bin/webpack");
  await must(webpack, ["--mode", "production"], { limit: 10, show: "live" });
  mark(STAMP, wanted);
}

if (isMain(import.meta.url)) await main(build);
