// Pulls a whole table page by page, as the engine does: the next page is asked for as soon as its link was seen, which
// the server writes before the rows. Bodies stay strings; whoever wants rows parses them after the clock stopped.

import http from "node:http";

const LINK = /"@odata\.nextLink":"((?:[^"\\]|\\.)*)"/;
const LINK_BYTES_MAX = 16_384;

/** Gives the pages' texts in order. */
export async function pull({ port, token, path, pageRows }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const headers = {
    Authorization: `Bearer ${token}`,
    Prefer: `odata.maxpagesize=${pageRows}`,
    Accept: "application/json",
  };
  const pages = [];
  const page = (target, place = 0) =>
    new Promise((done, fail) => {
      const chunks = [];
      let bytes = 0;
      let next;
      const request = http.get({ host: "127.0.0.1", port, path: target, headers, agent }, (answer) => {
        answer.on("data", (chunk) => {
          chunks.push(chunk);
          bytes += chunk.length;
          if (next === undefined && bytes < LINK_BYTES_MAX + chunk.length) {
            const link = LINK.exec(Buffer.concat(chunks).subarray(0, LINK_BYTES_MAX).toString("latin1"));
            if (link) next = page(pathOf(JSON.parse(`"${link[1]}"`)), place + 1);
          }
        });
        answer.on("end", () => {
          if (answer.statusCode !== 200)
            return fail(new Error(`${answer.statusCode} ${Buffer.concat(chunks)}`));
          pages[place] = Buffer.concat(chunks).toString("utf8");
          done(next);
        });
        answer.on("error", fail);
      });
      request.on("error", fail);
    });
  // A page resolves with its next one, hence with the last.
  await page(path);
  agent.destroy();
  return pages;
}

const pathOf = (link) => link.slice(link.indexOf("/", 8));
