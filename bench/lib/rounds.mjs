// Contestants in turn, and how their figures are shown.

import { rounded, spread } from "./statistics.mjs";

/**
 * Runs the contestants A, B, A, B …, each `{ run, rounds? }`: slow ones may take part in fewer rounds. Gives each one's
 * results.
 */
export async function inTurn(contestants, rounds) {
  const results = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const [name, { run, rounds: most = rounds }] of Object.entries(contestants)) {
      if (round > most) continue;
      const result = await run(round);
      results[name].push(result);
      const millis = typeof result === "object" && "millis" in result ? result.millis : result;
      const told = typeof millis === "number" ? `${rounded(millis, 1)} ms` : "";
      console.log(`round ${round}, ${name}: ${told}`);
    }
  }
  return results;
}

/** Median and spread, as text. */
export function shown(numbers, digits = 2) {
  const { min, median, max } = Array.isArray(numbers) ? spread(numbers) : numbers;
  return `${rounded(median, digits)} (${rounded(min, digits)} to ${rounded(max, digits)})`;
}

/** Lines of a Markdown table. */
export const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);

/** Bytes in MB, of a million bytes each. */
export const megabytes = (bytes) => rounded(bytes / 1e6, 1);
