// Storage that the browser does not clear by itself, and installation. Both are asked for when they make sense.

import { store } from "./store.ts";

/** `null` while unknown or not supported. */
export const persisted = store<boolean | null>(null);

/** Looks without asking. */
export async function lookAtStorage(): Promise<void> {
  persisted.set((await navigator.storage?.persisted?.().catch(() => null)) ?? null);
}

/**
 * Asks the browser to keep the data. Chromium decides silently, Firefox asks the user: so call it on a gesture that
 * shows that the data matters (the first save, "Work offline", installation).
 */
export async function keepStorage(): Promise<boolean> {
  askedOnce = true;
  if (persisted.get()) return true;
  const kept = (await navigator.storage?.persist?.().catch(() => false)) ?? false;
  persisted.set(kept);
  return kept;
}

let askedOnce = false;

/** The same, but once per page: for the first save. */
export async function keepStorageOnce(): Promise<void> {
  if (!askedOnce) await keepStorage();
}

interface InstallPrompt extends Event {
  prompt(): Promise<void>;
  userChoice: Promise<{ outcome: "accepted" | "dismissed" }>;
}

/** The browser's offer to install, while there is one. */
export const installPrompt = store<InstallPrompt | null>(null);

addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  installPrompt.set(event as InstallPrompt);
});

addEventListener("appinstalled", () => {
  installPrompt.set(null);
  void keepStorage();
});

/** Shows the browser's own dialog. */
export async function install(): Promise<void> {
  const prompt = installPrompt.get();
  if (!prompt) return;
  await prompt.prompt();
  await prompt.userChoice;
  installPrompt.set(null);
}
