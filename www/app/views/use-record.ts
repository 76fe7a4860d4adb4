// Loading, editing and saving one record, with a guard for what is not saved.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { create, get, type Row, update } from "../api.ts";
import { changed, complaint, payload, type Value, type Values, valuesOf } from "../form.ts";
import { type Column, type Definition, definition as read } from "../metadata.ts";
import { keepStorageOnce } from "../persist.ts";
import { address, replace, setGuard } from "../router.ts";
import { ask, rowsVersion, snapshot, toast } from "../state.ts";
import { useStore } from "../store.ts";
import type { TableView } from "../tables.ts";
import { explain } from "../words.ts";

export interface Form {
  definition: Definition | null;
  title: string;
  values: Values;
  /** Column name to what is wrong; filled by a save that could not be. */
  complaints: Record<string, string>;
  problem: string;
  dirty: boolean;
  saving: boolean;
  edit: (name: string, value: Value) => void;
  save: () => Promise<boolean>;
  reload: () => void;
  /** Nothing is to be saved any more. */
  leave: () => void;
}

interface Loaded {
  definition: Definition;
  values: Values;
  title: string;
}

export function useRecord(view: TableView, id: string, query: URLSearchParams, user: string): Form {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [edits, setEdits] = useState<Values>({});
  const [complaints, setComplaints] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState("");
  const [saving, setSaving] = useState(false);
  const [turn, setTurn] = useState(0);
  const version = useStore(rowsVersion);
  const isNew = id === "new";
  const start = query.toString();

  // A new row version, user or turn means reading again.
  useEffect(() => {
    let current = true;
    load(view, id, new URLSearchParams(start)).then(
      (next) => {
        if (!current) return;
        // Edits stay; fields that are not edited follow the server.
        setLoaded((before) => (isNew && before ? before : next));
        setProblem("");
      },
      (error: unknown) => {
        if (!current) return;
        // A record that is gone is not shown any longer.
        if ((error as { status?: number }).status === 404) setLoaded(null);
        setProblem(explain(error, `open this ${view.label.toLowerCase()}`));
      },
    );
    return () => {
      current = false;
    };
  }, [view, id, start, version, user, turn]);

  const base = loaded?.values ?? {};
  const values = { ...base, ...edits };
  const names = isNew ? changed({}, values) : changed(base, values);
  const dirty = loaded !== null && changed(base, values).length > 0;

  const edit = useCallback((name: string, value: Value) => {
    setEdits((before) => ({ ...before, [name]: value }));
    setComplaints(({ [name]: _gone, ...rest }) => rest);
  }, []);

  const save = async (): Promise<boolean> => {
    if (!loaded || saving) return false;
    const wrong = check(view, loaded.definition, values, isNew ? null : names);
    setComplaints(wrong);
    if (Object.keys(wrong).length > 0) {
      focusFirstWrong();
      return false;
    }
    setSaving(true);
    try {
      await send(view, id, payload(loaded.definition, base, values, names), (newId) => {
        setGuard(null);
        replace(address(view.set, newId));
      });
      setEdits({});
      if (!isNew) setLoaded(await load(view, id, new URLSearchParams()));
      setProblem("");
      rowsVersion.change((before) => before + 1);
      void keepStorageOnce();
      toast(savedText(view));
      return true;
    } catch (error) {
      setProblem(explain(error, `save this ${view.label.toLowerCase()}`));
      return false;
    } finally {
      setSaving(false);
    }
  };

  useGuard(dirty, save);
  return {
    definition: loaded?.definition ?? null,
    title: isNew ? nameTyped(view, values) : (loaded?.title ?? ""),
    values,
    complaints,
    problem,
    dirty,
    saving,
    edit,
    save,
    reload: () => setTurn((before) => before + 1),
    leave: () => {
      setGuard(null);
      setEdits({});
    },
  };
}

async function load(view: TableView, id: string, query: URLSearchParams): Promise<Loaded> {
  const definition = await read(view);
  const columns = fields(view, definition);
  if (id === "new") return { definition, values: await initial(columns, query), title: "" };
  const select = [...new Set([view.id, view.name, ...columns.map((column) => column.property)])];
  const row: Row = await get(view.set, id, select);
  return { definition, values: valuesOf(row, columns), title: String(row[view.name] ?? "(no name)") };
}

function fields(view: TableView, definition: Definition): Column[] {
  const names = view.groups.flatMap((group) => group.fields);
  return names.map((name) => definition.columns.get(name)).filter((column) => column !== undefined);
}

/** `?parentcustomerid=account:GUID:Name` fills a lookup of a new row. */
async function initial(columns: Column[], query: URLSearchParams): Promise<Values> {
  const values: Values = Object.fromEntries(columns.map((column) => [column.name, null]));
  for (const [name, text] of query) {
    const [table, id, ...rest] = text.split(":");
    if (name in values && table && id) values[name] = { table, id, name: rest.join(":") };
  }
  return values;
}

function nameTyped(view: TableView, values: Values): string {
  const parts = view.name === "fullname" ? [values.firstname, values.lastname] : [values[view.name]];
  return parts.filter((part) => typeof part === "string" && part !== "").join(" ");
}

function savedText(view: TableView): string {
  return snapshot.get().status?.mode === "offline"
    ? `${view.label} saved on this device.`
    : `${view.label} saved.`;
}

/** What is wrong with the named fields, or with all of them. */
function check(view: TableView, definition: Definition, values: Values, names: string[] | null) {
  const wrong: Record<string, string> = {};
  for (const column of fields(view, definition)) {
    if (names && !names.includes(column.name)) continue;
    // The server fills these by itself.
    if (!names && !column.create) continue;
    const text = complaint(column, values[column.name] ?? null);
    if (text && !(column.kind === "status" && values[column.name] === null)) wrong[column.name] = text;
  }
  return wrong;
}

async function send(view: TableView, id: string, body: Row, created: (id: string) => void) {
  if (id === "new") created(await create(view.set, body));
  else if (Object.keys(body).length > 0) await update(view.set, id, body);
}

function focusFirstWrong() {
  // After the complaints are drawn.
  setTimeout(() => document.querySelector<HTMLElement>("[aria-invalid='true']")?.focus());
}

/** Leaving with unsaved changes asks first: in the app by a dialog, on closing by the browser's own. */
function useGuard(dirty: boolean, save: () => Promise<boolean>) {
  const latest = useRef(save);
  latest.current = save;
  useEffect(() => {
    if (!dirty) return;
    const beforeUnload = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", beforeUnload);
    setGuard(async () => {
      const choice = await ask({
        title: "Changes not saved",
        text: "This record has changes that are not saved.",
        choices: [
          { value: "save", label: "Save", tone: "main" },
          { value: "discard", label: "Discard changes", tone: "danger" },
          { value: "stay", label: "Keep editing" },
        ],
      });
      if (choice === "save") return latest.current();
      return choice === "discard";
    });
    return () => {
      removeEventListener("beforeunload", beforeUnload);
      setGuard(null);
    };
  }, [dirty]);
}
