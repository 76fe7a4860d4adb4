// Builds the engine for the browser into target/wasm-bindgen/: `node scripts/wasm.mjs`, with `--dev` a faster build
// that is neither optimized for speed nor for size.

import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { isMain, main, must, root } from "./lib/run.mjs";
import { fingerprint, isCurrent, mark } from "./lib/stamp.mjs";
import { findWasmToolchain, TARGET, wasmEnvironment } from "./lib/toolchain.mjs";
import { wasmBindgenFolder } from "./lib/tools.mjs";
import { setup } from "./setup.mjs";

const INPUTS = ["src", "odata/src", "odata/Cargo.toml", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"];
const OUT = join(root, "target/wasm-bindgen");
const STAMP = join(OUT, ".inputs");
const MODULE = join(OUT, "flette_bg.wasm");

// What rustc may emit for wasm32 and every browser that has service workers and Web Locks understands.
const FEATURES = [
  "bulk-memory",
  "bulk-memory-opt",
  "call-indirect-overlong",
  "multivalue",
  "mutable-globals",
  "nontrapping-float-to-int",
  "reference-types",
  "sign-ext",
  "simd",
];

/** Builds the wasm module and its JavaScript unless they are current. Mode: `"release"` or `"dev"`. */
export async function wasm(mode = "release") {
  const env = await wasmEnvironment();
  const { id } = await findWasmToolchain();
  const wanted = fingerprint(INPUTS, `${mode} ${id} ${wasmBindgenFolder()} ${process.env.RUSTFLAGS ?? ""}`);
  if (isCurrent(STAMP, wanted, [MODULE, join(OUT, "flette.js"), join(OUT, "flette.d.ts")])) return;

  const profile = mode === "dev" ? "dev" : "wasm";
  await must("cargo", ["build", "--package", "flette", "--lib", "--target", TARGET, "--profile", profile], {
    env,
    limit: 20,
    show: "live",
  });
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const built = join(root, "target", TARGET, mode === "dev" ? "debug" : "wasm", "flette.wasm");
  const debug = mode === "dev" ? ["--debug"] : ["--remove-producers-section", "--remove-name-section"];
  const bindgen = join(wasmBindgenFolder(), "wasm-bindgen");
  await must(bindgen, [built, "--target", "web", "--out-dir", OUT, "--out-name", "flette", ...debug], {
    limit: 5,
  });
  if (mode === "release") await optimize();
  mark(STAMP, wanted);
  printSize();
}

async function optimize() {
  const optimized = `${MODULE}.optimized`;
  const features = ["--mvp-features", ...FEATURES.map((name) => `--enable-${name}`)];
  const tool = join(root, "node_modules/.bin/wasm-opt");
  // Higher levels make the module smaller, but larger once it is packed, which is how it travels.
  await must(tool, ["-O1", ...features, MODULE, "-o", optimized], { limit: 10, show: "live" });
  renameSync(optimized, MODULE);
}

function printSize() {
  const bytes = readFileSync(MODULE);
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  const kib = (length) => `${(length / 1024).toFixed(0)} KiB`;
  console.log(
    `wasm: ${kib(bytes.length)}, ${kib(gzipSync(bytes).length)} with gzip, ${kib(brotli.length)} with brotli`,
  );
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setup();
    await wasm(process.argv.includes("--dev") ? "dev" : "release");
  });
}
