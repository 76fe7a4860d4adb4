// Functions, actions, who is asked as whom, and requests that do not end as they began.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import http from "node:http";
import { test } from "node:test";
import { FaultProxy } from "../../e2e/lib/proxy.mjs";
import { failure } from "./rows.mjs";

export function calls(use) {
  functions(use);
  actions(use);
  callers(use);
  ends(use);
}

function functions({ demo }) {
  test("callFunction calls functions with and without parameters", async () => {
    const who = await demo().callFunction("WhoAmI");
    const again = await demo().callFunction({ functionName: "WhoAmI" });
    assert.equal(who.UserId, again.UserId);
    const counted = await demo().callFunction({
      name: "RetrieveTotalRecordCount",
      parameters: { EntityNames: ["contact", "account"] },
    });
    const { Keys, Values } = counted.EntityRecordCountCollection;
    assert.deepEqual([...Keys].sort(), ["account", "contact"]);
    assert.ok(Values.every((value) => value > 0));
    const bound = {
      collection: "accounts",
      key: randomUUID(),
      name: "Microsoft.Dynamics.CRM.NoSuchFunction",
    };
    for (const call of [{ name: "NoSuchFunction" }, bound, { ...bound, key: undefined }]) {
      assert.equal((await failure(demo().callFunction(call))).status, 404, JSON.stringify(call));
    }
  });

  test("callFunction reads metadata changes", async () => {
    const query = {
      Criteria: {
        FilterOperator: "And",
        Conditions: [
          {
            ConditionOperator: "Equals",
            PropertyName: "LogicalName",
            Value: { Type: "System.String", Value: "contact" },
          },
        ],
      },
      Properties: { AllProperties: false, PropertyNames: ["LogicalName"] },
    };
    const changes = await demo().callFunction({
      name: "RetrieveMetadataChanges",
      parameters: { Query: query },
    });
    assert.deepEqual(
      changes.EntityMetadata.map((table) => table.LogicalName),
      ["contact"],
    );
    assert.ok(changes.ServerVersionStamp);
  });
}

function actions({ demo }) {
  test("callAction calls actions bound to a table", async () => {
    const made = await demo().callAction({
      collection: "accounts",
      actionName: "Microsoft.Dynamics.CRM.CreateMultiple",
      action: {
        Targets: ["One", "Two"].map((name) => ({ "@odata.type": "Microsoft.Dynamics.CRM.account", name })),
      },
    });
    assert.equal(made.Ids.length, 2);
    const rows = made.Ids.map((accountid, n) => ({
      "@odata.type": "Microsoft.Dynamics.CRM.account",
      accountid,
      description: `number ${n}`,
    }));
    await demo().callAction({
      collection: "accounts",
      actionName: "Microsoft.Dynamics.CRM.UpdateMultiple",
      action: { Targets: rows },
    });
    const row = await demo().retrieve({ collection: "accounts", key: made.Ids[1] });
    assert.deepEqual([row.name, row.description], ["Two", "number 1"]);
  });

  test("an action that is not there is not found", async () => {
    const error = await failure(demo().callAction({ actionName: "NoSuchAction", action: { a: 1 } }));
    assert.equal(error.status, 404);
    const bound = {
      collection: "accounts",
      key: randomUUID(),
      actionName: "Microsoft.Dynamics.CRM.NoSuchAction",
    };
    assert.equal((await failure(demo().callAction(bound))).status, 404);
  });
}

function callers(use) {
  const { demo, library } = use;
  test("a request can be made for another user", async () => {
    const who = (config, request) =>
      library("admin", config).callFunction({ functionName: "WhoAmI", ...request });
    const anna = (await library("anna").callFunction("WhoAmI")).UserId;
    const admin = (await who()).UserId;
    assert.notEqual(admin, anna);
    assert.equal((await who({}, { impersonate: anna })).UserId, anna);
    assert.equal((await who({ impersonate: anna })).UserId, anna);
    const users = await library("admin").retrieveMultiple({
      collection: "systemusers",
      select: ["azureactivedirectoryobjectid"],
      filter: `systemuserid eq ${anna}`,
    });
    const impersonateAAD = users.value[0].azureactivedirectoryobjectid;
    assert.equal((await who({}, { impersonateAAD })).UserId, anna);
    assert.equal((await who({ impersonateAAD })).UserId, anna);
    const error = await failure(library("anna").callFunction({ functionName: "WhoAmI", impersonate: admin }));
    assert.equal(error.status, 403);
  });

  test("a token can be given with the request, and a wrong one is refused", async () => {
    const token = await use.world.demo.token();
    const bare = library(null);
    assert.ok((await bare.callFunction({ functionName: "WhoAmI", token })).UserId);
    const error = await failure(bare.callFunction({ functionName: "WhoAmI", token: "made up" }));
    assert.equal(error.status, 401);
  });

  test("tables can be named by their logical names", async () => {
    const named = library("demo", { useEntityNames: true });
    const id = await named.create({ collection: "contact", data: { lastname: "Singular" } });
    assert.equal((await named.retrieve({ collection: "contact", key: id })).lastname, "Singular");
    assert.equal(named.Utility.getCollectionName("opportunity"), "opportunities");
    assert.equal(named.Utility.toAbsoluteUrl("contacts"), `${use.world.demo.root}contacts`);
  });

  test("other versions of the API, other settings and a copy of the library work alike", async () => {
    const older = library("demo", {
      dataApi: { version: "9.0" },
      returnRepresentation: true,
      headers: { "X-A": "b" },
    });
    const row = await older.create({ collection: "contacts", data: { lastname: "Older" } });
    assert.equal(row.lastname, "Older");
    older.setConfig({ returnRepresentation: false, disableODataIdAbsoluteUrl: true, timeout: 20_000 });
    assert.equal(
      typeof (await older.create({ collection: "contacts", data: { lastname: "Older" } })),
      "string",
    );
    const copy = demo().initializeInstance();
    assert.ok((await copy.callFunction("WhoAmI")).UserId);
  });

  test("requests go through a proxy", async (t) => {
    const proxy = http.createServer((request, response) => {
      const onward = http.request(
        request.url,
        { method: request.method, headers: request.headers },
        (answer) => {
          response.writeHead(answer.statusCode, answer.headers);
          answer.pipe(response);
        },
      );
      request.pipe(onward);
    });
    await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
    t.after(() => proxy.close());
    const through = library("demo", { proxy: { url: `http://127.0.0.1:${proxy.address().port}` } });
    assert.ok((await through.callFunction("WhoAmI")).UserId);
  });
}

function ends(use) {
  const { demo, library } = use;
  test("a request that is given up leaves the server well", async () => {
    const given = Array.from({ length: 50 }, async () => {
      const controller = new AbortController();
      const call = demo().retrieveAll({ collection: "contacts", signal: controller.signal });
      setTimeout(() => controller.abort(), Math.random() * 20);
      return call.catch((error) => error.name);
    });
    const names = await Promise.all(given);
    assert.ok(names.every((name) => name === "AbortError" || typeof name === "object"));
    assert.ok((await demo().callFunction("WhoAmI")).UserId);
  });

  test("a write that was given up after it arrived is done once", async (t) => {
    const proxy = await new FaultProxy(use.world.server).start();
    t.after(() => proxy.stop());
    const slow = library("demo", { serverUrl: proxy.origin });
    const key = randomUUID();
    await slow.callFunction("WhoAmI");
    proxy.loseAnswers((request) => request.method === "PATCH");
    const request = { collection: "contacts", key, data: { lastname: "Given up" }, ifnonematch: "*" };
    await assert.rejects(slow.upsert(request));
    assert.equal(await slow.upsert(request), null, "412: the first one was done");
    proxy.hold((request) => request.method === "GET");
    const late = slow.retrieve({ collection: "contacts", key, timeout: 200 });
    await assert.rejects(late, { code: "ECONNRESET" });
    assert.equal((await demo().retrieve({ collection: "contacts", key })).lastname, "Given up");
  });
}
