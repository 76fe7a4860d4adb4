// Flette and its peers as contestants: each gets the same rows from the same server, and each one's result is checked
// against the server's before its time counts.

import { plain } from "../page/pages.js";
import { profiled } from "./profile.mjs";
import { call, USER } from "./stage.mjs";

export const PEERS = ["Dexie", "RxDB", "PouchDB"];
export const API = "/api/data/v9.2/";

/** A CRM's list: 50 rows, filtered and ordered. */
export const LIST = encodeURI(
  `${API}contacts?$select=fullname,jobtitle,emailaddress1,telephone1,address1_city` +
    "&$filter=address1_city eq 'Oslo'&$orderby=lastname,firstname&$top=50",
);

/** An edit for each of these contacts, told apart by a mark. */
export const edited = (ids, mark) => ids.map((id, n) => ({ id, values: { telephone1: `${mark} ${n}` } }));

/** So many different ones of a list, by chance. */
export function someOf(list, count) {
  const left = [...list];
  return Array.from({ length: count }, () => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
}

/** Flette's first sync on a new profile; `look` sees the page before the browser ends. Gives times and the profile. */
export async function fletteSyncs(stage, Kind, tables, look = async () => ({})) {
  const browser = await stage.browser(Kind);
  try {
    const page = await stage.engine(browser, tables);
    const result = await call(page, "flette.firstSync", USER, LIST);
    await checkFlette(page, stage, Kind);
    return { ...result, ...(await look(page, browser)), profile: browser.profile };
  } finally {
    await browser.close();
  }
}

/** One more sync under the profiler, where the browser has one: it slows things down, so its time does not count. */
export async function fletteWatched(stage, Kind) {
  if (Kind.title !== "Chromium") return null;
  const browser = await stage.browser(Kind);
  try {
    const page = await stage.engine(browser, ["contact"]);
    const act = () => call(page, "flette.firstSync", USER, LIST);
    return await profiled(browser.browser, stage.origin, act);
  } finally {
    await browser.close();
    stage.drop(browser.profile);
  }
}

async function checkFlette(page, stage, Kind) {
  const { sample } = await stage.truth(Kind);
  const status = await call(page, "flette.status");
  const rows = status.tables.find((table) => table.name === "contact").rows;
  if (rows !== stage.rows) throw new Error(`Flette: ${rows} rows`);
  const { url, headers } = await stage.firstCall(Kind);
  for (const truth of sample) {
    const path = `${API}contacts(${truth.contactid})?${url.split("?")[1]}`;
    const row = await page.evaluate(
      async (path, Prefer) => (await fetch(path, { headers: { Prefer } })).json(),
      path,
      headers.prefer,
    );
    same("Flette", truth, row, (name) => name !== "@odata.context");
  }
}

function same(who, truth, row, counts = () => true) {
  for (const [name, value] of Object.entries(truth)) {
    if (counts(name) && row[name] !== value) throw new Error(`${who}: ${name} of a row differs`);
  }
}

/** A peer's load on a new profile. */
export async function peerLoads(name, stage, Kind) {
  const browser = await stage.browser(Kind);
  try {
    const page = await stage.plain(browser);
    const result = await call(page, "peers.load", name, await stage.firstCall(Kind));
    if (result.rows !== stage.rows) throw new Error(`${name}: ${result.rows} rows`);
    const { sample } = await stage.truth(Kind);
    const found = await call(
      page,
      "peers.points",
      name,
      sample.map((row) => row.contactid),
    );
    for (const [at, row] of found.entries()) same(name, plain(sample[at]), row);
    return { ...result, profile: browser.profile };
  } finally {
    await browser.close();
  }
}

/** Something of the floor's, on a new profile that goes again. */
export async function floorRuns(what, stage, Kind, first) {
  const browser = await stage.browser(Kind);
  try {
    const page = await stage.plain(browser);
    return await call(page, `floor.${what}`, first ?? (await stage.firstCall(Kind)));
  } finally {
    await browser.close();
    stage.drop(browser.profile);
  }
}

/** A profile with all rows in it: what an earlier measurement kept, or one made now. */
export async function filled(name, stage, Kind, tables = ["contact"]) {
  const key = [name, Kind.title, ...(name === "Flette" ? tables : [])].join(" ");
  if (!stage.kept.has(key)) {
    console.log(`loading ${name}`);
    const fill = () => (name === "Flette" ? fletteSyncs(stage, Kind, tables) : peerLoads(name, stage, Kind));
    stage.keep(key, (await fill()).profile);
  }
  return stage.kept.get(key);
}
