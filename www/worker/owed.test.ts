import assert from "node:assert/strict";
import { test } from "node:test";
import { isSignedOut, settling } from "./owed.ts";

const page = () => new Response("<html>", { headers: { "Content-Type": "text/html; charset=utf-8" } });
const done = () => new Response(null, { status: 204 });

/** What was told, and whether the mark stands after the answers of the server, one per attempt; `null` for none. */
async function settled(owed: boolean, answers: ((() => Response) | null)[]) {
  const log = { told: 0, stands: owed, settled: [] as boolean[] };
  const mark = {
    stands: async () => log.stands,
    clear: async () => {
      log.stands = false;
    },
  };
  const settle = settling(mark, async () => {
    const answer = answers[log.told++];
    if (!answer) throw new TypeError("Failed to fetch");
    return answer();
  });
  for (const _ of answers) log.settled.push(await settle());
  return log;
}

test("a sign-out is told until the server has heard of it, and then never again", async () => {
  const answers = [null, () => new Response(null, { status: 503 }), page, done, done];
  const log = await settled(true, answers);
  assert.deepEqual(log, { told: 4, stands: false, settled: [false, false, false, true, true] });
});

test("where none is owed, nothing is told", async () => {
  assert.deepEqual(await settled(false, [null]), { told: 0, stands: false, settled: [true] });
});

test("calls at the same time share one attempt", async () => {
  let told = 0;
  const mark = { stands: async () => true, clear: async () => undefined };
  const settle = settling(mark, async () => {
    told += 1;
    return done();
  });
  assert.deepEqual(await Promise.all([settle(), settle()]), [true, true]);
  assert.equal(told, 1);
});

test("where nothing can be noted, nothing is owed", async () => {
  const mark = { stands: () => Promise.reject(new Error("no database")), clear: async () => undefined };
  assert.equal(await settling(mark, async () => page())(), true);
});

test("only the server's own answer ends the matter", () => {
  const json = () => new Response("{}", { headers: { "Content-Type": "application/json" } });
  const status = (status: number) => () => new Response(null, { status });
  const cases: [() => Response, boolean][] = [
    [done, true],
    [json, true],
    [page, false],
    [status(403), false],
    [status(503), false],
    [status(511), false],
  ];
  for (const [answer, expected] of cases) assert.equal(isSignedOut(answer()), expected);
  assert.equal(isSignedOut({ ok: true, status: 200, redirected: true, headers: new Headers() }), false);
});

test("a server that ends no sessions, or knows of none, is not waited for", () => {
  for (const status of [401, 404, 405, 501]) {
    assert.equal(isSignedOut(new Response("<html>", { status })), true, `${status}`);
  }
});
