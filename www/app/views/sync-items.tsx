// One waiting change and one conflict, in words.

import { useEffect, useState } from "preact/hooks";
import type { Conflict, JournalEntry } from "../../client/index.ts";
import { get } from "../api.ts";
import { type Definition, definition } from "../metadata.ts";
import { address } from "../router.ts";
import { centreOpen, flette, readJournal } from "../state.ts";
import { viewOfSet } from "../tables.ts";
import { dateText, plain } from "../words.ts";
import { Icon } from "./icons.tsx";
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
  const { name, words } = useRow(entry.set, entry.id, entry.fields);
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
        <dl class="changes">
          {entry.fields.slice(0, FIELDS_MAX).map((field) => (
            <div key={field.name}>
              <dt>{words.label(field.name)}</dt>
              <dd>
                {entry.kind === "update" ? (
                  <>
                    <del>{words.value(field.name, field.old)}</del> <span aria-hidden="true">→</span>{" "}
                  </>
                ) : null}
                <ins>{words.value(field.name, field.new)}</ins>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {entry.fields.length > FIELDS_MAX ? (
        <p class="muted small">and {entry.fields.length - FIELDS_MAX} more</p>
      ) : null}
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
      </div>
    </li>
  );
}

export function ConflictItem({ conflict }: { conflict: Conflict }) {
  const [busy, run] = useAction();
  const { name, words } = useRow(conflict.set, conflict.row, []);
  const stands = conflict.resolved ?? conflict.winner;
  const side = (which: "local" | "server") => (
    <Side
      title={which === "local" ? "Mine" : "Server's"}
      value={conflict.field ? words.value(conflict.field, conflict[which]) : whole(conflict, which)}
      author={which === "local" ? conflict.local_author : conflict.server_author}
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
        <RowLink set={conflict.set} id={conflict.row} name={name} gone={false} />
        <span class="muted">{conflict.field ? words.label(conflict.field) : KINDS[conflict.kind]}</span>
      </p>
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
  author: string | null;
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

interface Words {
  label: (column: string) => string;
  value: (column: string, value: unknown) => string;
}

/** Name of a row and the words of its table. The name of a row that is gone comes from the change itself. */
function useRow(set: string, id: string, fields: JournalEntry["fields"]): { name: string; words: Words } {
  const view = viewOfSet(set);
  const written = fields.find((field) => field.name === view?.name);
  const [name, setName] = useState(written ? plain(written.new) : "");
  const [known, setKnown] = useState<Definition | null>(null);
  useEffect(() => {
    let current = true;
    if (!view) return;
    definition(view).then(
      (next) => current && setKnown(next),
      () => undefined,
    );
    get(set, id, [view.name]).then(
      (row) => current && setName(String(row[view.name] ?? "")),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [view, set, id]);
  const column = (column_: string) => known?.columns.get(column_.replace(/^_(.+)_value$/, "$1"));
  return {
    name: name || `${view?.label ?? set} ${id.slice(0, 8)}`,
    words: {
      label: (each) => column(each)?.label ?? each,
      value: (each, value) =>
        column(each)?.options.find((option) => option.value === Number(value))?.label ?? plain(value),
    },
  };
}
