// Debian packages: installed directly by root, through `sudo -n` by others.

import { ask, attempt, Failure, must, which } from "./run.mjs";

const ENVIRONMENT = { DEBIAN_FRONTEND: "noninteractive" };
const isRoot = process.getuid?.() === 0;

/** Runs a command as root; throws a one-line `Failure` when that is not allowed here. */
export async function asRoot(command, args, options = {}) {
  if (isRoot) return must(command, args, options);
  if (!(await mayBeRoot())) throw new Failure(`this needs root; run: sudo ${[command, ...args].join(" ")}`);
  return must("sudo", ["-n", command, ...args], options);
}

async function mayBeRoot() {
  return isRoot || Boolean(which("sudo") && (await ask("sudo", ["-n", "true"])) !== undefined);
}

/** Installs those of the packages that are missing. */
export async function aptInstall(packages, say) {
  const missing = [];
  for (const name of packages) {
    const status = await ask("dpkg-query", ["-W", "-f", "${db:Status-Abbrev}", name]);
    if (!status?.startsWith("ii")) missing.push(name);
  }
  if (missing.length === 0) return;
  if (!which("apt-get"))
    throw new Failure(`missing: ${missing.join(", ")}; install them with your system's packages`);
  const install = ["install", "-y", "--no-install-recommends", ...missing];
  if (!(await mayBeRoot())) throw new Failure(`this needs root; run: sudo apt-get ${install.join(" ")}`);
  say(`installing ${missing.join(", ")}`);
  // The package lists of a new machine may be absent or too old, so a first failure asks for fresh ones.
  const first = await attempt(...command(install), { limit: 10, env: ENVIRONMENT });
  if (first.code === 0) return;
  await must(...command(["update"]), { limit: 3, env: ENVIRONMENT });
  await must(...command(install), { limit: 10, env: ENVIRONMENT });
}

function command(args) {
  return isRoot ? ["apt-get", args] : ["sudo", ["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get", ...args]];
}
