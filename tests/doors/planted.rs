//! Bugs planted on purpose that show in values only, hunted by the queries of [`crate::chance`].

use crate::chance::queries_until_the_doors_differ;
use flette_odata::planted::{plant, Bug};

/// Where the hunt begins; any would do.
const FIRST: u64 = 1_000_000;
const QUERIES_MAX: u64 = 2_000;

#[test]
fn bugs_of_values_are_found_by_chance_and_nothing_without_them() {
    for bug in Bug::OF_VALUES {
        plant(Some(bug));
        let found = queries_until_the_doors_differ(FIRST, QUERIES_MAX);
        plant(None);
        println!("{bug:?}: {found:?} queries");
        let found = found.unwrap_or_else(|| panic!("{bug:?} is not found"));
        assert_eq!(queries_until_the_doors_differ(FIRST, found), None, "{bug:?}: it differs without the bug");
    }
}
