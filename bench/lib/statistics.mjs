// Medians and spreads of interleaved rounds.

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(numbers, part) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

/** Least, median and greatest. */
export const spread = (numbers) => ({
  min: Math.min(...numbers),
  median: median(numbers),
  max: Math.max(...numbers),
});

/** The ratio of two contestants, pair by pair: each round's own, so that a slow minute weighs on both. */
export const ratios = (left, right) => spread(left.map((value, n) => value / right[n]));

export const rounded = (number, digits = 2) => Number(number.toFixed(digits));
