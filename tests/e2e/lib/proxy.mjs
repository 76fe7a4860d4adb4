// A fault proxy between browser and server: the line that is cut, slow, or loses an answer. Every origin of a test is
// such a proxy, so that the browser's own idea of the network plays no part.

import http from "node:http";

export class FaultProxy {
  #sockets = new Set();
  #rules = [];
  #agent = new http.Agent({ keepAlive: true });

  constructor(target) {
    this.target = target;
    this.isCut = false;
    /** One per request that reached the server: { method, url, status, at }, `at` as `performance.now()` tells. */
    this.log = [];
  }

  async start() {
    this.server = http.createServer((request, response) => this.#forward(request, response));
    this.server.on("connection", (socket) => {
      if (this.isCut) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.port = this.server.address().port;
    this.origin = `http://localhost:${this.port}`;
    return this;
  }

  async stop() {
    this.cut();
    this.#agent.destroy();
    const closed = new Promise((done) => this.server.close(done));
    this.server.closeAllConnections();
    await closed;
  }

  /** No connection from here on; those that stand are reset. */
  cut() {
    this.isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  restore() {
    this.isCut = false;
  }

  /** The next `times` requests that match reach the server, and their answers are lost. */
  loseAnswers(matches, times = 1) {
    return this.#rule({ kind: "lose", matches, left: times, seen: 0 });
  }

  /** Requests that match wait in front of the server until `release()`. */
  hold(matches) {
    const rule = this.#rule({ kind: "hold", matches, left: Number.POSITIVE_INFINITY, seen: 0, waiting: [] });
    rule.release = () => {
      rule.left = 0;
      for (const go of rule.waiting.splice(0)) go();
    };
    return rule;
  }

  #rule(rule) {
    this.#rules.push(rule);
    return rule;
  }

  async #forward(request, response) {
    const rule = this.#rules.find((r) => r.left > 0 && r.matches(request));
    if (rule) {
      rule.left -= 1;
      rule.seen += 1;
    }
    const body = await read(request).catch(() => null);
    if (body === null) return;
    if (rule?.kind === "hold") await new Promise((go) => rule.waiting.push(go));
    if (this.isCut) return request.socket.destroy();
    const options = {
      port: this.target.port,
      host: "127.0.0.1",
      method: request.method,
      path: request.url,
      headers: request.headers,
      agent: this.#agent,
    };
    const onward = http.request(options, async (answer) => {
      const content = await read(answer).catch(() => null);
      this.log.push({
        method: request.method,
        url: request.url,
        status: answer.statusCode,
        at: performance.now(),
      });
      if (content === null || rule?.kind === "lose" || this.isCut) return request.socket.destroy();
      const headers = { ...answer.headers, "content-length": content.length };
      delete headers["transfer-encoding"];
      response.writeHead(answer.statusCode, headers);
      response.end(content);
    });
    onward.on("error", () => request.socket.destroy());
    onward.end(body);
  }
}

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
