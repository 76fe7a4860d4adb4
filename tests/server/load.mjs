// Load: writers and readers at once, then an audit of every acknowledged write.
// `node tests/server/load.mjs --seconds 60 --database postgres --servers 2 --writers 50 --readers 50`

import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { audit, counters, Follower, Ledger, Reader, Writer } from "./lib/traffic.mjs";
import { World } from "./lib/world.mjs";

const COUNTERS = 5;
const FOLLOWERS = 3;

/** Runs the load over the world's servers in turn; gives { wrong, ledger, seconds }. */
export async function load(world, { seconds, writers, readers }) {
  const ledger = new Ledger();
  const stop = { told: false };
  const clients = world.servers.map((server) => world.client("demo", server));
  const at = (n) => clients[n % clients.length];
  for (const client of clients) await client.token();
  const shared = await counters(clients[0], COUNTERS);
  const followers = Array.from({ length: FOLLOWERS }, (_, n) => new Follower(at(n), ledger, stop));
  const actors = [
    ...Array.from({ length: writers }, (_, n) => {
      return new Writer(at(n), ledger, stop, { name: `writer ${n}`, counters: shared });
    }),
    ...Array.from({ length: readers }, (_, n) => new Reader(at(n + 1), ledger, stop)),
    ...followers,
  ];
  const started = Date.now();
  const running = Promise.all(actors.map((actor) => actor.run()));
  await Promise.race([sleep(seconds * 1000), running]);
  stop.told = true;
  await running;
  const took = (Date.now() - started) / 1000;
  if (ledger.broken) ledger.errors.push(`${ledger.broken} connections broke`);
  return { wrong: await audit(clients[0], ledger, followers), ledger, seconds: took };
}

/** One line of figures. */
export function figures({ ledger, seconds }) {
  const rate = (count) => (count / seconds).toFixed(0);
  const statuses = [...ledger.statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status}: ${count}`);
  return `${rate(ledger.writes)} writes/s, ${rate(ledger.reads)} reads/s; answers ${statuses.join(", ")}`;
}

async function main() {
  const number = { type: "string" };
  const { values } = parseArgs({
    options: { seconds: number, writers: number, readers: number, servers: number, database: number },
  });
  const kind = values.database ?? "sqlite";
  const world = await new World(kind, { rows: 200, durable: true }).start();
  try {
    for (let n = 1; n < Number(values.servers ?? 1); n++) await world.another();
    const result = await load(world, {
      seconds: Number(values.seconds ?? 60),
      writers: Number(values.writers ?? 50),
      readers: Number(values.readers ?? 50),
    });
    console.log(`${kind}, ${world.servers.length} server process(es): ${figures(result)}`);
    for (const line of result.wrong.slice(0, 20)) console.log(`wrong: ${line}`);
    console.log(`${result.wrong.length} wrong`);
    if (result.wrong.length > 0) process.exitCode = 1;
  } finally {
    await world.stop();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
