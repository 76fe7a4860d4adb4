// The sync centre: what waits, what the server refused and why, and conflicts with both values. Slides in from the
// side; also the page `#/sync`.

import { useEffect, useState } from "preact/hooks";
import {
  agoText,
  type Conflict,
  type GoingOffline,
  type JournalEntry,
  summarise,
  waitingText,
} from "../../client/index.ts";
import { exportUnsent } from "../export.ts";
import { ask, centreOpen, flette, rowsVersion, snapshot, waiting } from "../state.ts";
import { useStore } from "../store.ts";
import { useModal } from "./dialogs.tsx";
import { Icon } from "./icons.tsx";
import { StateButtons, useAction, useNow } from "./state-bar.tsx";
import { ChangeItem, ConflictItem } from "./sync-items.tsx";
import { TraceSection } from "./sync-trace.tsx";

export function SyncCentre() {
  const open = useStore(centreOpen);
  const dialog = useModal(open);
  if (!open) return null;
  const close = () => centreOpen.set(false);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click on the backdrop closes; Escape does too.
    <dialog
      ref={dialog}
      class="centre"
      aria-labelledby="centre-title"
      data-testid="sync-centre"
      onCancel={close}
      onClick={(event) => {
        if (event.target === event.currentTarget) close();
      }}
    >
      <div class="centre-box">
        <header>
          <h2 id="centre-title">Sync centre</h2>
          <button
            type="button"
            class="button icon-only"
            aria-label="Close"
            onClick={close}
            data-testid="centre-close"
          >
            <Icon name="close" />
          </button>
        </header>
        <Content />
      </div>
    </dialog>
  );
}

function Content() {
  const { status, worker } = useStore(snapshot);
  const byRow = useStore(waiting);
  const conflicts = useConflicts();
  const entries = [...byRow.values()].flat().sort((left, right) => left.seq - right.seq);
  const parked = entries.filter((entry) => entry.state === "parked");
  const unsent = entries.filter((entry) => entry.state !== "parked");
  if (worker !== true || !status) {
    return (
      <p class="empty" data-testid="centre-none">
        {worker === false
          ? "This browser keeps no offline copy: every change goes straight to the server."
          : "The offline copy is being prepared."}
      </p>
    );
  }
  return (
    <>
      <Overview />
      <ConflictSection conflicts={conflicts} />
      <EntrySection title="Refused by the server" entries={parked} none={null} />
      <EntrySection
        title="Waiting changes"
        entries={unsent}
        none={
          parked.length > 0
            ? "Nothing else is waiting."
            : "No changes waiting: everything you saved has been sent."
        }
      />
      {entries.length > 0 ? <ExportButton /> : null}
      <Tables />
      <TraceSection />
    </>
  );
}

function Overview() {
  const { status } = useStore(snapshot);
  const now = useNow();
  const summary = summarise(status);
  if (!status) return null;
  return (
    <section class={`overview ${summary.tone}`} aria-label="State">
      <p class="overview-label">
        <span class="dot" aria-hidden="true" />
        <strong>{summary.label}</strong>
      </p>
      <p>{summary.detail}</p>
      <p class="muted">
        {waitingText(status.pending)} ·{" "}
        {status.last_sync ? `last sync ${agoText(Date.parse(status.last_sync), now)}` : "not synced yet"}
      </p>
      {status.problem && status.reachable !== false ? (
        <p class="problem" data-testid="sync-problem">
          {status.problem}
        </p>
      ) : null}
      {status.going_offline ? <OnTheWay going={status.going_offline} /> : null}
      <StateButtons />
    </section>
  );
}

/** How far going offline has come, table by table. */
function OnTheWay({ going }: { going: GoingOffline }) {
  return (
    <table class="on-device" data-testid="going-offline" data-phase={going.phase}>
      <tbody>
        {going.tables.map((table) => (
          <tr key={table.name}>
            <td>{table.name}</td>
            <td>
              {table.rows.toLocaleString()}
              {table.total === null
                ? ""
                : ` of ${table.exact ? "" : "about "}${table.total.toLocaleString()}`}
            </td>
            <td>{table.complete ? "complete" : `${(table.bytes / 1_048_576).toFixed(1)} MiB`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ConflictSection({ conflicts }: { conflicts: Conflict[] }) {
  const openOnes = conflicts.filter((conflict) => conflict.resolved === null);
  const settled = conflicts.filter((conflict) => conflict.resolved !== null);
  if (conflicts.length === 0) return null;
  return (
    <section aria-label="Conflicts" data-testid="conflict-list">
      <h3>
        Conflicts <span class="count">{openOnes.length}</span>
      </h3>
      <p class="muted small">
        Both sides changed the same thing. The newest stands; you may take the other back.
      </p>
      <ul class="items">
        {openOnes.map((conflict) => (
          <ConflictItem key={conflict.id} conflict={conflict} />
        ))}
      </ul>
      {settled.length > 0 ? (
        <details class="settled">
          <summary>{settled.length} settled</summary>
          <ul class="items">
            {settled.map((conflict) => (
              <ConflictItem key={conflict.id} conflict={conflict} />
            ))}
          </ul>
        </details>
      ) : null}
    </section>
  );
}

function EntrySection({
  title,
  entries,
  none,
}: {
  title: string;
  entries: JournalEntry[];
  none: string | null;
}) {
  if (entries.length === 0 && none === null) return null;
  return (
    <section aria-label={title} data-testid={none === null ? "parked-list" : "waiting-list"}>
      <h3>
        {title} <span class="count">{entries.length}</span>
      </h3>
      {entries.length === 0 ? <p class="muted small">{none}</p> : null}
      <ul class="items">
        {entries.map((entry) => (
          <ChangeItem key={entry.op} entry={entry} />
        ))}
      </ul>
    </section>
  );
}

function ExportButton() {
  const [busy, run] = useAction();
  return (
    <button
      type="button"
      class="button quiet wide"
      disabled={busy}
      onClick={() => run("export the changes", exportUnsent)}
      data-testid="export"
    >
      Export unsent changes to a file
    </button>
  );
}

function Tables() {
  const { status } = useStore(snapshot);
  if (!status || status.tables.length === 0) return null;
  return (
    <details class="settled" data-testid="tables">
      <summary>On this device</summary>
      <table class="on-device">
        <thead>
          <tr>
            <th scope="col">Table</th>
            <th scope="col">Rows</th>
            <th scope="col">Complete</th>
          </tr>
        </thead>
        <tbody>
          {status.tables.map((table) => (
            <tr key={table.name}>
              <td>{table.set}</td>
              <td>{table.rows.toLocaleString()}</td>
              <td>{table.complete ? "yes" : "not yet"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {status.storage.bytes ? (
        <p class="muted small">{(status.storage.bytes / 1_048_576).toFixed(1)} MiB</p>
      ) : null}
    </details>
  );
}

function useConflicts(): Conflict[] {
  const [conflicts, setConflicts] = useState<Conflict[]>([]);
  const { status } = useStore(snapshot);
  const version = useStore(rowsVersion);
  // Read again when their number or any row changes.
  useEffect(() => {
    let current = true;
    if (!status) return;
    flette()
      .conflicts()
      .then((next) => {
        if (current) setConflicts(next);
      })
      .catch(() => undefined);
    return () => {
      current = false;
    };
  }, [status?.conflicts, version]);
  return conflicts;
}

/** Asks before a change is thrown away. */
export async function askDiscard(): Promise<boolean> {
  const choice = await ask({
    title: "Discard this change?",
    text: "It has not reached the server. The record then shows the server's values again.",
    choices: [
      { value: "keep", label: "Keep", tone: "main" },
      { value: "discard", label: "Discard", tone: "danger" },
    ],
  });
  return choice === "discard";
}
