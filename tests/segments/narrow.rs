//! Only what is shown is unpacked: a row read by its id does not unpack the columns that nobody asked for.

use crate::chance::Chance;
use crate::rows::{history, key, Told};
use crate::world::{engine, fill, get};

#[test]
fn a_row_read_by_its_id_unpacks_the_columns_that_it_shows() {
    let mut chance = Chance::new(5);
    let history = history(600, 600, &mut chance);
    let gone = |id: usize| {
        history.iter().rev().find_map(|told| match told {
            Told::Row(told, _) if *told == id => Some(false),
            Told::Gone(told) if *told == id => Some(true),
            Told::Row(..) | Told::Gone(_) => None,
        })
    };
    let id = (0..600).find(|id| gone(*id) == Some(false)).unwrap();
    let (store, _) = fill(&history, &[], 1);
    let row = format!("things({})", key(id));
    let unpacked = |paths: &[String]| {
        let engine = engine(&store);
        for path in paths {
            assert_eq!(get(&engine, path, "").status, 200, "{path}");
        }
        engine.unpacked_bytes()
    };
    let all = unpacked(std::slice::from_ref(&row));
    for part in ["?$select=size", "/size", "/size/$value"] {
        let part = unpacked(&[format!("{row}{part}")]);
        assert!(part > 0 && part < all / 4, "{part} of {all} bytes");
    }
}
