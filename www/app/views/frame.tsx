// The frame around every page: navigation, state bar, notices.

import type { ComponentChildren } from "preact";
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

async function protect() {
  if (await keepStorage()) toast("Your changes are protected.");
  else toast("The browser did not agree. Install the app, or sync soon.", { tone: "bad" });
}

function Notices() {
  const { status, updateReady, reloadNeeded } = useStore(snapshot);
  const kept = useStore(persisted);
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
          <button
            type="button"
            class="button small main"
            onClick={() => flette().activateUpdate()}
            data-testid="update-reload"
          >
            Reload
          </button>
        </p>
      ) : null}
      {kept === false && status && status.pending + status.parked > 0 ? (
        <p class="notice" role="status" data-testid="notice-storage">
          This browser may clear unsent changes when its disk is full. Installing the app protects them.
          <button type="button" class="button small quiet" onClick={protect}>
            Protect
          </button>
        </p>
      ) : null}
    </div>
  );
}
