// Unsent changes as a file in the user's downloads.

import { flette } from "./state.ts";

const RELEASE_MILLIS = 60_000;

/** Rejects with FletteError when the worker cannot give it. */
export async function exportUnsent(): Promise<void> {
  const url = URL.createObjectURL(await flette().exportUnsent());
  const link = document.createElement("a");
  link.href = url;
  link.download = `flette-changes-${new Date().toISOString().slice(0, 10)}.json`;
  link.click();
  // The download reads the blob after this call.
  setTimeout(() => URL.revokeObjectURL(url), RELEASE_MILLIS);
}
