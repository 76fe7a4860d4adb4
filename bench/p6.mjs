// P6: a delta until it is committed and queryable: rows changed, made and deleted by somebody else. Floor: the same pages
// of the feed, each written raw as one value. A tenth of the mirror's size beside it shows what the cost follows.

import { randomUUID } from "node:crypto";
import { batch, parts } from "../tests/server/lib/batch.mjs";
import { browsers } from "./lib/browsers.mjs";
import { API, filled, floorRuns, LIST, someOf } from "./lib/contestants.mjs";
import { inParts, watched } from "./lib/profile.mjs";
import { inTurn, megabytes, shown, table } from "./lib/rounds.mjs";
import { call, stageOf } from "./lib/stage.mjs";
import { ratios, rounded } from "./lib/statistics.mjs";

const FLOOR_RATIO_MAX = 2;
const GROWTH_MAX = 1.3;
const SHARES = [0.01, 0.1];
/** Of the changed rows so many are deleted, and as many are new. */
const DELETED_PART = 0.1;
const BATCH_REQUESTS = 500;
const SAMPLE_ROWS = 20;

export async function p6(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { rows, rounds }) {
  const cases = [];
  let version;
  let parts;
  for (const size of [rows / 10, rows]) {
    const stage = await stageOf(size, `changing-${Kind.title}`);
    const profile = stage.copied(await filled("Flette", stage, Kind));
    const browser = await stage.browser(Kind, { profile });
    try {
      const page = await stage.engine(browser, ["contact"]);
      await call(page, "flette.sync");
      const feed = await Feed.begin(stage, Kind);
      for (const share of SHARES) {
        const results = await inTurn(contestants(page, feed, Math.round(size * share), stage, Kind), rounds);
        cases.push({ size, share, changed: Math.round(size * share), ...results });
      }
      await feed.changes(Math.round(size * SHARES[0]), `${Kind.title} watched`);
      const act = () => call(page, "flette.synced", LIST);
      parts = await watched(Kind, browser.browser, stage.origin, act);
      version = await browser.browser.version();
    } finally {
      await browser.close();
      stage.drop(profile);
    }
  }
  return entry(Kind, cases, { rounds, version, parts });
}

/** The floor goes first and checks that the feed tells of every change; both get the same delta. */
function contestants(page, feed, count, stage, Kind) {
  let delta;
  return {
    floor: {
      run: async (round) => {
        delta = await feed.changes(count, `${Kind.title} ${count} ${round}`);
        return floorRuns("floor", stage, Kind, delta.first);
      },
    },
    Flette: {
      run: async () => {
        await page.bringToFront();
        const result = await call(page, "flette.synced", LIST);
        await checkFlette(page, feed, delta);
        return result;
      },
    },
  };
}

async function checkFlette(page, feed, { changed, deleted }) {
  const { tables } = await call(page, "flette.status");
  const { rows } = tables.find(({ name }) => name === "contact");
  if (rows !== feed.ids.length) throw new Error(`Flette: ${rows} rows instead of ${feed.ids.length}`);
  const looked = someOf([...changed.keys()], Math.min(SAMPLE_ROWS, changed.size));
  const gone = deleted.slice(0, SAMPLE_ROWS);
  const found = await call(page, "flette.values", [...looked, ...gone], "telephone1");
  const wrong = looked.some((id) => found[id] !== changed.get(id)) || gone.some((id) => found[id] !== null);
  if (wrong) throw new Error("Flette: a changed row does not show the change");
}

/** The server's contacts, and a place in their feed that is asked for with what the engine asks for. */
class Feed {
  static async begin(stage, Kind) {
    const feed = new Feed();
    feed.client = stage.client;
    const { url, headers } = await stage.firstCall(Kind);
    const { rows, deltaLink } = await stage.client.all(url.slice(API.length), { Prefer: headers.prefer });
    feed.ids = rows.map((row) => row.contactid);
    feed.deltaLink = deltaLink;
    const prefer = headers.prefer.replace(/odata\.track-changes,? ?/, "");
    feed.headers = { ...headers, prefer };
    return feed;
  }

  /** Changes so many rows: gives the first request of their delta, new values by id, and the ids that went. */
  async changes(count, mark) {
    const some = Math.max(1, Math.round(count * DELETED_PART));
    const chosen = someOf(this.ids, count - some);
    const deleted = chosen.slice(0, some);
    const changed = new Map();
    const value = (id) => {
      changed.set(id, `${mark} ${changed.size}`);
      return { telephone1: changed.get(id) };
    };
    const items = [
      ...deleted.map((id) => ({ method: "DELETE", url: `contacts(${id})` })),
      ...chosen.slice(some).map((id) => ({ method: "PATCH", url: `contacts(${id})`, body: value(id) })),
    ];
    for (let made = 0; made < some; made++) {
      const contactid = randomUUID();
      const body = { contactid, lastname: "Made", firstname: `${mark} ${made}`, ...value(contactid) };
      items.push({ method: "POST", url: "contacts", body });
    }
    for (let at = 0; at < items.length; at += BATCH_REQUESTS) {
      const answers = parts(await batch(this.client, items.slice(at, at + BATCH_REQUESTS)));
      const refused = answers.find(({ status }) => status !== 204);
      if (refused) throw new Error(`a change was refused: ${refused.status} ${refused.text}`);
    }
    const gone = new Set(deleted);
    this.ids = [...this.ids.filter((id) => !gone.has(id)), ...[...changed.keys()].slice(-some)];
    const url = this.deltaLink.slice(this.deltaLink.indexOf("/", 8));
    const told = await this.client.all(this.deltaLink, { Prefer: this.headers.prefer });
    if (told.rows.length !== count)
      throw new Error(`the delta tells of ${told.rows.length} of ${count} rows`);
    this.deltaLink = told.deltaLink;
    return { first: { url, headers: this.headers }, changed, deleted };
  }
}

function entry(Kind, cases, { rounds, version, parts }) {
  const judged = cases.map(({ size, share, changed, Flette, floor }) => {
    const [engine, least] = [Flette, floor].map((all) => all.map(({ millis }) => millis));
    const waits = Flette.map(({ millis, synced }) => millis - synced);
    return {
      size,
      share,
      changed,
      engine,
      least,
      waits,
      bytes: floor[0].bytes,
      ratio: ratios(engine, least),
    };
  });
  // As many changed rows at a tenth of the size.
  const growths = judged.flatMap((small) =>
    judged
      .filter(({ size, changed }) => size > small.size && changed === small.changed)
      .map((large) => ({ changed: large.changed, growth: ratios(large.engine, small.engine) })),
  );
  const least = judged.filter(({ share }) => share === SHARES[0]).map(({ ratio }) => ratio.median);
  const follows = growths.every(({ growth }) => growth.median <= GROWTH_MAX);
  return {
    id: `P6 ${Kind.title}`,
    goal: `A delta until committed and queryable: 1 % of the rows within ${FLOOR_RATIO_MAX} times the floor, whatever the mirror's size; as many changed rows cost at most ${GROWTH_MAX} times as much in a mirror ten times as large.`,
    ratio: rounded(Math.max(...least)),
    met: Math.max(...least) <= FLOOR_RATIO_MAX && follows,
    cases: judged.map(({ size, changed, engine, least }) => ({
      size,
      changed,
      Flette: engine,
      floor: least,
    })),
    lines: [
      `${version}, profile on disk; ${rounds} rounds in turn. Of the changed rows ${DELETED_PART * 100} % are deleted and ${DELETED_PART * 100} % new. Flette's time is that of a whole round and a list: the question who is calling, the delta, and the merging of segments at the round's end are in it.`,
      "",
      ...table(
        ["rows", "changed", "MB", "Flette, ms", "of it the list", "floor, ms", "ratio"],
        judged.map(({ size, changed, bytes, engine, waits, least, ratio }) => [
          size,
          changed,
          megabytes(bytes),
          shown(engine, 0),
          shown(waits, 0),
          shown(least, 0),
          shown(ratio),
        ]),
      ),
      "",
      ...growths.map(
        ({ changed, growth }) =>
          `${changed} changed rows, large mirror to small: ${shown(growth)}, at most ${GROWTH_MAX}: ${growth.median <= GROWTH_MAX ? "met" : "not met"}.`,
      ),
      ...(parts ? ["", `One more delta of ${SHARES[0] * 100} % of the large mirror.${inParts(parts)}`] : []),
    ],
  };
}
