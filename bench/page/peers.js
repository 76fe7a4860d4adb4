// Databases of the page, each as its documentation advises for loading much: every page in one bulk call, with the
// same indexes. Questions without an index are asked in the fastest way that was found for each.

import Dexie from "dexie";
import PouchDB from "pouchdb";
import { createRxDatabase } from "rxdb";
import { getRxStorageDexie } from "rxdb/plugins/storage-dexie";
import { ahead, rows } from "./pages.js";

const ID = "contactid";
const TOP = 50;

class DexiePeer {
  async open() {
    this.database = new Dexie("dexie");
    this.database.version(1).stores({ contacts: `${ID}, lastname, emailaddress1, [address1_city+lastname]` });
    await this.database.open();
    this.table = this.database.contacts;
  }
  put(page) {
    return this.table.bulkAdd(page);
  }
  count() {
    return this.table.count();
  }
  point(id) {
    return this.table.get(id);
  }
  all() {
    return this.table.toArray();
  }
  top(city) {
    const [from, to] = [Dexie.minKey, Dexie.maxKey].map((key) => [city, key]);
    return this.table.where("[address1_city+lastname]").between(from, to).limit(TOP).toArray();
  }
}

class RxdbPeer {
  async open() {
    const storage = getRxStorageDexie();
    const database = await createRxDatabase({
      name: "rxdb",
      storage,
      multiInstance: false,
      eventReduce: false,
    });
    const text = { type: "string", maxLength: 100 };
    const schema = {
      version: 0,
      primaryKey: ID,
      type: "object",
      properties: { [ID]: text, lastname: text, emailaddress1: text, address1_city: text },
      required: [ID, "lastname", "emailaddress1", "address1_city"],
      indexes: ["lastname", "emailaddress1", ["address1_city", "lastname"]],
    };
    const { contacts } = await database.addCollections({ contacts: { schema } });
    this.collection = contacts;
  }
  async put(page) {
    const { error } = await this.collection.bulkInsert(page);
    if (error.length > 0) throw new Error(`RxDB refused ${error.length} rows`);
  }
  count() {
    return this.collection.count().exec();
  }
  async point(id) {
    return (await this.collection.findOne(id).exec()).toJSON();
  }
  async all() {
    return (await this.collection.find().exec()).map((row) => row._data);
  }
  async top(city) {
    const selector = { address1_city: city };
    const found = await this.collection.find({ selector, sort: [{ lastname: "asc" }], limit: TOP }).exec();
    return found.map((row) => row._data);
  }
}

class PouchPeer {
  async open() {
    this.database = new PouchDB("pouchdb");
  }
  async put(page) {
    for (const row of page) row._id = row[ID];
    const refused = (await this.database.bulkDocs(page)).filter((answer) => answer.error);
    if (refused.length > 0) throw new Error(`PouchDB refused ${refused.length} rows`);
  }
  async count() {
    return (await this.database.info()).doc_count;
  }
  point(id) {
    return this.database.get(id);
  }
  async all() {
    return (await this.database.allDocs({ include_docs: true })).rows.map((row) => row.doc);
  }
}

const peers = { Dexie: new DexiePeer(), RxDB: new RxdbPeer(), PouchDB: new PouchPeer() };

/** Fetches all pages, the next one ahead, and adds each in bulk. Gives the time until all can be counted. */
export async function load(name, first) {
  const peer = peers[name];
  await peer.open();
  const started = performance.now();
  for await (const page of ahead(first)) await peer.put(rows(page));
  const count = await peer.count();
  return { millis: performance.now() - started, rows: count };
}

export function open(name) {
  return peers[name].open();
}

export async function points(name, ids) {
  const found = [];
  for (const id of ids) found.push(await peers[name].point(id));
  return found;
}

const text = (value) => value ?? "";
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// Questions that no index helps with: all rows are read, which is faster than a cursor in every one of the three.
const questions = {
  contains: async (peer, part) => {
    const wanted = part.toLowerCase();
    const found = (await peer.all()).filter((row) => text(row.fullname).toLowerCase().includes(wanted));
    return found.sort((a, b) => compare(a.fullname, b.fullname)).slice(0, TOP);
  },
  group: async (peer, column, before) => {
    const groups = new Map();
    const found = (await peer.all()).filter((row) => row.birthdate && row.birthdate < before);
    for (const row of found) groups.set(row[column], (groups.get(row[column]) ?? 0) + 1);
    return [...groups].map(([value, n]) => ({ [column]: value, n }));
  },
  order: async (peer, before) => {
    const found = (await peer.all()).filter((row) => row.birthdate && row.birthdate < before);
    found.sort((a, b) => compare(b.birthdate, a.birthdate) || compare(a.fullname, b.fullname));
    return found.slice(0, TOP);
  },
  top: (peer, city) => peer.top(city),
  point: async (peer, id) => [await peer.point(id)],
};

/** Asks one question. Gives the time and what was found; `null` where the peer has no index for it. */
export async function ask(name, question, ...literals) {
  if (question === "top" && !peers[name].top) return null;
  const started = performance.now();
  const found = await questions[question](peers[name], ...literals);
  return { millis: performance.now() - started, found };
}
