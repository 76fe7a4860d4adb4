// What can be done about a change that the server refused, besides trying again and discarding it.

import { useEffect, useState } from "preact/hooks";
import type { JournalEntry, LookAlike } from "../../client/index.ts";
import { exportChange } from "../export.ts";
import { address } from "../router.ts";
import { centreOpen, flette, readJournal } from "../state.ts";
import { viewOfSet } from "../tables.ts";
import { useAction } from "./state-bar.tsx";

/** "Correct" and "Export". */
export function RefusedButtons({ entry }: { entry: JournalEntry }) {
  const [busy, run] = useAction();
  const canOpen = viewOfSet(entry.set) !== undefined && entry.kind !== "delete";
  return (
    <>
      {canOpen ? (
        <a
          class="button small quiet"
          href={address(entry.set, entry.id)}
          onClick={() => centreOpen.set(false)}
          data-testid="correct"
        >
          Correct
        </a>
      ) : null}
      <button
        type="button"
        class="button small quiet"
        disabled={busy}
        onClick={() => run("export the change", () => exportChange(entry.op))}
        data-testid="export-change"
      >
        Export
      </button>
    </>
  );
}

/** Records that a refused new one may be meant to be, each with the offer to make them one. */
export function Duplicates({ entry }: { entry: JournalEntry }) {
  const rows = useLookAlikes(entry);
  const [busy, run] = useAction();
  const merge = (id: string) =>
    run("merge the records", async () => {
      await flette().mergeChange(entry.op, id);
      await readJournal();
    });
  if (rows.length === 0) return null;
  return (
    <div class="duplicates" data-testid="duplicates">
      <p class="small">
        It may be a record that is there already. Merging keeps that one, with your changes.
      </p>
      <ul>
        {rows.map((row) => (
          <li key={row.id}>
            {viewOfSet(row.set) ? (
              <a href={address(row.set, row.id)} onClick={() => centreOpen.set(false)}>
                {row.name ?? row.id}
              </a>
            ) : (
              <strong>{row.name ?? row.id}</strong>
            )}
            <button
              type="button"
              class="button small main"
              disabled={busy}
              onClick={() => merge(row.id)}
              data-testid="merge"
              data-id={row.id}
            >
              Merge into this one
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function useLookAlikes(entry: JournalEntry): LookAlike[] {
  const [rows, setRows] = useState<LookAlike[]>([]);
  const wanted = entry.kind === "create" && entry.reason?.class === "duplicate";
  useEffect(() => {
    let current = true;
    if (!wanted) return undefined;
    flette()
      .duplicates(entry.op)
      .then((found) => {
        if (current) setRows(found);
      })
      .catch(() => undefined);
    return () => {
      current = false;
    };
  }, [entry.op, wanted]);
  return rows;
}
