// Raw requests: what no library would send included. Nothing is added, renamed or followed.

import http from "node:http";

export const API = "/api/data/v9.2/";
export const PASSWORD = "flette";
const ANSWER_MILLIS_MAX = 60_000;

export class Client {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

  /** @param server anything with a `port`; a restart may have another */
  constructor(server, user) {
    this.server = server;
    this.user = user;
  }

  get root() {
    return `http://127.0.0.1:${this.server.port}${API}`;
  }

  /** Gives the bearer token; the first call signs in. */
  async token() {
    this.signedIn ??= this.#signIn();
    return this.signedIn;
  }

  async #signIn() {
    const form = new URLSearchParams({ grant_type: "password", username: this.user, password: PASSWORD });
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const answer = await this.raw("POST", "/oauth2/v2.0/token", headers, form.toString());
    if (answer.status !== 200) throw new Error(`sign-in of ${this.user}: ${answer.status} ${answer.text}`);
    return answer.body.access_token;
  }

  /** A request to the Web API as this user. `path` is below the root; an object as body becomes JSON. */
  async send(method, path, body, headers = {}) {
    const all = { Authorization: `Bearer ${await this.token()}`, "OData-Version": "4.0", ...headers };
    let content = body;
    if (body !== undefined && !Buffer.isBuffer(body) && typeof body !== "string")
      content = JSON.stringify(body);
    if (content !== undefined) all["Content-Type"] ??= "application/json";
    const target = path.startsWith("http") ? path.slice(path.indexOf("/", 8)) : `${API}${path}`;
    return this.raw(method, target, all, content);
  }

  /** Exactly this request; gives { status, headers, text, body } with `body` parsed where it is JSON. */
  raw(method, target, headers, content) {
    return new Promise((done, fail) => {
      const options = {
        host: "127.0.0.1",
        port: this.server.port,
        method,
        path: target,
        headers: { ...headers },
        agent: this.#agent,
        timeout: ANSWER_MILLIS_MAX,
      };
      if (content !== undefined) options.headers["Content-Length"] = Buffer.byteLength(content);
      const request = http.request(options, (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("error", fail);
        answer.on("end", () => done(read(answer, Buffer.concat(chunks))));
      });
      request.on("timeout", () => request.destroy(new Error(`${method} ${target}: no answer in time`)));
      request.on("error", fail);
      request.end(content);
    });
  }

  /** Ends the connections that are kept. */
  close() {
    this.#agent.destroy();
  }

  // What most tests want: the answer to a request that must succeed.

  async get(path, headers) {
    return this.#must(200, "GET", path, undefined, headers);
  }

  /** Creates a row and gives it as the server holds it. */
  async create(path, body) {
    return this.#must(201, "POST", path, body, { Prefer: "return=representation" });
  }

  async patch(path, body, headers = { "If-Match": "*" }) {
    await this.#must(204, "PATCH", path, body, headers);
  }

  async delete(path) {
    await this.#must(204, "DELETE", path);
  }

  /** All rows of all pages, and the delta link when there is one. */
  async all(path, headers) {
    const rows = [];
    let page = await this.get(path, headers);
    rows.push(...page.value);
    while (page["@odata.nextLink"]) {
      page = await this.get(page["@odata.nextLink"], headers);
      rows.push(...page.value);
    }
    return { rows, deltaLink: page["@odata.deltaLink"] };
  }

  async #must(status, method, path, body, headers) {
    const answer = await this.send(method, path, body, headers);
    if (answer.status === status) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} instead of ${status}: ${answer.text.slice(0, 500)}`);
  }
}

function read(answer, bytes) {
  const text = bytes.toString("utf8");
  let body = text;
  if (/json/.test(answer.headers["content-type"] ?? "")) {
    try {
      body = JSON.parse(text);
    } catch {}
  }
  return { status: answer.statusCode, headers: answer.headers, text, bytes, body };
}

/** An address part with every reserved character escaped, quotes included. */
export const escaped = (text) => encodeURIComponent(text).replaceAll("'", "%27");
