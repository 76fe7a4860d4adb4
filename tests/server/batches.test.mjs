// Batches in every form that clients send them, and in forms that nobody should.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { batch, parts, written } from "./lib/batch.mjs";
import { API } from "./lib/client.mjs";
import { onEachDatabase } from "./lib/world.mjs";

const REQUESTS_MAX = 1000;

onEachDatabase("batches", { rows: 20 }, (world) => {
  const count = async (name) =>
    (await world.demo.get(`accounts?$select=name&$filter=name%20eq%20'${name}'`)).value.length;
  const post = (name, more = {}) => ({ method: "POST", url: `${API}accounts`, body: { name }, ...more });

  test("line ends, boundaries, addresses and headers come in every form", async () => {
    const roots = [API, world.demo.root, ""];
    for (const lineEnd of ["\r\n", "\n"]) {
      for (const root of roots) {
        for (const form of ["quoted", "bare", "spaced"]) {
          const name = randomUUID();
          const items = [
            { method: "GET", url: "contacts?$top=1&$select=lastname" },
            [{ method: "POST", url: "accounts", body: { name } }],
            { method: "GET", url: "WhoAmI", headers: { Accept: "application/json" } },
          ];
          const { text, boundary } = written(items, { lineEnd, root, boundary: `b_${randomUUID()}` });
          const type = {
            quoted: `; boundary="${boundary}"`,
            bare: `;boundary=${boundary}`,
            spaced: ` ;  boundary=${boundary}`,
          };
          const answer = await world.demo.send("POST", "$batch", text, {
            "Content-Type": `multipart/mixed${type[form]}`,
          });
          const what = `${JSON.stringify(lineEnd)} ${root} ${form}`;
          assert.equal(answer.status, 200, what);
          const [list, [made], who] = parts(answer);
          assert.deepEqual([list.status, made.status, who.status], [200, 204, 200], what);
          assert.equal(await count(name), 1, what);
        }
      }
    }
  });

  test("a part of a change set shows where its row is, and keeps its Content-ID", async () => {
    const answer = await batch(world.demo, [
      [post("Where", { id: 77 }), { method: "PUT", url: "$77/name", body: { value: "There" } }],
    ]);
    const [[made, put]] = parts(answer);
    assert.equal(made.contentId, "77");
    assert.match(made.headers.location, /accounts\([0-9a-f-]{36}\)$/);
    assert.equal(made.headers.location, made.headers["odata-entityid"]);
    assert.equal(put.status, 204);
    assert.equal(put.headers.location, undefined);
    assert.equal((await world.demo.get(made.headers.location)).name, "There");
  });

  test("references: as address, in bindings, in links; before they are declared they are not there", async () => {
    const name = randomUUID();
    const items = [
      [
        post(name, { id: 1 }),
        {
          method: "POST",
          url: `${API}contacts`,
          id: 2,
          body: { lastname: name, "parentcustomerid_account@odata.bind": "$1" },
        },
        { method: "PATCH", url: "$1", id: 3, body: { description: "patched" } },
        { method: "PUT", url: "$1/primarycontactid/$ref", id: 4, body: { "@odata.id": "$2" } },
      ],
    ];
    const answer = await batch(world.demo, items);
    const [set] = parts(answer);
    assert.deepEqual(
      set.map((part) => part.status),
      [204, 204, 204, 204],
    );
    const row = await world.demo.get(`${set[0].headers.location}?$expand=primarycontactid`);
    assert.deepEqual([row.description, row.primarycontactid.lastname], ["patched", name]);

    const early = [
      [{ method: "PATCH", url: "$1", id: 9, body: { name: "x" } }, post(randomUUID(), { id: 1 })],
    ];
    const refused = await batch(world.demo, early);
    assert.equal(refused.status, 400);
    assert.match(
      parts(refused).at(-1).body.error.message,
      /Content-ID Reference: '\$1' does not exist in the batch context\./,
    );
    const other = [
      [post(randomUUID(), { id: 1 })],
      [{ method: "PATCH", url: "$1", id: 2, body: { name: "x" } }],
    ];
    assert.equal((await batch(world.demo, other)).status, 400, "references end with their change set");
  });

  test("a failed change set leaves nothing, whatever stood before the failure", async () => {
    for (const [what, last, status] of [
      [
        "a row that is not there",
        {
          method: "PATCH",
          url: `${API}accounts(${randomUUID()})`,
          headers: { "If-Match": "*" },
          body: { name: "x" },
        },
        404,
      ],
      ["a text too long", post("x".repeat(161)), 400],
      ["an unknown table", { method: "POST", url: `${API}nothing`, body: {} }, 404],
      ["a GET", { method: "GET", url: `${API}accounts` }, 400],
      [
        "a stale etag",
        {
          method: "DELETE",
          url: `${API}contacts(${(await world.demo.get("contacts?$top=1")).value[0].contactid})`,
          headers: { "If-Match": 'W/"1"' },
        },
        412,
      ],
    ]) {
      const name = randomUUID();
      const outside = randomUUID();
      const items = [post(outside), [post(name), post(name), last], post(outside)];
      const stopped = await batch(world.demo, items);
      assert.equal(stopped.status, status, what);
      if (/multipart/.test(stopped.headers["content-type"])) {
        assert.deepEqual(
          parts(stopped).map((part) => part.status),
          [204, status],
          what,
        );
        assert.equal(await count(outside), 1, `${what}: what stood before stays`);
      }
      const on = await batch(world.demo, items, { Prefer: "odata.continue-on-error" });
      if (on.status === 200)
        assert.deepEqual(
          parts(on).map((part) => part.status),
          [204, status, 204],
          what,
        );
      assert.equal(await count(name), 0, what);
    }
  });

  test("an error part says which request it was", async () => {
    const answer = await batch(world.demo, [{ method: "GET", url: `${API}contacts(${randomUUID()})` }]);
    assert.equal(answer.status, 404);
    const [part] = parts(answer);
    assert.match(part.headers["content-type"], /^application\/json; odata\.metadata=minimal/);
    assert.match(part.headers.req_id, /^[0-9a-f-]{36}$/);
    assert.equal(part.body.error.code, "0x80040217");
  });

  test("etags and preferences hold within a batch", async () => {
    const row = await world.demo.create("accounts", { name: "Etag" });
    const url = `${API}accounts(${row.accountid})`;
    const answer = await batch(world.demo, [
      { method: "GET", url, headers: { "If-None-Match": row["@odata.etag"] } },
      {
        method: "PATCH",
        url,
        headers: { "If-Match": row["@odata.etag"], Prefer: "return=representation" },
        body: { name: "New" },
      },
      {
        method: "GET",
        url: `${API}accounts?$select=statecode&$top=1`,
        headers: { Prefer: 'odata.include-annotations="*"' },
      },
    ]);
    const [same, patched, list] = parts(answer);
    assert.deepEqual([same.status, patched.status, patched.body.name], [304, 200, "New"]);
    assert.equal(list.body.value[0]["statecode@OData.Community.Display.V1.FormattedValue"], "Active");
  });

  test("a batch holds so many requests and no more, and no batch", async () => {
    const get = { method: "GET", url: `${API}WhoAmI` };
    const full = await batch(world.demo, Array(REQUESTS_MAX).fill(get));
    assert.equal(full.status, 200);
    assert.equal(parts(full).length, REQUESTS_MAX);
    assert.equal((await batch(world.demo, Array(REQUESTS_MAX + 1).fill(get))).status, 400);
    const name = randomUUID();
    const tooMany = await batch(world.demo, [Array.from({ length: REQUESTS_MAX + 1 }, () => post(name))]);
    assert.equal(tooMany.status, 400);
    assert.equal(await count(name), 0);
    const inner = {
      method: "POST",
      url: `${API}$batch`,
      body: "--a--",
      headers: { "Content-Type": "multipart/mixed; boundary=a" },
    };
    assert.equal((await batch(world.demo, [inner])).status, 400);
  });

  test("what cannot be read does nothing and is answered in JSON", async () => {
    const name = randomUUID();
    const { text, boundary } = written([post(name)]);
    const type = `multipart/mixed; boundary=${boundary}`;
    for (const [what, body, contentType] of [
      ["nothing", "", type],
      ["no boundary", text, "multipart/mixed"],
      ["another boundary", text, "multipart/mixed; boundary=other"],
      ["an empty boundary", text, 'multipart/mixed; boundary=""'],
      ["no end", text.slice(0, text.lastIndexOf("--batch_")), type],
      ["cut in the headers", text.slice(0, 60), type],
      ["no request line", text.replace(/POST .* HTTP\/1\.1/, ""), type],
      ["no version", text.replace(" HTTP/1.1", ""), type],
      [
        "bytes that are no text",
        Buffer.concat([Buffer.from(text.slice(0, 200)), Buffer.from([0xff, 0xfe])]),
        type,
      ],
    ]) {
      const answer = await world.demo.send("POST", "$batch", body, { "Content-Type": contentType });
      assert.equal(answer.status, 400, what);
      assert.ok(answer.body.error?.message, `${what}: ${answer.text}`);
      assert.equal(await count(name), 0, what);
    }
    assert.equal(
      (await world.demo.send("POST", "$batch", text, { "Content-Type": "application/json" })).status,
      415,
    );
    assert.equal((await world.demo.send("GET", "$batch")).status, 405);
  });
});
