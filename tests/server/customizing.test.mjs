// Definitions changed from outside: who hears of it, and what becomes a name in SQL.

import assert from "node:assert/strict";
import { test } from "node:test";
import { table } from "./lib/definitions.mjs";
import { onEachDatabase } from "./lib/world.mjs";

onEachDatabase("customizing", { rows: 5 }, (world) => {
  test("globalmetadataversion changes when a definition does, and is the cheap way to know", async () => {
    const version = async () =>
      (await world.demo.get("accounts?$select=name&$top=1", { Prefer: 'odata.include-annotations="*"' }))[
        "@Microsoft.Dynamics.CRM.globalmetadataversion"
      ];
    const before = await version();
    assert.match(before, /^\d+$/);
    assert.equal(await version(), before);
    const made = await world.admin.send("POST", "EntityDefinitions", table("new_Version"));
    assert.equal(made.status, 204, made.text);
    assert.notEqual(await version(), before);
    const key = made.headers["odata-entityid"];
    assert.equal((await world.admin.send("DELETE", key)).status, 204);
  });

  test("names from outside become names in SQL only when they are names", async () => {
    for (const name of [
      "new_a b",
      "new_a;drop",
      'new_a"b',
      "new_a'b",
      "new_",
      "account",
      "1new_a",
      `new_${"x".repeat(200)}`,
      "sqlite_master",
      "new_\u00e5",
    ]) {
      const answer = await world.admin.send("POST", "EntityDefinitions", table(name));
      assert.equal(answer.status, 400, `${name}: ${answer.text}`);
    }
    for (const name of ["select", "order", "group"]) {
      const answer = await world.admin.send("POST", "EntityDefinitions", table(`new_${name}`));
      assert.equal(answer.status, 204, answer.text);
      const set = (await world.admin.get(answer.headers["odata-entityid"])).EntitySetName;
      const row = await world.admin.create(set, { [`new_${name}name`]: "x" });
      assert.ok(row[`new_${name}id`]);
      assert.equal((await world.admin.send("DELETE", answer.headers["odata-entityid"])).status, 204);
    }
  });
});
