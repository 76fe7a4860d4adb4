// Finds a Rust toolchain that can build for wasm32, and makes one where there is none.
//
// Usually `rustup target add` is all. Where rustup's host cannot be reached, Debian's `rustc-web` takes its place: the
// standard library is built once for wasm32 from the packaged source and put where that compiler looks for it.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aptInstall, asRoot } from "./apt.mjs";
import { ask, attempt, Failure, must, root, which } from "./run.mjs";
import { toolFolder } from "./tools.mjs";

export const TARGET = "wasm32-unknown-unknown";

const RUSTUP_LIMIT_MINUTES = 0.5;
const DEBIAN_PACKAGES = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const DEBIAN_RUSTC = "/usr/bin/rustc";
const DEBIAN_CARGO = "/usr/bin/cargo";
const DEBIAN_LIBRARY = `/usr/lib/rustlib/${TARGET}`;
const DEBIAN_STAMP = join(DEBIAN_LIBRARY, "flette-std");
const DEBIAN_LINKER = "/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld";
// Link-time optimization reads bitcode from the standard library.
const STD_FLAGS = "-Cembed-bitcode=yes";

/**
 * The environment that makes `cargo` build for wasm32: empty when the active toolchain can, `RUSTUP_TOOLCHAIN` set
 * when Debian's is used. Throws a `Failure` when neither can; `ensureWasmToolchain` mends that.
 */
export async function wasmEnvironment() {
  const found = await findWasmToolchain();
  if (!found) throw new Failure("no Rust toolchain can build for wasm32; run `node scripts/setup.mjs`");
  if (found.env.RUSTUP_TOOLCHAIN || found.env.PATH) forgetOldStd(found.id);
  return found.env;
}

/** Cargo does not notice that a standard library was built anew under crates it has built. */
function forgetOldStd(id) {
  const folder = join(root, "target", TARGET);
  const stamp = join(folder, "flette-std");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === id) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(stamp, id);
}

/** Resolves to `{ env, id }`; `id` changes whenever the wasm32 standard library does. */
export async function findWasmToolchain() {
  if (await activeHasWasm()) return { env: {}, id: await ask("rustc", ["-V"]) };
  const id = await debianStdId();
  if (id && readStamp() === id && existsSync(DEBIAN_LINKER)) {
    const env = await debianEnvironment();
    if (env) return { env, id };
  }
  return undefined;
}

/** Makes sure that some toolchain can build for wasm32 and says which. */
export async function ensureWasmToolchain(say, { clippy = false } = {}) {
  let found = await findWasmToolchain();
  if (!found && (await addByRustup(say))) found = await findWasmToolchain();
  if (!found) {
    await makeDebianToolchain(say);
    found = await findWasmToolchain();
  }
  if (!found) throw new Failure("the wasm32 standard library was installed but rustc does not find it");
  const debian = Object.keys(found.env).length > 0;
  if (clippy && debian && !existsSync("/usr/bin/cargo-clippy")) await aptInstall(["rust-web-clippy"], say);
  if (clippy && !debian && !(await ask("cargo", ["clippy", "-V"]))) {
    throw new Failure("clippy is missing; get it with `rustup component add clippy rustfmt`");
  }
  return found;
}

async function activeHasWasm() {
  const folder = await ask("rustc", ["--print", "target-libdir", "--target", TARGET]);
  // Debian's own library is checked against its stamp instead: it may be half copied or out of date.
  return Boolean(folder) && !folder.startsWith(DEBIAN_LIBRARY) && holdsCore(folder);
}

function holdsCore(folder) {
  return existsSync(folder) && readdirSync(folder).some((name) => /^libcore-.*\.rlib$/.test(name));
}

async function addByRustup(say) {
  if (!which("rustup")) return false;
  say("adding the wasm32 target with rustup");
  const { code } = await attempt("rustup", ["target", "add", TARGET], { limit: RUSTUP_LIMIT_MINUTES });
  if (code !== 0) say("rustup cannot download it here; using Debian's packages instead");
  return code === 0;
}

async function debianStdId() {
  if (!existsSync(DEBIAN_RUSTC) || !existsSync(DEBIAN_CARGO)) return undefined;
  const version = await ask(DEBIAN_RUSTC, ["-vV"]);
  const packaged = await ask("dpkg-query", ["-W", "-f", "${Version}", "rustc-web"]);
  return version && packaged && `${version.split("\n")[0]} (${packaged}) ${STD_FLAGS}`;
}

function readStamp() {
  return existsSync(DEBIAN_STAMP) ? readFileSync(DEBIAN_STAMP, "utf8").trim() : undefined;
}

/** How to choose Debian's toolchain, or `undefined` while rustup does not know it. */
async function debianEnvironment() {
  if (!which("rustup")) return { PATH: `/usr/bin:${process.env.PATH}` };
  const toolchains = (await ask("rustup", ["toolchain", "list"])) ?? "";
  return /^debian\b/m.test(toolchains) ? { RUSTUP_TOOLCHAIN: "debian" } : undefined;
}

async function makeDebianToolchain(say) {
  if (process.arch !== "x64" || !which("apt-get")) {
    throw new Failure(
      `rustup could not add ${TARGET}; run \`rustup target add ${TARGET}\` where its host is reachable`,
    );
  }
  await aptInstall(DEBIAN_PACKAGES, say);
  const id = await debianStdId();
  if (!id) throw new Failure("Debian's rustc-web was installed but /usr/bin/rustc does not run");
  if (readStamp() !== id) await buildStd(id, say);
  if (!existsSync(DEBIAN_LINKER)) {
    await asRoot("mkdir", ["-p", DEBIAN_LINKER.replace(/\/[^/]*$/, "")]);
    await asRoot("ln", ["-sfn", "/usr/bin/lld-22", DEBIAN_LINKER]);
  }
  if (which("rustup")) await must("rustup", ["toolchain", "link", "debian", "/usr"], { limit: 1 });
}

async function buildStd(id, say) {
  say("building the wasm32 standard library (about a minute)");
  const folder = toolFolder("wasm-std", "build");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "src"), { recursive: true });
  writeFileSync(
    join(folder, "Cargo.toml"),
    '[package]\nname = "empty-crate"\nedition = "2021"\n[workspace]\n',
  );
  writeFileSync(join(folder, "src/lib.rs"), "#![no_std]\n");
  const parts = "-Zbuild-std=std,panic_abort,proc_macro,test";
  await must(DEBIAN_CARGO, ["build", "--release", parts, "--target", TARGET], {
    cwd: folder,
    limit: 15,
    env: {
      RUSTC: DEBIAN_RUSTC,
      RUSTC_BOOTSTRAP: "1",
      RUSTFLAGS: STD_FLAGS,
      RUSTUP_TOOLCHAIN: undefined,
      CARGO_TARGET_DIR: join(folder, "target"),
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: "wasm-ld-22",
    },
    hint: "the wasm32 standard library could not be built",
  });
  const built = join(folder, "target", TARGET, "release/deps");
  const libraries = readdirSync(built).filter(
    (name) => /^lib.*\.rlib$/.test(name) && !name.startsWith("libempty_crate"),
  );
  // The stamp goes last: without it the next run starts over.
  await asRoot("rm", ["-rf", DEBIAN_LIBRARY]);
  await asRoot("mkdir", ["-p", join(DEBIAN_LIBRARY, "lib")]);
  await asRoot("cp", [...libraries.map((name) => join(built, name)), join(DEBIAN_LIBRARY, "lib")]);
  writeFileSync(join(folder, "stamp"), `${id}\n`);
  await asRoot("cp", [join(folder, "stamp"), DEBIAN_STAMP]);
  rmSync(folder, { recursive: true, force: true });
}
