// Probes that break out of a literal in SQL, OData, XML, multipart or a header, in every place that takes text from
// outside: never a 500, never a row that was not asked for, never a row gone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { written } from "./lib/batch.mjs";
import { API, escaped } from "./lib/client.mjs";
import { onEachDatabase } from "./lib/world.mjs";

// What a probe tries: to end the literal, to comment out the rest, to add a condition, a statement or a table, to reach
// functions, to read files, to expand entities, to change the meaning of an escape.
const PROBES = [
  "'",
  "''",
  "'''",
  '"',
  "`",
  "\\",
  "\\'",
  "%27",
  "%2527",
  "\u02bc",
  "\uff07",
  "' or '1'='1",
  "' or 1 eq 1 or '",
  "') or 1 eq 1 or (lastname eq '",
  "x' or lastname ne 'x",
  "' OR 1=1 --",
  "' OR 1=1 /*",
  "' OR 1=1 #",
  "'; DROP TABLE contact; --",
  "'; DELETE FROM contact; --",
  "'; UPDATE contact SET lastname='owned'; --",
  "' UNION SELECT * FROM sqlite_master --",
  "' UNION SELECT NULL,NULL,version() --",
  "'||(SELECT password FROM credential)||'",
  "'; ATTACH DATABASE '/tmp/owned' AS owned; --",
  "'; COPY contact TO '/tmp/owned'; --",
  "' AND pg_sleep(10) --",
  "'||pg_sleep(10)||'",
  "' AND randomblob(1000000000) --",
  "$$",
  "$1",
  "?1",
  ":name",
  "@p",
  "{0}",
  "${1+1}",
  "%s%n%x",
  "%",
  "_",
  "[",
  "]",
  "[^a]%",
  "--",
  "/*",
  "*/",
  ";",
  ")",
  "(",
  "))))",
  "((((",
  "null",
  "true",
  "1",
  "-1",
  "0x41",
  "1e309",
  "../../../../etc/passwd",
  "..\\..\\windows",
  "file:///etc/passwd",
  "\r\nSet-Cookie: owned=1",
  "%0d%0aSet-Cookie:%20owned=1",
  "\n--batch\n",
  "]]>",
  "<![CDATA[",
  "<!--",
  "-->",
  "&lt;",
  "&#39; or 1=1",
  "&amp;apos;",
  "&xxe;",
  '"/><condition attribute="lastname" operator="not-null',
  "'/><condition attribute='lastname' operator='not-null",
  '<!DOCTYPE a [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>',
  "<script>alert(1)</script>",
  "javascript:alert(1)",
  "\u0000",
  "a\u0000b",
  "\u202e",
  "\ufeff",
  "__proto__",
  "constructor",
  "toString",
  "a".repeat(5000),
];

const attribute = (text) =>
  text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
const fetchxml = (value, column = "lastname", operator = "eq") =>
  `contacts?fetchXml=${escaped(`<fetch><entity name="contact"><attribute name="lastname"/><filter><condition attribute="${column}" operator="${operator}" value="${value}"/></filter></entity></fetch>`)}`;

// Places where the probe is a value, escaped as it must be: the request is good, and finds nothing.
const VALUES = {
  eq: (p) => `contacts?$filter=lastname%20eq%20${escaped(quoted(p))}`,
  alias: (p) => `contacts?$filter=lastname%20eq%20@p&@p=${escaped(quoted(p))}`,
  startswith: (p) => `contacts?$filter=startswith(lastname,${escaped(quoted(`zz${p}`))})`,
  contains: (p) => `contacts?$filter=contains(lastname,${escaped(quoted(`zz${p}`))})`,
  In: (p) =>
    `contacts?$filter=Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=[${escaped(quoted(p))}])`,
  fetchXml: (p) => fetchxml(attribute(p)),
  expand: (p) =>
    `accounts?$filter=name%20eq%20'nobody'&$expand=contact_customer_accounts($filter=lastname%20eq%20${escaped(quoted(p))})`,
};

// Places where the probe breaks the request as it stands there: it is refused, or finds nothing.
const NAKED = {
  literal: (p) => `contacts?$filter=lastname%20eq%20'${encodeURIComponent(p)}'`,
  filter: (p) => `contacts?$filter=lastname%20eq%20'nobody'%20and%20${encodeURIComponent(p)}`,
  column: (p) => `contacts?$filter=${encodeURIComponent(p)}%20eq%20'x'`,
  path: (p) => `contacts?$filter=parentcustomerid_account/${encodeURIComponent(p)}%20eq%20'x'`,
  lambda: (p) => `accounts?$filter=contact_customer_accounts/any(o:o/${encodeURIComponent(p)}%20eq%20'x')`,
  function: (p) =>
    `contacts?$filter=Microsoft.Dynamics.CRM.${encodeURIComponent(p)}(PropertyName='lastname')`,
  "function's column": (p) =>
    `contacts?$filter=Microsoft.Dynamics.CRM.EqualUserId(PropertyName='${encodeURIComponent(p)}')`,
  guid: (p) => `contacts?$filter=contactid%20eq%20${encodeURIComponent(p)}`,
  key: (p) => `contacts(${encodeURIComponent(p)})`,
  "alternate key": (p) => `accounts(accountnumber='${encodeURIComponent(p)}')`,
  "key name": (p) => `accounts(${encodeURIComponent(p)}='x')`,
  set: (p) => encodeURIComponent(p),
  segment: (p) => `contacts/${encodeURIComponent(p)}`,
  orderby: (p) => `contacts?$filter=lastname%20eq%20'nobody'&$orderby=${encodeURIComponent(p)}`,
  direction: (p) => `contacts?$filter=lastname%20eq%20'nobody'&$orderby=lastname%20${encodeURIComponent(p)}`,
  select: (p) => `contacts?$filter=lastname%20eq%20'nobody'&$select=${encodeURIComponent(p)}`,
  "expand name": (p) => `contacts?$filter=lastname%20eq%20'nobody'&$expand=${encodeURIComponent(p)}`,
  "expand option": (p) =>
    `contacts?$filter=lastname%20eq%20'nobody'&$expand=parentcustomerid_account($select=${encodeURIComponent(p)})`,
  top: (p) => `contacts?$filter=lastname%20eq%20'nobody'&$top=${encodeURIComponent(p)}`,
  count: (p) => `contacts?$filter=lastname%20eq%20'nobody'&$count=${encodeURIComponent(p)}`,
  apply: (p) => `contacts?$apply=filter(lastname%20eq%20'nobody')/groupby((${encodeURIComponent(p)}))`,
  "apply alias": (p) =>
    `contacts?$apply=filter(lastname%20eq%20'nobody')/groupby((lastname),aggregate($count%20as%20${encodeURIComponent(p)}))`,
  skiptoken: (p) => `contacts?$filter=lastname%20eq%20'nobody'&$skiptoken=${encodeURIComponent(p)}`,
  deltatoken: (p) => `contacts?$select=lastname&$deltatoken=${encodeURIComponent(p)}`,
  "saved view": (p) => `contacts?savedQuery=${encodeURIComponent(p)}`,
  "own view": (p) => `contacts?userQuery=${encodeURIComponent(p)}`,
  "fetchXml whole": (p) => `contacts?fetchXml=${encodeURIComponent(p)}`,
  "fetchXml value, not escaped": (p) => fetchxml(p),
  "fetchXml column": (p) => fetchxml("nobody", attribute(p)),
  "fetchXml operator": (p) => fetchxml("nobody", "lastname", attribute(p)),
  "fetchXml entity": (p) => `contacts?fetchXml=${escaped(`<fetch><entity name="${attribute(p)}"/></fetch>`)}`,
  "fetchXml alias": (p) =>
    `contacts?fetchXml=${escaped(`<fetch aggregate="true"><entity name="contact"><attribute name="contactid" aggregate="count" alias="${attribute(p)}"/><filter><condition attribute="lastname" operator="eq" value="nobody"/></filter></entity></fetch>`)}`,
  "fetchXml cookie": (p) =>
    `contacts?fetchXml=${escaped(`<fetch page="2" count="2" paging-cookie="${attribute(p)}"><entity name="contact"><filter><condition attribute="lastname" operator="eq" value="nobody"/></filter></entity></fetch>`)}`,
  definition: (p) => `EntityDefinitions(LogicalName='${encodeURIComponent(p)}')`,
  "definitions' filter": (p) =>
    `EntityDefinitions?$select=LogicalName&$filter=LogicalName%20eq%20'${encodeURIComponent(p)}'`,
  "function parameter": (p) =>
    `RetrieveTotalRecordCount(EntityNames=@p)?@p=${encodeURIComponent(`["${p}"]`)}`,
  "unknown option": (p) => `contacts?$filter=lastname%20eq%20'nobody'&${encodeURIComponent(p)}=1`,
};

// What a database, a driver or a panic would say.
const LEAKS =
  /near ".*": syntax error|syntax error at or near|SQLITE_|sqlx|rusqlite|no such (table|column|function)|does not exist at|panicked|root:x:0/;

const HEADERS = [
  "Prefer",
  "If-Match",
  "If-None-Match",
  "OData-Version",
  "OData-MaxVersion",
  "MSCRMCallerID",
  "CallerObjectId",
  "Content-ID",
  "Accept",
  "X-Forwarded-Proto",
  "Origin",
  "Cookie",
  "Repeatability-Request-ID",
  "Repeatability-First-Sent",
];

onEachDatabase("injection", { rows: 50 }, (world) => {
  let before;

  /** Refused for what it is, or answered with no rows. */
  const harmless = async (place, probe, path, headers) => {
    if (Buffer.byteLength(path) > 30_000) return undefined;
    const started = Date.now();
    const answer = await world.demo.send("GET", path, undefined, headers);
    const what = `${place} with ${JSON.stringify(probe.slice(0, 60))}: ${answer.status} ${answer.text.slice(0, 200)}`;
    assert.ok([200, 304, 400, 403, 404, 405, 406, 410, 412, 414, 501].includes(answer.status), what);
    assert.equal(answer.headers["set-cookie"], undefined, what);
    assert.ok(Date.now() - started < 5_000, `time: ${what}`);
    if (answer.status >= 400) {
      assert.equal(typeof answer.body.error?.message, "string", what);
      assert.doesNotMatch(answer.text, LEAKS, what);
    }
    return answer;
  };

  test("there are rows that could leak", async () => {
    before = await everything();
    assert.ok(before.contacts.length >= 50);
  });

  const everything = async () => {
    const read = {};
    for (const set of ["contacts", "accounts", "tasks", "systemusers"]) {
      read[set] = (await world.admin.all(set)).rows;
    }
    return read;
  };

  for (const [place, path] of Object.entries(VALUES)) {
    test(`as a value in ${place}, probes find nothing`, async () => {
      for (const probe of PROBES) {
        const answer = await harmless(place, probe, path(probe));
        if (answer?.status === 200)
          assert.deepEqual(answer.body.value, [], `${place}: ${probe.slice(0, 60)}`);
        // A text that holds NUL is in no database and in no XML, so the question is refused.
        else
          assert.ok(
            answer === undefined || answer.status === 501 || probe.includes("\u0000"),
            `${place}: ${JSON.stringify(probe)} ${answer?.text}`,
          );
      }
    });
  }

  for (const [place, path] of Object.entries(NAKED)) {
    test(`as it is in ${place}, probes are refused or find nothing`, async () => {
      for (const probe of PROBES) {
        const answer = await harmless(place, probe, path(probe));
        if (answer?.status !== 200 || !Array.isArray(answer.body.value)) continue;
        // A client that does not escape asks another question, which is his to ask (`x' or lastname ne 'x`).
        const allowed = /^(literal|set|segment|own view|unknown option|definitions' filter)$/.test(place);
        const empty = answer.body.value.every((row) =>
          Object.values(row).every((cell) => cell === null || cell === 0),
        );
        assert.ok(allowed || empty, `${place}: ${JSON.stringify(probe)} gave ${answer.text.slice(0, 200)}`);
      }
    });
  }

  test("probes in headers change nothing", async () => {
    for (const name of HEADERS) {
      for (const probe of PROBES) {
        // What no header can carry is refused before it is sent; Node knows the rule.
        if (/[^\t\x20-\x7e\x80-\xff]/.test(probe)) continue;
        await harmless(name, probe, "contacts?$filter=lastname%20eq%20'nobody'", { [name]: probe });
      }
    }
  });

  test("probes as tokens are nobody's", async () => {
    for (const probe of PROBES) {
      if (/[^\t\x20-\x7e\x80-\xff]/.test(probe)) continue;
      for (const headers of [
        { Authorization: `Bearer ${probe}` },
        { Authorization: probe },
        { Cookie: `flette=${probe}` },
      ]) {
        const answer = await world.demo.raw("GET", `${API}contacts`, headers);
        assert.equal(answer.status, 401, `${JSON.stringify(headers)} ${answer.text.slice(0, 100)}`);
      }
    }
  });

  test("probes do not sign in", async () => {
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    for (const probe of PROBES) {
      for (const [username, password] of [
        [probe, "flette"],
        ["demo", probe],
        [`demo${probe}`, "flette"],
      ]) {
        const body = new URLSearchParams({ grant_type: "password", username, password }).toString();
        const answer = await world.demo.raw("POST", "/oauth2/v2.0/token", form, body);
        assert.ok(
          [400, 401, 429].includes(answer.status),
          `${answer.status} ${JSON.stringify([username, password])}`,
        );
      }
    }
  });

  test("probes in bodies and batches do nothing that was not asked for", async () => {
    const statuses = [200, 204, 400, 404, 405, 412, 413, 415, 501];
    for (const probe of PROBES) {
      const bodies = [
        JSON.stringify({ [probe]: "x" }),
        JSON.stringify({ [`${probe}@odata.bind`]: "accounts(x)" }),
        JSON.stringify({ "parentcustomerid_account@odata.bind": probe }),
        JSON.stringify({ "parentcustomerid_account@odata.bind": `accounts(${probe})` }),
        JSON.stringify({ contactid: probe }),
        `{"lastname":${probe}`,
      ];
      for (const body of bodies) {
        const { status, text } = await world.demo.send(
          "PATCH",
          `contacts(${before.contacts[0].contactid})`,
          body,
          {
            "If-Match": 'W/"0"',
          },
        );
        assert.ok(
          statuses.includes(status) && status !== 204,
          `${body.slice(0, 100)}: ${status} ${text.slice(0, 200)}`,
        );
      }
      const item = {
        method: "GET",
        url: `${API}contacts?$filter=lastname eq '${probe}'`,
        headers: { "X-A": probe },
      };
      const { text, boundary } = written([item]);
      for (const type of [
        `multipart/mixed; boundary=${boundary}`,
        `multipart/mixed; boundary="${probe.replace(/[^\x20-\x7e]/g, "")}"`,
      ]) {
        const answer = await world.demo.send("POST", "$batch", text, { "Content-Type": type });
        assert.ok(
          statuses.includes(answer.status),
          `batch with ${JSON.stringify(probe.slice(0, 60))}: ${answer.status}`,
        );
      }
    }
  });

  test("after all of them, every row is as it was", async () => {
    assert.deepEqual(await everything(), before);
  });
});
