// The state of a form: loaded values, edits, what to send, what is wrong. Pure, but for the shapes of the library.

import type { Row } from "./api.ts";
import type { Column, Definition } from "./metadata.ts";

/** A lookup's value in a form. */
export interface Reference {
  table: string;
  id: string;
  name: string;
}

/** A value in a form: numbers and dates as the text that was typed, so that nothing typed is lost. */
export type Value = string | boolean | number | Reference | null;

export type Values = Record<string, Value>;

/** Values of a loaded row, for the columns of its form. */
export function valuesOf(row: Row, columns: Column[]): Values {
  return Object.fromEntries(columns.map((column) => [column.name, loadedValue(row, column)]));
}

function loadedValue(row: Row, column: Column): Value {
  const raw = row[column.property];
  if (raw === null || raw === undefined) return null;
  switch (column.kind) {
    case "lookup":
      return {
        table: String(row[`${column.property}_LogicalName`] ?? column.targets[0]?.table ?? ""),
        id: String(raw),
        name: String(row[`${column.property}_Formatted`] ?? "(no name)"),
      };
    case "moment":
      return localMoment(raw);
    case "date":
      return raw instanceof Date ? raw.toISOString().slice(0, 10) : String(raw).slice(0, 10);
    case "boolean":
      return raw === true;
    case "option":
    case "status":
      return Number(raw);
    case "text":
    case "memo":
    case "integer":
    case "decimal":
    case "other":
      // The library turns texts that look like a date into a Date.
      return raw instanceof Date ? raw.toISOString() : String(raw);
  }
}

/** `2026-01-15T10:02`, in the device's time zone, as `datetime-local` wants it. */
export function localMoment(raw: unknown): string | null {
  const date = raw instanceof Date ? raw : new Date(String(raw));
  if (Number.isNaN(date.getTime())) return null;
  const two = (part: number) => String(part).padStart(2, "0");
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function sameValue(left: Value | undefined, right: Value | undefined): boolean {
  const empty = (value: Value | undefined) => value === null || value === undefined || value === "";
  if (empty(left) || empty(right)) return empty(left) && empty(right);
  if (typeof left === "object" && typeof right === "object") {
    return left?.id === right?.id && left?.table === right?.table;
  }
  return left === right;
}

/** Names of the columns whose value differs from what was loaded. */
export function changed(loaded: Values, current: Values): string[] {
  return Object.keys(current).filter((name) => !sameValue(loaded[name], current[name]));
}

/** The body of a create or update: the named columns only. */
export function payload(definition: Definition, loaded: Values, current: Values, names: string[]): Row {
  const body: Row = {};
  for (const name of names) {
    const column = definition.columns.get(name);
    if (!column) continue;
    const value = current[name] ?? null;
    if (column.kind === "lookup") bind(body, column, loaded[name] ?? null, value);
    else if (column.kind === "status") setStatus(body, column, value);
    else body[name] = sent(column, value);
  }
  return body;
}

function bind(body: Row, column: Column, before: Value, value: Value) {
  const reference = (value ?? before) as Reference | null;
  const target = column.targets.find((each) => each.table === reference?.table);
  if (!target || !reference) return;
  body[`${target.navigation}@odata.bind`] = value ? `/${target.set}(${reference.id})` : null;
}

/** A status belongs to one state; both travel together. */
function setStatus(body: Row, column: Column, value: Value) {
  const option = column.options.find((each) => each.value === value);
  if (!option) return;
  if (option.state !== undefined) body.statecode = option.state;
  body[column.name] = option.value;
}

function sent(column: Column, value: Value): unknown {
  if (value === null || value === "") return null;
  switch (column.kind) {
    case "integer":
    case "decimal":
      return Number(value);
    case "moment":
      return `${new Date(String(value)).toISOString().slice(0, 19)}Z`;
    default:
      return value;
  }
}

/** What is wrong with a value, in words; empty when nothing is. The server checks the same and more. */
export function complaint(column: Column, value: Value): string {
  const empty = value === null || value === "";
  if (empty) return column.required ? `${column.label} is needed.` : "";
  const text = String(value);
  if (column.lengthMax !== undefined && text.length > column.lengthMax) {
    return `At most ${column.lengthMax} characters; these are ${text.length}.`;
  }
  if (column.kind === "integer" || column.kind === "decimal") return numberComplaint(column, text);
  if (column.kind === "text" && column.format === "Email" && !/^\S+@\S+$/.test(text)) {
    return "This does not look like an email address.";
  }
  if (column.kind === "moment" && Number.isNaN(Date.parse(text))) return "This is not a date and time.";
  return "";
}

function numberComplaint(column: Column, text: string): string {
  const number = Number(text);
  if (!Number.isFinite(number)) return "This is not a number.";
  if (column.kind === "integer" && !Number.isInteger(number)) return "A whole number is needed.";
  if (column.min !== undefined && number < column.min) return `At least ${column.min.toLocaleString()}.`;
  if (column.max !== undefined && number > column.max) return `At most ${column.max.toLocaleString()}.`;
  return "";
}
