import assert from "node:assert/strict";
import { test } from "node:test";
import { searchFilter } from "./search.ts";
import { initials } from "./words.ts";

test("every word must stand in one of the columns, and a quote stays inside its literal", () => {
  assert.equal(searchFilter(["a", "b"], "  "), "");
  assert.equal(searchFilter(["a", "b"], "Ann"), "(contains(a,'Ann') or contains(b,'Ann'))");
  assert.equal(searchFilter(["a"], "O'Neil ltd"), "(contains(a,'O''Neil')) and (contains(a,'ltd'))");
});

test("initials come from the first and the last word that has letters", () => {
  const check = (name: string, expected: string) => assert.equal(initials(name), expected, name);
  check("Maria Anders", "MA");
  check("Alfreds Futterkiste (GmbH)", "AG");
  check("Île-de-France", "Î");
  check("", "–");
  check("& Co", "C");
});
