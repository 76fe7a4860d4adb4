// Flette from its page: everything goes by `fetch` through the service worker, as an app's requests do.

const ROUNDS_MAX = 100;
/** Longer than the pause after which a worker begins a round. */
const PAUSE_MILLIS = 500;

/** Registers a worker and waits until it controls this page. */
export async function register(script, scope) {
  const policy = globalThis.trustedTypes?.createPolicy("flette", { createScriptURL: (url) => url });
  // A page of a folder with a worker of its own is the engine's until that one takes over.
  const rules = () =>
    navigator.serviceWorker.controller?.scriptURL === new URL(script, globalThis.location.href).href;
  const controlled = new Promise((done) => {
    if (rules()) done();
    navigator.serviceWorker.addEventListener("controllerchange", () => rules() && done());
  });
  await navigator.serviceWorker.register(policy ? policy.createScriptURL(script) : script, { scope });
  await controlled;
}

export async function signIn(username) {
  const answer = await fetch("/auth/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username, password: "flette" }),
  });
  if (!answer.ok) throw new Error(`sign-in: ${answer.status} ${await answer.text()}`);
}

export async function status() {
  return (await fetch("/flette/status", { cache: "no-store" })).json();
}

/**
 * Signs in and syncs until all is in and `list` is answered from the replica. The module is started before; the clock
 * starts with the answer to the sign-in, since the worker begins a round by itself soon after it.
 */
export async function firstSync(username, list) {
  await status();
  await signIn(username);
  return synced(list);
}

/** Syncs until all is in and `list` is answered from the replica. */
export async function synced(list) {
  const started = performance.now();
  await sync();
  const synced = performance.now() - started;
  await answered(list);
  return { millis: performance.now() - started, synced };
}

/** Rounds until nothing is left. */
export async function sync() {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const answer = await fetch("/flette/sync", { method: "POST" });
    const report = await answer.json();
    if (report.ok) return;
    if (!report.more) throw new Error(`a round ended with ${JSON.stringify(report)}`);
  }
  throw new Error("the sync does not end");
}

/** Waits until the round that a new worker begins by itself has ended, and one more has reached the server. */
export async function settled() {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await new Promise((done) => setTimeout(done, PAUSE_MILLIS));
    const { ok } = await (await fetch("/flette/sync", { method: "POST" })).json();
    if (ok) return;
  }
  throw new Error("no round ends well");
}

/** One answer from the replica, parsed. */
export async function answered(path) {
  const answer = await fetch(path);
  if (answer.status !== 200 || answer.headers.get("Flette-Source") !== "replica") {
    const source = answer.headers.get("Flette-Source");
    throw new Error(`${path}: ${answer.status} from ${source}: ${(await answer.text()).slice(0, 300)}`);
  }
  return /json/.test(answer.headers.get("Content-Type")) ? answer.json() : answer.text();
}

/** The same as text, for the worker that answers ready bodies. */
export async function text(path) {
  return (await fetch(path)).text();
}

/** Milliseconds from each request to its whole answer, parsed as an app would; an answer must be a 200. */
export async function timed(paths) {
  const times = [];
  for (const path of paths) {
    const started = performance.now();
    const answer = await fetch(path);
    const body = await answer.text();
    if (body.startsWith("{")) JSON.parse(body);
    times.push(performance.now() - started);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
  }
  return times;
}

/** As above, with what tells one life of a worker from another. */
export async function timedOnce(path) {
  const started = performance.now();
  const answer = await fetch(path);
  await answer.text();
  const millis = performance.now() - started;
  return { millis, status: answer.status, life: answer.headers.get("Life") };
}

/** Milliseconds of each change of a contact, as `{ id, values }`, until its 204. */
export async function patched(edits, root = "/api/data/v9.2/") {
  const times = [];
  for (const { id, values } of edits) {
    const started = performance.now();
    const answer = await fetch(`${root}contacts(${id})`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json", "If-Match": "*" },
      body: JSON.stringify(values),
    });
    times.push(performance.now() - started);
    if (answer.status !== 204) throw new Error(`${id}: ${answer.status} ${await answer.text()}`);
  }
  return times;
}

/** Gives the ready worker a body to answer under `path`. */
export async function prepare(path, body) {
  const answer = await fetch(path, { method: "PUT", body });
  if (answer.status !== 204) throw new Error(`${path}: ${answer.status}`);
}

/** Works offline from here on, by choice. */
export async function offline() {
  const answer = await fetch("/flette/go-offline", { method: "POST" });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
}

/** Opens the line again: milliseconds until everything is sent and everything pulled, and what became of it. */
export async function online() {
  const started = performance.now();
  const answer = await fetch("/flette/go-online", { method: "POST" });
  const report = await answer.json();
  return { millis: performance.now() - started, report };
}

/** Values of a column by row, `null` for rows that are not there, all answered from the replica. */
export async function values(ids, column) {
  const found = {};
  for (const id of ids) {
    const answer = await fetch(`/api/data/v9.2/contacts(${id})?$select=${column}`);
    if (answer.headers.get("Flette-Source") !== "replica") throw new Error(`${id}: not from the replica`);
    found[id] = answer.status === 404 ? null : (await answer.json())[column];
  }
  return found;
}
