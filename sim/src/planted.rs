//! Whether planted bugs are caught, and after how many seeds.

/// Which seeds are tried.
#[cfg_attr(not(feature = "planted-bugs"), allow(dead_code, reason = "nothing is hunted without bugs"))]
pub struct Hunt {
    pub first: u64,
    pub seeds: u64,
    pub threads: usize,
    pub told: bool,
}

/// Without bugs there is nothing to hunt.
#[cfg(not(feature = "planted-bugs"))]
pub fn hunt(_: &str, _: &Hunt) -> std::process::ExitCode {
    eprintln!("error: build with --features planted-bugs");
    std::process::ExitCode::FAILURE
}

#[cfg(feature = "planted-bugs")]
pub use with_bugs::hunt;

#[cfg(feature = "planted-bugs")]
mod with_bugs {
    use super::Hunt;
    use flette_odata::planted::{plant, Bug};
    use flette_sim::tale::{self, tell};
    use flette_sim::world::{run, Beginnings};
    use std::process::ExitCode;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};

    /// Hunts one bug, or all: a line each, as a row of a table.
    pub fn hunt(name: &str, hunt: &Hunt) -> ExitCode {
        let beginnings = Beginnings::new().and_then(|beginnings| {
            // No bug is part of what runs begin with.
            beginnings.make_all().map(|()| beginnings)
        });
        let beginnings = match beginnings {
            Ok(beginnings) => beginnings,
            Err(why) => {
                eprintln!("error: {why}");
                return ExitCode::FAILURE;
            }
        };
        let seen = |bug: &Bug| !Bug::OF_VALUES.contains(bug) && !Bug::OF_THE_GROUND.contains(bug);
        let wanted = |title: &str| name == "all" || title == name;
        let chosen: Vec<_> =
            Bug::ALL.into_iter().filter(|(_, title, bug)| seen(bug) && wanted(title)).collect();
        let mut missed = 0;
        for (number, name, bug) in &chosen {
            match caught(*bug, hunt, &beginnings) {
                Some((seed, why)) => {
                    let promise = why.split(':').next().unwrap_or_default();
                    println!("| {number} | {name} | {} | {promise} |", seed - hunt.first + 1);
                    eprintln!("seed {seed}: {why}");
                }
                None => {
                    missed += 1;
                    println!("| {number} | {name} | not within {} | |", hunt.seeds);
                }
            }
        }
        println!("{} planted, {} caught", chosen.len(), chosen.len() - missed);
        ExitCode::from(u8::from(missed > 0 || chosen.is_empty()))
    }

    /// The first seed that breaks a promise, and which one.
    fn caught(bug: Bug, hunt: &Hunt, beginnings: &Beginnings) -> Option<(u64, String)> {
        let (next, over) = (AtomicU64::new(hunt.first), AtomicBool::new(false));
        let found: Mutex<Option<(u64, String)>> = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..hunt.threads {
                scope.spawn(|| {
                    if hunt.told {
                        tale::begin();
                    }
                    while !over.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= hunt.first.saturating_add(hunt.seeds) {
                            return;
                        }
                        if let Some(why) = broken(bug, seed, beginnings) {
                            over.store(true, Ordering::Relaxed);
                            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                            if found.as_ref().is_none_or(|(earlier, _)| seed < *earlier) {
                                *found = Some((seed, why));
                            }
                        }
                    }
                });
            }
        });
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a seed breaks with a bug. One that fails without it, too, is no catch.
    fn broken(bug: Bug, seed: u64, beginnings: &Beginnings) -> Option<String> {
        plant(Some(bug));
        let why = run(seed, beginnings).err()?;
        plant(None);
        tell(|| format!("seed {seed} broke with the bug; now without it"));
        match run(seed, beginnings) {
            Ok(_) => Some(why),
            Err(why) => {
                eprintln!("seed {seed} fails without any bug: {why}");
                None
            }
        }
    }
}
