// Unsent changes and the trace as files in the user's downloads.

import { flette } from "./state.ts";

const RELEASE_MILLIS = 60_000;

/** Rejects with FletteError when the worker cannot give it. */
export async function exportUnsent(): Promise<void> {
  save(await flette().exportUnsent(), "changes");
}

/** One change as a file. Rejects with FletteError when the worker cannot give it. */
export async function exportChange(op: string): Promise<void> {
  save(await flette().exportChange(op), "change");
}

/** The trace as a file. Rejects with FletteError when the worker cannot give it. */
export async function exportTrace(): Promise<void> {
  save(await flette().exportTrace(), "trace");
}

function save(file: Blob, what: string) {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = `flette-${what}-${new Date().toISOString().slice(0, 10)}.json`;
  link.click();
  // The download reads the blob after this call.
  setTimeout(() => URL.revokeObjectURL(url), RELEASE_MILLIS);
}
