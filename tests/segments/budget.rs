//! Unpacked columns are forgotten beyond a budget, and nobody notices.

use crate::asks::Asked;
use crate::chance::Chance;
use crate::rows::history;
use crate::world::{engine, fill, get};

#[test]
fn between_requests_no_more_is_unpacked_than_allowed_and_answers_stay_the_same() {
    let mut chance = Chance::new(11);
    let (store, _) = fill(&history(1_500, 900, &mut chance), &[], 7);
    let mut asked: Vec<Asked> = (0..30).map(|_| Asked::new(&mut chance)).collect();
    asked.retain(|asked| asked.spoken);
    let free = engine(&store);
    let mut most = 0;
    let expected: Vec<Vec<u8>> = asked
        .iter()
        .map(|asked| {
            let answer = get(&free, &asked.path(), "").body;
            most = most.max(free.unpacked_bytes());
            answer
        })
        .collect();
    assert!(most > 100_000, "{most} bytes: too few to tell anything");
    for bytes_max in [0, 1, most / 20, most / 3, most] {
        let tight = engine(&store);
        tight.limit_unpacked(bytes_max);
        for _ in 0..2 {
            for (asked, expected) in asked.iter().zip(&expected) {
                assert!(get(&tight, &asked.path(), "").body == *expected, "{}", asked.path());
                let unpacked = tight.unpacked_bytes();
                assert!(unpacked <= bytes_max, "{unpacked} bytes of at most {bytes_max}");
            }
        }
    }
}
