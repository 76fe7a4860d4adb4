// P7: disk and memory of the mirror, against the JSON of the same rows: of the 24 columns that people look at, which is
// the strict measure, and of all columns that the engine reads, most of them empty.

import { browsers } from "./lib/browsers.mjs";
import { PAGE_ROWS, PATH } from "./lib/contacts.mjs";
import { API, fletteSyncs, floorRuns, LIST } from "./lib/contestants.mjs";
import { megabytes, table } from "./lib/rounds.mjs";
import { call, stageOf } from "./lib/stage.mjs";
import { rounded } from "./lib/statistics.mjs";

const DISK_PART_MAX = 0.4;
const PEAK_PART_MAX = 1;
const REST_PART_MAX = 0.6;

/** What is asked before memory at rest is looked at: columns that are unpacked stay so. */
const QUERIES = [
  LIST,
  `${API}contacts?$select=fullname&$filter=contains(fullname,'berg')&$orderby=fullname&$top=50`,
  `${API}contacts?$select=fullname,birthdate&$orderby=birthdate desc&$top=50`,
];

export async function p7(options) {
  const entries = [];
  for (const Kind of browsers(options.browser)) entries.push(await measured(Kind, options));
  return entries;
}

async function measured(Kind, { rows }) {
  const stage = await stageOf(rows);
  const first = await stage.firstCall(Kind);
  const narrow = { url: PATH, headers: { Prefer: `odata.maxpagesize=${PAGE_ROWS}` } };
  const json = {
    strict: (await floorRuns("network", stage, Kind, narrow)).bytes,
    all: (await floorRuns("network", stage, Kind, first)).bytes,
  };
  const look = async (page, browser) => {
    const { memory_bytes, storage } = await call(page, "flette.status");
    return {
      memory: memory_bytes,
      segments: storage.bytes,
      version: await browser.browser.version(),
      browser,
    };
  };
  const { memory, segments, version, browser, profile } = await fletteSyncs(stage, Kind, ["contact"], look);
  const disk = browser.storage(stage.port);
  const again = await stage.browser(Kind, { profile });
  let rest;
  try {
    const page = await stage.engine(again, ["contact"]);
    for (const path of QUERIES) await call(page, "flette.answered", path);
    rest = (await call(page, "flette.status")).memory_bytes;
  } finally {
    await again.close();
  }
  stage.keep(`Flette ${Kind.title} contact`, profile);
  return entry(Kind, {
    rows,
    json,
    disk,
    segments,
    version,
    peak: Math.max(memory, rest),
    synced: memory,
    rest,
  });
}

function entry(Kind, { rows, json, disk, segments, version, peak, synced, rest }) {
  const figures = [
    ["disk, IndexedDB's folder", disk.bytes, DISK_PART_MAX],
    ["memory of wasm at peak", peak, PEAK_PART_MAX],
    ["memory of wasm at rest, same worker", synced, REST_PART_MAX],
    [`memory of wasm at rest, next worker, after ${QUERIES.length} lists`, rest, REST_PART_MAX],
  ];
  const judged = figures.map(([name, bytes, most]) => ({ name, bytes, most, part: bytes / json.strict }));
  return {
    id: `P7 ${Kind.title}`,
    goal: `${rows} contacts: disk at most ${DISK_PART_MAX} of the JSON, wasm memory at most ${PEAK_PART_MAX} of it at peak and ${REST_PART_MAX} at rest.`,
    ratio: rounded(Math.max(...judged.map(({ part, most }) => part / most))),
    met: judged.every(({ part, most }) => part <= most),
    bytes: { json, disk: disk.bytes, segments, peak, synced, rest },
    lines: [
      `${version}, IndexedDB on ${disk.kind}; JSON of 24 columns ${megabytes(json.strict)} MB (the measure), of all columns that the engine reads ${megabytes(json.all)} MB.`,
      "",
      ...table(
        ["", "MB", "of the JSON of 24 columns", "of the JSON that was read", "at most", ""],
        judged.map(({ name, bytes, most, part }) => [
          name,
          megabytes(bytes),
          rounded(part),
          rounded(bytes / json.all),
          most,
          part <= most ? "met" : "not met",
        ]),
      ),
      "",
      `Segments as they are stored: ${megabytes(segments)} MB. Memory of WebAssembly never shrinks, so a worker that synced rests at its peak.`,
    ],
  };
}
