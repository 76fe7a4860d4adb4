// P10: the reference server gives 100,000 contacts with 24 columns in pages of 5,000. Contestants, in turn: the server
// on SQLite, the server on PostgreSQL, and JSON built in that same PostgreSQL, as PostgREST does, over a bare
// connection without HTTP, rights or annotations.

import pg from "pg";
import { World } from "../tests/server/lib/world.mjs";
import { COLUMNS, PAGE_ROWS, PATH, property } from "./lib/contacts.mjs";
import { pull } from "./lib/pull.mjs";
import { ratios, rounded, spread } from "./lib/statistics.mjs";

const ROWS_PER_SECOND_GOAL = 100_000;
const SAMPLE_ROWS = 20;
const ROUNDS_MIN = 5;
const FILL_MILLIS_MAX = 15 * 60_000;

/** Runs all rounds and gives the entry. */
export async function p10({ rows, rounds }) {
  const worlds = [];
  try {
    for (const kind of ["sqlite", "postgres"]) {
      const world = new World(kind, { rows, durable: true, startMillisMax: FILL_MILLIS_MAX });
      worlds.push(world);
      console.log(`filling ${kind} with ${rows} contacts`);
      await world.start();
    }
    return await measured(...worlds, { rows, rounds: Math.max(rounds, ROUNDS_MIN) });
  } finally {
    for (const world of worlds) await world.stop();
  }
}

async function measured(sqlite, postgres, { rows, rounds }) {
  postgres.postgres.run(new URL(postgres.database).pathname.slice(1), "VACUUM ANALYZE");
  const peer = new pg.Client({ connectionString: postgres.database });
  await peer.connect();
  const contestants = {
    "server on SQLite": () => served(sqlite),
    "server on PostgreSQL": () => served(postgres),
    "JSON built in PostgreSQL": () => built(peer),
  };
  const rates = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  let bytes;
  // The first round warms up and is checked; the others are timed.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      const started = performance.now();
      const pages = await run();
      const seconds = (performance.now() - started) / 1000;
      const all = check(name, pages, rows);
      if (round === 0) await sampled(name, all, { sqlite, postgres, peer });
      else rates[name].push(rows / seconds);
      if (name === "server on SQLite") bytes = pages.reduce((sum, page) => sum + page.length, 0);
      console.log(`round ${round}, ${name}: ${Math.round(rows / seconds)} rows/s`);
    }
  }
  await peer.end();
  return entry(rates, { rows, rounds, bytes });
}

async function served(world) {
  const token = await world.demo.token();
  return pull({ port: world.server.port, token, path: PATH, pageRows: PAGE_ROWS });
}

/** The statement that PostgREST makes of such a request; a page goes on behind the last one's greatest key. */
const BUILT = `WITH source AS (
    SELECT ${COLUMNS.map((column) => `"contact"."${column}"`).join(", ")} FROM "contact"
    WHERE "contact"."contactid" > decode($1, 'hex') ORDER BY "contact"."contactid" LIMIT ${PAGE_ROWS})
  SELECT coalesce(json_agg(row_), '[]')::character varying AS body, max(encode(row_.contactid, 'hex')) AS last
  FROM (SELECT * FROM source) row_`;

async function built(peer) {
  const pages = [];
  for (let last = ""; ; ) {
    const { rows } = await peer.query({ name: "page", text: BUILT, values: [last], rowMode: "array" });
    const [body, greatest] = rows[0];
    if (greatest === null) return pages;
    pages.push(body);
    last = greatest;
  }
}

/** Counts what arrived: every row once. */
function check(name, pages, rows) {
  const all = pages.flatMap((page) => {
    const body = JSON.parse(page);
    return body.value ?? body;
  });
  const ids = new Set(all.map((row) => row.contactid));
  if (all.length !== rows || ids.size !== rows)
    throw new Error(`${name}: ${all.length} rows, ${ids.size} ids`);
  return all;
}

/** Reads some rows back by themselves. */
async function sampled(name, all, { sqlite, postgres, peer }) {
  for (let n = 0; n < SAMPLE_ROWS; n++) {
    const row = all[Math.floor(Math.random() * all.length)];
    if (name === "JSON built in PostgreSQL") {
      const again = await peer.query("SELECT fullname FROM contact WHERE contactid = $1", [
        Buffer.from(row.contactid.replace("\\x", ""), "hex"),
      ]);
      if (again.rows[0].fullname !== row.fullname) throw new Error(`${name}: a row differs`);
    } else {
      const world = name === "server on SQLite" ? sqlite : postgres;
      const again = await world.demo.get(`contacts(${row.contactid})?${PATH.split("?")[1]}`);
      for (const column of COLUMNS.map(property)) {
        if (again[column] !== row[column]) throw new Error(`${name}: ${column} differs`);
      }
    }
  }
}

function entry(rates, { rows, rounds, bytes }) {
  const peer = rates["JSON built in PostgreSQL"];
  const toPeer = ratios(rates["server on SQLite"], peer);
  const postgresToPeer = ratios(rates["server on PostgreSQL"], peer);
  const toGoal = spread(rates["server on SQLite"]).median / ROWS_PER_SECOND_GOAL;
  const line = ([name, all]) => {
    const { min, median: middle, max } = spread(all);
    return `| ${name} | ${Math.round(middle)} | ${Math.round(min)} to ${Math.round(max)} |`;
  };
  const shown = ({ min, median: middle, max }) => `${rounded(middle)} (${rounded(min)} to ${rounded(max)})`;
  return {
    id: "P10",
    goal: `Reference server, ${rows} contacts, 24 columns, pages of ${PAGE_ROWS}: at least ${ROWS_PER_SECOND_GOAL} rows/s on SQLite, and at least as fast as JSON built in PostgreSQL.`,
    ratio: rounded(Math.min(toGoal, toPeer.median)),
    met: toGoal >= 1 && toPeer.median >= 1,
    ratios: {
      "SQLite to goal": rounded(toGoal),
      "SQLite to JSON built in PostgreSQL": rounded(toPeer.median),
      "PostgreSQL to JSON built in PostgreSQL": rounded(postgresToPeer.median),
    },
    rows_per_second: Object.fromEntries(
      Object.entries(rates).map(([name, all]) => [name, all.map(Math.round)]),
    ),
    lines: [
      `${rounds} rounds in turn, ${rounded(bytes / 1e6, 1)} MB of JSON each.`,
      "",
      "| contestant | rows/s, median | spread |",
      "| --- | --- | --- |",
      ...Object.entries(rates).map(line),
      "",
      `Pair by pair: the server on SQLite to JSON built in PostgreSQL ${shown(toPeer)}; the server on PostgreSQL to it ${shown(postgresToPeer)}.`,
      "The client asks for the next page as soon as it has seen its link, as the engine does, and decodes each page into",
      "a string, as the peer's driver does. The peer builds its JSON as PostgREST does, without HTTP, rights,",
      "annotations, and ids and times in Dataverse's form.",
    ],
  };
}
