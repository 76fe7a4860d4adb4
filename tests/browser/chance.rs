//! Connections that are lost by chance, as often in a row as a store survives: whatever the browser closes, every
//! operation is answered (L-1), and shows what was acknowledged and nothing else (I-3).

use super::lost::{abort_commits, batch, fire_close, lose_outcomes, name, open, refuse_transactions, Fault};
use flette::browser::{IndexedDbStore, REOPENINGS_MAX};
use flette::store::{KeyRange, Revision, Store, StoreError, Table};
use wasm_bindgen_test::wasm_bindgen_test;

const SEEDS: u64 = 6;
const STEPS: u32 = 8;

/// Numbers by chance (xorshift, G. Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) % sides
    }

    /// What goes wrong in the next operation.
    fn fault(&mut self) -> Option<Fault> {
        let times = 1 + u32::try_from(self.roll(u64::from(REOPENINGS_MAX))).expect("small");
        match self.roll(6) {
            0 => Some(Fault(fire_close(times))),
            1 => Some(Fault(refuse_transactions(times))),
            2 => Some(Fault(lose_outcomes(times))),
            3 => Some(Fault(abort_commits(times, "AbortError"))),
            _ => None,
        }
    }
}

/// What a store must show.
#[derive(Default)]
struct Acknowledged {
    revision: u64,
    value: Option<Vec<u8>>,
}

/// The promise that a seed breaks.
async fn run(seed: u64) -> Result<(), String> {
    let (mut dice, store, mut known) = (Dice::new(seed), open(&name()).await, Acknowledged::default());
    for number in 0..STEPS {
        let fault = dice.fault();
        let done = step(&mut dice, &store, &mut known).await;
        drop(fault);
        done.map_err(|why| format!("{why} (seed {seed}, step {number})"))?;
    }
    is(Ok(known.value), value(&store).await)
}

async fn step(dice: &mut Dice, store: &IndexedDbStore, known: &mut Acknowledged) -> Result<(), String> {
    match dice.roll(4) {
        0 => is(Ok(Revision(known.revision)), store.revision().await),
        1 => is(Ok(known.value.clone()), value(store).await),
        2 => {
            let pairs = store.scan(Table::Journal, KeyRange::all(), 9).await;
            is(Ok(known.value.iter().len()), pairs.map(|pairs| pairs.len()))
        }
        _ => {
            let next = dice.roll(u64::MAX).to_be_bytes().to_vec();
            let answer = store.commit(batch(known.revision, &next)).await;
            is(Ok(Revision(known.revision + 1)), answer)?;
            *known = Acknowledged { revision: known.revision + 1, value: Some(next) };
            Ok(())
        }
    }
}

async fn value(store: &IndexedDbStore) -> Result<Option<Vec<u8>>, StoreError> {
    store.get(Table::Journal, b"k").await
}

fn is<T: PartialEq>(expected: Result<T, StoreError>, answer: Result<T, StoreError>) -> Result<(), String> {
    match answer {
        answer if answer == expected => Ok(()),
        Ok(_) => Err("I-3: the store shows something else than what was acknowledged".to_owned()),
        Err(error) => Err(format!("L-1: an operation is not answered: {error:?}")),
    }
}

#[wasm_bindgen_test]
async fn whatever_connections_are_lost_every_operation_is_answered() {
    for seed in 0..SEEDS {
        assert_eq!(run(seed).await, Ok(()));
    }
}

#[cfg(feature = "planted-bugs")]
#[wasm_bindgen_test]
async fn planted_a_closed_handle_that_is_kept_is_caught_and_nothing_without_it() {
    use flette_odata::planted::{plant, Bug};
    const SEEDS_MAX: u64 = 200;
    let mut caught = None;
    for seed in 0..SEEDS_MAX {
        plant(Some(Bug::ClosedHandleKept));
        let outcome = run(seed).await;
        plant(None);
        assert_eq!(run(seed).await, Ok(()), "without the bug");
        if let Err(why) = outcome {
            caught = Some((seed, why));
            break;
        }
    }
    let (seed, why) = caught.expect("it is not caught");
    assert!(why.starts_with("L-1"), "{why}");
    wasm_bindgen_test::console_log!("| 20 | closed-handle-kept | {} | {why} |", seed + 1);
}
