// P8: growth. The first sync, a local change and a point read at several numbers of rows, in turn.

import { browsers } from "./lib/browsers.mjs";
import { API, edited, fletteSyncs } from "./lib/contestants.mjs";
import { megabytes, shown, table } from "./lib/rounds.mjs";
import { call, stageOf } from "./lib/stage.mjs";
import { median, rounded } from "./lib/statistics.mjs";

const LINEAR_MAX = 1.2;
const FLAT_MAX = 1.3;
const MEMORY_BYTES_MAX = 2 ** 30;
const CALLS = 40;
const ROUNDS_MAX = 3;
/** From so many rows on a sync is measured once. */
const MANY_ROWS = 500_000;

export async function p8(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { sizes, rounds }) {
  const results = Object.fromEntries(sizes.map((rows) => [rows, []]));
  for (let round = 1; round <= Math.min(rounds, ROUNDS_MAX); round++) {
    for (const rows of sizes) {
      if (rows >= MANY_ROWS && round > 1) continue;
      const result = await one(Kind, rows);
      results[rows].push(result);
      console.log(
        `round ${round}, ${rows} rows: ${rounded(result.millis)} ms, change ${rounded(result.change)} ms`,
      );
    }
  }
  return entry(Kind, results);
}

async function one(Kind, rows) {
  const stage = await stageOf(rows);
  const { ids } = await stage.truth(Kind);
  const chosen = Array.from({ length: CALLS }, () => ids[Math.floor(Math.random() * ids.length)]);
  const paths = chosen.map((id) => `${API}contacts(${id})?$select=fullname,telephone1,jobtitle`);
  const look = async (page, browser) => {
    // Offline by choice, so that no round runs between.
    await call(page, "flette.offline");
    const point = median(await call(page, "flette.timed", paths));
    const change = median(await call(page, "flette.patched", edited(chosen, "growth")));
    const { memory_bytes } = await call(page, "flette.status");
    return { point, change, memory: memory_bytes, version: await browser.browser.version() };
  };
  const result = await fletteSyncs(stage, Kind, ["contact"], look);
  stage.drop(result.profile);
  return result;
}

function entry(Kind, results) {
  const rows = Object.entries(results).map(([size, all]) => ({
    size: Number(size),
    rounds: all.length,
    perRow: all.map(({ millis }) => (millis * 1000) / size),
    point: all.map(({ point }) => point),
    change: all.map(({ change }) => change),
    memory: Math.max(...all.map(({ memory }) => memory)),
  }));
  const least = (figure) => Math.min(...rows.map((row) => median(row[figure])));
  const growth = (figure) =>
    Math.max(...rows.slice(1).map((row, n) => median(row[figure]) / median(rows[n][figure])));
  const flat = (figure) => Math.max(...rows.map((row) => median(row[figure]))) / least(figure);
  const figures = [
    ["first sync, time per row from one size to the next", growth("perRow"), LINEAR_MAX],
    ["point read, slowest to fastest size", flat("point"), FLAT_MAX],
    ["local change until durable, slowest to fastest size", flat("change"), FLAT_MAX],
    ["memory, of 1 GiB", Math.max(...rows.map(({ memory }) => memory)) / MEMORY_BYTES_MAX, 1],
  ];
  const largest = rows.at(-1).size;
  const whole = largest >= 1_000_000;
  return {
    id: `P8 ${Kind.title}`,
    goal: `Growth to 1,000,000 contacts: first sync linear within ${LINEAR_MAX}, changes and point reads flat within ${FLAT_MAX}, within 1 GiB.`,
    ratio: rounded(Math.max(...figures.map(([, value, most]) => value / most))),
    met: whole && figures.every(([, value, most]) => value <= most),
    figures: rows,
    lines: [
      `${Object.values(results)[0][0].version}; sizes in turn, rounds ${rows.map(({ rounds }) => rounds).join(", ")}; medians of ${CALLS} calls.${whole ? "" : ` Measured up to ${largest} rows only, so not met.`}`,
      "",
      ...table(
        ["rows", "first sync, µs a row", "point read, ms", "change, ms", "wasm memory, MB"],
        rows.map(({ size, perRow, point, change, memory }) => [
          size,
          shown(perRow, 1),
          shown(point),
          shown(change),
          megabytes(memory),
        ]),
      ),
      "",
      ...figures.map(
        ([name, value, most]) =>
          `* ${name}: ${rounded(value)}, at most ${most}: ${value <= most ? "met" : "not met"}`,
      ),
    ],
  };
}
