// The smallest app of dynamics-web-api: the library as its package ships it for browsers, and Flette's client beside it.
// A test calls the library's methods here by their names and gets what they gave, in a form that a wire can carry.

import { FletteClient } from "/client.js";
import { DynamicsWebApi } from "/library/dynamics-web-api.js";

const instances = new Map();

/** The library with these settings; the same settings give the same instance, which a batch needs. */
function instance(settings) {
  const key = JSON.stringify(settings);
  if (!instances.has(key)) {
    const api = new DynamicsWebApi({ serverUrl: location.origin, ...settings });
    instances.set(key, { api, batch: false });
  }
  return instances.get(key);
}

/** Dates, errors and what is not there become objects that say so. */
function encoded(value) {
  if (value === undefined) return { $undefined: true };
  if (value instanceof Date) return { $date: value.getTime() };
  if (Array.isArray(value)) return value.map(encoded);
  if (value === null || typeof value !== "object") return value;
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, encoded(member)]));
  if (!(value instanceof Error)) return members;
  return { $error: { ...members, name: value.name, message: value.message } };
}

globalThis.library = {
  /** Signs in, takes these tables offline, and pulls them. */
  async open(username, tables) {
    const flette = await FletteClient.start({ tables });
    await new Promise((done) => flette.subscribe(({ worker }) => worker && done()));
    const answer = await fetch("/auth/sign-in", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username, password: "flette" }),
    });
    if (!answer.ok) throw new Error(`sign-in: ${answer.status}`);
    await flette.identify();
    await flette.sync();
    globalThis.flette = flette;
  },

  /** Rounds until nothing is left. */
  async sync() {
    await globalThis.flette.sync();
  },

  /** Gives { value } or { failure }. A call within a batch gives nothing: its answer comes with that of the batch. */
  async call(settings, name, args) {
    const known = instance(settings);
    const batched = known.batch && name !== "executeBatch";
    if (name === "startBatch") known.batch = true;
    if (name === "executeBatch") known.batch = false;
    try {
      const answer = known.api[name](...args);
      return { value: encoded(batched ? undefined : await answer) };
    } catch (error) {
      return { failure: encoded(error) };
    }
  },
};
