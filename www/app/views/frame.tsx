// The frame around every page: navigation, state bar, notices.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { install, installPrompt, keepStorage, persisted } from "../persist.ts";
import { address, route } from "../router.ts";
import { flette, snapshot, toast } from "../state.ts";
import { useStore } from "../store.ts";
import { sets, views } from "../tables.ts";
import { Icon, Mark } from "./icons.tsx";
import { StateBar } from "./state-bar.tsx";
import { UserMenu } from "./user-menu.tsx";

export function Frame({ children }: { children: ComponentChildren }) {
  const { page } = useStore(route);
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={toMain}>
        Skip to content
      </button>
      <nav class="nav" aria-label="Main">
        <a class="brand" href={address("contacts")} aria-label="Flette CRM, start">
          <Mark />
          <span>Flette</span>
        </a>
        <ul>
          {sets.map((set) => (
            <li key={set}>
              <a
                href={address(set)}
                aria-current={page === set ? "page" : undefined}
                data-testid={`nav-${set}`}
              >
                <Icon name={set} />
                <span>{views[set].labels}</span>
              </a>
            </li>
          ))}
        </ul>
        <InstallButton />
        <UserMenu />
      </nav>
      <div class="body">
        <StateBar />
        <Notices />
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
    </div>
  );
}

/** A button: the hash is the address of the page, so a link to `#main` cannot do it. */
function toMain() {
  document.getElementById("main")?.focus();
}

function InstallButton() {
  const prompt = useStore(installPrompt);
  if (!prompt) return null;
  return (
    <button type="button" class="nav-button" onClick={install} data-testid="install">
      <Icon name="install" />
      <span>Install</span>
    </button>
  );
}

/** The tab that asked reloads by itself; the others are told. Unsaved edits are guarded by the browser's question. */
function update() {
  const stop = snapshot.subscribe(({ reloadNeeded }) => {
    if (!reloadNeeded) return;
    stop();
    location.reload();
  });
  flette().activateUpdate();
}

async function protect() {
  if (await keepStorage()) toast("Your changes are protected.");
  else toast("The browser did not agree. Install the app, or sync soon.", { tone: "bad" });
}

function Notices() {
  const { status, updateReady, reloadNeeded } = useStore(snapshot);
  const kept = useStore(persisted);
  const [dismissed, setDismissed] = useState(false);
  return (
    <div class="notices">
      {reloadNeeded ? (
        <p class="notice" role="status" data-testid="notice-reload">
          A new version has taken over. Reload when it suits you.
          <button type="button" class="button small main" onClick={() => location.reload()}>
            Reload
          </button>
        </p>
      ) : updateReady ? (
        <p class="notice" role="status" data-testid="notice-update">
          Update ready.
          <button type="button" class="button small main" onClick={update} data-testid="update-reload">
            Reload
          </button>
        </p>
      ) : null}
      {!dismissed && kept === false && status && status.pending + status.parked > 0 ? (
        <p class="notice" role="status" data-testid="notice-storage">
          Unsent changes are on this device only, and the browser may clear them when its disk is full.
          <button type="button" class="button small quiet" onClick={protect}>
            Protect
          </button>
          <button type="button" class="button small link" onClick={() => setDismissed(true)}>
            Not now
          </button>
        </p>
      ) : null}
    </div>
  );
}
