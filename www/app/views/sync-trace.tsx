// What happened lately, for whoever looks for the reason of something: a simple list, newest first.

import { useEffect, useState } from "preact/hooks";
import type { TraceEvent } from "../../client/index.ts";
import { exportTrace } from "../export.ts";
import { flette, snapshot } from "../state.ts";
import { useStore } from "../store.ts";
import { traceText } from "../trace.ts";
import { dateText } from "../words.ts";
import { useAction } from "./state-bar.tsx";

/** Events that are shown; the file has them all. */
const SHOWN_MAX = 100;

export function TraceSection() {
  const [open, setOpen] = useState(false);
  return (
    <details class="settled" data-testid="trace" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>What happened</summary>
      {open ? <Events /> : null}
    </details>
  );
}

function Events() {
  const events = useTrace();
  const [busy, run] = useAction();
  return (
    <>
      <ol class="trace">
        {events.map((event) => (
          <li key={event.seq} data-testid="trace-event" data-what={event.what}>
            <time class="muted" dateTime={event.at}>
              {dateText(event.at, "second")}
            </time>
            <span>{traceText(event)}</span>
          </li>
        ))}
      </ol>
      <p class="muted small">No names, texts or values of records are in this list.</p>
      <button
        type="button"
        class="button quiet small"
        disabled={busy}
        onClick={() => run("export the list", exportTrace)}
        data-testid="trace-export"
      >
        Export this list
      </button>
    </>
  );
}

/** Newest first; read again whenever the state changes. */
function useTrace(): TraceEvent[] {
  const [events, setEvents] = useState<TraceEvent[]>([]);
  const { status } = useStore(snapshot);
  useEffect(() => {
    let current = true;
    flette()
      .trace()
      .then((trace) => {
        if (current) setEvents(trace.events.slice(-SHOWN_MAX).reverse());
      })
      .catch(() => undefined);
    return () => {
      current = false;
    };
  }, [status]);
  return events;
}
