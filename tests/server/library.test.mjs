// An unmodified client written for Dataverse, the npm package dynamics-web-api, with everything that it can do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { onEachDatabase } from "./lib/world.mjs";
import { batches } from "./library/batches.mjs";
import { calls } from "./library/calls.mjs";
import { metadata } from "./library/metadata.mjs";
import { feeds, queries } from "./library/queries.mjs";
import { Recorder } from "./library/recorder.mjs";
import { failure, rows } from "./library/rows.mjs";

// What the library offers and the server has not, each with the reason. It is refused, not failed upon.
const SEARCH = "Dataverse Search is a service of its own beside the Web API";
const FILES = "no standard table has a file column; notes keep files in documentbody";
const BACKGROUND = "background operations need a plug-in platform";
const ELASTIC = "partitions belong to elastic tables";
const BY_METADATA = "set by createAttribute, updateAttribute and their like, which are called";
const NOTHING_THERE =
  "these definitions have no navigation properties, and Dataverse does not filter choices";
const NO_ROWS = "no function here gives rows that could be selected or filtered";
const LEFT_OUT = new Map([
  ["search", SEARCH],
  ["query", SEARCH],
  ["suggest", SEARCH],
  ["autocomplete", SEARCH],
  ["Config.searchApi", SEARCH],
  ["uploadFile", FILES],
  ["downloadFile", FILES],
  ...["data", "fileName", "property", "fieldName"].map((name) => [`UploadRequest.${name}`, FILES]),
  ...["property", "fieldName"].map((name) => [`DownloadRequest.${name}`, FILES]),
  ["getBackgroundOperationStatus", BACKGROUND],
  ["cancelBackgroundOperation", BACKGROUND],
  ["UnboundActionRequest.respondAsync", BACKGROUND],
  ["UnboundActionRequest.backgroundOperationCallbackUrl", BACKGROUND],
  ["Config.backgroundOperationCallbackUrl", BACKGROUND],
  ...["Create", "Retrieve", "RetrieveMultiple"].map((name) => [`${name}Request.partitionId`, ELASTIC]),
  ["UpdateRequestBase.partitionId", ELASTIC],
  ...["navigationProperty", "navigationPropertyKey"].map((name) => [`CreateRequest.${name}`, BY_METADATA]),
  ...["navigationProperty", "navigationPropertyKey", "metadataAttributeType"].map((name) => {
    return [`UpdateRequestBase.${name}`, BY_METADATA];
  }),
  ["UpdateRequest.mergeLabels", BY_METADATA],
  ...[
    "RetrieveRelationships",
    "RetrieveRelationship",
    "RetrieveGlobalOptionSets",
    "RetrieveGlobalOptionSet",
  ].map((name) => [`${name}Request.expand`, NOTHING_THERE]),
  ["RetrieveGlobalOptionSetsRequest.filter", NOTHING_THERE],
  ...["select", "filter"].map((name) => [`UnboundFunctionRequest.${name}`, NO_ROWS]),
]);

onEachDatabase("dynamics-web-api", { rows: 20 }, (world) => {
  const recorder = new Recorder();
  const kept = new Map();
  /** The library as this user; the same settings give the same instance, which a batch needs. */
  const library = (user, config = {}) => {
    const key = JSON.stringify([user, config]);
    if (!kept.has(key)) {
      const onTokenRefresh = user === null ? undefined : () => world.client(user).token();
      const serverUrl = `http://127.0.0.1:${world.server.port}`;
      kept.set(key, recorder.library({ serverUrl, ...(user && { onTokenRefresh }), ...config }));
    }
    return kept.get(key);
  };
  const demo = (config) => library("demo", config);
  const use = { world, recorder, library, demo };
  rows(use);
  queries(use);
  feeds(use);
  batches(use);
  calls(use);
  // Definitions are for administrators.
  metadata({ ...use, demo: () => library("admin") });

  test("what is left out is refused in Dataverse's way", async () => {
    const key = (await world.demo.get("contacts?$top=1")).value[0].contactid;
    const file = { collection: "contacts", key, property: "new_file" };
    for (const [what, call] of [
      ["search", () => demo().search("a")],
      ["query", () => demo().query("a")],
      ["suggest", () => demo().suggest("abc")],
      ["autocomplete", () => demo().autocomplete("abc")],
      ["uploadFile", () => demo().uploadFile({ ...file, fileName: "a.txt", data: Buffer.from("a") })],
      ["downloadFile", () => demo().downloadFile(file)],
      ["getBackgroundOperationStatus", () => demo().getBackgroundOperationStatus(key)],
      ["cancelBackgroundOperation", () => demo().cancelBackgroundOperation(key)],
      ["partitionId", () => demo().retrieve({ collection: "contacts", key, partitionId: "a" })],
    ]) {
      const error = await failure(call());
      assert.ok(
        [400, 404, 405, 415, 501].includes(error.status),
        `${what}: ${error.status} ${error.message}`,
      );
    }
  });

  test("no method and no option of the library is forgotten", () => {
    const declared = recorder.declared();
    const forgotten = [...declared].filter((name) => !recorder.used.has(name) && !LEFT_OUT.has(name));
    assert.deepEqual(forgotten, []);
    assert.deepEqual(
      [...LEFT_OUT.keys()].filter((name) => !declared.has(name)),
      [],
      "left out, and not declared",
    );
  });
});
