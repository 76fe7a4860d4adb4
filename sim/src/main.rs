//! `flette-sim [--seeds N] [--first K] [--threads T] [--tell] [--planted NAME|all]`: runs seeds K..K+N, and before them those that failed once. A
//! failure names its seed and how to run it again; with `--tell` everything that happens is printed.

mod planted;

use flette_sim::faults::Fault;
use flette_sim::tale;
use flette_sim::traffic::BESIDE;
use flette_sim::world::{run, Beginnings, Outcome};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A third of the time went to the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Each such seed runs twice, and must come to the same (H-1).
const TWICE_EVERY: u64 = 100;
/// From so many seeds on, every fault, answer, conflict and reason must have come (H-2).
const SEEDS_WITH_ALL_FAULTS: u64 = 1000;
/// What devices must have heard by then (H-2): by what they asked, the server's own answers, then those of something between.
const HEARD: [(&str, &[u16], &[u16]); 7] = [
    ("create", &[201, 403, 404], &[]),
    ("update", &[200, 400, 403, 404, 412], &[]),
    ("delete", &[204, 412], &[]),
    ("change set", &[200, 400, 403, 404, 412], &[]),
    ("read", &[200, 400, 401, 403, 404], &[401, 404, 407, 408, 413, 429, 500, 501, 502, 503, 504]),
    ("link", &[200, 400, 401, 410], &[401, 403, 404, 407, 408, 413, 429, 500, 501, 502, 503, 504]),
    ("batch", &[], &[400, 401, 403, 404, 407, 413, 429, 500, 501, 502, 503, 504]),
];
/// The kinds of conflict, with who may win, that must have come by then.
const MERGED: [&str; 4] =
    ["field, local wins", "field, server wins", "deleted-here, server wins", "deleted-there, server wins"];
/// Why changes must have been parked by then: a value outside of what the column takes, or of another type than it has by now,
/// a column that is gone, a column that may not be created with or changed, a row that is gone.
const PARKED: [&str; 6] = [
    "400 0x8004431a",
    "400 0x80048d19",
    "400 0x80060888",
    "403 0x8004f502",
    "403 0x8004f507",
    "404 0x80040217",
];
/// Seeds that failed once, one a line, with what was wrong behind `#`.
const FAILED_ONCE: &str = include_str!("../failed-once.txt");

#[derive(Default)]
struct Sums {
    scenarios: u64,
    steps: u64,
    requests: u64,
    changes: u64,
    conflicts: u64,
    parked: BTreeMap<String, u64>,
    faults: BTreeMap<Fault, u64>,
    heard: BTreeMap<String, u64>,
    merged: BTreeMap<String, u64>,
    failed: u64,
}

impl Sums {
    fn add(&mut self, outcome: Outcome) {
        self.scenarios += 1;
        self.steps += outcome.steps;
        self.requests += outcome.requests;
        self.changes += outcome.changes;
        self.conflicts += outcome.conflicts;
        add(&mut self.parked, outcome.parked);
        add(&mut self.faults, outcome.faults);
        add(&mut self.heard, outcome.heard);
        add(&mut self.merged, outcome.merged);
    }

    fn tell(&self) {
        println!(
            "{} scenarios, {} steps, {} requests, {} acknowledged changes traced, {} conflicts",
            self.scenarios, self.steps, self.requests, self.changes, self.conflicts
        );
        println!("faults: {}", list(&self.faults));
        println!("heard: {}", list(&self.heard));
        println!("conflicts: {}", list(&self.merged));
        println!("parked: {}", list(&self.parked));
    }

    /// H-2: a batch in which something never came shows nothing about it.
    fn check_reached(&mut self) {
        let faults = Fault::all().filter(|fault| !self.faults.contains_key(fault));
        let mut missing: Vec<String> = faults.map(|fault| fault.to_string()).collect();
        for (asked, own, foreign) in HEARD {
            let own = own.iter().map(|status| format!("{asked} {status}"));
            let foreign = foreign.iter().map(|status| format!("{asked} {status} of a gateway"));
            missing.extend(own.chain(foreign).filter(|heard| !self.heard.contains_key(heard)));
        }
        missing.extend((!self.heard.contains_key(BESIDE)).then(|| BESIDE.to_owned()));
        let merged = MERGED.into_iter().filter(|kind| !self.merged.contains_key(*kind));
        missing.extend(merged.map(|kind| format!("conflict {kind}")));
        let parked = PARKED.into_iter().filter(|reason| !self.parked.contains_key(*reason));
        missing.extend(parked.map(|reason| format!("parked for {reason}")));
        for what in missing {
            println!("H-2: {what} never came");
            self.failed += 1;
        }
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (what, count) in more {
        *sums.entry(what).or_default() += count;
    }
}

fn list<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    let each: Vec<String> = counts.iter().map(|(what, count)| format!("{what}: {count}")).collect();
    each.join(", ")
}

struct Options {
    seeds: u64,
    first: u64,
    threads: usize,
    told: bool,
    planted: Option<String>,
}

impl Options {
    fn read() -> Result<Options, String> {
        let number = |name: &str, standard: u64| {
            let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
            match arguments.next() {
                Some(text) => text.parse().map_err(|_| format!("{name} takes a number")),
                None => Ok(standard),
            }
        };
        let mut names = std::env::args().skip_while(|argument| argument != "--planted").skip(1);
        let planted = names.next();
        let told = std::env::args().any(|argument| argument == "--tell");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = usize::try_from(number("--threads", 0)?).unwrap_or(0);
        let threads = if threads == 0 { cores } else { threads };
        let (seeds, first) = (number("--seeds", 100)?, number("--first", 1)?);
        Ok(Options { seeds, first, threads: if told { 1 } else { threads }, told, planted })
    }

    fn seeds(&self) -> Vec<u64> {
        let failed = FAILED_ONCE.lines().filter_map(|line| line.split('#').next()?.trim().parse().ok());
        let again: Vec<u64> = if self.seeds > 1 { failed.collect() } else { Vec::new() };
        again.into_iter().chain(self.first..self.first.saturating_add(self.seeds)).collect()
    }
}

fn simulate(options: &Options) -> Result<Sums, String> {
    let beginnings = Beginnings::new()?;
    let (seeds, next, sums) = (options.seeds(), AtomicUsize::new(0), Mutex::new(Sums::default()));
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                if options.told {
                    tale::begin();
                }
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = twice(*seed, &beginnings);
                    let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                    match outcome {
                        Ok(outcome) => sums.add(outcome),
                        Err(why) => {
                            println!("seed {seed}: {why}\n  again: npm run sim -- --first {seed} --seeds 1");
                            sums.failed += 1;
                        }
                    }
                }
            });
        }
    });
    Ok(sums.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Every hundredth seed runs twice (H-1).
fn twice(seed: u64, beginnings: &Beginnings) -> Result<Outcome, String> {
    let first = run(seed, beginnings)?;
    if seed % TWICE_EVERY == 0 {
        let second = run(seed, beginnings)?;
        if first.trace != second.trace || first.requests != second.requests {
            return Err("H-1: the seed ran differently the second time".to_owned());
        }
    }
    Ok(first)
}

fn main() -> ExitCode {
    let started = Instant::now();
    if let Ok(Options { planted: Some(name), seeds, first, threads, told }) = Options::read() {
        return planted::hunt(&name, &planted::Hunt { first, seeds, threads, told });
    }
    let simulated = Options::read().and_then(|options| Ok((simulate(&options)?, options.seeds)));
    match simulated {
        Ok((mut sums, seeds)) => {
            sums.tell();
            if seeds >= SEEDS_WITH_ALL_FAULTS {
                sums.check_reached();
            }
            println!("{} s", started.elapsed().as_secs());
            println!("{} passed, {} failed", sums.scenarios, sums.failed);
            ExitCode::from(u8::from(sums.failed > 0))
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
