// What was measured: one entry per goal in results.json, and RESULTS.md for people. Other goals' entries stay.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { root } from "../../tests/lib/process.mjs";

const JSON_FILE = join(root, "bench/results.json");
const TEXT_FILE = join(root, "bench/RESULTS.md");
const GIB = 2 ** 30;

const HEAD = `# Results

Written by \`npm run bench -- ID…\`; ratios are the point, seconds are this machine's. Each entry says what it ran on.

`;

/** Keeps an entry ({ id, goal, ratio, met, … , lines }) in place of the goal's last one. */
export function keep(entry) {
  const all = existsSync(JSON_FILE) ? JSON.parse(readFileSync(JSON_FILE, "utf8")) : [];
  const kept = [...all.filter(({ id }) => id !== entry.id), { ...entry, machine: machine() }];
  kept.sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
  writeFileSync(JSON_FILE, `${JSON.stringify(kept, null, 2)}\n`);
  writeFileSync(TEXT_FILE, HEAD + kept.map(section).join("\n"));
}

function section({ id, goal, ratio, met, lines = [], machine: on }) {
  const judged = met === undefined ? "measured" : met ? "met" : "not met";
  const ran = on ? `\n${on.when}, ${on.commit}, ${on.cpu}, load before ${on.load}.\n` : "";
  const shown = ratio === undefined ? "" : ` (ratio ${ratio})`;
  return `## ${id}: ${judged}${shown}\n\n${goal}\n${ran}\n${lines.join("\n")}\n`;
}

const loadBefore = loadavg()[0].toFixed(2);

function machine() {
  const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const [{ model }] = cpus();
  return {
    when: new Date().toISOString().slice(0, 16),
    commit: git("rev-parse", "--short", "HEAD"),
    cpu: `${cpus().length} x ${model}, ${Math.round(totalmem() / GIB)} GiB, Node ${process.versions.node}`,
    load: loadBefore,
  };
}
