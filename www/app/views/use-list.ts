// The rows of a list: first page, further pages, and a quiet renewal when rows may have changed.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { list, listNext, type Page, type Row } from "../api.ts";
import { deleting } from "../deleting.ts";
import { rowsVersion } from "../state.ts";
import { useStore } from "../store.ts";
import type { TableView } from "../tables.ts";
import { explain } from "../words.ts";

const PAGE_SIZE = 50;
/** Most rows that a quiet renewal asks for at once: Dataverse's largest page. */
const RENEW_MAX = 5_000;
/** Shortest time between renewals, milliseconds: a first sync changes rows many times a second. */
const RENEW_MILLIS = 400;

interface Wanted {
  search: string;
  sort: string;
  filter?: string;
}

export interface List {
  rows: Row[];
  /** The last page read; `null` before the first. */
  page: Page | null;
  busy: boolean;
  problem: string;
  more: () => void;
  reload: () => void;
}

export function useList(view: TableView, wanted: Wanted, user: string, pageSize = PAGE_SIZE): List {
  const [rows, setRows] = useState<Row[]>([]);
  const [page, setPage] = useState<Page | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const version = useStore(rowsVersion);
  const hidden = useStore(deleting);
  const shown = useRef(0);
  const turn = useRef(0);
  const busyNow = useRef(false);
  const key = `${view.set} ${wanted.search} ${wanted.sort} ${wanted.filter ?? ""} ${user}`;

  const read = useCallback(
    async (size: number, quiet: boolean) => {
      const mine = ++turn.current;
      busyNow.current = true;
      if (!quiet) setBusy(true);
      try {
        const first = await list(view, { ...wanted, size });
        if (mine !== turn.current) return;
        shown.current = first.rows.length;
        setRows(first.rows);
        setPage(first);
        setProblem("");
      } catch (error) {
        if (mine !== turn.current) return;
        // What is shown stays: old rows are better than none.
        if (!quiet || shown.current === 0)
          setProblem(explain(error, `load the ${view.labels.toLowerCase()}`));
      } finally {
        if (mine === turn.current) {
          busyNow.current = false;
          setBusy(false);
        }
      }
    },
    // The key stands for view and wanted.
    [key],
  );

  useEffect(() => {
    shown.current = 0;
    void read(pageSize, false);
  }, [read, pageSize]);

  const seen = useRef(version);
  useEffect(() => {
    if (seen.current === version) return;
    seen.current = version;
    const size = Math.min(RENEW_MAX, Math.max(pageSize, shown.current));
    const timer = setTimeout(() => void read(size, true), RENEW_MILLIS);
    return () => clearTimeout(timer);
  }, [version, read, pageSize]);

  const more = useCallback(async () => {
    const next = page?.next;
    if (!next || busyNow.current) return;
    const mine = ++turn.current;
    busyNow.current = true;
    setBusy(true);
    try {
      const following = await listNext(view, next, pageSize);
      if (mine !== turn.current) return;
      setRows((before) => {
        const known = new Set(before.map((row) => row[view.id]));
        const all = [...before, ...following.rows.filter((row) => !known.has(row[view.id]))];
        shown.current = all.length;
        return all;
      });
      setPage({
        ...following,
        total: following.total ?? page.total,
        capped: following.capped || page.capped,
      });
    } catch (error) {
      if (mine === turn.current) setProblem(explain(error, "load more"));
    } finally {
      if (mine === turn.current) {
        busyNow.current = false;
        setBusy(false);
      }
    }
  }, [page, view, pageSize]);

  return {
    rows: hidden.size > 0 ? rows.filter((row) => !hidden.has(`${view.set}:${row[view.id]}`)) : rows,
    page,
    busy,
    problem,
    more,
    reload: () => void read(pageSize, false),
  };
}
