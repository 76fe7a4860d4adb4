// Column definitions from `EntityDefinitions`: labels, types, lengths, options, required levels, lookup targets. Read
// once per table and page life; offline the engine answers the same requests.

import { api } from "./api.ts";
import { type TableView, viewOfTable } from "./tables.ts";

export type Kind =
  | "text"
  | "memo"
  | "integer"
  | "decimal"
  | "boolean"
  | "option"
  | "status"
  | "moment"
  | "date"
  | "lookup"
  | "other";

export interface Option {
  value: number;
  label: string;
  /** Of a status: the state it belongs to. */
  state?: number;
}

/** A table a lookup may point to, with the navigation property that binds it. */
export interface Target {
  table: string;
  set: string;
  navigation: string;
}

export interface Column {
  name: string;
  /** Name in a row on the wire. */
  property: string;
  label: string;
  kind: Kind;
  required: boolean;
  create: boolean;
  update: boolean;
  format: string;
  lengthMax?: number;
  min?: number;
  max?: number;
  /** Digits after the point. */
  precision?: number;
  options: Option[];
  targets: Target[];
}

export interface Definition {
  columns: Map<string, Column>;
  /** Labels of the states, for grouping statuses. */
  states: Option[];
}

// biome-ignore lint/suspicious/noExplicitAny: metadata has dozens of shapes; each is read by name below.
type Json = any;

const PREFIX = "Microsoft.Dynamics.CRM.";
const known = new Map<string, Promise<Definition>>();

/** The definition of a table. A failed read is tried again by the next call. */
export function definition(view: TableView): Promise<Definition> {
  let found = known.get(view.table);
  if (!found) {
    found = read(view.table);
    known.set(view.table, found);
    found.catch(() => known.delete(view.table));
  }
  return found;
}

async function read(table: string): Promise<Definition> {
  const key = `LogicalName='${table}'`;
  const cast = (type: string, select: string[], expand: string[] = []) =>
    api.retrieveAttributes<Json>({
      entityKey: key,
      castType: `${PREFIX}${type}AttributeMetadata`,
      select: ["LogicalName", ...select],
      ...(expand.length > 0 ? { expand: expand.map((property) => ({ property })) } : {}),
    });
  const [all, relations, ...casts] = await Promise.all([
    api.retrieveAttributes<Json>({
      entityKey: key,
      select: [
        "LogicalName",
        "AttributeType",
        "DisplayName",
        "RequiredLevel",
        "IsValidForCreate",
        "IsValidForUpdate",
      ],
    }),
    api.retrieveEntity<Json>({
      key,
      select: ["LogicalName"],
      expand: [
        {
          property: "ManyToOneRelationships",
          select: ["ReferencingAttribute", "ReferencedEntity", "ReferencingEntityNavigationPropertyName"],
        },
      ],
    }),
    cast("String", ["MaxLength", "Format"]),
    cast("Memo", ["MaxLength"]),
    cast("Integer", ["MinValue", "MaxValue"]),
    cast("Decimal", ["MinValue", "MaxValue", "Precision"]),
    cast("Money", ["MinValue", "MaxValue", "Precision"]),
    cast("DateTime", ["Format"]),
    cast("Picklist", [], ["OptionSet"]),
    cast("State", [], ["OptionSet"]),
    cast("Status", [], ["OptionSet"]),
    cast("Boolean", [], ["OptionSet"]),
  ]);
  const columns = new Map<string, Column>();
  for (const attribute of all.value) columns.set(attribute.LogicalName, column(attribute));
  for (const answer of casts)
    for (const detail of answer.value) refine(columns.get(detail.LogicalName), detail);
  for (const relation of relations.ManyToOneRelationships ?? []) addTarget(columns, relation);
  return { columns, states: columns.get("statecode")?.options ?? [] };
}

function column(attribute: Json): Column {
  const name: string = attribute.LogicalName;
  const kind = kindOf(attribute.AttributeType);
  const level = attribute.RequiredLevel?.Value;
  return {
    name,
    property: kind === "lookup" ? `_${name}_value` : name,
    // "Address 1: City": the group says the rest.
    label: (attribute.DisplayName?.UserLocalizedLabel?.Label ?? name).replace(/^Address 1: /, ""),
    kind,
    required: level === "ApplicationRequired" || level === "SystemRequired",
    create: attribute.IsValidForCreate !== false,
    update: attribute.IsValidForUpdate !== false,
    format: "",
    options: [],
    targets: [],
  };
}

function kindOf(type: string): Kind {
  switch (type) {
    case "String":
      return "text";
    case "Memo":
      return "memo";
    case "Integer":
      return "integer";
    case "Decimal":
    case "Money":
    case "Double":
      return "decimal";
    case "Boolean":
      return "boolean";
    case "Picklist":
      return "option";
    case "Status":
      return "status";
    case "DateTime":
      return "moment";
    case "Lookup":
    case "Customer":
    case "Owner":
      return "lookup";
    default:
      return "other";
  }
}

function refine(target: Column | undefined, detail: Json) {
  if (!target) return;
  if (typeof detail.MaxLength === "number") target.lengthMax = detail.MaxLength;
  if (typeof detail.MinValue === "number") target.min = detail.MinValue;
  if (typeof detail.MaxValue === "number") target.max = detail.MaxValue;
  if (typeof detail.Precision === "number") target.precision = detail.Precision;
  if (typeof detail.Format === "string") target.format = detail.Format;
  if (target.kind === "moment" && detail.Format === "DateOnly") target.kind = "date";
  if (detail.OptionSet) target.options = options(detail.OptionSet);
}

function options(set: Json): Option[] {
  const list: Json[] = set.Options ?? [set.FalseOption, set.TrueOption].filter(Boolean);
  return list.map((option) => ({
    value: option.Value,
    label: option.Label?.UserLocalizedLabel?.Label ?? String(option.Value),
    ...(typeof option.State === "number" ? { state: option.State } : {}),
  }));
}

function addTarget(columns: Map<string, Column>, relation: Json) {
  const view = viewOfTable(relation.ReferencedEntity);
  if (!view) return;
  columns.get(relation.ReferencingAttribute)?.targets.push({
    table: view.table,
    set: view.set,
    navigation: relation.ReferencingEntityNavigationPropertyName,
  });
}
