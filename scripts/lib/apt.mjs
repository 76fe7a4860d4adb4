// Debian packages: installed directly by root, through `sudo -n` by others.

import { ask, attempt, Failure, must, which } from "./run.mjs";

const isRoot = process.getuid?.() === 0;

/** Runs a command as root; throws a one-line `Failure` when that is not allowed here. */
export async function asRoot(command, args, options = {}) {
  if (isRoot) return must(command, args, options);
  if (!which("sudo") || (await ask("sudo", ["-n", "true"])) === undefined) {
    throw new Failure(`this needs root; run: sudo ${[command, ...args].join(" ")}`);
  }
  return must("sudo", ["-n", command, ...args], options);
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
  say(`installing ${missing.join(", ")}`);
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...missing];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const command = isRoot ? install : ["sudo", "-n", ...install];
  // The package lists of a new machine may be absent or too old, so a first failure asks for fresh ones.
  const first = await attempt(command[0], command.slice(1), { limit: 10, env });
  if (first.code === 0) return;
  await asRoot("apt-get", ["update"], { limit: 3, env });
  await asRoot("apt-get", install.slice(1), { limit: 10, env });
}
