// A short load in every run; `node tests/server/load.mjs --seconds 60` is the whole one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { kinds, World } from "./lib/world.mjs";
import { figures, load } from "./load.mjs";

const SECONDS = Number(process.env.FLETTE_LOAD_SECONDS ?? 8);
const USERS = { seconds: SECONDS, writers: 50, readers: 50 };

for (const kind of kinds) {
  for (const servers of kind === "postgres" ? [1, 2] : [1]) {
    test(`50 writers and 50 readers lose and double nothing (${kind}, ${servers} server(s))`, async (t) => {
      const world = await new World(kind, { rows: 100 }).start();
      t.after(() => world.stop());
      for (let n = 1; n < servers; n++) await world.another();
      const result = await load(world, USERS);
      t.diagnostic(figures(result));
      assert.deepEqual(result.wrong.slice(0, 10), []);
      const { statuses, writes } = result.ledger;
      assert.ok(writes > USERS.writers, `${writes} writes`);
      assert.ok([...statuses.keys()].every((status) => [200, 204, 412, 429, 503].includes(status)));
      assert.ok(statuses.get(412) > 0, "writers met");
    });
  }
}
