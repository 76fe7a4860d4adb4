// The library's methods for many rows: lists, pages, counts, FetchXML, change tracking.

import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "./rows.mjs";

const ROWS = 25;

export function queries(use) {
  test("rows to ask for are there", async () => {
    const { demo } = use;
    demo().startBatch();
    for (let n = 0; n < ROWS; n++) {
      const data = {
        lastname: `Asked ${String(n).padStart(2, "0")}`,
        jobtitle: n % 2 ? "odd" : "even",
        creditlimit: n,
      };
      demo().create({ collection: "contacts", data });
    }
    assert.equal((await demo().executeBatch()).length, ROWS);
  });
  lists(use);
  counts(use);
  fetches(use);
}

const asked = (more = "") => `startswith(lastname,'Asked ')${more}`;

function lists({ demo }) {
  test("retrieveMultiple filters, selects, orders, cuts and counts", async () => {
    const list = await demo().retrieveMultiple({
      collection: "contacts",
      select: ["lastname", "jobtitle"],
      filter: asked(" and jobtitle eq 'odd'"),
      orderBy: ["lastname desc"],
      top: 3,
      count: true,
    });
    assert.deepEqual(
      list.value.map((row) => row.lastname),
      ["Asked 23", "Asked 21", "Asked 19"],
    );
    assert.equal(list.oDataCount, 12);
    assert.equal(list.oDataNextLink, undefined, "top is no page");
  });

  test("retrieveMultiple takes parameters for aliases", async () => {
    const list = await demo().retrieveMultiple({
      collection: "contacts",
      select: ["lastname"],
      filter: "lastname eq @name",
      queryParams: ["@name='Asked 03'"],
      async: true,
    });
    assert.equal(list.value.length, 1);
  });

  test("retrieveMultiple pages, and its next link goes on where it stopped", async () => {
    const request = { collection: "contacts", select: ["lastname"], filter: asked(), orderBy: ["lastname"] };
    const seen = [];
    let page = await demo().retrieveMultiple({ ...request, maxPageSize: 10 });
    seen.push(page.value.length);
    while (page.oDataNextLink) {
      page = await demo().retrieveMultiple({ ...request, maxPageSize: 10 }, page.oDataNextLink);
      seen.push(page.value.length);
    }
    assert.deepEqual(seen, [10, 10, 5]);
  });

  test("retrieveAll gives every page as one list", async () => {
    const request = { collection: "contacts", select: ["lastname"], filter: asked(), orderBy: ["lastname"] };
    const { value } = await demo({ maxPageSize: 4 }).retrieveAll(request);
    assert.equal(value.length, ROWS);
    assert.equal(new Set(value.map((row) => row.contactid)).size, ROWS);
    assert.equal(value.at(-1).lastname, "Asked 24");
  });

  test("retrieveMultiple shows labels when it is asked for, by request or by default", async () => {
    const request = { collection: "contacts", select: ["statecode"], filter: asked(), top: 1 };
    const named = await demo().retrieveMultiple({ ...request, includeAnnotations: "*" });
    assert.equal(named.value[0].statecode_Formatted, "Active");
    const always = demo({ includeAnnotations: "OData.Community.Display.V1.FormattedValue" });
    assert.equal((await always.retrieveMultiple(request)).value[0].statecode_Formatted, "Active");
  });

  test("retrieveMultiple expands lookups and collections, filtered, ordered, cut and nested", async () => {
    const account = await demo().create({
      collection: "accounts",
      data: {
        name: "Wide Ltd",
        contact_customer_accounts: [
          { lastname: "Wide A", jobtitle: "x" },
          { lastname: "Wide B", jobtitle: "y" },
          { lastname: "Wide C", jobtitle: "x" },
        ],
      },
    });
    const list = await demo().retrieveMultiple({
      collection: "accounts",
      select: ["name"],
      filter: `accountid eq ${account}`,
      expand: [
        {
          property: "contact_customer_accounts",
          select: ["lastname"],
          filter: "jobtitle eq 'x'",
          orderBy: ["lastname desc"],
          top: 1,
        },
      ],
    });
    assert.deepEqual(
      list.value[0].contact_customer_accounts.map((row) => row.lastname),
      ["Wide C"],
    );
    const nested = await demo().retrieveMultiple({
      collection: "contacts",
      select: ["lastname"],
      filter: "lastname eq 'Wide A'",
      expand: [
        {
          property: "parentcustomerid_account",
          select: ["name"],
          expand: [{ property: "owningbusinessunit", select: ["name"] }],
        },
      ],
    });
    assert.ok(nested.value[0].parentcustomerid_account.owningbusinessunit.name);
  });

  test("retrieveMultiple groups and aggregates", async () => {
    const list = await demo().retrieveMultiple({
      collection: "contacts",
      apply: `filter(${asked()})/groupby((jobtitle),aggregate($count as rows,creditlimit with sum as total))`,
    });
    const groups = Object.fromEntries(list.value.map((row) => [row.jobtitle, [row.rows, row.total]]));
    assert.deepEqual(groups, { even: [13, 156], odd: [12, 144] });
  });

  test("savedQuery and userQuery give the rows of a view", async () => {
    const views = await demo().retrieveMultiple({
      collection: "savedqueries",
      select: ["name", "returnedtypecode"],
      filter: "returnedtypecode eq 'contact' and querytype eq 0",
    });
    assert.ok(views.value.length > 0, "contacts have public views");
    const { savedqueryid } = views.value[0];
    const list = await demo().retrieve({ collection: "contacts", savedQuery: savedqueryid });
    assert.ok(list.value.length > 0);
    const fetchxml = `<fetch><entity name="contact"><attribute name="lastname"/><filter>
      <condition attribute="lastname" operator="eq" value="Asked 07"/></filter></entity></fetch>`;
    const own = await demo().create({
      collection: "userqueries",
      data: { name: "Mine", returnedtypecode: "contact", fetchxml, querytype: 0 },
    });
    const mine = await demo().retrieve({ collection: "contacts", userQuery: own });
    assert.deepEqual(
      mine.value.map((row) => row.lastname),
      ["Asked 07"],
    );
  });
}

function counts({ demo }) {
  test("count and countAll count, with and without a filter", async () => {
    assert.equal(await demo().count({ collection: "contacts", filter: asked() }), ROWS);
    assert.ok((await demo().count({ collection: "contacts" })) >= ROWS);
    const all = { collection: "contacts", filter: asked(), select: ["lastname"] };
    assert.equal(await demo().countAll(all), ROWS);
  });
}

function fetches({ demo }) {
  const xml = (
    more = "",
    attributes = "",
  ) => `<fetch ${more}><entity name="contact"><attribute name="lastname"/>
    ${attributes}<order attribute="lastname"/><filter>
    <condition attribute="lastname" operator="begins-with" value="Asked "/></filter></entity></fetch>`;

  test("fetch gives a page and the cookie of the next one", async () => {
    const fetchXml = xml('count="10"');
    const first = await demo().fetch({ collection: "contacts", fetchXml, includeAnnotations: "*" });
    assert.equal(first.value.length, 10);
    assert.equal(first.PagingInfo.nextPage, 2);
    const second = await demo().fetch({
      collection: "contacts",
      fetchXml,
      includeAnnotations: "*",
      pageNumber: first.PagingInfo.nextPage,
      pagingCookie: first.PagingInfo.cookie,
    });
    assert.equal(second.value[0].lastname, "Asked 10");
  });

  test("fetchAll gives every page as one list", async () => {
    const { value } = await demo().fetchAll({
      collection: "contacts",
      fetchXml: xml('count="7"'),
      includeAnnotations: "*",
    });
    assert.equal(value.length, ROWS);
    assert.equal(new Set(value.map((row) => row.contactid)).size, ROWS);
  });

  test("fetch joins, and the library reads the joined columns", async () => {
    const account = await demo().create({ collection: "accounts", data: { name: "Joined Ltd" } });
    await demo().create({
      collection: "contacts",
      data: { lastname: "Joined", "parentcustomerid_account@odata.bind": `accounts(${account})` },
    });
    const { value } = await demo().fetch({
      collection: "contacts",
      fetchXml: `<fetch><entity name="contact"><attribute name="lastname"/>
        <link-entity name="account" from="accountid" to="parentcustomerid" alias="firm">
        <attribute name="name"/></link-entity>
        <filter><condition attribute="lastname" operator="eq" value="Joined"/></filter></entity></fetch>`,
    });
    assert.equal(value[0].firm.name, "Joined Ltd");
  });

  test("a fetch too long for an address goes as a batch", async () => {
    const values = Array.from({ length: 200 }, (_, n) => `<value>Asked ${n}</value>`).join("");
    const { value } = await demo().fetch({
      collection: "contacts",
      fetchXml: `<fetch><entity name="contact"><attribute name="lastname"/><filter>
        <condition attribute="lastname" operator="in">${values}</condition></filter></entity></fetch>`,
    });
    assert.equal(value.length, 15, "Asked 10 to Asked 24");
    const long = {
      collection: "contacts",
      fetchXml: `<fetch><entity name="nothing"/>${" ".repeat(2000)}</fetch>`,
    };
    assert.ok((await failure(demo().fetch(long))).status >= 400, "and its failure arrives");
  });
}

/** Change tracking, on the rows of {@link queries}. */
export function feeds({ demo }) {
  test("change tracking gives a delta link, and that what changed since", async () => {
    const request = { collection: "contacts", select: ["lastname"], trackChanges: true };
    const first = await demo().retrieveAll({ ...request, maxPageSize: 50 });
    assert.ok(first.oDataDeltaLink);
    const added = await demo().create({ collection: "contacts", data: { lastname: "New to the feed" } });
    const [changed, gone] = first.value.filter((row) => row.lastname?.startsWith("Asked"));
    await demo().update({ collection: "contacts", key: changed.contactid, data: { jobtitle: "touched" } });
    await demo().deleteRecord({ collection: "contacts", key: gone.contactid });
    const delta = await demo().retrieveMultiple(request, first.oDataDeltaLink);
    const ids = delta.value.map((row) => row.contactid ?? row.id).sort();
    assert.deepEqual(ids, [added, changed.contactid, gone.contactid].sort());
    const tombstone = delta.value.find((row) => row.id === gone.contactid);
    assert.equal(tombstone.reason, "deleted");
    assert.match(tombstone["@odata.context"], /#contacts\/\$deletedEntity$/);
    assert.deepEqual((await demo().retrieveMultiple(request, delta.oDataDeltaLink)).value, []);
  });
}
