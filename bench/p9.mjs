// P9: the size of the engine, and what its start costs: a worker that starts it and opens a small replica, against a
// worker that has nothing to start.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { browsers } from "./lib/browsers.mjs";
import { inTurn, shown, table } from "./lib/rounds.mjs";
import { call, stageOf, USER } from "./lib/stage.mjs";
import { rounded, spread } from "./lib/statistics.mjs";
import { afterKill, anotherLife } from "./p2.mjs";

const BROTLI_BYTES_MAX = 300_000;
const GZIP_BYTES_MAX = 400_000;
const START_MILLIS_MAX = 60;
const SMALL_ROWS = 300;
/** A table of a few rows: the start is measured, not the mirror. */
const TABLES = ["systemuser"];

export async function p9(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { rounds }) {
  const stage = await stageOf(SMALL_ROWS);
  const browser = await stage.browser(Kind, { mortal: true });
  try {
    const page = await stage.engine(browser, TABLES);
    const ready = await stage.ready(browser);
    await call(page, "flette.signIn", USER);
    await call(page, "flette.sync");
    const bytes = (await call(page, "flette.text", "/flette/journal")).length;
    const contestants = {
      engine: { run: () => afterKill(browser, page, "/flette/journal") },
      "empty worker": { run: () => anotherLife(browser, ready, `/ready/answer?bytes=${bytes}`) },
    };
    const results = await inTurn(contestants, rounds * 2);
    return entry(Kind, results, sizes(stage.site), await browser.browser.version());
  } finally {
    await browser.close();
  }
}

function sizes(site) {
  const wasm = readFileSync(join(site, "flette_bg.wasm"));
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  return {
    plain: wasm.length,
    gzip: gzipSync(wasm, { level: constants.Z_BEST_COMPRESSION }).length,
    brotli: brotliCompressSync(wasm, { params }).length,
  };
}

function entry(Kind, results, size, version) {
  const millis = Object.fromEntries(
    Object.entries(results).map(([name, all]) => [name, all.map((result) => result.millis)]),
  );
  const more = spread(millis.engine.map((all, n) => all - millis["empty worker"][n]));
  const fits = size.brotli <= BROTLI_BYTES_MAX && size.gzip <= GZIP_BYTES_MAX;
  const kilobytes = (bytes) => Math.round(bytes / 1000);
  return {
    id: `P9 ${Kind.title}`,
    goal: `wasm at most ${BROTLI_BYTES_MAX / 1000} kB with brotli and ${GZIP_BYTES_MAX / 1000} kB with gzip; a worker starts at most ${START_MILLIS_MAX} ms later than an empty one.`,
    ratio: rounded(Math.max(size.brotli / BROTLI_BYTES_MAX, more.median / START_MILLIS_MAX)),
    met: fits && more.median <= START_MILLIS_MAX,
    size,
    millis,
    lines: [
      `${version}; ${millis.engine.length} rounds in turn, each after a kill.`,
      "",
      ...table(
        ["first answer after a kill", "ms"],
        Object.entries(millis).map(([name, all]) => [name, shown(all, 1)]),
      ),
      "",
      `The engine needs ${shown(more, 1)} ms more, pair by pair: ${more.median <= START_MILLIS_MAX ? "met" : "not met"}.`,
      `wasm: ${kilobytes(size.plain)} kB, ${kilobytes(size.gzip)} kB with gzip, ${kilobytes(size.brotli)} kB with brotli: ${fits ? "met" : "not met"}.`,
    ],
  };
}
