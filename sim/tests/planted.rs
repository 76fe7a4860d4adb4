//! Bugs planted on purpose are caught within few seeds, by the promises that they break, and by nothing when they are not
//! planted. `npm run sim -- --planted all` hunts the whole catalogue; the table is in `docs/reliability.md`.

use flette_odata::planted::{plant, Bug};
use flette_sim::world::{run, Beginnings};

const SEEDS: u64 = 60;

/// Those that are caught soonest, with the promises that they break.
const QUICK: [(Bug, &str); 4] = [
    (Bug::WholeRowSent, "I-19"),
    (Bug::SyncedTooEarly, "I-27"),
    (Bug::ChangeSetTorn, "a change set was torn"),
    (Bug::ClockNotStored, "I-25"),
];

/// The first seed that breaks a promise, and which one.
fn caught(bug: Option<Bug>, seeds: u64, beginnings: &Beginnings) -> Option<(u64, String)> {
    plant(bug);
    let caught = (0..seeds).find_map(|seed| Some((seed, run(seed, beginnings).err()?)));
    plant(None);
    caught
}

#[test]
fn planted_bugs_break_their_promises_within_few_seeds() {
    let beginnings = Beginnings::new().unwrap();
    beginnings.make_all().unwrap();
    for (bug, promise) in QUICK {
        let (seed, why) =
            caught(Some(bug), SEEDS, &beginnings).unwrap_or_else(|| panic!("{bug:?} is not caught"));
        assert!(why.starts_with(promise), "{bug:?}, seed {seed}: {why}");
        assert_eq!(caught(None, seed + 1, &beginnings), None, "without {bug:?}");
    }
}
