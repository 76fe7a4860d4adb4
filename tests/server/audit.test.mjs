// The audit of load and kill tests notices every kind of loss: each is made on purpose here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { audit } from "./lib/traffic.mjs";
import { World } from "./lib/world.mjs";
import { load } from "./load.mjs";

test("a loss of any kind is noticed", async (t) => {
  const world = await new World("sqlite", { rows: 0 }).start();
  t.after(() => world.stop());
  const client = world.demo;
  const { ledger, wrong } = await load(world, { seconds: 2, writers: 4, readers: 1 });
  assert.deepEqual(wrong, []);
  const kept = [...ledger.tasks].filter(([id, task]) => task.least !== undefined && !ledger.gone.has(id));
  const pair = ledger.pairs.find(({ known }) => known);
  const [counter] = ledger.increments.keys();
  const [[lost, lostTask], [stale, staleTask], [, doubledTask], [renamed]] = kept;
  const follower = { rows: new Map([["nobody", "x"]]), round: async () => true };
  const damages = [
    [() => client.delete(`tasks(${lost})`), `${lostTask.subject} was acknowledged and is missing`],
    [() => client.patch(`tasks(${stale})`, { percentcomplete: 99 }), `${staleTask.subject}: 99 is none of`],
    [() => client.create("tasks", { subject: doubledTask.subject }), `${doubledTask.subject} is there twice`],
    [() => client.patch(`tasks(${renamed})`, { subject: "other" }), `${renamed} is called other`],
    [() => client.delete(`tasks(${pair.task})`), "half of the change set"],
    [() => client.patch(`accounts(${counter})`, { numberofemployees: 0 }), `counter ${counter} shows 0`],
    [() => ledger.gone.add(kept.at(-1)[0]), "was deleted and is there"],
    [() => ledger.errors.push("GET x: 500"), "GET x: 500"],
    [() => {}, "follower 0 still has nobody"],
    [() => {}, `follower 0 has undefined`],
  ];
  for (const [damage] of damages) await damage();
  const found = (await audit(client, ledger, [follower])).join("\n");
  for (const [, sentence] of damages) assert.ok(found.includes(sentence), `${sentence} is not in:\n${found}`);
});
