// P3: what a CRM asks, end to end from the page, against a worker that answers the same bodies ready; and the questions
// that no index helps with against the peers.

import { browsers } from "./lib/browsers.mjs";
import { API, filled, PEERS } from "./lib/contestants.mjs";
import { inTurn, shown, table } from "./lib/rounds.mjs";
import { call, stageOf } from "./lib/stage.mjs";
import { median, ratios, rounded } from "./lib/statistics.mjs";

const READY_RATIO_MAX = 1.5;
const PEER_FACTOR_MIN = 20;
const CALLS = 20;
const FIELDS = "fullname,jobtitle,emailaddress1,telephone1,address1_city,birthdate";
const LIST = `contacts?$select=${FIELDS}`;

const quoted = (text) => text.replaceAll("'", "''");

/** Each question's path for one literal; `peers`: what they are asked. Peers must be beaten where `factor` is set. */
const QUESTIONS = {
  "top 50 by filter and order": {
    path: ({ city }) => `${LIST}&$filter=address1_city eq '${quoted(city)}'&$orderby=lastname&$top=50`,
    peers: ({ city }) => ["top", city],
  },
  contains: {
    path: ({ part }) => `${LIST}&$filter=contains(fullname,'${quoted(part)}')&$orderby=fullname&$top=50`,
    peers: ({ part }) => ["contains", part],
    factor: PEER_FACTOR_MIN,
  },
  $count: { path: ({ family }) => `contacts/$count?$filter=lastname eq '${quoted(family)}'` },
  "group-by": {
    // Figures go over 50,000 rows at most, as in Dataverse.
    path: ({ column, older }) =>
      `contacts?$apply=filter(birthdate lt ${older})/groupby((${column}),aggregate($count as n))`,
    peers: ({ column, older }) => ["group", column, older],
    factor: PEER_FACTOR_MIN,
  },
  "order without index": {
    path: ({ before }) => `${LIST}&$filter=birthdate lt ${before}&$orderby=birthdate desc,fullname&$top=50`,
    peers: ({ before }) => ["order", before],
    factor: PEER_FACTOR_MIN,
  },
  $expand: {
    path: ({ family }) =>
      `${LIST}&$expand=parentcustomerid_account($select=name,telephone1)` +
      `&$filter=lastname eq '${quoted(family)}'&$orderby=fullname&$top=50`,
  },
  "point read": {
    path: ({ id }) => `contacts(${id})?$select=${FIELDS}`,
    peers: ({ id }) => ["point", id],
  },
};

export async function p3(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { rows, rounds, peerRounds }) {
  const stage = await stageOf(rows);
  const literals = await chosen(stage, Kind);
  const profile = await filled("Flette", stage, Kind, ["account", "contact"]);
  for (const name of PEERS) await filled(name, stage, Kind);
  const browser = await stage.browser(Kind, { profile });
  try {
    const page = await stage.engine(browser, ["account", "contact"]);
    const ready = await stage.ready(browser);
    const found = [];
    for (const [name, question] of Object.entries(QUESTIONS)) {
      const here = await compared(page, stage, question, literals[0]);
      const all = {
        ...contestants(name, page, ready, question, literals),
        ...peers(name, stage, Kind, question, literals, peerRounds),
      };
      const [flette, answers, ...rest] = Object.values(await inTurn(all, rounds));
      found.push({ name, here, times: [flette, answers], peers: known(rest) });
    }
    return entry(Kind, found, { rows, rounds, peerRounds, version: await browser.browser.version() });
  } finally {
    await browser.close();
  }
}

/** Share of the rows that is grouped, at least; each question groups a few more. */
const GROUPED_MIN = 0.35;

/** Literals that occur in the rows; a list of them, so that no answer is asked for twice in a row. */
async function chosen(stage, Kind) {
  const select = "lastname,address1_city,birthdate";
  const { value } = await stage.client.get(`contacts?$select=${select}&$top=2000`);
  const { ids } = await stage.truth(Kind);
  const distinct = (column) => [...new Set(value.map((row) => row[column]).filter(Boolean))];
  const [families, cities, dates] = [distinct("lastname"), distinct("address1_city"), distinct("birthdate")];
  const columns = ["jobtitle", "department", "address1_country", "lastname"];
  const at = (list, n) => list[n % list.length];
  const sorted = value.map((row) => row.birthdate ?? "9999").sort();
  return Array.from({ length: CALLS }, (_, n) => ({
    id: at(ids, n * 997),
    family: at(families, n),
    part: at(families, n).slice(0, 3).toLowerCase(),
    city: at(cities, n),
    before: at(dates, n),
    column: at(columns, n),
    older: sorted[Math.floor(sorted.length * (GROUPED_MIN + n / 1000))],
  }));
}

const SAME = "as the server";

/** How the replica's answer compares with the server's: only the same one counts. */
async function compared(page, stage, question, literal) {
  const path = encodeURI(question.path(literal));
  const truth = await stage.client.get(path);
  const answer = await call(page, "flette.answered", API + path).catch((error) => error);
  if (answer instanceof Error) return "by the server";
  const core = (body) =>
    JSON.stringify(body.value ?? body, (name, value) => (name === "@odata.context" ? "" : value));
  return core(answer) === core(truth) ? SAME : "another answer than the server's";
}

function contestants(name, page, ready, question, literals) {
  const paths = literals.map((literal) => API + encodeURI(question.path(literal)));
  const answers = paths.map((_, n) => `/ready/answer/${encodeURIComponent(name)}?${n}`);
  const prepared = async () => {
    for (const [n, path] of paths.entries()) {
      await call(ready, "flette.prepare", answers[n], await call(page, "flette.text", path));
    }
  };
  return {
    [`Flette, ${name}`]: {
      run: async () => {
        await page.bringToFront();
        return median(await call(page, "flette.timed", paths));
      },
    },
    [`ready, ${name}`]: {
      run: async () => {
        // Its bodies are lost when the browser ends the idle worker.
        await prepared();
        await ready.bringToFront();
        return median(await call(ready, "flette.timed", answers));
      },
    },
  };
}

/** The peers that a question is asked of, each in a browser of its own that lives for one call, as caches would answer twice. */
function peers(title, stage, Kind, question, literals, rounds) {
  const run = (name) => async (round) => {
    const browser = await stage.browser(Kind, { profile: await filled(name, stage, Kind) });
    try {
      const page = await stage.plain(browser);
      await call(page, "peers.open", name);
      const literal = literals[round - 1];
      const answer = await call(page, "peers.ask", name, ...question.peers(literal));
      if (answer) await agrees(name, title, answer.found, stage, encodeURI(question.path(literal)));
      return { name, millis: answer?.millis };
    } finally {
      await browser.close();
    }
  };
  const asked = question.peers ? PEERS : [];
  return Object.fromEntries(asked.map((name) => [`${name}, ${title}`, { run: run(name), rounds }]));
}

/** A peer finds as many rows or groups as the server; which of equal ones come first is its own. */
async function agrees(name, title, found, stage, path) {
  const truth = await stage.client.get(path);
  const wanted = truth.value ?? [truth];
  const counted = (rows) => rows.reduce((sum, row) => sum + (row.n ?? 1), 0);
  if (counted(found) !== counted(wanted)) {
    throw new Error(`${name}, ${title}: ${counted(found)} instead of ${counted(wanted)}`);
  }
}

/** Each peer's times; those that do not answer such a question are left out. */
function known(rounds) {
  const answered = rounds.flat().filter(({ millis }) => millis !== undefined);
  return Object.fromEntries(
    PEERS.map((name) => [
      name,
      answered.filter((one) => one.name === name).map(({ millis }) => millis),
    ]).filter(([, times]) => times.length > 0),
  );
}

function entry(Kind, found, { rows, rounds, peerRounds, version }) {
  const judged = found.map(({ name, here, times, peers }) => {
    const [flette, ready] = times;
    const ratio = ratios(flette, ready);
    const fastest = Object.entries(peers).sort(([, a], [, b]) => median(a) - median(b))[0];
    const factor = fastest && median(fastest[1]) / median(flette);
    const wanted = QUESTIONS[name].factor;
    const met = here === SAME && ratio.median <= READY_RATIO_MAX && (!wanted || factor >= wanted);
    return { name, here, flette, ready, ratio, fastest, factor, met, peers };
  });
  const worst = Math.max(...judged.map(({ ratio }) => ratio.median));
  const yes = (met) => (met ? "met" : "not met");
  return {
    id: `P3 ${Kind.title}`,
    goal: `Queries over ${rows} contacts, end to end: at most ${READY_RATIO_MAX} times a worker that answers the same body ready; contains, group-by and order without index at least ${PEER_FACTOR_MIN} times as fast as the fastest peer.`,
    ratio: rounded(worst),
    met: judged.every(({ met }) => met),
    millis: Object.fromEntries(
      judged.map(({ name, flette, ready, peers }) => [name, { flette, ready, ...peers }]),
    ),
    lines: [
      `${version}; ${rounds} rounds in turn, each the median of ${CALLS} calls with other literals; peers in turn with them in ${peerRounds}, each call in a browser of its own.`,
      "",
      ...table(
        ["question", "Flette, ms", "ready worker, ms", "ratio", "fastest peer, ms", "times as fast", ""],
        judged.map(({ name, here, flette, ready, ratio, fastest, factor, met }) => [
          name,
          here === SAME ? shown(flette, 1) : `${shown(flette, 1)}, ${here}`,
          shown(ready, 1),
          shown(ratio),
          fastest ? `${rounded(median(fastest[1]), 1)} (${fastest[0]})` : "",
          factor ? rounded(factor, 1) : "",
          yes(met),
        ]),
      ),
      "",
      "The peers' `top 50` and `point read` go by their indexes; PouchDB has no secondary index here.",
    ],
  };
}
