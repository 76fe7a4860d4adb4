// Acts that follow one another closely become one.

/**
 * `act`, at most every `millis`: at once where the last one is longer ago, else when that time is over, however often it was
 * asked for meanwhile. Never in the task of the caller. What is given resolves when the act that answers the call is done.
 */
export function spaced(act: () => void, millis: number): () => Promise<void> {
  let next: Promise<void> | null = null;
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const wait = Math.max(0, last + millis - performance.now());
    next ??= new Promise<void>((done) => setTimeout(done, wait)).then(() => {
      next = null;
      last = performance.now();
      act();
    });
    return next;
  };
}
