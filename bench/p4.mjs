// P4: one local change until it is durable. Floor: the way to a worker that makes one strict put and answers. What was
// acknowledged must be there after the worker and then the whole browser was killed.

import { browsers } from "./lib/browsers.mjs";
import { API, edited, filled, someOf } from "./lib/contestants.mjs";
import { inTurn, shown, table } from "./lib/rounds.mjs";
import { call, stageOf } from "./lib/stage.mjs";
import { median, ratios, rounded } from "./lib/statistics.mjs";

const FLOOR_RATIO_MAX = 1.5;
const CALLS = 40;
const KEPT = "/durable/kept/";

export async function p4(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { rows, rounds }) {
  const stage = await stageOf(rows);
  const { ids } = await stage.truth(Kind);
  const profile = stage.copied(await filled("Flette", stage, Kind));
  const browser = await stage.browser(Kind, { profile, mortal: true });
  const acknowledged = { Flette: new Map(), floor: new Map() };
  try {
    const page = await stage.engine(browser, ["contact"]);
    const bare = await stage.durable(browser);
    // Offline by choice, so that no round runs between.
    await call(page, "flette.offline");
    const contestant = (name, page, root) => ({
      run: async (round) => {
        await page.bringToFront();
        const edits = edited(someOf(ids, Math.min(CALLS, ids.length)), `${name} ${round}`);
        const times = await call(page, "flette.patched", edits, root);
        for (const { id, values } of edits) acknowledged[name].set(id, values.telephone1);
        return median(times);
      },
    });
    const contestants = {
      Flette: contestant("Flette", page, API),
      floor: contestant("floor", bare, KEPT),
    };
    const results = await inTurn(contestants, rounds);
    await checkFloor(bare, acknowledged.floor);
    await browser.stopWorkers(page);
    if ((await call(page, "flette.status")).reachable !== null) throw new Error("the worker was not killed");
    await checkFlette(page, acknowledged.Flette, "the worker was killed");
    const version = await browser.browser.version();
    await browser.kill();
    // On a copy: the driver of the browser that was killed may still tidy up in its profile.
    await checkAfterKill(stage, Kind, stage.copied(profile), acknowledged);
    return entry(Kind, results, { rows, rounds, version, checked: acknowledged.Flette.size });
  } finally {
    await browser.close();
    stage.drop(profile);
  }
}

async function checkAfterKill(stage, Kind, profile, acknowledged) {
  const browser = await stage.browser(Kind, { profile });
  try {
    const page = await stage.engine(browser, ["contact"]);
    await checkFlette(page, acknowledged.Flette, "the browser was killed");
    await checkFloor(page, acknowledged.floor);
  } finally {
    await browser.close();
    stage.drop(profile);
  }
}

async function checkFlette(page, acknowledged, when) {
  const found = await call(page, "flette.values", [...acknowledged.keys()], "telephone1");
  for (const [id, value] of acknowledged) {
    if (found[id] !== value) throw new Error(`Flette, after ${when}: a change that was acknowledged is gone`);
  }
}

async function checkFloor(page, acknowledged) {
  const found = await call(page, "floor.texts", "durable", "changes");
  for (const [id, value] of acknowledged) {
    const text = found[`contacts(${id})`];
    if (!text || JSON.parse(text).telephone1 !== value) throw new Error("floor: a change is gone");
  }
}

function entry(Kind, millis, { rows, rounds, version, checked }) {
  const ratio = ratios(millis.Flette, millis.floor);
  return {
    id: `P4 ${Kind.title}`,
    goal: `One local change of one of ${rows} contacts until durable: at most ${FLOOR_RATIO_MAX} times the way to a worker with one strict put.`,
    ratio: rounded(ratio.median),
    met: ratio.median <= FLOOR_RATIO_MAX,
    millis,
    lines: [
      `${version}, profile on disk; ${rounds} rounds in turn, each the median of ${CALLS} changes, offline by choice.`,
      "",
      ...table(
        ["a change until its 204", "ms"],
        Object.entries(millis).map(([name, all]) => [name, shown(all)]),
      ),
      "",
      `Pair by pair: Flette to floor ${shown(ratio)}. After the worker was killed, and again after the browser was (SIGKILL), all ${checked} changed rows showed what was acknowledged last.`,
    ],
  };
}
