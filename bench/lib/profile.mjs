// Where a worker's time goes, by Chromium's own profiler: in WebAssembly, in JavaScript, in neither while it waits for
// network and disk.

import { rounded } from "./statistics.mjs";

const SAMPLE_MICROS = 500;

/** Runs `act` while the engine's worker is watched. Gives seconds by kind. */
export async function profiled(browser, origin, act) {
  const target = await browser.waitForTarget(
    (target) => target.type() === "service_worker" && target.url().startsWith(`${origin}/worker.js`),
  );
  const session = await target.createCDPSession();
  await session.send("Profiler.enable");
  await session.send("Profiler.setSamplingInterval", { interval: SAMPLE_MICROS });
  await session.send("Profiler.start");
  await act();
  const { profile } = await session.send("Profiler.stop");
  await session.detach();
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const seconds = {};
  for (const [at, id] of profile.samples.entries()) {
    const kind = kindOf(frames.get(id));
    seconds[kind] = (seconds[kind] ?? 0) + profile.timeDeltas[at] / 1e6;
  }
  return seconds;
}

/** The same in any browser: `null` where it has no profiler. */
export async function watched(Kind, browser, origin, act) {
  if (Kind.title === "Chromium") return profiled(browser, origin, act);
  await act();
  return null;
}

/** Seconds by kind, as a sentence. */
export const inParts = (parts) =>
  parts
    ? ` Where the worker's time goes under the profiler, s: ${Object.entries(parts)
        .map(([kind, seconds]) => `${kind} ${rounded(seconds)}`)
        .join("; ")}.`
    : "";

function kindOf({ functionName, url }) {
  if (functionName === "(idle)") return "waiting";
  if (functionName === "(garbage collector)") return "garbage collector";
  if (functionName === "(program)") return "the browser's own code";
  return /^wasm:|\.wasm$/.test(url) || functionName.startsWith("wasm-function")
    ? "WebAssembly"
    : "JavaScript";
}
