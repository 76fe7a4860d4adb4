// The user, the look, and the way out.

import { useRef } from "preact/hooks";
import { FletteError } from "../../client/index.ts";
import { exportUnsent } from "../export.ts";
import { account, ask, endSession, flette, snapshot, toast } from "../state.ts";
import { useStore } from "../store.ts";
import { type Theme, theme } from "../theme.ts";
import { explain, initials } from "../words.ts";

const THEMES: [Theme, string][] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

export function UserMenu() {
  const { user } = useStore(account);
  const chosen = useStore(theme);
  const details = useRef<HTMLDetailsElement>(null);
  const name = user?.fullname || "Signed in";
  const close = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !details.current?.open) return;
    details.current.open = false;
    details.current.querySelector("summary")?.focus();
  };
  return (
    <details class="user-menu" ref={details} onKeyDown={close}>
      <summary aria-label={`${name}: settings and sign-out`} data-testid="user-menu">
        <span class="avatar" aria-hidden="true">
          {initials(name)}
        </span>
        <span class="user-name">{name}</span>
      </summary>
      <div class="menu">
        <p class="menu-name" data-testid="user-name">
          {name}
        </p>
        <label class="field compact">
          <span class="label">Look</span>
          <select
            value={chosen}
            onChange={(event) => theme.set(event.currentTarget.value as Theme)}
            data-testid="theme"
          >
            {THEMES.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="button quiet wide" onClick={signOut} data-testid="sign-out">
          Sign out
        </button>
      </div>
    </details>
  );
}

/** Unsent changes are never thrown away without being named. */
async function signOut() {
  try {
    if (snapshot.get().worker === true) await flette().signOut("keep-refuse");
  } catch (error) {
    if (!(error instanceof FletteError) || error.status !== 409) {
      toast(explain(error, "sign out"), { tone: "bad" });
      return;
    }
    const status = snapshot.get().status;
    const count = (status?.pending ?? 0) + (status?.parked ?? 0);
    const choice = await ask({
      title: "Unsent changes",
      text: `${count === 1 ? "One change has" : `${count || "Some"} changes have`} not reached the server. Signing out deletes this device's copy.`,
      choices: [
        { value: "stay", label: "Stay signed in", tone: "main" },
        { value: "export", label: "Export, then sign out" },
        { value: "discard", label: "Discard and sign out", tone: "danger" },
      ],
    });
    if (choice !== "export" && choice !== "discard") return;
    try {
      if (choice === "export") await exportUnsent();
      await flette().signOut("discard");
    } catch (problem) {
      toast(explain(problem, "sign out"), { tone: "bad" });
      return;
    }
  }
  await endSession();
}
