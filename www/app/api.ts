// All data goes through the npm package `dynamics-web-api`, unmodified, as in any Dataverse app: same calls online and
// offline. The session is a cookie of this origin, so no token is given.

import { DynamicsWebApi } from "dynamics-web-api";
import { searchFilter } from "./search.ts";
import type { TableView } from "./tables.ts";

/** One row as the library gives it: wire names, plus `name_Formatted` and `_x_value_LogicalName`. */
export type Row = Record<string, unknown>;

/** A page of a list. */
export interface Page {
  rows: Row[];
  /** Rows in all, or `null` where the answer did not tell. */
  total: number | null;
  /** The server stopped counting: there are more than `total`. */
  capped: boolean;
  next: string | null;
}

/** What a list asks for. */
export interface Query {
  search: string;
  /** Column, with `-` in front for descending. */
  sort: string;
  /** Further condition, such as that of a related list. */
  filter?: string;
  size: number;
}

const COUNT_MAX = 5_000;
const ANNOTATIONS =
  "OData.Community.Display.V1.FormattedValue,Microsoft.Dynamics.CRM.lookuplogicalname,Microsoft.Dynamics.CRM.totalrecordcount*";

export const api = new DynamicsWebApi({
  serverUrl: location.origin,
  dataApi: { version: "9.2" },
  propagateErrors: true,
});

/** First page of a list. */
export async function list(view: TableView, query: Query, signal?: AbortSignal): Promise<Page> {
  const descending = query.sort.startsWith("-");
  const column = descending ? query.sort.slice(1) : query.sort;
  const order = `${column} ${descending ? "desc" : "asc"}`;
  const conditions = [query.filter ?? "", searchFilter(view.search, query.search)].filter(
    (part) => part !== "",
  );
  return page(
    await api.retrieveMultiple<Row>({
      collection: view.set,
      select: [...new Set([view.id, ...view.columns.map((each) => each.property), ...view.hint])],
      // The key makes the order complete, so that pages neither repeat nor skip rows.
      orderBy: column === view.id ? [order] : [order, `${view.id} asc`],
      count: true,
      maxPageSize: query.size,
      includeAnnotations: ANNOTATIONS,
      ...(conditions.length > 0 ? { filter: conditions.join(" and ") } : {}),
      ...(signal ? { signal } : {}),
    }),
  );
}

/** The page that a next link leads to. */
export async function listNext(view: TableView, next: string, size: number): Promise<Page> {
  const request = { collection: view.set, maxPageSize: size, includeAnnotations: ANNOTATIONS };
  return page(await api.retrieveMultiple<Row>(request, next));
}

function page(answer: {
  value: Row[];
  oDataCount?: number;
  oDataNextLink?: string;
  "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"?: boolean;
}): Page {
  const total = answer.oDataCount ?? null;
  const exceeded = answer["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"];
  return {
    rows: answer.value,
    total,
    capped: exceeded ?? (total === COUNT_MAX && answer.value.length < COUNT_MAX),
    next: answer.oDataNextLink ?? null,
  };
}

/** One row with everything its form shows. */
export function get(set: string, id: string, select: string[]): Promise<Row> {
  return api.retrieve<Row>({ collection: set, key: id, select, includeAnnotations: ANNOTATIONS });
}

/** Creates a row; resolves to its id. */
export function create(set: string, data: Row): Promise<string> {
  return api.create<Row, string>({ collection: set, data });
}

/** Changes only what is given; the row must exist. */
export async function update(set: string, id: string, data: Row): Promise<void> {
  await api.update<Row>({ collection: set, key: id, data });
}

/** Deletes a row. */
export async function remove(set: string, id: string): Promise<void> {
  await api.deleteRecord({ collection: set, key: id });
}
