// What no library sends in all its forms: conditions, preferences, addresses, verbs and headers, request by request.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { API } from "./lib/client.mjs";
import { onEachDatabase } from "./lib/world.mjs";

const EVERYTHING = { Prefer: 'odata.include-annotations="*"' };

onEachDatabase("conditions", { rows: 20 }, (world) => {
  const send = (...args) => world.demo.send(...args);
  const make = (body = {}) => world.demo.create("contacts", { lastname: "Condition", ...body });
  const etag = (row) => row["@odata.etag"];

  test("a row that is unchanged is not sent again, unless the request forbids to say so", async () => {
    const row = await make();
    const path = `contacts(${row.contactid})`;
    const same = { "If-None-Match": etag(row) };
    const unchanged = await send("GET", path, undefined, same);
    assert.deepEqual([unchanged.status, unchanged.text], [304, ""]);
    assert.equal((await send("GET", `${path}?$expand=ownerid`, undefined, same)).status, 200, "with $expand");
    assert.equal(
      (await send("GET", path, undefined, { ...same, ...EVERYTHING })).status,
      200,
      "with annotations",
    );
    await world.demo.patch(path, { jobtitle: "x" });
    assert.equal((await send("GET", path, undefined, same)).status, 200);
  });

  test("the word null in If-None-Match is no condition, whatever the verb", async () => {
    const none = { "If-None-Match": "null" };
    const id = randomUUID();
    assert.equal((await send("POST", "contacts", { contactid: id, lastname: "a" }, none)).status, 204);
    assert.equal((await send("GET", `contacts(${id})`, undefined, none)).status, 200);
    assert.equal((await send("GET", "contacts?$top=1", undefined, none)).status, 200);
    assert.equal((await send("PATCH", `contacts(${id})`, { lastname: "b" }, none)).status, 204);
    assert.equal((await send("PUT", `contacts(${id})/lastname`, { value: "c" }, none)).status, 204);
    assert.equal((await send("DELETE", `contacts(${id})`, undefined, none)).status, 204);
  });

  test("conditions on writes, on rows that are there and on rows that are not", async () => {
    const stale = 'W/"1"';
    const cases = [
      // verb, there, headers, status, code
      ["PATCH", true, { "If-Match": "*" }, 204],
      ["PATCH", true, { "If-Match": "etag" }, 204],
      ["PATCH", true, { "If-Match": stale }, 412, "0x80060882"],
      ["PATCH", true, { "If-None-Match": "*" }, 412, "0x80040237"],
      ["PATCH", true, {}, 204],
      ["PATCH", false, { "If-Match": "*" }, 404, "0x80040217"],
      ["PATCH", false, { "If-Match": stale }, 404, "0x80040217"],
      ["PATCH", false, { "If-None-Match": "*" }, 204],
      ["PATCH", false, {}, 204],
      ["DELETE", true, {}, 204],
      ["DELETE", true, { "If-Match": "*" }, 204],
      ["DELETE", true, { "If-Match": "etag" }, 204],
      ["DELETE", true, { "If-Match": stale }, 412, "0x80060882"],
      ["DELETE", false, {}, 404, "0x80040217"],
      ["DELETE", false, { "If-Match": stale }, 404, "0x80040217"],
    ];
    for (const [verb, there, headers, status, code] of cases) {
      const id = randomUUID();
      const row = there ? await make({ contactid: id }) : undefined;
      const sent = headers["If-Match"] === "etag" ? { "If-Match": etag(row) } : headers;
      const body = verb === "PATCH" ? { jobtitle: "x" } : undefined;
      const answer = await send(verb, `contacts(${id})`, body, sent);
      const what = `${verb} ${there ? "a row" : "no row"} ${JSON.stringify(headers)}: ${answer.text}`;
      assert.equal(answer.status, status, what);
      if (code) assert.equal(answer.body.error.code, code, what);
      if (status >= 400 && there)
        assert.equal(etag(await world.demo.get(`contacts(${id})`)), etag(row), what);
    }
  });

  test("created, updated and shown: statuses and headers tell them apart", async () => {
    const id = randomUUID();
    const url = `${world.demo.root}contacts(${id})`;
    const shown = { Prefer: "return=representation" };
    const first = await send("PATCH", `contacts(${id})?$select=lastname`, { lastname: "a" }, shown);
    assert.equal(first.status, 201);
    assert.equal(first.headers.etag, etag(first.body));
    assert.equal(first.headers["preference-applied"], "return=representation");
    assert.equal(first.headers["odata-entityid"], undefined, "the row is in the body");
    assert.match(first.body["@odata.context"], /\$metadata#contacts\(lastname\)\/\$entity$/);
    const second = await send("PATCH", `contacts(${id})`, { lastname: "b" }, shown);
    assert.equal(second.status, 200);
    assert.notEqual(second.headers.etag, first.headers.etag);
    const plain = await send("PATCH", `contacts(${id})`, { lastname: "c" });
    assert.deepEqual([plain.status, plain.headers["odata-entityid"], plain.text], [204, url, ""]);
    const created = await send("POST", "contacts", { lastname: "d" });
    assert.equal(created.status, 204);
    assert.match(created.headers["odata-entityid"], /contacts\([0-9a-f-]{36}\)$/);
    assert.equal(created.headers["odata-version"], "4.0");
  });

  test("preferences come in one header or in several, and are said to be heeded", async () => {
    const forms = [
      'odata.maxpagesize=2,odata.include-annotations="*"',
      ['odata.include-annotations="*"', "odata.maxpagesize=2"],
      'odata.include-annotations="OData.Community.Display.V1.FormattedValue", odata.maxpagesize=2',
    ];
    for (const Prefer of forms) {
      const answer = await send("GET", "contacts?$select=statecode", undefined, { Prefer });
      assert.equal(answer.status, 200);
      assert.equal(answer.body.value.length, 2);
      assert.equal(answer.body.value[0]["statecode@OData.Community.Display.V1.FormattedValue"], "Active");
      assert.match(answer.headers["preference-applied"], /odata\.maxpagesize=2/);
      assert.match(answer.headers["preference-applied"], /odata\.include-annotations=/);
      assert.ok(answer.body["@odata.nextLink"]);
    }
  });

  test("verbs that a resource does not know are 405", async () => {
    const { contactid } = await make();
    for (const [verb, path, body] of [
      ["PATCH", "contacts", {}],
      ["DELETE", "contacts"],
      ["PUT", "contacts", {}],
      ["POST", `contacts(${contactid})`, {}],
      ["DELETE", "WhoAmI"],
      ["POST", "$metadata", {}],
    ]) {
      const answer = await send(verb, path, body);
      assert.equal(answer.status, 405, `${verb} ${path}: ${answer.text}`);
      assert.ok(answer.body.error.message);
    }
  });

  test("options that Dataverse has not are refused, and so are names in another case", async () => {
    for (const query of [
      "$skip=1",
      "$search=a",
      "$format=xml",
      "$compute=1",
      "$Filter=a",
      "$TOP=1",
      "$nothing=1",
    ]) {
      assert.equal((await send("GET", `contacts?${query}`)).status, 400, query);
    }
    for (const path of ["Contacts", "contact", "CONTACTS", "nothing"]) {
      assert.equal((await send("GET", path)).status, 404, path);
    }
    for (const query of [
      "$select=LastName",
      "$select=nothing",
      "$orderby=nothing",
      "$expand=PrimaryContactId",
    ]) {
      assert.equal((await send("GET", `contacts?${query}`)).status, 400, query);
    }
  });

  test("addresses in every form that clients send reach the same row", async () => {
    const { contactid } = await make({ lastname: "Found" });
    const forms = [
      `contacts(${contactid})`,
      `contacts(${contactid.toUpperCase()})`,
      `contacts(contactid=${contactid})`,
      `contacts%28${contactid}%29`,
      `/contacts(${contactid})`.slice(1),
    ];
    for (const form of forms) assert.equal((await world.demo.get(form)).lastname, "Found", form);
    for (const version of ["v9.0", "v9.1", "v9.2"]) {
      const headers = { Authorization: `Bearer ${await world.demo.token()}` };
      const answer = await world.demo.raw("GET", `/api/data/${version}/contacts(${contactid})`, headers);
      assert.equal(answer.status, 200, version);
      assert.ok(answer.body["@odata.context"].includes(`/api/data/${version}/`), version);
    }
  });

  test("who is not signed in gets 401 and nothing else", async () => {
    for (const path of ["contacts", "$metadata", "WhoAmI", "nothing", "EntityDefinitions", ""]) {
      const answer = await world.demo.raw("GET", API + path, {});
      assert.equal(answer.status, 401, path);
      assert.doesNotMatch(answer.text, /lastname/);
    }
  });

  test("bodies of another type, and bodies that are no objects, are refused", async () => {
    for (const type of ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""]) {
      const answer = await send("POST", "contacts", '{"lastname":"x"}', { "Content-Type": type });
      assert.equal(answer.status, 415, type);
    }
    for (const type of [
      "application/json; charset=utf-8",
      "application/json;odata.metadata=minimal",
      "Application/JSON",
    ]) {
      const answer = await send("POST", "contacts", '{"lastname":"x"}', { "Content-Type": type });
      assert.equal(answer.status, 204, type);
    }
    for (const body of ["", "[]", "1", '"x"', "null", "{", "{}x"]) {
      assert.equal((await send("POST", "contacts", body)).status, 400, JSON.stringify(body));
    }
  });

  test("$top beats the page size, counts are whole, and a page's link is used as it is", async () => {
    const all = (await world.demo.all("contacts?$select=contactid")).rows.length;
    const page = await world.demo.get("contacts?$top=3&$count=true", { Prefer: "odata.maxpagesize=2" });
    assert.deepEqual([page.value.length, page["@odata.nextLink"], page["@odata.count"]], [3, undefined, all]);
    const count = await send("GET", "contacts/$count");
    assert.match(count.headers["content-type"], /^text\/plain/);
    assert.equal(Number(count.text.replace(/^\ufeff/, "")), all);
    const seen = new Set();
    let next = "contacts?$select=contactid&$orderby=lastname%20desc";
    while (next) {
      const answer = await world.demo.get(next, { Prefer: "odata.maxpagesize=7" });
      for (const row of answer.value) seen.add(row.contactid);
      next = answer["@odata.nextLink"];
    }
    assert.equal(seen.size, all);
  });
});
