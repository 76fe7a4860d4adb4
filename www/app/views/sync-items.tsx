// One waiting change and one conflict, in words.

import { useEffect, useState } from "preact/hooks";
import type { Conflict, JournalEntry } from "../../client/index.ts";
import { get } from "../api.ts";
import { type Definition, definition } from "../metadata.ts";
import { address } from "../router.ts";
import { centreOpen, flette, readJournal } from "../state.ts";
import { viewOfSet, viewOfTable } from "../tables.ts";
import { dateText, plain } from "../words.ts";
import { Icon } from "./icons.tsx";
import { Duplicates, RefusedButtons } from "./refused.tsx";
import { useAction } from "./state-bar.tsx";
import { askDiscard } from "./sync-centre.tsx";

const VERBS = { create: "New", update: "Changed", delete: "Deleted" } as const;
const KINDS = {
  field: "Changed on both sides",
  "deleted-there": "Edited here, deleted on the server",
  "deleted-here": "Deleted here, edited on the server",
} as const;
/** Fields of one change that are shown before "and N more". */
const FIELDS_MAX = 6;

export function ChangeItem({ entry }: { entry: JournalEntry }) {
  const [busy, run] = useAction();
  const { name, words } = useRow(entry.set, entry.id, entry.fields, entry.name);
  const act = (attempt: string, action: () => Promise<unknown>) =>
    run(attempt, async () => {
      await action();
      await readJournal();
    });
  const discard = async () => {
    if (await askDiscard()) await act("discard the change", () => flette().discardChange(entry.op));
  };
  return (
    <li
      class={`item ${entry.state}`}
      data-testid="change"
      data-op={entry.op}
      data-id={entry.id}
      data-kind={entry.kind}
      data-state={entry.state}
    >
      <p class="item-head">
        <span class="tag">{VERBS[entry.kind]}</span>
        <RowLink set={entry.set} id={entry.id} name={name} gone={entry.kind === "delete"} />
        <time class="muted">{dateText(entry.at, "moment")}</time>
      </p>
      {entry.reason ? (
        <p class="problem" data-testid="reason" data-code={entry.reason.code}>
          {entry.reason.message}
        </p>
      ) : null}
      {entry.kind === "delete" ? null : (
        <Fields fields={shownFields(entry)} update={entry.kind === "update"} words={words} />
      )}
      {entry.state === "parked" ? <Duplicates entry={entry} /> : null}
      <div class="buttons">
        {entry.state === "parked" ? (
          <button
            type="button"
            class="button small main"
            disabled={busy}
            onClick={() => act("send the change again", () => flette().retryChange(entry.op))}
            data-testid="retry"
          >
            Try again
          </button>
        ) : null}
        <button
          type="button"
          class="button small quiet"
          disabled={busy}
          onClick={discard}
          data-testid="discard"
        >
          Discard
        </button>
        {entry.state === "parked" ? <RefusedButtons entry={entry} /> : null}
      </div>
    </li>
  );
}

/** Of a new row what its form shows: not what the replica fills in by itself. */
function shownFields(entry: JournalEntry): JournalEntry["fields"] {
  const view = viewOfSet(entry.set);
  if (!view || entry.kind !== "create") return entry.fields;
  const shown = view.groups.flatMap((group) => group.fields);
  return shown.flatMap((name) => entry.fields.filter((field) => field.name === name));
}

/** What was changed, the first few. */
function Fields({
  fields,
  update,
  words,
}: {
  fields: JournalEntry["fields"];
  update: boolean;
  words: Words;
}) {
  return (
    <>
      <dl class="changes">
        {fields.slice(0, FIELDS_MAX).map((field) => (
          <div key={field.name}>
            <dt>{words.label(field.name)}</dt>
            <dd>
              {update ? (
                <>
                  <del>{words.value(field.name, field.old)}</del> <span aria-hidden="true">→</span>{" "}
                </>
              ) : null}
              <ins>{words.value(field.name, field.new)}</ins>
            </dd>
          </div>
        ))}
      </dl>
      {fields.length > FIELDS_MAX ? <p class="muted small">and {fields.length - FIELDS_MAX} more</p> : null}
    </>
  );
}

export function ConflictItem({ conflict }: { conflict: Conflict }) {
  const [busy, run] = useAction();
  const { name, words } = useRow(conflict.set, conflict.row, conflictFields(conflict), conflict.name);
  const stands = conflict.resolved ?? conflict.winner;
  const side = (which: "local" | "server") => (
    <Side
      title={which === "local" ? "Mine" : "Server's"}
      value={conflict.field ? words.value(conflict.field, conflict[which]) : whole(conflict, which)}
      author={(which === "local" ? conflict.local_author : conflict.server_author)?.name ?? ""}
      at={which === "local" ? conflict.local_at : conflict.server_at}
      stands={stands === which}
    >
      {conflict.resolved === null ? (
        <button
          type="button"
          class={`button small ${stands === which ? "quiet" : "main"}`}
          disabled={busy}
          onClick={() => run("settle the conflict", () => flette().resolve(conflict.id, which))}
          data-testid={which === "local" ? "take-mine" : "take-server"}
        >
          {takeText(stands === which, which)}
        </button>
      ) : null}
    </Side>
  );
  return (
    <li
      class="item conflict"
      data-testid="conflict"
      data-conflict={conflict.id}
      data-id={conflict.row}
      data-field={conflict.field ?? ""}
      data-winner={conflict.winner}
      data-resolved={conflict.resolved ?? ""}
    >
      <p class="item-head">
        <Icon name="conflict" />
        <RowLink set={conflict.set} id={conflict.row} name={name} gone={conflict.kind === "deleted-there"} />
        <span class="muted">{conflict.field ? words.label(conflict.field) : KINDS[conflict.kind]}</span>
        {conflict.open ? <strong data-testid="conflict-open">Choose one</strong> : null}
      </p>
      {conflict.edits && conflict.edits.length > 0 ? (
        <Fields fields={conflict.edits} update words={words} />
      ) : null}
      <div class="sides">
        {side("local")}
        {side("server")}
      </div>
    </li>
  );
}

function takeText(stands: boolean, which: "local" | "server"): string {
  if (stands) return which === "local" ? "Keep mine" : "Keep server's";
  return which === "local" ? "Take mine" : "Take server's";
}

function whole(conflict: Conflict, which: "local" | "server"): string {
  const deletedSide = conflict.kind === "deleted-here" ? "local" : "server";
  return which === deletedSide ? "deleted" : "edited";
}

interface SideProps {
  title: string;
  value: string;
  author: string;
  at: string | null;
  stands: boolean;
  children: preact.ComponentChildren;
}

function Side({ title, value, author, at, stands, children }: SideProps) {
  return (
    <div class={`side ${stands ? "stands" : ""}`}>
      <p class="side-title">
        {title}
        {stands ? <span class="tag">stands</span> : null}
      </p>
      <p class="side-value">{value}</p>
      <p class="muted small">{[author, at ? dateText(at, "moment") : ""].filter(Boolean).join(", ")}</p>
      {children}
    </div>
  );
}

function RowLink({ set, id, name, gone }: { set: string; id: string; name: string; gone: boolean }) {
  if (gone || !viewOfSet(set)) return <strong>{name}</strong>;
  return (
    <a href={address(set, id)} onClick={() => centreOpen.set(false)}>
      {name}
    </a>
  );
}

/** The values of a conflict in the shape of journal fields. */
function conflictFields(conflict: Conflict): JournalEntry["fields"] {
  if (conflict.field) return [{ name: conflict.field, old: conflict.server, new: conflict.local }];
  return conflict.edits ?? [];
}

interface Words {
  label: (column: string) => string;
  value: (column: string, value: unknown) => string;
}

/** Name of a row and the words of its table. The name of a row that is gone comes from the change itself. */
function useRow(set: string, id: string, fields: JournalEntry["fields"], given: string | null | undefined) {
  const view = viewOfSet(set);
  const written = fields.find((field) => field.name === view?.name);
  const [name, setName] = useState(given || (written ? plain(written.new) : ""));
  const [known, setKnown] = useState<Definition | null>(null);
  const [targets, setTargets] = useState<ReadonlyMap<string, string>>(new Map());
  const key = JSON.stringify(fields);
  useEffect(() => {
    let current = true;
    const keep =
      <T,>(set_: (value: T) => void) =>
      (value: T) => {
        if (current) set_(value);
      };
    const ignore = () => undefined;
    if (!view) return undefined;
    definition(view).then(keep(setKnown), ignore);
    if (!given)
      get(set, id, [view.name]).then(
        keep((row) => setName(String(row[view.name] ?? ""))),
        ignore,
      );
    lookupNames(JSON.parse(key) as JournalEntry["fields"]).then(keep(setTargets), ignore);
    return () => {
      current = false;
    };
  }, [view, set, id, given, key]);
  const column = (each: string) => known?.columns.get(each.replace(/^_(.+)_value$/, "$1"));
  const words: Words = {
    label: (each) => column(each)?.label ?? each,
    value: (each, value) =>
      column(each)?.options.find((option) => option.value === Number(value))?.label ??
      targets.get((value as { id?: string } | null)?.id ?? "") ??
      plain(value),
  };
  return { name: name || `${view?.label ?? set} ${id.slice(0, 8)}`, words };
}

/** Names of the rows that lookups among the fields point to, by id. */
async function lookupNames(fields: JournalEntry["fields"]): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  const values = fields.flatMap((field) => [field.old, field.new]) as ({
    table?: string;
    id?: string;
  } | null)[];
  for (const value of values) {
    const view = viewOfTable(value?.table ?? "");
    if (!view || !value?.id || names.has(value.id)) continue;
    const row = await get(view.set, value.id, [view.name]).catch(() => null);
    if (row) names.set(value.id, String(row[view.name] ?? ""));
  }
  return names;
}
