//! A few seeds, and those that failed once: every promise holds, and a seed runs the same each time. `npm test` runs
//! 3,000 of them.

use flette_sim::world::{run, Beginnings, Outcome};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

const SEEDS: u64 = 12;
const THREADS: usize = 2;

#[test]
fn every_promise_holds_for_a_few_seeds() {
    let failed_once = include_str!("../failed-once.txt").lines().filter_map(|line| line.split('#').next());
    let seeds: Vec<u64> = failed_once.filter_map(|seed| seed.trim().parse().ok()).chain(1..=SEEDS).collect();
    let beginnings = Beginnings::new().unwrap();
    let next = AtomicU64::new(0);
    let (failures, sums) = (Mutex::new(Vec::new()), Mutex::new((0, 0)));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| loop {
                let at = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
                let Some(seed) = seeds.get(at) else { return };
                match run(*seed, &beginnings) {
                    Ok(Outcome { changes, conflicts, .. }) => {
                        let mut sums = sums.lock().unwrap();
                        *sums = (sums.0 + changes, sums.1 + conflicts);
                    }
                    Err(why) => failures.lock().unwrap().push(format!("seed {seed}: {why}")),
                }
            });
        }
    });
    let (failures, (changes, conflicts)) = (failures.into_inner().unwrap(), sums.into_inner().unwrap());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    println!("{changes} acknowledged changes traced, {conflicts} conflicts");
    assert!(changes > 50 && conflicts > 5, "{changes} changes, {conflicts} conflicts: too little happened");
}

#[test]
fn a_seed_runs_the_same_each_time() {
    let beginnings = Beginnings::new().unwrap();
    let [first, second] = [7, 7].map(|seed| run(seed, &beginnings).unwrap());
    assert_eq!((first.trace, first.requests), (second.trace, second.requests));
}
