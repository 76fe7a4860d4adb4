// Queries in Dataverse's dialect over rows of the test's own, each with the rows that it must give.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { settle } from "./lib/people.mjs";
import { onEachDatabase } from "./lib/world.mjs";

onEachDatabase("queries", {}, (world) => {
  const ids = [];
  const query = (path) => path.replaceAll(/[^\x21-\x7e]/gu, encodeURIComponent);

  before(async () => {
    ids.push(...(await settle(world.demo)));
  });

  /** First letters of the firms that a filter gives, in order of their names. */
  const firms = async (filter) =>
    (await world.demo.get(query(`accounts?$select=name&$orderby=name&$filter=${filter}`))).value
      .map((row) => row.name[0])
      .join("");
  const people = async (filter) =>
    (await world.demo.get(query(`contacts?$select=lastname&$orderby=lastname&$filter=${filter}`))).value
      .map((row) => row.lastname[0])
      .join("");

  const check = (title, ask, cases) =>
    test(title, async () => {
      for (const [filter, expected] of cases) {
        const found = await ask(filter).catch((error) => error.message);
        assert.equal(found, expected, filter);
      }
    });

  check("comparisons hold without case, and for null as documented", firms, [
    ["name eq 'ALFA'", "A"],
    ["address1_city eq 'OSLO'", "Ab"],
    ["address1_city ne 'Oslo'", "COÆ"],
    ["address1_city eq null", "Æ"],
    ["address1_city ne null", "AbCO"],
    ["revenue eq 250.50", "b"],
    ["revenue gt 99.99", "Ab"],
    ["revenue ge 99.99", "AbO"],
    ["revenue lt 100", "OÆ"],
    ["numberofemployees le 5", "AO"],
    ["name eq 'O''Hara'", "O"],
    ["name eq 'Ærlig %26 Søn'", "Æ"],
    ["name eq 'ÆRLIG %26 SØN'", "Æ"],
    ["industrycode eq 2", "bC"],
    ["accountid eq 00000000-0000-0000-0000-000000000000", ""],
  ]);

  check("operators combine by their rank", firms, [
    ["industrycode eq 1 or industrycode eq 2 and address1_city eq 'Oslo'", "AbO"],
    ["(industrycode eq 1 or industrycode eq 2) and address1_city eq 'Oslo'", "Ab"],
    ["not (industrycode eq 1)", "bCÆ"],
    ["not industrycode eq 1 and revenue ne null", "bÆ"],
    ["numberofemployees gt revenue", ""],
  ]);

  check("text functions take their literals as they are", firms, [
    ["contains(name,'a')", "AbCO"],
    ["startswith(name,'a')", "A"],
    ["endswith(name,'O')", "b"],
    ["contains(name,'''')", "O"],
    ["not contains(name,'a')", "Æ"],
    ["contains(name,'søn')", "Æ"],
  ]);

  check("filters reach through lookups, several levels", people, [
    ["parentcustomerid_account/name eq 'alfa'", "AB"],
    ["parentcustomerid_account/parentaccountid/name eq 'Alfa'", "C"],
    ["parentcustomerid_account/primarycontactid/lastname eq 'Berg'", "AB"],
    ["parentcustomerid_account/revenue gt 100", "C"],
    ["parentcustomerid_account/name eq null", "D"],
    ["startswith(parentcustomerid_account/name,'b')", "C"],
  ]);

  check("any and all ask about the rows of a collection", firms, [
    ["contact_customer_accounts/any()", "Ab"],
    ["contact_customer_accounts/any(c:c/jobtitle eq 'clerk')", "A"],
    ["contact_customer_accounts/any(c:c/jobtitle eq 'head' and c/lastname eq 'Ask')", ""],
    ["not contact_customer_accounts/any()", "COÆ"],
    ["contact_customer_accounts/all(c:c/jobtitle ne null)", "ACOÆ"],
    ["contact_customer_accounts/any(c:startswith(c/lastname,'B')) and revenue eq 100", "A"],
  ]);

  check("Dataverse's own functions", firms, [
    ["Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['alfa','BRAVO'])", "Ab"],
    ["Microsoft.Dynamics.CRM.NotIn(PropertyName='industrycode',PropertyValues=['1'])", "bCÆ"],
    ["Microsoft.Dynamics.CRM.Between(PropertyName='numberofemployees',PropertyValues=['5','20'])", "bO"],
    ["Microsoft.Dynamics.CRM.NotBetween(PropertyName='numberofemployees',PropertyValues=['5','20'])", "ACÆ"],
    ["Microsoft.Dynamics.CRM.Today(PropertyName='createdon')", "AbCOÆ"],
    ["Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=1)", "AbCOÆ"],
    ["Microsoft.Dynamics.CRM.Yesterday(PropertyName='createdon')", ""],
    ["Microsoft.Dynamics.CRM.OlderThanXMonths(PropertyName='createdon',PropertyValue=1)", ""],
    ["Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')", "AbCOÆ"],
    ["Microsoft.Dynamics.CRM.NotEqualUserId(PropertyName='ownerid')", ""],
    ["Microsoft.Dynamics.CRM.EqualBusinessId(PropertyName='owningbusinessunit')", "AbCOÆ"],
  ]);

  test("hierarchies: above and under", async () => {
    const under = `Microsoft.Dynamics.CRM.Under(PropertyName='accountid',PropertyValue='${ids[0]}')`;
    assert.equal(await firms(under), "b");
    const above = `Microsoft.Dynamics.CRM.Above(PropertyName='accountid',PropertyValue='${ids[1]}')`;
    assert.equal(await firms(above), "A");
  });

  test("what a filter cannot be is 400 and says where", async () => {
    for (const filter of [
      "name eq 'O'Bryan'",
      "name eq",
      "name",
      "eq 1",
      "name eq 'a' and",
      "(name eq 'a'",
      "name eq 'a')",
      "nothing eq 1",
      "name eq 1",
      "revenue eq 'a'",
      "name in ('a')",
      "revenue add 1 eq 2",
      "year(createdon) eq 2024",
      "length(name) eq 4",
      "name has 1",
      "contact_customer_accounts/any(c:d/lastname eq 'x')",
      "contact_customer_accounts/any(c:c/contact_tasks/any(t:t/subject eq 'x'))",
      "primarycontactid/nothing eq 1",
      "name eq 'a",
    ]) {
      const answer = await world.demo.send("GET", query(`accounts?$filter=${filter}`));
      assert.equal(answer.status, 400, `${filter}: ${answer.text.slice(0, 200)}`);
      assert.ok(answer.body.error.message.length > 10);
    }
    const quote = await world.demo.send("GET", query("contacts?$filter=lastname eq 'O'Bryan'"));
    assert.match(quote.body.error.message, /position \d+/);
  });

  test("$orderby: several columns, both ways, nulls first, through lookups", async () => {
    const names = async (orderby) =>
      (await world.demo.get(query(`accounts?$select=name&$orderby=${orderby}`))).value
        .map((row) => row.name[0])
        .join("");
    assert.equal(await names("address1_city,name desc"), "ÆOCbA");
    assert.equal(await names("revenue"), "CÆOAb");
    assert.equal(await names("revenue desc"), "bAOÆC");
    assert.equal(await names("industrycode desc,revenue asc"), "CbOAÆ");
    const through = await world.demo.get(
      query("contacts?$select=lastname&$orderby=parentcustomerid_account/name desc,lastname"),
    );
    assert.equal(through.value.map((row) => row.lastname[0]).join(""), "CABD");
  });

  test("aliases stand for values, in $filter and $orderby", async () => {
    const get = (path) => world.demo.get(query(path));
    const one = await get("accounts?$select=name&$filter=name eq @n&@n='alfa'");
    assert.equal(one.value.length, 1);
    const ordered = await get(
      "accounts?$select=name&$filter=revenue ge @a and revenue le @b&$orderby=@o&@a=0&@b=100&@o=revenue",
    );
    assert.deepEqual(
      ordered.value.map((row) => row.name[0]),
      ["Æ", "O", "A"],
    );
    assert.equal(
      (await get("accounts?$select=name&$filter=address1_city eq @unassigned")).value.length,
      1,
      "null",
    );
  });

  test("$expand: lookups, collections, options, levels, references", async () => {
    const [row] = (
      await world.demo.get(
        query(
          `accounts?$select=name&$filter=accountid eq ${ids[0]}&$expand=primarycontactid($select=lastname;$expand=Contact_Tasks($select=subject)),contact_customer_accounts($select=lastname;$orderby=lastname desc;$top=1),account_parent_account($select=name;$filter=revenue gt 1)`,
        ),
      )
    ).value;
    assert.equal(row.primarycontactid.lastname, "Berg");
    assert.deepEqual(row.primarycontactid.Contact_Tasks, []);
    assert.deepEqual(
      row.contact_customer_accounts.map((contact) => contact.lastname),
      ["Berg"],
    );
    assert.deepEqual(
      row.account_parent_account.map((firm) => firm.name),
      ["bravo"],
    );
    const [unset] = (
      await world.demo.get(query("contacts?$filter=lastname eq 'Dahl'&$expand=parentcustomerid_account"))
    ).value;
    assert.equal(unset.parentcustomerid_account, null);
    const [reference] = (
      await world.demo.get(query("contacts?$filter=lastname eq 'Ask'&$expand=parentcustomerid_account/$ref"))
    ).value;
    assert.match(reference.parentcustomerid_account["@odata.id"], new RegExp(`accounts\\(${ids[0]}\\)$`));
    const many = await world.demo.send("GET", query("accounts?$expand=contact_customer_accounts/$ref"));
    assert.deepEqual([many.status, many.body.error.code], [400, "0x80060888"]);
    const twice = Array(16).fill("primarycontactid").join(",");
    assert.equal((await world.demo.send("GET", `accounts?$expand=${twice}`)).status, 400, "more than 15");
  });

  test("$apply: groups, aggregates, filters, paths", async () => {
    const rows = async (apply) => (await world.demo.get(query(`accounts?$apply=${apply}`))).value;
    const groups = async (apply, key) =>
      Object.fromEntries((await rows(apply)).map((row) => [row[key], row]));
    const [all] = await rows(
      "aggregate($count as n,revenue with sum as total,revenue with min as least,revenue with max as most,numberofemployees with average as mean)",
    );
    assert.deepEqual([all.n, all.total, all.least, all.most, all.mean], [5, 450.49, 0, 250.5, 81.5]);
    const byIndustry = await groups(
      "groupby((industrycode),aggregate($count as n,revenue with sum as total))",
      "industrycode",
    );
    assert.deepEqual(
      [byIndustry[1].n, byIndustry[1].total, byIndustry[2].n, byIndustry.null.n],
      [2, 199.99, 2, 1],
    );
    const cities = await rows("groupby((address1_city))");
    assert.equal(cities.length, 3, "Oslo and oslo are one");
    const filtered = await rows("filter(revenue gt 50)/groupby((industrycode),aggregate($count as n))");
    assert.equal(filtered.length, 2);
    const distinct = await rows("aggregate(industrycode with countdistinct as n)");
    assert.equal(distinct[0].n, 2);
    const nested = (
      await world.demo.get(
        query("contacts?$apply=groupby((parentcustomerid_account/name),aggregate($count as n))"),
      )
    ).value;
    const count = Object.fromEntries(nested.map((row) => [row.parentcustomerid_account_name, row.n]));
    assert.deepEqual([count.Alfa, count.bravo, count.null ?? count.undefined], [2, 1, 1]);
  });
});
