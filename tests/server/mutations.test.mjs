// Requests that were good, damaged by chance: cut, doubled, swapped, with bytes where none belong. Whatever comes, the
// process answers below 500 (501 for what it says it does not do), in Dataverse's shape, and goes on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { written } from "./lib/batch.mjs";
import { API } from "./lib/client.mjs";
import { onEachDatabase } from "./lib/world.mjs";

const REQUESTS = Number(process.env.FLETTE_MUTATIONS ?? 1500);
const SEED = Number(process.env.FLETTE_SEED ?? 1);
const AT_ONCE = 8;

const ID = "11111111-0000-4000-8000-000000000001";

const ADDRESSES = [
  "contacts?$select=fullname,_parentcustomerid_value&$filter=startswith(lastname,'A') and (statecode eq 0 or jobtitle ne null)&$orderby=lastname desc,contactid&$top=7&$count=true",
  `contacts(${ID})?$select=fullname&$expand=parentcustomerid_account($select=name;$expand=primarycontactid($select=fullname))`,
  "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$filter=contains(fullname,'a');$orderby=fullname desc;$top=3)",
  "accounts?$filter=contact_customer_accounts/any(c:c/lastname eq 'x' and c/donotemail eq true) and revenue gt 1.5e3",
  "contacts?$filter=parentcustomerid_account/primarycontactid/fullname eq 'O''Hara' or not contains(lastname,'%25')",
  "accounts?$apply=filter(revenue gt 10)/groupby((industrycode,address1_city),aggregate($count as n,revenue with sum as total))",
  "contacts?$filter=Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['a','b']) and createdon ge 2020-01-01T00:00:00Z",
  "contacts?$filter=Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=30)&$orderby=@o&@o=lastname",
  "contacts?$select=lastname&$deltatoken=919042%2108%2f22%2f2017%2008%3a10%3a44",
  "contacts?$skiptoken=%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22x%22%20istracking=%22False%22%20/%3E",
  'contacts?fetchXml=<fetch count="5" page="2"><entity name="contact"><attribute name="fullname"/><order attribute="lastname"/><filter type="or"><condition attribute="lastname" operator="like" value="a%25"/><condition attribute="createdon" operator="last-x-days" value="3"/></filter><link-entity name="account" from="accountid" to="parentcustomerid" link-type="outer" alias="a"><attribute name="name"/></link-entity></entity></fetch>',
  'accounts?fetchXml=<fetch aggregate="true"><entity name="account"><attribute name="revenue" aggregate="sum" alias="s"/><attribute name="industrycode" groupby="true" alias="g"/></entity></fetch>',
  "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='gendercode')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet",
  "EntityDefinitions?$select=LogicalName&$filter=OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'",
  'RetrieveMetadataChanges(Query=@p1)?@p1={"Properties":{"AllProperties":false,"PropertyNames":["LogicalName"]}}',
  `accounts(${ID})/contact_customer_accounts/$count?$filter=lastname eq 'x'`,
  `contacts(${ID})/parentcustomerid_account/$ref`,
  "accounts(accountnumber='A-1')?$select=name",
];

const BODIES = [
  {
    lastname: "Damaged",
    creditlimit: 12.5,
    gendercode: 1,
    "parentcustomerid_account@odata.bind": `accounts(${ID})`,
  },
  {
    name: "Damaged",
    Account_Tasks: [{ subject: "a" }],
    "primarycontactid@odata.bind": null,
    numberofemployees: 5,
  },
  { value: [{ "partyid_contact@odata.bind": `contacts(${ID})`, participationtypemask: 2 }] },
  { Targets: [{ "@odata.type": "Microsoft.Dynamics.CRM.contact", lastname: "x" }] },
  { "@odata.id": `contacts(${ID})` },
];
const DOORS = [
  "POST contacts",
  "POST accounts",
  `PATCH contacts(${ID})`,
  `PUT contacts(${ID})/lastname`,
  `PUT accounts(${ID})/primarycontactid/$ref`,
];

const PIECES = [
  "'",
  "''",
  '"',
  "(",
  ")",
  "/",
  "//",
  ",",
  ";",
  ":",
  "$",
  "@",
  "%00",
  "%",
  "%zz",
  "%ff",
  "null",
  " ",
  "&",
  "?",
  "#",
  "=",
  "-",
  "1e999",
  "9".repeat(30),
  "<",
  ">",
  "{",
  "}",
  "[",
  "]",
  "\\",
  "\\u0000",
  "é",
  "\u{1f600}",
  "\r\n",
  "--",
  "any(",
  "not ",
  " and ",
  "$expand=",
  "$filter=",
  ID,
];

/** A small generator of numbers (mulberry32): the same seed, the same requests. */
function dice(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { below, one: (list) => list[below(list.length)] };
}

function damaged(text, { below, one }) {
  let now = text;
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(now.length + 1);
    const to = Math.min(now.length, at + 1 + below(12));
    const cut = now.slice(at, to);
    now = one([
      () => now.slice(0, at) + now.slice(to),
      () => now.slice(0, at) + one(PIECES) + now.slice(at),
      () => now.slice(0, to) + cut.repeat(1 + below(3)) + now.slice(to),
      () => now.slice(0, at) + one(PIECES) + now.slice(to),
      () => now.slice(0, at) + [...cut].reverse().join("") + now.slice(to),
      () => now.slice(0, at),
    ])();
  }
  return now;
}

/** What a request line can carry; the rest is escaped. */
const carried = (address) =>
  address.replaceAll(/[^\x21-\x7e]/gu, (character) =>
    encodeURIComponent(character.toWellFormed?.() ?? character),
  );

onEachDatabase("damaged requests", { rows: 30 }, (world) => {
  const judge = (what, { status, text, body, headers }) => {
    assert.ok(status < 500 || status === 501, `${what}: ${status} ${text.slice(0, 300)} (seed ${SEED})`);
    // What is no HTTP at all is refused before anybody could say it in JSON.
    if (status === 400 && text === "") return;
    if (status >= 400 && !/multipart/.test(headers["content-type"] ?? "")) {
      assert.equal(typeof body.error?.message, "string", `${what}: ${text.slice(0, 300)}`);
    }
  };

  const all = async (make) => {
    const chance = dice(SEED);
    for (let n = 0; n < REQUESTS; n += AT_ONCE) {
      const group = Array.from({ length: AT_ONCE }, () => make(chance));
      await Promise.all(group.map(async (send) => judge(...(await send()))));
    }
    assert.equal((await world.demo.send("GET", "WhoAmI")).status, 200);
  };

  test("addresses", () =>
    all((chance) => {
      const path = carried(damaged(chance.one(ADDRESSES), chance)).slice(0, 30_000);
      const headers = chance.one([{}, { Prefer: 'odata.include-annotations="*",odata.maxpagesize=3' }]);
      return async () => [`GET ${path}`, await world.demo.send("GET", path, undefined, headers)];
    }));

  test("bodies", () =>
    all((chance) => {
      const [method, path] = chance.one(DOORS).split(" ");
      const body = damaged(JSON.stringify(chance.one(BODIES)), chance);
      return async () => [`${method} ${path} ${body}`, await world.demo.send(method, path, body)];
    }));

  test("batches", () =>
    all((chance) => {
      const items = [
        { method: "GET", url: API + carried(chance.one(ADDRESSES)) },
        [
          { method: "POST", url: `${API}contacts`, id: 1, body: { lastname: "In a damaged batch" } },
          { method: "PATCH", url: "$1", id: 2, body: BODIES[0] },
        ],
        { method: "GET", url: `${API}WhoAmI` },
      ];
      const { text, boundary } = written(items, { boundary: "b_1", lineEnd: chance.one(["\r\n", "\n"]) });
      const type = chance.below(10)
        ? `multipart/mixed; boundary=${boundary}`
        : damaged(`multipart/mixed; boundary="${boundary}"`, chance);
      const headers = { "Content-Type": type.replaceAll(/[^\x20-\x7e]/gu, "?") };
      const body = damaged(text, chance);
      return async () => [
        `batch ${JSON.stringify(body)}`,
        await world.demo.send("POST", "$batch", body, headers),
      ];
    }));
});
