// One field of a form, drawn by its column's type, with what metadata knows about it.

import { useState } from "preact/hooks";
import type { Value } from "../form.ts";
import { complaint as judge } from "../form.ts";
import type { Column, Option } from "../metadata.ts";
import { Icon, type IconName } from "./icons.tsx";
import { Lookup } from "./lookup.tsx";

/** From this share of the longest text on, what is left is shown. */
const COUNTER_SHARE = 0.8;

interface FieldProps {
  column: Column;
  /** Labels of the states, for grouping statuses. */
  states: Option[];
  value: Value;
  complaint: string;
  /** Complain at once: a save was tried. */
  eager: boolean;
  readOnly: boolean;
  onChange: (value: Value) => void;
}

export function Field(props: FieldProps) {
  const { column, value, readOnly } = props;
  const [left, setLeft] = useState(false);
  const own = props.complaint || (left || props.eager ? judgeUnlessEmpty(column, value, props.eager) : "");
  const id = `field-${column.name}`;
  const wide = column.kind === "memo" ? " wide" : "";
  return (
    <div
      class={`field${wide}${own ? " wrong" : ""}`}
      data-testid={`field-${column.name}`}
      onFocusOut={() => setLeft(true)}
    >
      <label class="label" for={id} id={`${id}-label`}>
        {column.label}
        {column.required && !readOnly ? (
          <span class="needed" title="Needed">
            {" "}
            *
          </span>
        ) : null}
      </label>
      <Control {...props} id={id} invalid={own !== ""} />
      <p class="hint" id={`${id}-hint`} role={own ? "alert" : undefined}>
        {own || counter(column, value)}
      </p>
    </div>
  );
}

/** A field that is still empty is complained about only when a save was tried. */
function judgeUnlessEmpty(column: Column, value: Value, eager: boolean): string {
  if (!eager && (value === null || value === "")) return "";
  if (column.kind === "status" && value === null) return "";
  return judge(column, value);
}

function counter(column: Column, value: Value): string {
  const length = typeof value === "string" ? value.length : 0;
  if (column.lengthMax === undefined || length < column.lengthMax * COUNTER_SHARE) return "";
  return `${length} of ${column.lengthMax}`;
}

type ControlProps = FieldProps & { id: string; invalid: boolean };

function Control(props: ControlProps) {
  const { column, value, id, invalid, readOnly, onChange } = props;
  const shared = {
    id,
    name: column.name,
    "data-testid": `input-${column.name}`,
    "aria-invalid": invalid ? ("true" as const) : undefined,
    "aria-describedby": `${id}-hint`,
    "aria-required": column.required ? ("true" as const) : undefined,
  };
  const text = value === null || typeof value === "object" ? "" : String(value);
  const typed = (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value || null);
  switch (column.kind) {
    case "memo":
      return <textarea {...shared} rows={4} readOnly={readOnly} value={text} onInput={typed} />;
    case "boolean":
      return <Bool {...props} shared={shared} />;
    case "option":
    case "status":
      return (
        <select
          {...shared}
          disabled={readOnly}
          value={text}
          onChange={(event) =>
            onChange(event.currentTarget.value === "" ? null : Number(event.currentTarget.value))
          }
        >
          {column.kind === "status" && value !== null ? null : <option value="">–</option>}
          <Options column={column} states={props.states} />
        </select>
      );
    case "lookup":
      return <Lookup {...shared} column={column} value={value} readOnly={readOnly} onChange={onChange} />;
    default:
      return (
        <span class="input-row">
          <input
            {...shared}
            type={inputType(column) as "text"}
            inputMode={keyboard(column)}
            autocomplete="off"
            readOnly={readOnly || column.kind === "other"}
            value={text}
            onInput={typed}
          />
          <Open column={column} text={text} />
        </span>
      );
  }
}

/** A box to tick for "Yes" and "No"; a choice where the labels say something else ("Allow", "Do Not Allow"). */
function Bool({
  column,
  value,
  readOnly,
  onChange,
  shared,
}: ControlProps & { shared: { id: string; name: string } }) {
  const yes = column.options.find((option) => option.value === 1)?.label ?? "Yes";
  const no = column.options.find((option) => option.value === 0)?.label ?? "No";
  if (yes === "Yes" && no === "No") {
    return (
      <label class="switch">
        <input
          {...shared}
          type="checkbox"
          disabled={readOnly}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        <span>{value === true ? yes : no}</span>
      </label>
    );
  }
  return (
    <select
      {...shared}
      disabled={readOnly}
      value={value === null ? "" : String(value === true)}
      onChange={(event) =>
        onChange(event.currentTarget.value === "" ? null : event.currentTarget.value === "true")
      }
    >
      {value === null ? <option value="">–</option> : null}
      <option value="false">{no}</option>
      <option value="true">{yes}</option>
    </select>
  );
}

function Options({ column, states }: { column: Column; states: Option[] }) {
  const one = (option: Option) => (
    <option key={option.value} value={option.value}>
      {option.label}
    </option>
  );
  if (column.kind !== "status" || states.length === 0) return <>{column.options.map(one)}</>;
  return (
    <>
      {states.map((state) => (
        <optgroup key={state.value} label={state.label}>
          {column.options.filter((option) => option.state === state.value).map(one)}
        </optgroup>
      ))}
    </>
  );
}

type InputKind = "text" | "email" | "tel" | "url" | "date" | "datetime-local";

function inputType(column: Column): InputKind {
  if (column.kind === "moment") return "datetime-local";
  if (column.kind === "date") return "date";
  if (column.format === "Email") return "email";
  if (column.format === "Phone") return "tel";
  return column.format === "Url" ? "url" : "text";
}

/** Keyboard of a phone for numbers, which are typed as text so that nothing typed is lost. */
function keyboard(column: Column): "numeric" | "decimal" | undefined {
  if (column.kind === "integer") return "numeric";
  return column.kind === "decimal" ? "decimal" : undefined;
}

/** Call, write or visit from the form. */
function Open({ column, text }: { column: Column; text: string }) {
  if (!text) return null;
  const to = opening(column, text);
  if (!to) return null;
  const outside = column.format === "Url" ? { target: "_blank", rel: "noopener noreferrer" } : {};
  return (
    <a class="button icon-only" href={to.href} aria-label={`${to.verb} ${text}`} {...outside}>
      <Icon name={to.icon} />
    </a>
  );
}

function opening(column: Column, text: string): { href: string; verb: string; icon: IconName } | null {
  switch (column.format) {
    case "Phone":
      return { href: `tel:${text.replace(/[^+\d]/g, "")}`, verb: "Call", icon: "phone" };
    case "Email":
      return { href: `mailto:${text}`, verb: "Write to", icon: "mail" };
    case "Url":
      // Nothing but a web address: a link made of data must not run script.
      return /^https?:\/\//i.test(text) ? { href: text, verb: "Open", icon: "external" } : null;
    default:
      return null;
  }
}
