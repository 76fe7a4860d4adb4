//! The world of the simulation against `flette-server` processes over TCP, through a proxy that loses, delays, cuts, doubles
//! and resets, while the server is killed now and then; on SQLite and on PostgreSQL. What is checked is what goes over
//! the line, and what everybody shows in the end.
//!
//! `FLETTE_RUNS` on each database (a few unless it says more), from seed `FLETTE_FIRST` on, on the databases in
//! `FLETTE_DATABASES`, `FLETTE_THREADS` at a time; the program is the one beside this test's, or the one that
//! `FLETTE_SERVER` names. With `FLETTE_TELL` everything that happens is printed. Where time is real a seed decides what is done, not when it arrives: to run one again may take several tries.

#![allow(clippy::unwrap_used)]

#[path = "../../server/tests/support/postgres.rs"]
#[allow(dead_code, reason = "another package's tests use the rest")]
mod postgres;

use flette_sim::process::proxy::{Luck, Trick};
use flette_sim::process::{sign_in, Place, Remote, Tokens};
use flette_sim::tale;
use flette_sim::template::Offer;
use flette_sim::world::{offer_elsewhere, run_against, Outcome};
use postgres::Postgres;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

const RUNS: u64 = 4;
/// Runs at a time on each database.
const THREADS: u64 = 2;
/// From so many runs on every trick must have been played.
const RUNS_WITH_ALL_TRICKS: u64 = 40;
/// Devices' users, and who looks at the server.
const USERS: [&str; 3] = ["demo", "admin", "anna"];
/// What SQLite keeps beside a database.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        }
    }

    fn is_wanted(self) -> bool {
        let wanted = std::env::var("FLETTE_DATABASES").unwrap_or_else(|_| "sqlite,postgres".to_owned());
        wanted.split(',').any(|name| name == self.name())
    }
}

/// Databases of one kind: the first has the people of the demo and sessions of theirs, the others are copies of it.
struct Ground {
    kind: Kind,
    folder: PathBuf,
    template: String,
    tokens: Tokens,
}

impl Ground {
    fn new(kind: Kind) -> Ground {
        let folder =
            std::env::temp_dir().join(format!("flette-process-{}-{}", kind.name(), std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let template = match kind {
            Kind::Sqlite => format!("sqlite:{}", folder.join("template.sqlite").display()),
            Kind::Postgres => Postgres::shared().database(),
        };
        let mut ground = Ground { kind, folder, template, tokens: Tokens::new() };
        ground.tokens = sign_in(&ground.place(ground.template.clone(), Offer::default()), &USERS).unwrap();
        ground
    }

    fn place(&self, database: String, offer: Offer) -> Place {
        Place { program: program(), database, log: self.folder.join("server.log"), offer }
    }

    fn copy(&self, seed: u64) -> String {
        match self.kind {
            Kind::Sqlite => {
                let copy = format!("sqlite:{}", self.folder.join(format!("run-{seed}.sqlite")).display());
                for suffix in SUFFIXES {
                    let name = |url: &str| format!("{}{suffix}", url.trim_start_matches("sqlite:"));
                    if suffix != "-shm" && PathBuf::from(name(&self.template)).exists() {
                        std::fs::copy(name(&self.template), name(&copy)).unwrap();
                    }
                }
                copy
            }
            Kind::Postgres => Postgres::shared().copy_of(&self.template),
        }
    }

    fn remove(&self, database: &str) {
        match self.kind {
            Kind::Sqlite => {
                for suffix in SUFFIXES {
                    let _ =
                        std::fs::remove_file(format!("{}{suffix}", database.trim_start_matches("sqlite:")));
                }
            }
            Kind::Postgres => {
                let name = database.split('?').next().unwrap().rsplit('/').next().unwrap();
                Postgres::shared().ask("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
            }
        }
    }

    fn run(&self, seed: u64, sums: &Mutex<Sums>) {
        let database = self.copy(seed);
        let (luck, offer) = (Arc::new(Luck::new(seed)), offer_elsewhere(seed));
        let remote = Remote::start(&self.place(database.clone(), offer), self.tokens.clone(), luck.clone());
        let outcome = remote.and_then(|remote| run_against(seed, remote));
        self.remove(&database);
        let mut sums = sums.lock().unwrap();
        for (trick, count) in luck.counts() {
            *sums.tricks.entry(format!("{trick:?}")).or_default() += count;
        }
        match outcome {
            Ok(outcome) => {
                sums.bare += u64::from(!offer.extensions);
                sums.add(outcome);
            }
            Err(why) => sums.failures.push(format!(
                "{why}\n  again: FLETTE_RUNS=1 FLETTE_FIRST={seed} FLETTE_DATABASES={} \
                 cargo test -p flette-sim --test process",
                self.kind.name()
            )),
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[derive(Default)]
struct Sums {
    runs: u64,
    /// Of these, against servers that have nothing beyond Dataverse.
    bare: u64,
    requests: u64,
    changes: u64,
    conflicts: u64,
    parked: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    tricks: BTreeMap<String, u64>,
    failures: Vec<String>,
}

impl Sums {
    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        self.requests += outcome.requests;
        self.changes += outcome.changes;
        self.conflicts += outcome.conflicts;
        for (why, count) in outcome.parked {
            *self.parked.entry(why).or_default() += count;
        }
        for (fault, count) in outcome.faults {
            *self.faults.entry(fault.to_string()).or_default() += count;
        }
    }
}

/// The server's program.
fn program() -> PathBuf {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("flette-server"));
    let named = std::env::var_os("FLETTE_SERVER").map(PathBuf::from).or_else(beside);
    let program = named.filter(|path| path.is_file());
    program.expect(
        "no flette-server beside the tests: `cargo build -p flette-server`, or name it in FLETTE_SERVER",
    )
}

fn number(name: &str, standard: u64) -> u64 {
    std::env::var(name).map_or(standard, |text| text.parse().expect("a number"))
}

fn list<K: Display>(counts: &BTreeMap<K, u64>) -> String {
    counts.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
}

fn hold(kind: Kind) {
    if !kind.is_wanted() {
        return;
    }
    let (started, runs, first) = (Instant::now(), number("FLETTE_RUNS", RUNS), number("FLETTE_FIRST", 1));
    let (ground, next, sums) = (Ground::new(kind), AtomicU64::new(first), Mutex::<Sums>::default());
    std::thread::scope(|scope| {
        for _ in 0..number("FLETTE_THREADS", THREADS) {
            scope.spawn(|| {
                if std::env::var_os("FLETTE_TELL").is_some() {
                    tale::begin();
                }
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs {
                        return;
                    }
                    ground.run(seed, &sums);
                }
            });
        }
    });
    let sums = sums.into_inner().unwrap();
    println!(
        "{}: {} runs, {} of them without extensions, {} requests, {} acknowledged changes traced, {} conflicts, {} s",
        kind.name(),
        sums.runs,
        sums.bare,
        sums.requests,
        sums.changes,
        sums.conflicts,
        started.elapsed().as_secs()
    );
    println!("on the line: {}", list(&sums.tricks));
    println!("elsewhere: {}", list(&sums.faults));
    println!("parked: {}", list(&sums.parked));
    assert!(sums.failures.is_empty(), "{} failed:\n{}", sums.failures.len(), sums.failures.join("\n"));
    assert!(sums.changes > runs && sums.requests > 50 * runs, "too little happened");
    let missing = Trick::ALL.iter().find(|trick| !sums.tricks.contains_key(&format!("{trick:?}")));
    assert!(runs < RUNS_WITH_ALL_TRICKS || missing.is_none(), "{missing:?} was never played");
}

#[test]
fn every_promise_holds_against_a_server_process_on_sqlite() {
    hold(Kind::Sqlite);
}

#[test]
fn every_promise_holds_against_a_server_process_on_postgres() {
    hold(Kind::Postgres);
}
