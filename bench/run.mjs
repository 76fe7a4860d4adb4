// `npm run bench -- P10`: measures what it names, and keeps the results in bench/results.json and bench/RESULTS.md.
// `--rows N` and `--rounds N` choose the size, `--peer-rounds N` how often the slow peers take part, `--browser NAME`
// one of chromium and firefox, `--sizes N,N` the sizes of P8, `--edits N` the edits of P5, `--dry` only shows; `storm`
// measures reconnecting clients (`--clients N`).

import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { server } from "../scripts/build.mjs";
import { Failure, isMain, main, must, root } from "../scripts/lib/run.mjs";

const PACKAGES_MINUTES_MAX = 5;

const BENCHES = {
  P1: async (options) => (await import("./p1.mjs")).p1(options),
  P2: async (options) => (await import("./p2.mjs")).p2(options),
  P3: async (options) => (await import("./p3.mjs")).p3(options),
  P4: async (options) => (await import("./p4.mjs")).p4(options),
  P5: async (options) => (await import("./p5.mjs")).p5(options),
  P6: async (options) => (await import("./p6.mjs")).p6(options),
  P7: async (options) => (await import("./p7.mjs")).p7(options),
  P8: async (options) => (await import("./p8.mjs")).p8(options),
  P9: async (options) => (await import("./p9.mjs")).p9(options),
  P10: async (options) => (await import("./p10.mjs")).p10(options),
  storm: async (options) => (await import("./storm.mjs")).storm(options),
};

async function bench() {
  const text = { type: "string" };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rows: text,
      rounds: text,
      "peer-rounds": text,
      clients: text,
      database: text,
      browser: text,
      sizes: text,
      edits: text,
      dry: { type: "boolean" },
    },
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
    browser: values.browser,
    peerRounds: number("peer-rounds", 2),
    edits: number("edits", 1_000),
    sizes: (values.sizes ?? "10000,100000,1000000").split(",").map(Number),
  };
  const { endStages } = await import("./lib/stage.mjs");
  try {
    for (const name of positionals) {
      for (const entry of [await BENCHES[name](options)].flat()) {
        if (!values.dry) keep(entry);
        console.log(`${entry.id}: ${entry.met === undefined ? "measured" : entry.met ? "met" : "not met"}`);
        for (const line of entry.lines) console.log(line);
      }
    }
  } finally {
    await endStages();
  }
}

if (isMain(import.meta.url)) await main(bench);
