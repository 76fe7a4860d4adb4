// dynamics-web-api in a page, called from a test as if it were here.

import { copyFileSync, cpSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../lib/process.mjs";
import { site } from "./server.mjs";

const PAGE = join(root, "tests/e2e/library");
/** The file that the package names for browsers, as it is. */
const LIBRARY = join(root, "node_modules/dynamics-web-api/dist/browser/esm/dynamics-web-api.js");

/** Copies the built site to `folder` and puts the page with the library beside it, at `/library/`. */
export function librarySite(folder) {
  cpSync(site, folder, { recursive: true });
  cpSync(PAGE, join(folder, "library"), { recursive: true });
  copyFileSync(LIBRARY, join(folder, "library/dynamics-web-api.js"));
  return folder;
}

/** The library of one page. */
export class PageLibrary {
  #page;
  #last = Promise.resolve();

  constructor(page) {
    this.#page = page;
  }

  open(user, tables) {
    return this.#page.evaluate((user, tables) => globalThis.library.open(user, tables), user, tables);
  }

  sync() {
    return this.#page.evaluate(() => globalThis.library.sync());
  }

  /** Something with the library's methods; they run in the page, one after the other. */
  instance(settings) {
    const called =
      (name) =>
      (...args) =>
        this.#call(settings, name, args);
    // Whoever awaits it must not take it for a promise.
    return new Proxy({}, { get: (_, name) => (name === "then" ? undefined : called(name)) });
  }

  #call(settings, name, args) {
    const turn = this.#last.then(() =>
      this.#page.evaluate((...call) => globalThis.library.call(...call), settings, name, plain(args)),
    );
    this.#last = turn.catch(() => {});
    const answer = turn.then(({ value, failure }) => {
      if (failure !== undefined) throw decoded(failure);
      return decoded(value);
    });
    // Nobody waits for a call within a batch.
    answer.catch(() => {});
    return answer;
  }
}

const plain = (args) => JSON.parse(JSON.stringify(args));

function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === null || typeof value !== "object") return value;
  if (value.$undefined) return undefined;
  if (value.$date !== undefined) return new Date(value.$date);
  const inner = value.$error ?? value;
  const members = Object.fromEntries(Object.entries(inner).map(([name, member]) => [name, decoded(member)]));
  return value.$error ? Object.assign(new Error(members.message), members) : members;
}
