// Sign-in, as a page of its own or, when the session ended, in a dialog over the work.

import { useState } from "preact/hooks";
import { account, signIn } from "../state.ts";
import { store, useStore } from "../store.ts";
import { useModal } from "./dialogs.tsx";
import { Mark } from "./icons.tsx";

/** Whether the dialog is asked for. */
export const signInOpen = store(false);

function Form({ onDone }: { onDone?: () => void }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    const wrong = await signIn(String(fields.get("username")), String(fields.get("password")));
    setBusy(false);
    setProblem(wrong ?? "");
    if (!wrong) onDone?.();
  };
  return (
    <form class="sign-in-form" onSubmit={submit} data-testid="sign-in-form">
      <label class="field">
        <span class="label">User name</span>
        <input
          name="username"
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          required
          data-testid="username"
        />
      </label>
      <label class="field">
        <span class="label">Password</span>
        <input
          name="password"
          type="password"
          autocomplete="current-password"
          required
          data-testid="password"
        />
      </label>
      <p class="problem" role="alert" data-testid="sign-in-problem">
        {problem}
      </p>
      <button type="submit" class="button main wide" disabled={busy} data-testid="sign-in">
        {busy ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}

export function SignInPage() {
  const { unreachable } = useStore(account);
  return (
    <main class="sign-in-page" data-testid="sign-in-page">
      <div class="sign-in-card">
        <div class="brand large">
          <Mark />
          <span>Flette CRM</span>
        </div>
        <h1>Sign in</h1>
        <p class="muted">
          {unreachable
            ? "The server cannot be reached. The first sign-in on this device needs it."
            : "After the first sync your contacts, accounts and tasks are here, with or without a network."}
        </p>
        <Form />
      </div>
    </main>
  );
}

export function SignInDialog() {
  const open = useStore(signInOpen);
  const dialog = useModal(open);
  if (!open) return null;
  return (
    <dialog
      ref={dialog}
      class="question"
      aria-labelledby="sign-in-title"
      onCancel={() => signInOpen.set(false)}
      data-testid="sign-in-dialog"
    >
      <h2 id="sign-in-title">Sign in again</h2>
      <p>
        The session at the server has ended. Your changes are kept on this device and are sent after you sign
        in.
      </p>
      <Form onDone={() => signInOpen.set(false)} />
      <button type="button" class="button quiet wide" onClick={() => signInOpen.set(false)}>
        Not now
      </button>
    </dialog>
  );
}
