// P5: back online with edits made offline, until all are accepted and what the server made of them is pulled. Floor: the
// same edits sent in batches by a page, as plainly as the server takes them.

import { randomUUID } from "node:crypto";
import { FaultProxy } from "../tests/e2e/lib/proxy.mjs";
import { written } from "../tests/server/lib/batch.mjs";
import { browsers } from "./lib/browsers.mjs";
import { edited, filled, someOf } from "./lib/contestants.mjs";
import { inParts, watched } from "./lib/profile.mjs";
import { inTurn, shown, table } from "./lib/rounds.mjs";
import { call, stageOf } from "./lib/stage.mjs";
import { ratios, rounded } from "./lib/statistics.mjs";

const FLOOR_RATIO_MAX = 1.5;
/** As many as the engine sends at once. */
const BATCH_REQUESTS = 100;

export async function p5(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { rows, rounds, edits: count }) {
  const stage = await stageOf(rows, `reconnecting-${Kind.title}`);
  const { ids } = await stage.truth(Kind);
  const profile = stage.copied(await filled("Flette", stage, Kind));
  const engine = await stage.browser(Kind, { profile });
  const other = await stage.browser(Kind);
  try {
    const page = await stage.engine(engine, ["contact"]);
    const bare = await stage.plain(other);
    const edits = (name, round) => edited(someOf(ids, count), `${Kind.title} ${name} ${round}`);
    const batches = (name, how) => ({
      run: async (round) => {
        const own = edits(name, round);
        await bare.bringToFront();
        const result = await call(bare, "floor.batches", inBatches(own, how));
        if (result.accepted !== count) throw new Error(`${name}: ${result.accepted} edits accepted`);
        await stand(stage, own);
        return result;
      },
    });
    const contestants = {
      Flette: { run: (round) => reconnected(stage, page, edits("Flette", round)) },
      floor: batches("floor", () => ({ "If-Match": "*" })),
      "floor, with receipts and rows": batches("receipts", receipts),
    };
    const results = await inTurn(contestants, rounds);
    const seen = await watchedOnce(stage, Kind, edits("watched", 1));
    return entry(Kind, results, { rows, rounds, count, seen, version: await engine.browser.version() });
  } finally {
    await Promise.all([engine.close(), other.close()]);
    stage.drop(profile);
  }
}

/** Goes offline, makes the edits, and comes back. */
async function reconnected(stage, page, edits) {
  await call(page, "flette.offline");
  await page.bringToFront();
  await call(page, "flette.patched", edits);
  const { millis, report } = await call(page, "flette.online");
  const { pending, parked, conflicts } = await call(page, "flette.status");
  if (!report.ok || report.pushed !== edits.length || pending + parked + conflicts > 0) {
    throw new Error(`Flette: ${JSON.stringify(report)}, ${pending} edits wait`);
  }
  await stand(stage, edits);
  return { millis, pulled: report.pulled };
}

/** Throws unless every edit stands on the server. */
async function stand(stage, edits) {
  const mark = edits[0].values.telephone1.replace(/\d+$/, "");
  const filter = encodeURIComponent(`startswith(telephone1,'${mark}')`);
  const { rows } = await stage.client.all(`contacts?$select=telephone1&$filter=${filter}`);
  const found = new Map(rows.map((row) => [row.contactid, row.telephone1]));
  const lost = edits.find(({ id, values }) => found.get(id) !== values.telephone1);
  if (lost || found.size !== edits.length) throw new Error(`${found.size} of ${edits.length} edits stand`);
}

/** What lets a client repeat a request and go on with its answer, of whatever version the row was. */
const receipts = () => ({
  "If-Match": "*",
  "Repeatability-Request-ID": randomUUID(),
  "Repeatability-First-Sent": new Date().toUTCString(),
  Prefer: 'return=representation,odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"',
});

function inBatches(edits, headers) {
  const batches = [];
  for (let at = 0; at < edits.length; at += BATCH_REQUESTS) {
    const part = edits.slice(at, at + BATCH_REQUESTS);
    batches.push(
      written(
        part.map(({ id, values }) => ({
          method: "PATCH",
          url: `contacts(${id})`,
          headers: headers(),
          body: values,
        })),
      ),
    );
  }
  return batches;
}

/**
 * One more time through a proxy that notes when each request was answered, and under the profiler where there is one: both
 * cost time, so it does not count.
 */
async function watchedOnce(stage, Kind, edits) {
  const proxy = await new FaultProxy(stage.server).start();
  const browser = await stage.browser(Kind);
  try {
    const behind = { page: (url) => browser.page(url.replace(stage.origin, proxy.origin)) };
    const page = await stage.engine(behind, ["contact"]);
    await call(page, "flette.signIn", "demo");
    await call(page, "flette.sync");
    await call(page, "flette.offline");
    await call(page, "flette.patched", edits);
    const from = proxy.log.length;
    const started = performance.now();
    const act = () => call(page, "flette.online");
    const parts = await watched(Kind, browser.browser, proxy.origin, act);
    const millis = performance.now() - started;
    const log = proxy.log.slice(from).map(({ at, ...request }) => ({ ...request, at: at - started }));
    const batches = log.filter(({ url }) => url.endsWith("$batch"));
    return { millis, parts, requests: log.length, batches: batches.length, sent: batches.at(-1)?.at ?? 0 };
  } finally {
    await browser.close();
    await proxy.stop();
  }
}

function entry(Kind, results, { rows, rounds, count, seen, version }) {
  const millis = Object.fromEntries(
    Object.entries(results).map(([name, all]) => [name, all.map((result) => result.millis)]),
  );
  const ratio = ratios(millis.Flette, millis.floor);
  const likewise = ratios(millis.Flette, millis["floor, with receipts and rows"]);
  return {
    id: `P5 ${Kind.title}`,
    goal: `Reconnecting with ${count} offline edits of ${rows} contacts, all accepted: at most ${FLOOR_RATIO_MAX} times the same edits sent in batches by fetch.`,
    ratio: rounded(ratio.median),
    met: ratio.median <= FLOOR_RATIO_MAX,
    millis,
    lines: [
      `${version}, profile on disk; ${rounds} rounds in turn; batches of ${BATCH_REQUESTS}, one after the other, each edit looked for on the server afterwards. Flette's time ends when it has pulled its own changes back too.`,
      "",
      ...table(
        ["contestant", "ms"],
        Object.entries(millis).map(([name, all]) => [name, shown(all, 0)]),
      ),
      "",
      `Pair by pair: Flette to floor ${shown(ratio)}; to the same edits with receipts and with the rows in the answers ${shown(likewise)}.`,
      `Once more through a proxy, which does not count: ${seen.requests} requests, ${seen.batches} of them batches; the last batch was answered after ${rounded(seen.sent, 0)} ms of ${rounded(seen.millis, 0)}.${inParts(seen.parts)}`,
    ],
  };
}
