// A list: search, sort by column, more rows on demand, total count, badges on rows with waiting changes.

import { useEffect, useRef } from "preact/hooks";
import type { Row } from "../api.ts";
import { address, go, replace, route } from "../router.ts";
import { account, waiting } from "../state.ts";
import { useStore } from "../store.ts";
import { type ListColumn, type TableView, viewOfTable } from "../tables.ts";
import { dateText, initials, shortTime, tint } from "../words.ts";
import { Icon } from "./icons.tsx";
import { useList } from "./use-list.ts";

const TYPING_MILLIS = 200;

export function ListPage({ view }: { view: TableView }) {
  const { query } = useStore(route);
  const search = query.get("q") ?? "";
  const sort = query.get("sort") ?? view.sort;
  const { user } = useStore(account);
  const list = useList(view, { search, sort }, user?.userid ?? "");
  const address_ = (next: { q?: string; sort?: string }) => {
    const wanted = { q: search, sort: sort === view.sort ? "" : sort, ...next };
    replace(address(view.set, "", wanted));
  };
  return (
    <section class="page" aria-labelledby="list-title" data-testid={`list-${view.set}`}>
      <header class="page-head">
        <h1 id="list-title">{view.labels}</h1>
        <p class="count" role="status" data-testid="count" data-total={list.page?.total ?? ""}>
          {list.page ? countText(list.page.total, list.page.capped, list.rows.length) : ""}
        </p>
        <SearchBox
          key={view.set}
          label={`Search ${view.labels.toLowerCase()}`}
          value={search}
          onInput={(q) => address_({ q })}
        />
        <a class="button main" href={address(view.set, "new")} data-testid="new">
          <Icon name="plus" />
          <span>New</span>
        </a>
      </header>
      {list.problem ? (
        <p class="problem block" role="alert" data-testid="list-problem">
          {list.problem}
          <button type="button" class="button small quiet" onClick={list.reload}>
            Try again
          </button>
        </p>
      ) : null}
      <div class={`table-box ${list.busy ? "busy" : ""}`} aria-busy={list.busy}>
        <RowTable view={view} rows={list.rows} sort={sort} onSort={(next) => address_({ sort: next })} />
        {list.page && list.rows.length === 0 && !list.busy ? <Empty view={view} search={search} /> : null}
        {!list.page && list.busy ? <p class="empty muted">Loading…</p> : null}
        <More next={list.page?.next ?? null} busy={list.busy} onMore={list.more} />
      </div>
    </section>
  );
}

function countText(total: number | null, capped: boolean, shown: number): string {
  if (total === null) return `${shown.toLocaleString()} shown`;
  if (capped) return `more than ${total.toLocaleString()}`;
  return total.toLocaleString();
}

function SearchBox({
  label,
  value,
  onInput,
}: {
  label: string;
  value: string;
  onInput: (text: string) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest("input, textarea, select, dialog");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => {
      removeEventListener("keydown", focus);
      clearTimeout(timer.current);
    };
  }, []);
  const type = (text: string) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onInput(text), TYPING_MILLIS);
  };
  return (
    <label class="search">
      <Icon name="search" />
      <span class="sr-only">{label}</span>
      <input
        ref={input}
        type="search"
        placeholder={label}
        defaultValue={value}
        onInput={(event) => type(event.currentTarget.value)}
        data-testid="search"
      />
    </label>
  );
}

interface RowTableProps {
  view: TableView;
  rows: Row[];
  sort?: string;
  onSort?: (sort: string) => void;
  /** Columns to leave out, as in a related list. */
  without?: string;
}

/** Rows as a table; on a phone as cards (by style alone, so that it stays a table for assistive technology). */
export function RowTable({ view, rows, sort, onSort, without }: RowTableProps) {
  const pending = useStore(waiting);
  const columns = view.columns.filter((column) => column.property !== without);
  if (rows.length === 0) return null;
  return (
    <table class="rows" aria-label={view.labels}>
      <thead>
        <tr>
          {columns.map((column) => (
            <Heading key={column.property} column={column} sort={sort} onSort={onSort} />
          ))}
        </tr>
      </thead>
      <tbody data-testid="rows">
        {rows.map((row) => {
          const id = String(row[view.id]);
          const entries = pending.get(`${view.set}:${id}`);
          return (
            <tr
              key={id}
              data-testid="row"
              data-id={id}
              data-waiting={entries ? "true" : undefined}
              onClick={(event) => open(event, view, id)}
            >
              {columns.map((column) => (
                <td
                  key={column.property}
                  class={`${column.from ?? ""} ${column.kind ?? ""}`}
                  data-label={column.label}
                  data-column={column.property}
                >
                  <Cell
                    view={view}
                    row={row}
                    column={column}
                    state={
                      entries?.some((entry) => entry.state === "parked")
                        ? "parked"
                        : entries
                          ? "waiting"
                          : null
                    }
                  />
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The whole row is a target for the mouse; keyboards and screen readers have the link in it. */
function open(event: MouseEvent, view: TableView, id: string) {
  if ((event.target as HTMLElement).closest("a, button") || getSelection()?.toString()) return;
  go(address(view.set, id));
}

function Heading({
  column,
  sort,
  onSort,
}: {
  column: ListColumn;
  sort: string | undefined;
  onSort: ((sort: string) => void) | undefined;
}) {
  const direction =
    sort === column.property ? "ascending" : sort === `-${column.property}` ? "descending" : undefined;
  const className = `${column.from ?? ""} ${column.kind ?? ""}`;
  // Lookups sort by id on the server: an order nobody can read.
  if (!onSort || column.kind === "lookup") {
    return (
      <th scope="col" class={className}>
        {column.label}
      </th>
    );
  }
  const next = direction === "ascending" ? `-${column.property}` : column.property;
  return (
    <th scope="col" class={className} aria-sort={direction ?? "none"}>
      <button type="button" class="sort" onClick={() => onSort(next)} data-testid={`sort-${column.property}`}>
        {column.label}
        {direction ? <Icon name={direction === "ascending" ? "up" : "down"} /> : null}
      </button>
    </th>
  );
}

function Cell({
  view,
  row,
  column,
  state,
}: {
  view: TableView;
  row: Row;
  column: ListColumn;
  state: "waiting" | "parked" | null;
}) {
  const value = row[column.property];
  const shown = row[`${column.property}_Formatted`] ?? value;
  const text = shown === null || shown === undefined ? "" : String(shown);
  switch (column.kind) {
    case "name": {
      const name = text || `(no ${column.label.toLowerCase()})`;
      return (
        <span class="name-cell">
          <span class={`avatar tint-${tint(name)} ${view.set}`} aria-hidden="true">
            {view.set === "tasks" ? <Icon name="tasks" /> : initials(name)}
          </span>
          <a href={address(view.set, String(row[view.id]))}>{name}</a>
          {state ? <Badge state={state} /> : null}
        </span>
      );
    }
    case "phone":
      return text ? <a href={`tel:${text.replace(/[^+\d]/g, "")}`}>{text}</a> : null;
    case "email":
      return text ? <a href={`mailto:${text}`}>{text}</a> : null;
    case "lookup": {
      const target = viewOfTable(String(row[`${column.property}_LogicalName`] ?? ""));
      if (!target || typeof value !== "string") return <>{text}</>;
      return <a href={address(target.set, value)}>{text || "(no name)"}</a>;
    }
    case "moment":
      return <time title={dateText(value, "moment")}>{shortTime(value, new Date())}</time>;
    case "day":
      return <time>{dateText(value, "day")}</time>;
    default:
      return <>{text}</>;
  }
}

export function Badge({ state }: { state: "waiting" | "parked" }) {
  const text = state === "waiting" ? "Waiting to be sent" : "Refused by the server";
  return (
    <span class={`badge ${state}`} title={text} data-testid="badge" data-state={state}>
      <Icon name={state === "waiting" ? "upload" : "warning"} />
      <span class="sr-only">{text}</span>
    </span>
  );
}

function Empty({ view, search }: { view: TableView; search: string }) {
  return (
    <p class="empty" data-testid="empty">
      {search ? `Nothing found for “${search}”.` : `There are no ${view.labels.toLowerCase()} yet.`}
    </p>
  );
}

/** Loads more as its place comes into view; a button for everyone else. */
function More({ next, busy, onMore }: { next: string | null; busy: boolean; onMore: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!next || busy || !button.current) return undefined;
    const observer = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) onMore();
    });
    observer.observe(button.current);
    return () => observer.disconnect();
  }, [next, busy, onMore]);
  if (!next) return null;
  return (
    <div class="more">
      <button
        ref={button}
        type="button"
        class="button quiet"
        disabled={busy}
        onClick={onMore}
        data-testid="more"
      >
        {busy ? "Loading…" : "Load more"}
      </button>
    </div>
  );
}
