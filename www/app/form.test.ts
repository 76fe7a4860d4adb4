import assert from "node:assert/strict";
import { test } from "node:test";
import { changed, complaint, payload, sameValue, type Values, valuesOf } from "./form.ts";
import type { Column, Definition, Kind } from "./metadata.ts";

function column(name: string, kind: Kind, more: Partial<Column> = {}): Column {
  return {
    name,
    property: kind === "lookup" ? `_${name}_value` : name,
    label: name,
    kind,
    required: false,
    create: true,
    update: true,
    format: "",
    options: [],
    targets: [],
    ...more,
  };
}

const customer = column("parentcustomerid", "lookup", {
  targets: [
    { table: "account", set: "accounts", navigation: "parentcustomerid_account" },
    { table: "contact", set: "contacts", navigation: "parentcustomerid_contact" },
  ],
});
const status = column("statuscode", "status", {
  options: [
    { value: 2, label: "Not Started", state: 0 },
    { value: 5, label: "Completed", state: 1 },
  ],
});
const columns = [
  column("lastname", "text", { required: true, lengthMax: 5 }),
  column("birthdate", "date"),
  column("scheduledend", "moment"),
  column("percentcomplete", "integer", { min: 0, max: 100 }),
  column("donotemail", "boolean"),
  customer,
  status,
];
const definition: Definition = { columns: new Map(columns.map((each) => [each.name, each])), states: [] };
const id = "a0000000-0000-4000-8000-000000000001";

test("only fields that differ are sent, an emptied one as null", () => {
  const loaded: Values = { lastname: "Ernst", percentcomplete: "10", donotemail: null };
  const current: Values = { lastname: "", percentcomplete: "20", donotemail: null };
  const names = changed(loaded, current);
  assert.deepEqual(names, ["lastname", "percentcomplete"]);
  assert.deepEqual(payload(definition, loaded, current, names), { lastname: null, percentcomplete: 20 });
});

test("a lookup is bound by the navigation property of its target, and cleared by the one it had", () => {
  const account = { table: "account", id, name: "Alfreds" };
  const bound = payload(definition, {}, { parentcustomerid: account }, ["parentcustomerid"]);
  assert.deepEqual(bound, { "parentcustomerid_account@odata.bind": `/accounts(${id})` });
  const cleared = payload(definition, { parentcustomerid: account }, { parentcustomerid: null }, [
    "parentcustomerid",
  ]);
  assert.deepEqual(cleared, { "parentcustomerid_account@odata.bind": null });
});

test("a status travels with its state", () => {
  assert.deepEqual(payload(definition, {}, { statuscode: 5 }, ["statuscode"]), {
    statecode: 1,
    statuscode: 5,
  });
});

test("what was loaded and not touched counts as unchanged", () => {
  const row = {
    lastname: "Ernst",
    birthdate: new Date("1980-02-29T00:00:00Z"),
    scheduledend: new Date("2026-01-15T10:02:00Z"),
    percentcomplete: 10,
    donotemail: false,
    _parentcustomerid_value: id,
    _parentcustomerid_value_Formatted: "Alfreds",
    _parentcustomerid_value_LogicalName: "account",
    statuscode: 2,
  };
  const loaded = valuesOf(row, columns);
  assert.equal(loaded.birthdate, "1980-02-29");
  assert.deepEqual(changed(loaded, valuesOf(row, columns)), []);
  const sent = payload(definition, {}, loaded, ["scheduledend", "birthdate"]);
  assert.deepEqual(sent, { scheduledend: "2026-01-15T10:02:00Z", birthdate: "1980-02-29" });
});

test("an empty text and none are the same; false is a value", () => {
  assert.ok(sameValue("", null));
  assert.ok(!sameValue(false, null));
  assert.ok(!sameValue({ table: "account", id, name: "" }, { table: "contact", id, name: "" }));
});

test("values that the server would refuse are named before they are sent", () => {
  const check = (name: string, value: Values[string], expected: RegExp) => {
    const found = definition.columns.get(name);
    assert.ok(found);
    assert.match(complaint(found, value), expected, `${name} ${String(value)}`);
  };
  check("lastname", "", /needed/);
  check("lastname", "12345", /^$/);
  check("lastname", "123456", /At most 5/);
  check("percentcomplete", "101", /At most 100/);
  check("percentcomplete", "-1", /At least 0/);
  check("percentcomplete", "1.5", /whole number/);
  check("percentcomplete", "ten", /not a number/);
  check("percentcomplete", "", /^$/);
});
