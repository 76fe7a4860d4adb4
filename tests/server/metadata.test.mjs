// Definitions as clients read them, and how they hear of changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { column, table } from "./lib/definitions.mjs";
import { onEachDatabase } from "./lib/world.mjs";

const STANDARD = [
  ["account", "accounts", "accountid", 1],
  ["contact", "contacts", "contactid", 2],
  ["lead", "leads", "leadid", 4],
  ["opportunity", "opportunities", "opportunityid", 3],
  ["task", "tasks", "activityid", 4212],
  ["appointment", "appointments", "activityid", 4201],
  ["email", "emails", "activityid", 4202],
  ["phonecall", "phonecalls", "activityid", 4210],
  ["activitypointer", "activitypointers", "activityid", 4200],
  ["activityparty", "activityparties", "activitypartyid", 135],
  ["annotation", "annotations", "annotationid", 5],
  ["systemuser", "systemusers", "systemuserid", 8],
  ["team", "teams", "teamid", 9],
  ["businessunit", "businessunits", "businessunitid", 10],
  ["transactioncurrency", "transactioncurrencies", "transactioncurrencyid", 9105],
  ["savedquery", "savedqueries", "savedqueryid", 1039],
  ["userquery", "userqueries", "userqueryid", 4230],
  ["systemform", "systemforms", "formid", 1030],
  ["syncerror", "syncerrors", "syncerrorid", 9869],
];

onEachDatabase("definitions", { rows: 5 }, (world) => {
  test("the service document, the definitions and the CSDL name the same sets", async () => {
    const sets = (await world.demo.get("")).value.map(({ name }) => name).sort();
    const definitions = (
      await world.demo.get(
        "EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute,ObjectTypeCode",
      )
    ).value;
    const csdl = (await world.demo.send("GET", "$metadata")).text;
    const inCsdl = [...csdl.matchAll(/<EntitySet Name="(\w+)"/g)].map(([, name]) => name).sort();
    assert.deepEqual(inCsdl, sets);
    for (const [logical, set, id, type] of STANDARD) {
      const found = definitions.find(({ LogicalName }) => LogicalName === logical);
      assert.ok(found, logical);
      assert.deepEqual([found.EntitySetName, found.PrimaryIdAttribute], [set, id], logical);
      if (type <= 10 || type > 4000) assert.equal(found.ObjectTypeCode > 0, true, logical);
      assert.ok(sets.includes(set), set);
      assert.equal((await world.admin.send("GET", `${set}?$top=1`)).status, 200, set);
    }
  });

  test("the CSDL is well formed: every type and property that it refers to is in it", async () => {
    const { text, headers } = await world.demo.send("GET", "$metadata", undefined, {
      Accept: "application/xml",
    });
    assert.match(headers["content-type"], /^application\/xml/);
    const types = new Set(
      [...text.matchAll(/<(?:EntityType|ComplexType|EnumType) Name="(\w+)"/g)].map(([, name]) => name),
    );
    for (const [, name] of text.matchAll(
      /Type="(?:Collection\()?(?:mscrm|Microsoft\.Dynamics\.CRM)\.(\w+)\)?"/g,
    )) {
      assert.ok(types.has(name), `type ${name}`);
    }
    const depth = [];
    for (const [tag, close, name, empty] of text.matchAll(/<(\/?)([\w:]+)(?:\s[^>]*?)?(\/?)>/g)) {
      if (close) assert.equal(depth.pop(), name, tag);
      else if (!empty) depth.push(name);
    }
    assert.deepEqual(depth, []);
    const annotated = (await world.demo.send("GET", "$metadata?annotations=true")).text;
    assert.match(annotated, /Org\.OData\.Capabilities\.V1\.ChangeTracking/);
  });

  test("RetrieveMetadataChanges tells what changed since a stamp, and what is gone", async () => {
    const ask = async (stamp, filter) => {
      const query = {
        Properties: { AllProperties: false, PropertyNames: ["LogicalName", "EntitySetName", "Attributes"] },
        AttributeQuery: { Properties: { AllProperties: false, PropertyNames: ["LogicalName"] } },
      };
      const parts = [["Query", JSON.stringify(query)]];
      if (filter)
        parts.push(["DeletedMetadataFilters", `Microsoft.Dynamics.CRM.DeletedMetadataFilters'${filter}'`]);
      if (stamp) parts.push(["ClientVersionStamp", `'${stamp}'`]);
      const names = parts.map(([name], n) => `${name}=@p${n + 1}`).join(",");
      const values = parts.map(([, value], n) => `@p${n + 1}=${encodeURIComponent(value)}`).join("&");
      return world.demo.send("GET", `RetrieveMetadataChanges(${names})?${values}`, undefined, {
        Consistency: "Strong",
      });
    };
    const first = (await ask()).body;
    assert.ok(first.EntityMetadata.length >= STANDARD.length);
    const quiet = (await ask(first.ServerVersionStamp, "All")).body;
    assert.ok(
      quiet.EntityMetadata.every((entity) => entity.HasChanged === false),
      "nothing changed",
    );
    const made = await world.admin.send("POST", "EntityDefinitions", table("new_Stamp"));
    assert.equal(made.status, 204, made.text);
    const key = /\(([0-9a-f-]{36})\)/.exec(made.headers["odata-entityid"])[1];
    const added = await world.admin.send(
      "POST",
      `EntityDefinitions(${key})/Attributes`,
      column("Integer", "new_Extra"),
    );
    assert.equal(added.status, 204, added.text);
    const after = (await ask(quiet.ServerVersionStamp, "All")).body;
    const fresh = after.EntityMetadata.find(({ LogicalName }) => LogicalName === "new_stamp");
    assert.ok(fresh.Attributes.some(({ LogicalName }) => LogicalName === "new_extra"));
    assert.notEqual(after.ServerVersionStamp, quiet.ServerVersionStamp);
    assert.equal((await world.admin.send("DELETE", `EntityDefinitions(${key})`)).status, 204);
    const ended = (await ask(after.ServerVersionStamp, "All")).body;
    const gone = ended.DeletedMetadata.Values.flatMap(({ Items }) => Items ?? []);
    assert.ok(gone.includes(key), JSON.stringify(ended.DeletedMetadata));
    const foreign = await ask("999999999!nonsense", "All");
    assert.ok(foreign.status >= 400 && foreign.status < 500, `${foreign.status}`);
  });

  test("users may read definitions, and only administrators change them", async () => {
    const anna = world.client("anna");
    assert.equal((await anna.send("GET", "EntityDefinitions(LogicalName='contact')")).status, 200);
    const refused = await anna.send("POST", "EntityDefinitions", table("new_Mine"));
    assert.equal(refused.status, 403, refused.text);
  });
});
