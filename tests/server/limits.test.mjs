// Every cap at its edge, throttling, and the doors beside the API, on the process as it runs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { batch, parts } from "./lib/batch.mjs";
import { API } from "./lib/client.mjs";
import { onEachDatabase } from "./lib/world.mjs";

const URL_BYTES_MAX = 32_768;
const URL_IN_BATCH_BYTES_MAX = 65_536;
const BODY_BYTES_MAX = 32 * 1024 * 1024;
const PAGE_ROWS_MAX = 5000;
const COUNT_MAX = 5000;
const ROWS = 5100;
const FILL_MILLIS_MAX = 240_000;

/** A list of nothing whose address is exactly this long. */
function addressOf(bytes) {
  const [head, tail] = [`${API}contacts?$select=lastname&$filter=lastname%20eq%20'`, "'"];
  return head + "x".repeat(bytes - head.length - tail.length) + tail;
}

onEachDatabase("limits", { rows: ROWS, startMillisMax: FILL_MILLIS_MAX }, (world) => {
  test("an address may be so long, and in a batch twice that", async () => {
    const headers = { Authorization: `Bearer ${await world.demo.token()}` };
    const get = (bytes) => world.demo.raw("GET", addressOf(bytes), headers);
    assert.equal((await get(URL_BYTES_MAX)).status, 200);
    assert.equal((await get(URL_BYTES_MAX + 1)).status, 414);
    const inBatch = async (bytes) => {
      const answer = await batch(world.demo, [{ method: "GET", url: addressOf(bytes) }]);
      return /multipart/.test(answer.headers["content-type"]) ? parts(answer)[0].status : answer.status;
    };
    assert.equal(await inBatch(URL_BYTES_MAX + 1), 200);
    assert.equal(await inBatch(URL_IN_BATCH_BYTES_MAX), 200);
    assert.ok([400, 414].includes(await inBatch(URL_IN_BATCH_BYTES_MAX + 1)));
  });

  test("a body may be so large, and a larger one is refused before it is read", async () => {
    const body = (bytes) => {
      const [head, tail] = ['{"lastname":"large","@test.filler":"', '"}'];
      return Buffer.from(head + "x".repeat(bytes - head.length - tail.length) + tail);
    };
    assert.equal((await world.demo.send("POST", "contacts", body(BODY_BYTES_MAX))).status, 204);
    const refused = await world.demo
      .send("POST", "contacts", body(BODY_BYTES_MAX + 1))
      .catch((error) => error);
    // The server may hang up on a client that goes on sending.
    assert.ok(
      refused.status === 413 || ["ECONNRESET", "EPIPE"].includes(refused.code),
      `${refused.status} ${refused}`,
    );
    assert.equal((await world.demo.get("WhoAmI")).UserId.length, 36);
  });

  test("a page and a count end at their caps", async () => {
    for (const headers of [
      {},
      { Prefer: "odata.maxpagesize=100000" },
      { Prefer: `odata.maxpagesize=${PAGE_ROWS_MAX + 1}` },
    ]) {
      const page = await world.demo.get("contacts?$select=lastname&$count=true", headers);
      assert.equal(page.value.length, PAGE_ROWS_MAX);
      assert.equal(page["@odata.count"], COUNT_MAX);
      assert.ok(page["@odata.nextLink"]);
    }
    const exact = await world.demo.get("contacts?$select=lastname", { Prefer: "odata.maxpagesize=4999" });
    assert.equal(exact.value.length, 4999);
    for (const size of ["0", "-1", "x", "1.5", "99999999999999999999"]) {
      const { status } = await world.demo.send("GET", "contacts?$top=1", undefined, {
        Prefer: `odata.maxpagesize=${size}`,
      });
      assert.ok([200, 400].includes(status), `${size}: ${status}`);
    }
  });

  test("a filter may nest and grow so far", async () => {
    const nested = (depth) =>
      `contacts?$top=1&$filter=${"(".repeat(depth)}lastname%20eq%20'x'${")".repeat(depth)}`;
    assert.equal((await world.demo.send("GET", nested(90))).status, 200);
    assert.equal((await world.demo.send("GET", nested(200))).status, 400);
    assert.equal((await world.demo.send("GET", nested(12_000))).status, 400);
    const wide = (terms) =>
      `contacts?$top=1&$filter=${Array(terms).fill("lastname%20eq%20'x'").join("%20or%20")}`;
    assert.equal((await world.demo.send("GET", wide(100))).status, 200);
    const not = `contacts?$top=1&$filter=${"not%20".repeat(4000)}lastname%20eq%20'x'`;
    assert.equal((await world.demo.send("GET", not)).status, 400);
  });

  test("the doors beside the API answer to whom they should", async () => {
    const raw = (method, path, headers = {}) => world.demo.raw(method, path, headers);
    const health = await raw("GET", "/healthz");
    assert.deepEqual([health.status, health.text.trim()], [200, "ok"]);
    const metrics = await raw("GET", "/metrics");
    assert.equal(metrics.status, 200);
    assert.match(metrics.text, /^# TYPE \w+/m);
    assert.doesNotMatch(metrics.text, /lastname|contacts\(/);
    assert.equal((await raw("GET", "/healthz", { Host: "evil.example" })).status, 421, "DNS rebinding");
    const preflight = { Origin: "https://evil.example", "Access-Control-Request-Method": "POST" };
    assert.equal((await raw("OPTIONS", `${API}contacts`, preflight)).status, 403);
  });

  test("told to stop, the server answers what is under way and ends", async () => {
    const server = await world.another();
    const client = world.client("demo", server);
    await client.token();
    const asked = Array.from({ length: 8 }, () => client.get("contacts?$select=lastname"));
    await new Promise((go) => setTimeout(go, 30));
    const stopped = server.stop();
    const answered = await Promise.allSettled(asked);
    await stopped;
    const whole = answered.filter(
      ({ status, value }) => status === "fulfilled" && value.value.length === PAGE_ROWS_MAX,
    );
    assert.ok(whole.length > 0, answered.map(({ status, reason }) => reason?.message ?? status).join());
    assert.equal(server.child.exitCode, 0);
  });
});

onEachDatabase(
  "throttling",
  { rows: 5, args: ["--throttle=requests=40,seconds=1200,concurrent=4,window=300"] },
  (world) => {
    test("each user has his share, and hears how long to wait", async () => {
      const together = await Promise.all(
        Array.from({ length: 12 }, () => world.demo.send("GET", "contacts")),
      );
      const busy = together.filter(({ status }) => status === 429);
      for (const { body } of busy) assert.equal(body.error.code, "0x80072326");
      let last;
      for (let n = 0; n < 60; n++) {
        last = await world.demo.send("GET", "contacts?$top=1");
        if (last.status === 429) break;
        assert.ok(Number(last.headers["x-ms-ratelimit-burst-remaining-xrm-requests"]) >= 0);
      }
      assert.equal(last.status, 429);
      assert.equal(last.body.error.code, "0x80072322");
      assert.match(
        last.body.error.message,
        /Number of requests exceeded the limit of 40 over time window of 300 seconds\./,
      );
      assert.ok(Number(last.headers["retry-after"]) > 0);
      assert.equal(
        (await world.admin.send("GET", "contacts?$top=1")).status,
        200,
        "others are not concerned",
      );
    });
  },
);
