// P1: the first sync, until everything is durable and a list is answered. Floor: the same pages fetched one after the
// other and each written raw as one value. Peers fetch the same pages, the next one ahead, and add each in bulk.

import { browsers } from "./lib/browsers.mjs";
import { fletteSyncs, fletteWatched, floorRuns, PEERS, peerLoads } from "./lib/contestants.mjs";
import { inTurn, megabytes, shown, table } from "./lib/rounds.mjs";
import { stageOf } from "./lib/stage.mjs";
import { ratios, rounded, spread } from "./lib/statistics.mjs";

const FLOOR_RATIO_MAX = 1.2;
const PEER_FACTOR_MIN = 20;

export async function p1(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { rows, rounds, peerRounds }) {
  const stage = await stageOf(rows);
  let disk;
  const kept = (name, run) => async () => {
    const result = await run();
    stage.keep(`${name} ${Kind.title}${name === "Flette" ? " contact" : ""}`, result.profile);
    return result;
  };
  const look = async (_, browser) => {
    disk = browser.storage(stage.port).kind;
    return { version: await browser.browser.version() };
  };
  const contestants = {
    "network alone": { run: () => floorRuns("network", stage, Kind) },
    floor: { run: () => floorRuns("floor", stage, Kind) },
    Flette: { run: kept("Flette", () => fletteSyncs(stage, Kind, ["contact"], look)) },
  };
  for (const name of peerRounds > 0 ? PEERS : []) {
    contestants[name] = { run: kept(name, () => peerLoads(name, stage, Kind)), rounds: peerRounds };
  }
  const results = await inTurn(contestants, rounds);
  const parts = await fletteWatched(stage, Kind);
  return entry(Kind, results, { rows, rounds, disk, parts });
}

function entry(Kind, results, { rows, rounds, disk, parts }) {
  const seconds = Object.fromEntries(
    Object.entries(results).map(([name, all]) => [name, all.map(({ millis }) => millis / 1000)]),
  );
  const toFloor = ratios(seconds.Flette, seconds.floor);
  const factors = PEERS.filter((name) => seconds[name]).map((name) => {
    const paired = seconds.Flette.slice(0, seconds[name].length);
    return [name, ratios(seconds[name], paired)];
  });
  const least = Math.min(...factors.map(([, { median }]) => median));
  const { bytes } = results.floor[0];
  const waits = results.Flette.map(({ millis, synced }) => (millis - synced) / 1000);
  return {
    id: `P1 ${Kind.title}`,
    goal: `First sync of ${rows} contacts, durable and queryable: at most ${FLOOR_RATIO_MAX} times the floor, and at least ${PEER_FACTOR_MIN} times the rows/s of each peer.`,
    ratio: rounded(toFloor.median),
    met: toFloor.median <= FLOOR_RATIO_MAX && least >= PEER_FACTOR_MIN && factors.length === PEERS.length,
    seconds,
    lines: [
      `${results.Flette[0].version}, IndexedDB on ${disk}, profile on disk; ${rounds} rounds in turn, peers ${seconds.Dexie?.length ?? 0}; ${megabytes(bytes)} MB of JSON, every column that the engine reads.`,
      "",
      ...table(
        ["contestant", "s, median", "rows/s"],
        Object.entries(seconds).map(([name, all]) => [
          name,
          shown(all),
          Math.round(rows / spread(all).median),
        ]),
      ),
      "",
      `Pair by pair: Flette to floor ${shown(toFloor)}; ${factors.map(([name, all]) => `Flette ${shown(all, 1)} times as fast as ${name}`).join("; ")}.`,
      `Of Flette's time, the first list after the sync took ${shown(waits)} s; the network alone takes what it takes above.`,
      ...(parts
        ? [
            `Where the worker's time goes in one more sync under the profiler, s: ${Object.entries(parts)
              .map(([kind, all]) => `${kind} ${rounded(all)}`)
              .join("; ")}.`,
          ]
        : []),
    ],
  };
}
