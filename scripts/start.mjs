// `npm start`: builds what changed and serves the web CRM with demo data. `-- --port N` and `-- --rows N` choose
// another port (default 8080) and another number of demo rows (default 1000).

import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build, SERVER } from "./build.mjs";
import { endGroup, Failure, isMain, main, root, start } from "./lib/run.mjs";

const HOST = "127.0.0.1";
const ROWS_DEFAULT = 1000;
const STOP_MILLIS_MAX = 5_000;

async function serve() {
  const { port, rows } = readOptions();
  await checkPort(port);
  await build();
  mkdirSync(join(root, ".flette"), { recursive: true });
  // Each number of rows has its own database, so that asking for another one does not lose what was entered.
  const name = rows === ROWS_DEFAULT ? "demo" : `demo-${rows}`;
  const database = `sqlite:.flette/${name}.sqlite`;
  const options = [
    "--listen",
    `${HOST}:${port}`,
    "--database",
    database,
    "--site",
    "dist",
    "--demo",
    `${rows}`,
  ];
  const server = start(SERVER, ["serve", ...options], { stdio: ["ignore", "pipe", "inherit"] });
  await untilEnd(server, () => {
    console.log(`\nFlette's web CRM: http://localhost:${port}`);
    console.log("Sign in as demo, anna, ola or admin; the password is flette. Ctrl-C stops.\n");
  });
}

function readOptions() {
  const whole = (name, text, min, max) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Failure(`--${name} takes a whole number from ${min} to ${max}`);
  };
  try {
    const { values } = parseArgs({ options: { port: { type: "string" }, rows: { type: "string" } } });
    return {
      port: whole("port", values.port ?? "8080", 1, 65_535),
      rows: whole("rows", values.rows ?? `${ROWS_DEFAULT}`, 0, 10_000_000),
    };
  } catch (error) {
    throw new Failure(error.message.split("\n")[0]);
  }
}

/** Throws when the port is taken: better to say so now than after a build of minutes. */
function checkPort(port) {
  return new Promise((free, fail) => {
    const probe = createServer();
    probe.once("error", (error) => {
      const taken = error.code === "EADDRINUSE";
      const why = taken
        ? `port ${port} is taken; choose another with \`npm start -- --port N\``
        : error.message;
      fail(new Failure(why));
    });
    probe.listen(port, HOST, () => probe.close(free));
  });
}

/** Resolves when the server ends after a signal; throws when it ends by itself. */
function untilEnd(server, ready) {
  return new Promise((stopped, fail) => {
    let stopping = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        stopping = true;
        endGroup(server);
        setTimeout(() => endGroup(server, "SIGKILL"), STOP_MILLIS_MAX).unref();
      });
    }
    let heard = "";
    server.stdout.setEncoding("utf8").on("data", (text) => {
      const before = heard.includes("listening on");
      if (!before) heard += text;
      process.stdout.write(text);
      if (!before && heard.includes("listening on")) ready();
    });
    server.on("error", (error) => fail(new Failure(`${SERVER}: ${error.message}`)));
    server.on("close", (code) => {
      if (stopping) stopped();
      else fail(new Failure(`the server ended by itself with code ${code}`));
    });
  });
}

if (isMain(import.meta.url)) await main(serve);
