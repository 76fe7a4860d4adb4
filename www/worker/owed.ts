// A sign-out that the server has not heard of. Its cookie cannot be deleted here, and would let the former user in again
// under whoever comes next: so until the server has heard of it, nobody is signed in.

/** Where it is noted, so that it outlives the worker. */
export interface Mark {
  stands(): Promise<boolean>;
  clear(): Promise<void>;
}

/**
 * Makes what tells the server, where that is owed. Resolves to whether nothing is owed any more; never rejects. Calls at the
 * same time share one attempt.
 */
export function settling(mark: Mark, tell: () => Promise<Response>): () => Promise<boolean> {
  let running: Promise<boolean> | null = null;
  return () => {
    running ??= settle(mark, tell).finally(() => {
      running = null;
    });
    return running;
  };
}

/** What a server answers that knows no such request, or nobody to sign out: then there is nothing to wait for. */
const NOTHING_TO_END = [401, 404, 405, 501];

/**
 * Whether an answer to `POST /auth/sign-out` ends the matter. The page of a captive portal does not: it says nothing about
 * the session.
 */
export function isSignedOut(response: Pick<Response, "ok" | "status" | "redirected" | "headers">): boolean {
  if (response.redirected) return false;
  if (NOTHING_TO_END.includes(response.status)) return true;
  const isPage = /^text\/html\b/i.test(response.headers.get("Content-Type") ?? "");
  return response.ok && !isPage;
}

async function settle(mark: Mark, tell: () => Promise<Response>): Promise<boolean> {
  try {
    if (!(await mark.stands())) return true;
  } catch {
    // Where nothing can be noted, no session is kept either.
    return true;
  }
  try {
    if (!isSignedOut(await tell())) return false;
    await mark.clear();
    return true;
  } catch {
    return false;
  }
}
