// What the scripts ask cargo about the workspace.

import { join, relative } from "node:path";
import { must, root } from "./run.mjs";

/** Names of crate flette's test targets that need a browser: those whose sources lie in tests/browser. */
export async function browserTests() {
  const args = ["metadata", "--no-deps", "--format-version", "1"];
  const { packages } = JSON.parse(await must("cargo", args, { limit: 2 }));
  return packages
    .find(({ name }) => name === "flette")
    .targets.filter(({ kind }) => kind.includes("test"))
    .filter(({ src_path }) => /^tests[/\\]browser\b/.test(relative(root, src_path)))
    .map(({ name }) => name);
}

/** Where cargo leaves a program of a debug build, tests' builds included. */
export function programPath(name) {
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  return join(target, "debug", process.platform === "win32" ? `${name}.exe` : name);
}
