// A picker for a lookup: type to search in the target tables, arrows and Enter to choose (WAI-ARIA combobox).

import { useEffect, useRef, useState } from "preact/hooks";
import { list, type Row } from "../api.ts";
import type { Reference, Value } from "../form.ts";
import type { Column } from "../metadata.ts";
import { address } from "../router.ts";
import { viewOfTable } from "../tables.ts";
import { dateText } from "../words.ts";
import { Icon } from "./icons.tsx";

const TYPING_MILLIS = 150;
/** Suggestions per target table. */
const SUGGESTIONS = 8;

interface LookupProps {
  id: string;
  name: string;
  column: Column;
  value: Value;
  readOnly: boolean;
  onChange: (value: Value) => void;
  "aria-invalid"?: "true" | undefined;
  "aria-describedby"?: string;
  "aria-required"?: "true" | undefined;
  "data-testid"?: string;
}

interface Suggestion extends Reference {
  set: string;
  label: string;
  hint: string;
}

export function Lookup({ column, value, readOnly, onChange, ...shared }: LookupProps) {
  const chosen = value !== null && typeof value === "object" ? value : null;
  const [text, setText] = useState<string | null>(null);
  const found = useSuggestions(column, text);
  const [active, setActive] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const open = text !== null;
  const view = chosen ? viewOfTable(chosen.table) : undefined;
  const choose = (suggestion: Suggestion | undefined) => {
    if (suggestion) onChange({ table: suggestion.table, id: suggestion.id, name: suggestion.name });
    setText(null);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) setText("");
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((at) => (found.length === 0 ? 0 : (at + step + found.length) % found.length));
    } else if (event.key === "Enter" && open) {
      event.preventDefault();
      choose(found[active]);
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      setText(null);
    }
  };
  const type = (typed: string) => {
    setActive(0);
    setText(typed);
    if (typed === "" && chosen) onChange(null);
  };
  const list_ = `${shared.id}-list`;
  return (
    <span class="lookup input-row">
      <input
        {...shared}
        ref={input}
        type="text"
        role="combobox"
        autocomplete="off"
        aria-autocomplete="list"
        aria-expanded={open}
        aria-controls={list_}
        aria-activedescendant={open && found[active] ? `${list_}-${active}` : undefined}
        readOnly={readOnly}
        placeholder={
          readOnly
            ? ""
            : `Find ${column.targets.map((target) => viewOfTable(target.table)?.label.toLowerCase()).join(" or ")}`
        }
        value={text ?? chosen?.name ?? ""}
        data-id={chosen?.id}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={key}
        onBlur={() => setText(null)}
      />
      {view && chosen ? (
        <a
          class="button icon-only"
          href={address(view.set, chosen.id)}
          aria-label={`Open ${chosen.name}`}
          data-testid={`open-${shared.name}`}
        >
          <Icon name={view.set} />
        </a>
      ) : null}
      {chosen && !readOnly ? (
        <button
          type="button"
          class="button icon-only"
          aria-label={`Clear ${column.label}`}
          onClick={() => onChange(null)}
          data-testid={`clear-${shared.name}`}
        >
          <Icon name="close" />
        </button>
      ) : null}
      <div class="suggestions" id={list_} role="listbox" aria-label={column.label} hidden={!open || readOnly}>
        {found.map((suggestion, at) => (
          <div
            key={suggestion.id}
            id={`${list_}-${at}`}
            role="option"
            aria-selected={at === active}
            data-testid="suggestion"
            data-id={suggestion.id}
            tabIndex={-1}
            onMouseDown={(event) => {
              // Before the field loses the focus.
              event.preventDefault();
              choose(suggestion);
            }}
          >
            <Icon name={suggestion.set as "accounts" | "contacts" | "tasks"} />
            <span>
              <strong>{suggestion.name}</strong>
              <small>{suggestion.hint || suggestion.label}</small>
            </span>
          </div>
        ))}
        {found.length === 0 ? <div class="none">Nothing found</div> : null}
      </div>
    </span>
  );
}

function useSuggestions(column: Column, text: string | null): Suggestion[] {
  const [found, setFound] = useState<Suggestion[]>([]);
  useEffect(() => {
    if (text === null) {
      setFound([]);
      return;
    }
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      const all = await Promise.all(
        column.targets.map((target) => suggest(target.table, text, abort.signal)),
      );
      if (!abort.signal.aborted) setFound(all.flat());
    }, TYPING_MILLIS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [column, text]);
  return found;
}

async function suggest(table: string, text: string, signal: AbortSignal): Promise<Suggestion[]> {
  const view = viewOfTable(table);
  if (!view) return [];
  const page = await list(view, { search: text, sort: view.sort, size: SUGGESTIONS }, signal).catch(
    () => null,
  );
  return (page?.rows ?? []).map((row) => ({
    table,
    set: view.set,
    label: view.label,
    id: String(row[view.id]),
    name: String(row[view.name] ?? "(no name)"),
    hint: view.hint
      .map((property) => hintText(row, property))
      .filter(Boolean)
      .join(" · "),
  }));
}

function hintText(row: Row, property: string): string {
  const value = row[property];
  if (value === null || value === undefined) return "";
  return value instanceof Date ? dateText(value, "day") : String(value);
}
