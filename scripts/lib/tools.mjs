// Tools built from crates.io, kept in one folder per version outside the repository, so that clones share them.

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Failure, must, root } from "./run.mjs";

const CACHE = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
const TOOLS = join(process.env.FLETTE_TOOLS || join(CACHE, "flette"), "tools");

/** The folder of one version of a tool. */
export const toolFolder = (name, version) => join(TOOLS, `${name}-${version}`);

/** The version of a crate in Cargo.lock. */
export function lockedVersion(crate) {
  const lock = readFileSync(join(root, "Cargo.lock"), "utf8");
  const found = lock.match(new RegExp(`^name = "${crate}"\\nversion = "([^"]+)"`, "m"));
  if (!found) throw new Failure(`Cargo.lock names no crate ${crate}`);
  return found[1];
}

/** Where a program of a tool is, once installed. */
export const toolPath = (name, version, program = name) => join(toolFolder(name, version), "bin", program);

/** Folder with the wasm-bindgen programs of the version in Cargo.lock. */
export const wasmBindgenFolder = () =>
  join(toolFolder("wasm-bindgen-cli", lockedVersion("wasm-bindgen")), "bin");

/** Installs a crate's programs unless that version is there. `args` go to `cargo install`. */
export async function cargoInstall(name, version, program, say, args = [], env = {}) {
  if (existsSync(toolPath(name, version, program))) return;
  say(`building ${name} ${version} (a few minutes, once for this machine)`);
  const folder = toolFolder(name, version);
  // A killed build goes on where it stopped; cargo puts the programs in place only when all are built.
  const build = join(folder, "build");
  mkdirSync(folder, { recursive: true });
  await must("cargo", ["install", name, "--version", version, "--root", folder, ...args], {
    cwd: folder,
    limit: 20,
    env: { CARGO_TARGET_DIR: build, CARGO_BUILD_TARGET: undefined, RUSTFLAGS: undefined, ...env },
    hint: `${name} ${version} could not be built from crates.io`,
  });
  rmSync(build, { recursive: true, force: true });
}
