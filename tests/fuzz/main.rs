//! Segments and pages that nobody wrote: none makes the reader panic, reach beyond its bytes, take long, or allocate more
//! than a multiple of what is there to read; a segment that was changed is found to be.
//!
//! Each test goes on from real segments and pages, and from every input whose outcome was of a new kind. Inputs are the
//! same in every run. `FLETTE_FUZZ_SECONDS=300 cargo test --release --test fuzz -- --nocapture` runs longer, and says what
//! it did; `FLETTE_FUZZ_SEED` begins elsewhere.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

mod allocation;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../segments/chance.rs"]
mod chance;
mod frames;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../../odata/tests/body/fetchxml/generate.rs"]
mod generate;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../../odata/tests/fuzz/mutate.rs"]
mod mutate;
mod pages;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../segments/rows.rs"]
mod rows;
mod segments;

use generate::Chance;
use std::collections::HashSet;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// Inputs of a short run.
const INPUTS: u64 = 1500;
/// No input may take longer, even on a busy machine.
const INPUT_SECONDS_MAX: u64 = 5;

/// Bytes that may be allocated at once, whatever the input.
const ALLOCATED_MIN: usize = 256 << 10;

/// Where inputs come from.
pub trait Source {
    fn next(&mut self, chance: &mut Chance) -> Vec<u8>;
    /// Keeps an input with an outcome of a new kind.
    fn keep(&mut self, input: Vec<u8>);
}

/// Runs `read` over inputs; it gives the kind of the outcome. At most `factor` bytes per byte of input may be allocated.
pub fn check(name: &str, source: &mut dyn Source, factor: usize, read: &dyn Fn(&[u8]) -> String) {
    let variable = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = variable("FLETTE_FUZZ_SECONDS").map(Duration::from_secs);
    let mut chance = Chance(variable("FLETTE_FUZZ_SEED").unwrap_or(1));
    let (started, mut kinds, mut inputs) = (Instant::now(), HashSet::new(), 0);
    let (mut slowest, mut most) = (Duration::ZERO, 0);
    while seconds.map_or(inputs < INPUTS, |seconds| started.elapsed() < seconds) {
        let input = source.next(&mut chance);
        let shown = || input.escape_ascii().to_string().chars().take(4000).collect::<String>();
        let began = Instant::now();
        let (outcome, allocated) =
            allocation::most_during(|| catch_unwind(AssertUnwindSafe(|| read(&input))));
        slowest = slowest.max(began.elapsed());
        most = most.max(allocated);
        inputs += 1;
        let Ok(kind) = outcome else { panic!("{name}: {}", shown()) };
        let allowed = ALLOCATED_MIN + input.len() * factor;
        assert!(allocated <= allowed, "{name}: {allocated} bytes for {}: {}", input.len(), shown());
        if began.elapsed().as_secs() >= INPUT_SECONDS_MAX {
            // A machine with more to do may have let it wait: what is slow is slow again.
            let began = Instant::now();
            read(&input);
            assert!(began.elapsed().as_secs() < INPUT_SECONDS_MAX, "{name} takes long: {}", shown());
        }
        if kinds.insert(kind) || chance.one_in(500) {
            source.keep(input);
        }
    }
    println!(
        "{name}: {inputs} inputs in {:?}, {} kinds of outcome, slowest {slowest:?}, most allocated {most} bytes",
        started.elapsed(),
        kinds.len(),
    );
    let mut kinds: Vec<String> = kinds.into_iter().collect();
    kinds.sort();
    println!("  {}", kinds.join("\n  "));
}
