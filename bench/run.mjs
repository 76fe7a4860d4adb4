// `npm run bench -- P10`: measures what it names, and keeps the results in bench/results.json and bench/RESULTS.md.
// `--rows N` and `--rounds N` choose the size; `storm` measures reconnecting clients (`--clients N`).

import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { server } from "../scripts/build.mjs";
import { Failure, isMain, main, must, root } from "../scripts/lib/run.mjs";

const PACKAGES_MINUTES_MAX = 5;

const BENCHES = {
  P10: async (options) => (await import("./p10.mjs")).p10(options),
  storm: async (options) => (await import("./storm.mjs")).storm(options),
};

async function bench() {
  const text = { type: "string" };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rows: text, rounds: text, clients: text, database: text },
  });
  const unknown = positionals.find((name) => !(name in BENCHES));
  if (unknown || positionals.length === 0) {
    throw new Failure(
      `${unknown ? `no bench ${unknown}; ` : ""}there are: ${Object.keys(BENCHES).join(", ")}`,
    );
  }
  if (!existsSync(join(root, "bench/node_modules"))) {
    const where = { cwd: join(root, "bench"), limit: PACKAGES_MINUTES_MAX };
    await must("npm", ["ci", "--no-audit", "--no-fund"], where);
  }
  if (!process.env.FLETTE_SERVER) await server();
  const { keep } = await import("./lib/results.mjs");
  const number = (name, standard) => Number(values[name] ?? standard);
  const options = {
    rows: number("rows", 100_000),
    rounds: number("rounds", 5),
    clients: number("clients", 10_000),
    database: values.database,
  };
  for (const name of positionals) {
    const entry = await BENCHES[name](options);
    keep(entry);
    console.log(`${entry.id}: ${entry.met === undefined ? "measured" : entry.met ? "met" : "not met"}`);
    for (const line of entry.lines) console.log(line);
  }
}

if (isMain(import.meta.url)) await main(bench);
