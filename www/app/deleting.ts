// Deletes that can be undone: a row is hidden at once and deleted when the notice ends. A deleted id never comes back
// in Dataverse, so undoing has to happen before the delete is sent.

import { remove } from "./api.ts";
import { rowsVersion, toast } from "./state.ts";
import { store } from "./store.ts";
import type { TableView } from "./tables.ts";
import { explain } from "./words.ts";

/** Rows hidden until their delete is sent, as `set:id`. */
export const deleting = store<ReadonlySet<string>>(new Set());

/** Deletes still to be sent. */
const due = new Map<string, () => Promise<void>>();

/** Hides a row, offers to undo, and deletes it when the offer ends. */
export function deleteSoon(view: TableView, id: string, name: string): void {
  const key = `${view.set}:${id}`;
  deleting.change((all) => new Set(all).add(key));
  const show = () => {
    due.delete(key);
    deleting.change((all) => new Set([...all].filter((each) => each !== key)));
  };
  const send = async () => {
    if (!due.delete(key)) return;
    try {
      await remove(view.set, id);
    } catch (error) {
      // Already gone is what was wanted.
      if ((error as { status?: number }).status !== 404) {
        toast(explain(error, `delete ${name}`), { tone: "bad" });
      }
    }
    rowsVersion.change((version) => version + 1);
    show();
  };
  due.set(key, send);
  toast(`${name} deleted.`, { action: { label: "Undo", run: show }, onEnd: () => void send() });
}

// Leaving the page ends the offer. A request that does not get through leaves the row as it was.
addEventListener("pagehide", () => {
  for (const send of [...due.values()]) void send();
});
