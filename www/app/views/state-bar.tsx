// Always visible: connection, progress, what waits, last sync, conflicts; and the three things to do about them.

import { useEffect, useState } from "preact/hooks";
import { agoText, type Report, summarise, waitingText } from "../../client/index.ts";
import { keepStorage } from "../persist.ts";
import { centreOpen, flette, snapshot, toast } from "../state.ts";
import { useStore } from "../store.ts";
import { explain } from "../words.ts";
import { Icon } from "./icons.tsx";
import { signInOpen } from "./sign-in.tsx";

const CLOCK_MILLIS = 15_000;

/** Milliseconds since 1970, drawn anew now and then so that "4 min ago" stays true. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), CLOCK_MILLIS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Runs an action of the page library; while it runs the button is busy, and a refusal is told. */
export function useAction(): [boolean, (attempt: string, action: () => Promise<unknown>) => Promise<void>] {
  const [busy, setBusy] = useState(false);
  const run = async (attempt: string, action: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await action();
    } catch (error) {
      toast(explain(error, attempt), { tone: "bad" });
    } finally {
      setBusy(false);
    }
  };
  return [busy, run];
}

export function StateBar() {
  const { status, worker } = useStore(snapshot);
  const now = useNow();
  const summary = summarise(status);
  const label = worker === false ? "Online only" : summary.label;
  const detail = worker === false ? "This browser keeps no offline copy." : summary.detail;
  return (
    <section class="state-bar" aria-label="Synchronisation" data-testid="state-bar">
      <button
        type="button"
        class={`state ${summary.tone}`}
        title={detail}
        onClick={() => centreOpen.set(true)}
        data-testid="state"
        data-mode={status?.mode ?? "online"}
        data-reachable={String(status?.reachable ?? null)}
        data-syncing={String(status?.syncing ?? false)}
        data-synced={String(status?.synced ?? false)}
      >
        <span class="dot" aria-hidden="true" />
        <span role="status" aria-live="polite" data-testid="state-label">
          {label}
        </span>
        {status && summary.tone === "busy" ? (
          <>
            <progress
              aria-label="Sync progress"
              data-testid="progress"
              {...(summary.share === null ? {} : { value: summary.share, max: 1 })}
            />
            <span class="ago" data-testid="progress-text">
              {status.going_offline || (status.progress && status.progress.done > 0) ? summary.detail : ""}
            </span>
          </>
        ) : (
          <span class="ago" data-testid="last-sync" data-at={status?.last_sync ?? ""}>
            {status?.last_sync ? `synced ${agoText(Date.parse(status.last_sync), now)}` : ""}
          </span>
        )}
      </button>
      <Counts />
      <StateButtons />
    </section>
  );
}

function Counts() {
  const { status } = useStore(snapshot);
  if (!status) return null;
  const open = () => centreOpen.set(true);
  return (
    <>
      {status.pending > 0 ? (
        <button
          type="button"
          class="chip waiting"
          onClick={open}
          data-testid="pending"
          data-count={status.pending}
        >
          <Icon name="upload" />
          <span class="long">{waitingText(status.pending)}</span>
          <span class="short">{status.pending}</span>
        </button>
      ) : null}
      {status.parked > 0 ? (
        <button type="button" class="chip bad" onClick={open} data-testid="parked" data-count={status.parked}>
          <Icon name="warning" />
          <span class="long">{status.parked} refused</span>
          <span class="short">{status.parked}</span>
        </button>
      ) : null}
      {status.conflicts > 0 ? (
        <button
          type="button"
          class="chip conflict"
          onClick={open}
          data-testid="conflicts"
          data-count={status.conflicts}
        >
          <Icon name="conflict" />
          <span class="long">{status.conflicts === 1 ? "1 conflict" : `${status.conflicts} conflicts`}</span>
          <span class="short">{status.conflicts}</span>
        </button>
      ) : null}
    </>
  );
}

/** Says why a round that the user asked for did not finish. */
function tell(report: Report) {
  if (report.ok) return;
  const unreachable = snapshot.get().status?.reachable === false;
  const why = unreachable
    ? "The server cannot be reached."
    : (report.problem ?? "Not everything could be synced.");
  toast(`${why} The copy on this device stays as it is.`);
}

/** "Sync now" and "Work offline" or "Go online". */
export function StateButtons() {
  const { status, worker } = useStore(snapshot);
  const [busy, run] = useAction();
  if (!status || worker !== true) return null;
  if (!status.signed_in) {
    return (
      <button
        type="button"
        class="button small main"
        onClick={() => signInOpen.set(true)}
        data-testid="sign-in-again"
      >
        Sign in
      </button>
    );
  }
  if (status.going_offline) {
    return (
      <span class="state-buttons">
        <button
          type="button"
          class="button small quiet"
          onClick={() => run("cancel", () => flette().cancelOffline())}
          data-testid="cancel-offline"
        >
          <Icon name="close" />
          <span>Cancel</span>
        </button>
      </span>
    );
  }
  const goOffline = async () => {
    await keepStorage();
    await run("go offline", async () => tell(await flette().goOffline()));
  };
  return (
    <span class="state-buttons">
      {status.chosen ? (
        <button
          type="button"
          class="button small main"
          disabled={busy}
          onClick={() => run("go online", async () => tell(await flette().goOnline()))}
          data-testid="go-online"
        >
          <Icon name="cloud" />
          <span>Go online</span>
        </button>
      ) : (
        <>
          <button
            type="button"
            class="button small quiet"
            disabled={busy || summarise(status).tone === "busy"}
            onClick={() => run("sync", async () => tell(await flette().sync()))}
            data-testid="sync-now"
          >
            <Icon name="sync" />
            <span>Sync now</span>
          </button>
          <button
            type="button"
            class="button small quiet"
            disabled={busy}
            onClick={goOffline}
            data-testid="go-offline"
          >
            <Icon name="plane" />
            <span>Work offline</span>
          </button>
        </>
      )}
    </span>
  );
}
