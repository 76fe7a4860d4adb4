// Remembers what a step was made from, so that it is skipped while its inputs stay the same.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./run.mjs";

/** The files below a path (relative to the repository), sorted; a file stands for itself, a missing path for none. */
export function filesBelow(path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (statSync(full).isFile()) return [path];
  return readdirSync(full, { withFileTypes: true })
    .filter((entry) => entry.name !== "node_modules" && !entry.name.startsWith("."))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => filesBelow(join(path, entry.name)));
}

/** One hash over the names and contents of all files below the paths, and over `extra`. */
export function fingerprint(paths, extra = "") {
  const hash = createHash("sha256").update(extra);
  for (const file of paths.flatMap(filesBelow)) {
    const bytes = readFileSync(join(root, file));
    hash.update(`\0${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Whether `stamp` says that `fingerprint` was reached and all `results` are still there. */
export function isCurrent(stamp, wanted, results) {
  return [stamp, ...results].every((path) => existsSync(path)) && readFileSync(stamp, "utf8") === wanted;
}

/** Writes the stamp; call it when the results are in place. */
export function mark(stamp, reached) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, reached);
}
