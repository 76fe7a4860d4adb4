// Writers, readers and followers of the feed that remember what the server acknowledged, so that afterwards every row
// can be called right or wrong.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parts, written } from "./batch.mjs";
import { API } from "./client.mjs";

const RETRY_AFTER_MILLIS_MAX = 2_000;
const DELTA_PAUSE_MILLIS = 50;

/** What ran, what was answered, and what must be so at the end. */
export class Ledger {
  statuses = new Map();
  errors = [];
  /** Rows by id: { subject, least, most }: `least` was acknowledged, `most` was sent; no `least`: may be missing. */
  tasks = new Map();
  gone = new Set();
  maybeGone = new Set();
  /** Acknowledged and unanswered increments by account. */
  increments = new Map();
  pairs = [];
  reads = 0;
  writes = 0;

  answered({ status, headers, text }, what) {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    const busy = status === 429 || (status === 503 && headers["retry-after"]);
    if (status >= 400 && status !== 412 && !busy)
      this.errors.push(`${what}: ${status} ${text.slice(0, 300)}`);
    return busy ? Math.min(Number(headers["retry-after"] ?? 1) * 1000, RETRY_AFTER_MILLIS_MAX) : 0;
  }
}

/** Sends until it is told to stop; a request whose connection broke is remembered as unanswered. */
class Actor {
  constructor(client, ledger, stop) {
    Object.assign(this, { client, ledger, stop });
  }

  /** Gives the answer, or nothing when the connection broke or the server was busy. */
  async send(method, path, body, headers) {
    let answer;
    try {
      answer = await this.client.send(method, path, body, headers);
    } catch (error) {
      if (!/ECONNRESET|ECONNREFUSED|EPIPE|socket hang up/.test(`${error.code} ${error.message}`)) throw error;
      this.ledger.broken = (this.ledger.broken ?? 0) + 1;
      await sleep(20);
      return undefined;
    }
    const pause = this.ledger.answered(answer, `${method} ${path}`);
    if (pause) await sleep(pause);
    return answer;
  }
}

export class Writer extends Actor {
  constructor(client, ledger, stop, { name, counters }) {
    super(client, ledger, stop);
    Object.assign(this, { name, counters, serial: 0, own: [] });
  }

  async run() {
    const steps = [
      () => this.create(),
      () => this.createOnce(),
      () => this.change(),
      () => this.increment(),
      () => this.pair(),
      () => this.change(),
      () => this.remove(),
    ];
    for (let n = 0; !this.stop.told; n++) {
      await steps[n % steps.length]();
      this.ledger.writes += 1;
    }
  }

  #subject() {
    this.serial += 1;
    return `${this.name} ${this.serial}`;
  }

  async create() {
    const activityid = randomUUID();
    const task = { subject: this.#subject(), most: 0 };
    this.ledger.tasks.set(activityid, task);
    const answer = await this.send("POST", "tasks", {
      activityid,
      subject: task.subject,
      percentcomplete: 0,
    });
    if (answer?.status === 204) this.#keep(activityid, task);
    else if (answer) this.ledger.tasks.delete(activityid);
  }

  #keep(id, task) {
    task.least = 0;
    this.own.push(id);
  }

  /** Sent twice, as after a lost answer: made once. */
  async createOnce() {
    const id = randomUUID();
    const task = { subject: this.#subject(), most: 0 };
    this.ledger.tasks.set(id, task);
    const body = { subject: task.subject, percentcomplete: 0 };
    const once = { "If-None-Match": "*" };
    const first = await this.send("PATCH", `tasks(${id})`, body, once);
    const second = await this.send("PATCH", `tasks(${id})`, body, once);
    if (first?.status === 204 || second?.status === 204 || second?.status === 412) this.#keep(id, task);
    else if (first && second) this.ledger.tasks.delete(id);
    if (first?.status === 204 && second?.status === 204) this.ledger.errors.push(`${id} was created twice`);
  }

  /** Nobody else writes this row: what was acknowledged last is the least that it may show. */
  async change() {
    const id = this.own[this.serial % Math.max(this.own.length, 1)];
    const task = this.ledger.tasks.get(id);
    if (!task) return;
    task.most = (task.most % 100) + 1;
    const sent = task.most;
    const answer = await this.send("PATCH", `tasks(${id})`, { percentcomplete: sent }, { "If-Match": "*" });
    task.sent = [...(task.sent ?? []), sent].slice(-2);
    if (answer?.status === 204) Object.assign(task, { least: sent, sent: [] });
    else if (answer) task.sent = task.sent.slice(0, -1);
  }

  async increment() {
    const id = this.counters[this.serial % this.counters.length];
    const read = await this.send("GET", `accounts(${id})?$select=numberofemployees`);
    if (read?.status !== 200) return;
    const next = (read.body.numberofemployees ?? 0) + 1;
    const count = this.ledger.increments.get(id) ?? { done: 0, unanswered: 0 };
    this.ledger.increments.set(id, count);
    const condition = { "If-Match": read.body["@odata.etag"] };
    const answer = await this.send("PATCH", `accounts(${id})`, { numberofemployees: next }, condition);
    if (answer?.status === 204) count.done += 1;
    else if (!answer) count.unanswered += 1;
  }

  /** A task and its contact: both or neither. */
  async pair() {
    const [contact, task] = [randomUUID(), randomUUID()];
    const subject = this.#subject();
    const set = [
      { method: "POST", url: `${API}contacts`, id: 1, body: { contactid: contact, lastname: subject } },
      {
        method: "POST",
        url: `${API}tasks`,
        id: 2,
        body: {
          activityid: task,
          subject,
          percentcomplete: 0,
          "regardingobjectid_contact_task@odata.bind": "$1",
        },
      },
    ];
    const { text, boundary } = written([set]);
    const pair = { contact, task, known: false };
    this.ledger.pairs.push(pair);
    const answer = await this.send("POST", "$batch", text, {
      "Content-Type": `multipart/mixed; boundary=${boundary}`,
    });
    if (answer?.status !== 200) return;
    pair.known = parts(answer)[0].every(({ status }) => status === 204);
  }

  async remove() {
    if (this.own.length < 3) return;
    const id = this.own.shift();
    const answer = await this.send("DELETE", `tasks(${id})`);
    if (answer?.status === 204) this.ledger.gone.add(id);
    else this.ledger.maybeGone.add(id);
  }
}

export class Reader extends Actor {
  async run() {
    const paths = [
      "contacts?$select=fullname&$orderby=lastname&$top=50",
      "tasks?$select=subject,percentcomplete&$filter=percentcomplete%20gt%2050&$top=50",
      "tasks?$select=subject&$filter=contains(subject,'7')&$orderby=createdon%20desc&$top=20",
      "accounts?$select=name&$expand=primarycontactid($select=fullname)&$top=20",
      "contacts/$count",
      "WhoAmI",
    ];
    for (let n = 0; !this.stop.told; n++) {
      await this.send("GET", paths[n % paths.length]);
      this.ledger.reads += 1;
    }
  }
}

/** Follows the feed of tasks, as a replica does: a token is kept only when its pages are drained. */
export class Follower extends Actor {
  rows = new Map();
  rounds = 0;

  async run() {
    while (!this.stop.told) {
      await this.round();
      await sleep(DELTA_PAUSE_MILLIS);
    }
  }

  /** One drain of the feed; what was read counts only when it came to its end. */
  async round() {
    const first = "tasks?$select=subject,percentcomplete";
    const headers = { Prefer: `odata.maxpagesize=500${this.token ? "" : ",odata.track-changes"}` };
    const items = [];
    let next = this.token ?? first;
    for (;;) {
      const answer = await this.send("GET", next, undefined, headers);
      if (answer?.status !== 200) return false;
      items.push(...answer.body.value);
      if (!answer.body["@odata.nextLink"]) {
        this.token = path(answer.body["@odata.deltaLink"]);
        break;
      }
      next = path(answer.body["@odata.nextLink"]);
    }
    for (const item of items) {
      if (item.reason) this.rows.delete(item.id);
      else this.rows.set(item.activityid, `${item.subject}|${item.percentcomplete}`);
    }
    this.rounds += 1;
    return true;
  }
}

/** Links hold the address of the server that gave them; another one may answer. */
const path = (link) => link.slice(link.indexOf(API) + API.length);

/** Everything that is not as the ledger says; empty when all is well. */
export async function audit(client, ledger, followers) {
  const wrong = [...ledger.errors];
  const { rows } = await client.all("tasks?$select=subject,percentcomplete");
  const tasks = new Map(rows.map((row) => [row.activityid, row]));
  const subjects = new Set();
  for (const row of rows) {
    if (/^writer \d+ \d+$/.test(row.subject) && subjects.size === subjects.add(row.subject).size) {
      wrong.push(`${row.subject} is there twice`);
    }
  }
  for (const [id, task] of ledger.tasks) wrong.push(...judged(id, task, tasks.get(id), ledger));
  for (const id of ledger.gone) if (tasks.has(id)) wrong.push(`${id} was deleted and is there`);
  const contacts = new Set((await client.all("contacts?$select=contactid")).rows.map((row) => row.contactid));
  for (const { contact, task, known } of ledger.pairs) {
    const there = [contacts.has(contact), tasks.has(task)];
    if (there[0] !== there[1]) wrong.push(`half of the change set of ${contact} is there`);
    if (known && !there[0]) wrong.push(`the change set of ${contact} was acknowledged and is missing`);
  }
  for (const [id, { done, unanswered }] of ledger.increments) {
    const { numberofemployees: value } = await client.get(`accounts(${id})?$select=numberofemployees`);
    if (value < done || value > done + unanswered) {
      wrong.push(
        `counter ${id} shows ${value}; ${done} increments were acknowledged, ${unanswered} unanswered`,
      );
    }
  }
  const state = new Map(rows.map((row) => [row.activityid, `${row.subject}|${row.percentcomplete}`]));
  for (const [n, follower] of followers.entries()) {
    if (!(await follower.round())) wrong.push(`follower ${n} cannot read the feed`);
    for (const [id, shown] of state) {
      if (follower.rows.get(id) !== shown)
        wrong.push(`follower ${n} has ${follower.rows.get(id)} for ${shown} ${id}`);
    }
    for (const id of follower.rows.keys()) if (!state.has(id)) wrong.push(`follower ${n} still has ${id}`);
  }
  return wrong;
}

function judged(id, task, row, ledger) {
  if (ledger.gone.has(id)) return [];
  if (!row) {
    const known = task.least !== undefined && !ledger.maybeGone.has(id);
    return known ? [`${task.subject} was acknowledged and is missing`] : [];
  }
  const allowed = [task.least ?? 0, ...(task.sent ?? [])];
  if (row.subject !== task.subject) return [`${id} is called ${row.subject}, not ${task.subject}`];
  return allowed.includes(row.percentcomplete)
    ? []
    : [`${task.subject}: ${row.percentcomplete} is none of ${allowed}`];
}

/** Accounts whose numberofemployees everybody increments. */
export async function counters(client, count) {
  const made = [];
  for (let n = 0; n < count; n++) {
    made.push((await client.create("accounts", { name: `Counter ${n}`, numberofemployees: 0 })).accountid);
  }
  return made;
}
