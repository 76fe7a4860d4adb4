//! Every state of a small world, at every push; `npm run model` walks through larger ones.

use flette_model::world::Bounds;
use stateright::{Checker, Model};

/// States of two operations are few thousands: fewer means that the model does not move any more.
const STATES_MIN: usize = 1_000;

#[test]
fn whatever_happens_around_two_operations_is_accounted_for() {
    for (live, receipts) in [(2, true), (1, true), (2, false)] {
        let checker = Bounds::new(2, live, receipts, 2).checker().threads(2).spawn_dfs().join();
        checker.assert_properties();
        let states = checker.unique_state_count();
        println!("{live} rows in the beginning, receipts {receipts}: {states} states");
        assert!(states > STATES_MIN, "{states} states");
    }
}
