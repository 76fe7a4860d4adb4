// Makes sure that everything a build needs is on this machine: `node scripts/setup.mjs`, with `--tests` also what the
// tests and checks need. Every step is skipped when its result is there, and can be killed and run again.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { aptInstall, asRoot } from "./lib/apt.mjs";
import { ask, Failure, isMain, main, must, root, which } from "./lib/run.mjs";
import { ensureWasmToolchain } from "./lib/toolchain.mjs";
import { cargoInstall, lockedVersion, toolPath } from "./lib/tools.mjs";

const NODE_MAJOR_MIN = 20;
const RUST_MINOR_MIN = 85;
const CARGO_DENY = "0.20.2";
const CHROME_NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FIREFOX_NAMES = ["firefox-esr", "firefox"];

const say = (text) => console.log(`setup: ${text}`);

/** What a build needs. */
export async function setup() {
  checkNode();
  await checkRust();
  await ensureWasmToolchain(say);
  await installWasmBindgen();
  await installPackages();
}

/** What tests and checks need beyond a build. */
export async function setupTests() {
  await ensureWasmToolchain(say, { clippy: true });
  await ensureBrowser();
  await ensureFirefox();
  await ensurePostgres();
  await cargoInstall("cargo-deny", CARGO_DENY, "cargo-deny", say, ["--debug"], {
    CARGO_PROFILE_DEV_DEBUG: "0",
  });
}

/** Path of cargo-deny. */
export const cargoDeny = () => toolPath("cargo-deny", CARGO_DENY);

/** Paths of browsers and a driver, as variables for tests: `CHROME` and `CHROMEDRIVER`, and `FIREFOX` where there is one. */
export function browserEnvironment() {
  const CHROME = process.env.CHROME || CHROME_NAMES.map(which).find(Boolean);
  const CHROMEDRIVER = process.env.CHROMEDRIVER || which("chromedriver");
  if (!CHROME || !CHROMEDRIVER) {
    throw new Failure(
      "no Chromium with chromedriver found; install them, or name them in CHROME and CHROMEDRIVER",
    );
  }
  const FIREFOX = process.env.FIREFOX || FIREFOX_NAMES.map(which).find(Boolean);
  return { CHROME, CHROMEDRIVER, ...(FIREFOX && { FIREFOX }) };
}

function checkNode() {
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN) return;
  throw new Failure(
    `Node ${process.versions.node} is too old; get Node ${NODE_MAJOR_MIN} or newer from nodejs.org`,
  );
}

async function checkRust() {
  const version = which("cargo") && (await ask("rustc", ["-V"]));
  const minor = Number(version?.match(/^rustc 1\.(\d+)/)?.[1] ?? 0);
  if (minor >= RUST_MINOR_MIN) return;
  throw new Failure(`Rust 1.${RUST_MINOR_MIN} or newer with cargo is missing; get it from rustup.rs`);
}

async function installWasmBindgen() {
  // Built once and run briefly: a light profile saves more than it costs.
  const env = { CARGO_PROFILE_RELEASE_OPT_LEVEL: "1", CARGO_PROFILE_RELEASE_DEBUG: "0" };
  await cargoInstall("wasm-bindgen-cli", lockedVersion("wasm-bindgen"), "wasm-bindgen", say, [], env);
}

async function installPackages() {
  const lock = join(root, "package-lock.json");
  if (!existsSync(lock)) throw new Failure("package-lock.json is missing; run `npm install` and commit it");
  const stamp = join(root, "node_modules/.flette-lock");
  const hash = createHash("sha256").update(readFileSync(lock)).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  say("installing npm packages");
  await must("npm", ["ci", "--no-audit", "--no-fund"], {
    limit: 10,
    hint: "the npm registry must be reachable",
  });
  writeFileSync(stamp, hash);
}

async function ensureBrowser() {
  const chrome = process.env.CHROME || CHROME_NAMES.some(which);
  const driver = process.env.CHROMEDRIVER || which("chromedriver");
  if (!chrome || !driver) await aptInstall(["chromium", "chromium-driver"], say);
  browserEnvironment();
}

/** Tests in Firefox are skipped, and say so, where it cannot be had: not every system has Debian's package. */
async function ensureFirefox() {
  if (process.env.FIREFOX || FIREFOX_NAMES.some(which)) return;
  try {
    await aptInstall(["firefox-esr"], say);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(`no Firefox, its tests will be skipped: ${error.message}`);
  }
}

/** Tests start a PostgreSQL of their own; Debian's package keeps the programs off PATH. */
async function ensurePostgres() {
  if (which("initdb") && which("postgres") && which("psql")) return;
  if (existsSync("/usr/lib/postgresql")) return;
  // The package shall not make and start a server of the system's own: while it is installed, it finds this setting.
  const setting = "/etc/postgresql-common/createcluster.d/flette.conf";
  await asRoot("mkdir", ["-p", dirname(setting)]);
  await asRoot("sh", ["-c", `echo "create_main_cluster = false" > ${setting}`]);
  try {
    await aptInstall(["postgresql"], say);
  } finally {
    await asRoot("rm", ["-f", setting]);
  }
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setup();
    if (process.argv.includes("--tests")) await setupTests();
    say("ready");
  });
}
