// What an answer to `GET /auth/who` says about the user. Pure.

/**
 * What to do with it: `named` and `passed` go to the page as they are, the first is remembered, too. `ended`: the user last
 * known goes on with his work here, though not signed in at the server. `kept`: the answer says nothing about him.
 * `unreachable`: nobody is known and no answer was the server's.
 */
export type Heard = "named" | "passed" | "ended" | "kept" | "unreachable";

/**
 * Judges an answer of this status, of which `names` says whether it names a user. While somebody is known only that and a
 * 401 are the server's word: the login page of a network and a gateway's refusal must not keep him from his replica.
 */
export function heard(status: number, names: boolean, isKnown: boolean): Heard {
  if (status === 200 && names) return "named";
  if (isKnown) return status === 401 ? "ended" : "kept";
  return status < 500 ? "passed" : "unreachable";
}
