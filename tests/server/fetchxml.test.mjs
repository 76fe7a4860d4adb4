// FetchXML over HTTP, on the rows that the OData queries are asked about too.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { escaped } from "./lib/client.mjs";
import { settle } from "./lib/people.mjs";
import { onEachDatabase } from "./lib/world.mjs";

onEachDatabase("FetchXML", {}, (world) => {
  before(() => settle(world.demo));

  test("FetchXML: joins of every kind, conditions, aggregates, order", async () => {
    const fetch = async (set, xml) => (await world.demo.get(`${set}?fetchXml=${escaped(xml)}`)).value;
    const link = (type, inner = "") =>
      `<fetch><entity name="account"><attribute name="name"/><order attribute="name"/>
       <link-entity name="contact" from="parentcustomerid" to="accountid" link-type="${type}" alias="c">${inner}</link-entity></entity></fetch>`;
    const names = (rows) => rows.map((row) => row.name[0]).join("");
    assert.equal(names(await fetch("accounts", link("inner", '<attribute name="lastname"/>'))), "AAb");
    assert.equal(names(await fetch("accounts", link("outer", '<attribute name="lastname"/>'))), "AAbCOÆ");
    // These say whether there are such rows and stand in a filter; nothing of the rows is shown.
    const among = (type, inner = "") =>
      `<fetch><entity name="account"><attribute name="name"/><order attribute="name"/><filter>
       <link-entity name="contact" from="parentcustomerid" to="accountid" link-type="${type}">${inner}</link-entity></filter></entity></fetch>`;
    assert.equal(names(await fetch("accounts", among("any"))), "Ab");
    assert.equal(names(await fetch("accounts", among("not any"))), "COÆ");
    const misplaced = await world.demo.send("GET", `accounts?fetchXml=${escaped(link("any"))}`);
    assert.deepEqual([misplaced.status, misplaced.body.error?.code], [400, "0x80041117"]);
    const title = '<filter><condition attribute="jobtitle" operator="eq" value="head"/></filter>';
    assert.equal(names(await fetch("accounts", link("inner", title))), "A");
    assert.equal(names(await fetch("accounts", among("any", title))), "A");
    const filter = (conditions, type = "and") =>
      fetch(
        "accounts",
        `<fetch><entity name="account"><attribute name="name"/><order attribute="name"/><filter type="${type}">${conditions}</filter></entity></fetch>`,
      );
    const condition = (attribute, operator, value) =>
      `<condition attribute="${attribute}" operator="${operator}"${value === undefined ? "" : ` value="${value}"`}/>`;
    for (const [conditions, expected] of [
      [condition("name", "like", "%a%"), "AbCO"],
      [condition("name", "like", "_lfa"), "A"],
      [condition("name", "like", "[ab]%"), "Ab"],
      [condition("name", "not-like", "%a%"), "Æ"],
      [condition("revenue", "null"), "C"],
      [condition("revenue", "not-null"), "AbOÆ"],
      [condition("revenue", "ge", "100"), "Ab"],
      [condition("industrycode", "ne", "1"), "bCÆ"],
      [condition("name", "eq", "O&apos;Hara"), "O"],
      [
        '<condition attribute="industrycode" operator="in"><value>1</value><value>3</value></condition>',
        "AO",
      ],
      [condition("createdon", "today"), "AbCOÆ"],
      [condition("ownerid", "eq-userid"), "AbCOÆ"],
    ]) {
      const found = await filter(conditions).then(names, (error) => error.message);
      assert.equal(found, expected, conditions);
    }
    const [sum] = await fetch(
      "accounts",
      `<fetch aggregate="true"><entity name="account"><attribute name="revenue" aggregate="sum" alias="total"/><attribute name="accountid" aggregate="count" alias="n"/></entity></fetch>`,
    );
    assert.deepEqual([sum.total, sum.n], [450.49, 5]);
    const groups = await fetch(
      "accounts",
      `<fetch aggregate="true"><entity name="account"><attribute name="industrycode" groupby="true" alias="g"/><attribute name="revenue" aggregate="max" alias="m"/><order alias="m" descending="true"/></entity></fetch>`,
    );
    assert.deepEqual(
      groups.map((row) => row.g ?? null),
      [2, 1, null],
    );
    assert.ok(
      !("revenue" in (await filter(condition("name", "eq", "Charlie % 1_0 [x]")))[0]),
      "nulls are absent",
    );
  });
});
