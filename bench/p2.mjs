// P2: the worker was killed; how long until the first list is answered. Floor: the same kill with a worker that answers a
// ready body, and reading the mirror's bytes back from IndexedDB.

import { browsers } from "./lib/browsers.mjs";
import { filled, LIST } from "./lib/contestants.mjs";
import { inTurn, megabytes, shown, table } from "./lib/rounds.mjs";
import { call, stageOf } from "./lib/stage.mjs";
import { ratios, rounded, spread } from "./lib/statistics.mjs";

const READ_PART = 0.6;
const WARM_CALLS = 10;

export async function p2(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { rows, rounds }) {
  const stage = await stageOf(rows);
  const browser = await stage.browser(Kind, { profile: await filled("Flette", stage, Kind), mortal: true });
  try {
    const page = await stage.engine(browser, ["contact"]);
    const ready = await stage.ready(browser);
    const bytes = (await call(page, "flette.text", LIST)).length;
    const databases = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
    const mirror = databases.find((name) => name.startsWith("flette:"));
    const contestants = {
      list: { run: () => afterKill(browser, page, LIST) },
      "engine alone": { run: () => afterKill(browser, page, "/flette/journal") },
      "empty worker": { run: () => anotherLife(browser, ready, `/ready/answer?bytes=${bytes}`) },
      "mirror read": { run: () => call(ready, "floor.readAll", mirror, "segment") },
    };
    const results = await inTurn(contestants, rounds);
    const warm = await call(page, "flette.timed", Array(WARM_CALLS).fill(LIST));
    return entry(Kind, results, { rows, rounds, warm, version: await browser.browser.version() });
  } finally {
    await browser.close();
  }
}

/** The time of one request to a worker that was killed before; it is known to be new by not having reached the server. */
export async function afterKill(browser, page, path) {
  await call(page, "flette.settled");
  await browser.stopWorkers(page);
  const result = await call(page, "flette.timedOnce", path);
  const { reachable } = await call(page, "flette.status");
  if (result.status !== 200 || reachable !== null) {
    throw new Error(`${path}: ${result.status}, or the worker was not killed`);
  }
  return result;
}

const lives = new Set();

/** The same for the worker that answers ready bodies, which tells its lives apart itself. */
export async function anotherLife(browser, page, path) {
  await browser.stopWorkers(page);
  const result = await call(page, "flette.timedOnce", path);
  if (lives.has(result.life)) throw new Error("the worker was not killed");
  lives.add(result.life);
  return result;
}

function entry(Kind, results, { rows, rounds, warm, version }) {
  const millis = Object.fromEntries(
    Object.entries(results).map(([name, all]) => [name, all.map((result) => result.millis)]),
  );
  const floor = millis["empty worker"].map((empty, n) => empty + READ_PART * millis["mirror read"][n]);
  const ratio = ratios(millis.list, floor);
  const middle = (name) => spread(millis[name]).median;
  const query = spread(warm).median;
  const parts = [
    ["a worker starts", middle("empty worker")],
    ["the engine starts and opens", middle("engine alone") - middle("empty worker")],
    ["the mirror is read and unpacked", middle("list") - middle("engine alone") - query],
    ["the list, warm", query],
  ];
  return {
    id: `P2 ${Kind.title}`,
    goal: `Worker killed, time to the first list (50 of ${rows}): at most an empty worker's + ${READ_PART} x reading the mirror's bytes.`,
    ratio: rounded(ratio.median),
    met: ratio.median <= 1,
    millis,
    lines: [
      `${version}; ${rounds} rounds in turn; the mirror has ${megabytes(results["mirror read"][0].bytes)} MB in ${results["mirror read"][0].values} values.`,
      "",
      ...table(
        ["after a kill", "ms"],
        [...Object.entries(millis), ["floor", floor]].map(([name, all]) => [name, shown(all, 1)]),
      ),
      "",
      `List to floor, pair by pair: ${shown(ratio)}. Where the time goes, ms: ${parts.map(([part, all]) => `${part} ${rounded(all, 1)}`).join("; ")}.`,
    ],
  };
}
