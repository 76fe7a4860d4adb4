// The server is killed under load and started again, several times: nothing acknowledged is missing, nothing is half
// done, and whoever followed the feed over the restarts ends with the final state.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { audit, counters, Follower, Ledger, Reader, Writer } from "./lib/traffic.mjs";
import { kinds, World } from "./lib/world.mjs";

const ROUNDS = Number(process.env.FLETTE_KILLS ?? 4);
const MILLIS_OF_ROUND = [900, 1600];
const WRITERS = 16;
const READERS = 4;

for (const kind of kinds) {
  test(`kill -9 under load loses nothing that was acknowledged (${kind})`, async (t) => {
    const world = await new World(kind, { rows: 50 }).start();
    t.after(() => world.stop());
    const client = world.demo;
    const shared = await counters(client, 3);
    const ledger = new Ledger();
    const forever = { told: false };
    const followers = [0, 1].map(() => new Follower(client, ledger, forever));
    let stop;
    for (let round = 0; round < ROUNDS; round++) {
      stop = { told: false };
      const actors = [
        ...Array.from({ length: WRITERS }, (_, n) => {
          return new Writer(client, ledger, stop, {
            name: `writer ${round * WRITERS + n}`,
            counters: shared,
          });
        }),
        ...Array.from({ length: READERS }, () => new Reader(client, ledger, stop)),
      ];
      const following = followers.map(async (follower) => {
        while (!stop.told) {
          await follower.round();
          await sleep(20);
        }
      });
      const running = Promise.all([...actors.map((actor) => actor.run()), ...following]);
      const [least, most] = MILLIS_OF_ROUND;
      await sleep(least + ((most - least) * round) / ROUNDS);
      await world.server.kill();
      stop.told = true;
      await running;
      await world.server.start();
      const wrong = await audit(client, ledger, []);
      assert.deepEqual(wrong.slice(0, 10), [], `after kill ${round}`);
    }
    assert.deepEqual((await audit(client, ledger, followers)).slice(0, 10), [], "with the feed");
    assert.ok(ledger.broken >= ROUNDS, "requests were under way when it died");
    assert.ok(ledger.writes > 100 && followers.every(({ rounds }) => rounds > ROUNDS));
    t.diagnostic(`${ledger.writes} writes, ${ledger.broken} connections broken, ${ROUNDS} kills`);
  });
}
