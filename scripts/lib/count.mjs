// Reads how many tests passed and failed from what a test runner printed.

/**
 * Adds up the summaries of `cargo test`, wasm-bindgen-test, `node --test` and the simulation in `output`. A runner that ended badly
 * without naming a failed test, or that ended without any summary, counts as one failure.
 */
export function countTests(output, code) {
  let passed = 0;
  let failed = 0;
  let summaries = 0;
  for (const [, ok, bad] of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    passed += Number(ok);
    failed += Number(bad);
    summaries += 1;
  }
  for (const [, what, count] of output.matchAll(/^(?:#|ℹ) (pass|fail|cancelled) (\d+)$/gm)) {
    if (what === "pass") passed += Number(count);
    else failed += Number(count);
    summaries += 1;
  }
  for (const [, ok, bad] of output.matchAll(/^(\d+) passed, (\d+) failed$/gm)) {
    passed += Number(ok);
    failed += Number(bad);
    summaries += 1;
  }
  if (failed === 0 && (code !== 0 || summaries === 0)) failed = 1;
  return { passed, failed };
}

/** The line that a script closes with. */
export const closingLine = ({ passed, failed }) => `${passed} passed, ${failed} failed`;

/** Prints a line per named result, then the closing line; sets the exit code. */
export function report(results) {
  const total = { passed: 0, failed: 0 };
  console.log("");
  for (const { name, passed, failed, seconds } of results) {
    console.log(`${name}: ${passed} ok, ${failed} not ok, ${seconds.toFixed(0)} s`);
    total.passed += passed;
    total.failed += failed;
  }
  console.log(closingLine(total));
  if (total.failed > 0) process.exitCode = 1;
}
