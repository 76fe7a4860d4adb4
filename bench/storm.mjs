// A storm: N clients that come back at once, each over a connection of its own with a token that is still good, and
// ask for their delta. Some find nothing new, in a second wave each finds the same 1 % of rows changed.

import { readFileSync } from "node:fs";
import http from "node:http";
import { World } from "../tests/server/lib/world.mjs";
import { percentile, rounded } from "./lib/statistics.mjs";

const ROWS = 10_000;
const CHANGED_PART = 0.01;
const ARRIVAL_SECONDS = 10;
const TICKS_PER_SECOND = 100;
const FILL_MILLIS_MAX = 5 * 60_000;

export async function storm({ clients, database }) {
  const kinds = database ? [database] : ["sqlite", "postgres"];
  const lines = [
    `${clients} clients, each on a connection of its own, within ${ARRIVAL_SECONDS} s and at once; ${ROWS} contacts.`,
    "",
    "| database | they find | arriving | all answered after s | p50 ms | p99 ms | CPU s of the server | resident MiB | errors |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ];
  const figures = [];
  for (const kind of kinds) {
    const world = new World(kind, { rows: ROWS, durable: true, startMillisMax: FILL_MILLIS_MAX });
    try {
      await world.start();
      for (const wave of await waves(world, clients)) {
        figures.push({ database: kind, ...wave });
        const { found, arriving, seconds, p50, p99, cpu, resident, errors } = wave;
        lines.push(
          `| ${kind} | ${found} | ${arriving} | ${seconds} | ${p50} | ${p99} | ${cpu} | ${resident} | ${errors} |`,
        );
      }
    } finally {
      await world.stop();
    }
  }
  const goal = `What ${clients} reconnecting clients cost.`;
  return { id: "storm", goal, figures, lines };
}

async function waves(world, clients) {
  const token = await world.demo.token();
  const first = await world.demo.all("contacts?$select=fullname,jobtitle", {
    Prefer: "odata.track-changes,odata.maxpagesize=5000",
  });
  const target = first.deltaLink.slice(first.deltaLink.indexOf("/", 8));
  const done = [];
  for (const found of ["nothing", `${CHANGED_PART * ROWS} rows`]) {
    if (found !== "nothing") await change(world, first.rows);
    for (const arriving of ["spread", "at once"]) {
      const seconds = arriving === "spread" ? ARRIVAL_SECONDS : 0;
      done.push({ found, arriving, ...(await wave(world.server, target, token, clients, seconds)) });
    }
  }
  return done;
}

async function change(world, rows) {
  for (const row of rows.slice(0, CHANGED_PART * ROWS)) {
    await world.demo.patch(`contacts(${row.contactid})`, { jobtitle: "Changed" });
  }
}

async function wave(server, path, token, clients, arrivalSeconds) {
  const before = cpuSeconds(server.child.pid);
  const started = performance.now();
  const latencies = [];
  const failures = new Map();
  const poll = () =>
    new Promise((done) => {
      const begun = performance.now();
      const end = (why) => {
        if (why) failures.set(why, (failures.get(why) ?? 0) + 1);
        else latencies.push(performance.now() - begun);
        done();
      };
      const options = { host: "127.0.0.1", port: server.port, path, agent: false, timeout: 120_000 };
      const request = http.get({ ...options, headers: { Authorization: `Bearer ${token}` } }, (answer) => {
        answer.resume();
        answer.on("end", () => end(answer.statusCode === 200 ? undefined : `${answer.statusCode}`));
        answer.on("error", (error) => end(error.code));
      });
      request.on("timeout", () => request.destroy());
      request.on("error", (error) => end(error.code ?? "error"));
    });
  const polls = [];
  const ticks = Math.max(1, arrivalSeconds * TICKS_PER_SECOND);
  for (let tick = 0; tick < ticks; tick++) {
    const due = Math.ceil(((tick + 1) * clients) / ticks);
    while (polls.length < due) polls.push(poll());
    if (tick + 1 < ticks) await new Promise((go) => setTimeout(go, 1000 / TICKS_PER_SECOND));
  }
  await Promise.all(polls);
  return {
    seconds: rounded((performance.now() - started) / 1000),
    p50: latencies.length ? rounded(percentile(latencies, 0.5), 1) : undefined,
    p99: latencies.length ? rounded(percentile(latencies, 0.99), 1) : undefined,
    cpu: rounded(cpuSeconds(server.child.pid) - before),
    resident: residentMib(server.child.pid),
    errors: [...failures].map(([why, count]) => `${why}: ${count}`).join(", ") || "none",
  };
}

/** User and system time of a process, from Linux's /proc. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMib(pid) {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1];
  return Math.round(Number(kib) / 1024);
}
