// Starts child processes for the scripts: every one with a time limit, in a process group of its own, so that
// nothing a script started outlives it.

import { spawn } from "node:child_process";
import { accessSync, constants, createWriteStream, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));

const MINUTE_MILLIS = 60_000;
const GRACE_MILLIS = 5_000;

/** What a script says when it cannot go on: one line, no stack. */
export class Failure extends Error {}

const live = new Set();

/** Signals a child and all that it started. */
export function endGroup(child, signal = "SIGTERM") {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended already.
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    for (const child of live) endGroup(child);
    if (process.listenerCount(signal) === 1) process.exit(130);
  });
}
process.on("exit", () => {
  for (const child of live) endGroup(child, "SIGKILL");
});

/** Starts a child that is ended with this process. Options are those of `spawn`. */
export function start(command, args, options = {}) {
  const env = { ...process.env, ...options.env };
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  const child = spawn(command, args, { cwd: root, stdio: "inherit", ...options, env, detached: true });
  live.add(child);
  child.on("close", () => live.delete(child));
  child.on("error", () => live.delete(child));
  return child;
}

/**
 * Runs a command to its end and resolves to `{ code, output, stdout, timedOut }`; never rejects.
 *
 * `show`: `"live"` passes output through, `"none"` keeps it quiet. `limit` is in minutes. `log` names a file that
 * gets a copy. An `undefined` in `env` removes a variable. `output` holds stdout and stderr as they came.
 */
export function attempt(command, args, { limit = 10, show = "none", log, ...options } = {}) {
  return new Promise((done) => {
    const child = start(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    const file = log && createWriteStream(log);
    const heard = { output: "", stdout: "" };
    let timedOut = false;
    const finish = (code, problem = "") => {
      clearTimeout(timer);
      file?.end(problem);
      done({ ...heard, code, timedOut, output: heard.output + problem });
    };
    const timer = setTimeout(() => {
      timedOut = true;
      endGroup(child);
      setTimeout(() => endGroup(child, "SIGKILL"), GRACE_MILLIS).unref();
    }, limit * MINUTE_MILLIS);
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (chunk) => {
        heard.output += chunk;
        if (name === "stdout") heard.stdout += chunk;
        file?.write(chunk);
        if (show === "live") process[name].write(chunk);
      });
    }
    child.on("error", (error) => finish(127, `${command}: ${error.message}\n`));
    child.on("close", (code) => finish(code ?? 128));
    // Something the child left behind may hold its output open for ever.
    child.on("exit", (code) => setTimeout(() => finish(code ?? 128), GRACE_MILLIS).unref());
  });
}

/** Runs a command that must succeed and resolves to its stdout; throws a `Failure` that says `hint` when it does not. */
export async function must(command, args, { hint, ...options } = {}) {
  const { code, output, stdout, timedOut } = await attempt(command, args, options);
  if (code === 0) return stdout;
  if ((options.show ?? "none") === "none") process.stderr.write(tail(output));
  const why = timedOut ? "ran out of time" : `ended with code ${code}`;
  throw new Failure(`\`${[command, ...args].join(" ")}\` ${why}${hint ? `; ${hint}` : ""}`);
}

/** What a command prints, trimmed, or `undefined` when it fails. */
export async function ask(command, args, options) {
  const { code, stdout } = await attempt(command, args, { limit: 0.5, ...options });
  return code === 0 ? stdout.trim() : undefined;
}

/** The path of a program on PATH, or `undefined`. */
export function which(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Runs a script's main function; a `Failure` becomes one line on stderr and exit code 1. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  }
}

/** Whether the module at `url` is the script that was started. */
export const isMain = (url) =>
  process.argv[1] !== undefined && fileURLToPath(url) === resolve(process.argv[1]);

function tail(text, lines = 30) {
  return `${text.trimEnd().split("\n").slice(-lines).join("\n")}\n`;
}
