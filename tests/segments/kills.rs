//! Compaction that is cut off, or overtaken.

use crate::chance::Chance;
use crate::rows::{history, replay, row, Told, TABLE};
use crate::world::{add, fill, numbers, open, stored, NOW};
use flette::model::Key;
use flette::replica::{Draft, Replica};
use flette::store::memory::MemoryStore;
use flette::store::{Batch, Durability, KeyRange, Store, Table, Write};
use pollster::block_on;

fn assert_holds(replica: &Replica<MemoryStore>, told: &[Told]) {
    let rows = replay(told);
    let state = replica.state();
    assert_eq!(state.tables[TABLE].mirror.as_ref().unwrap().len(), rows.len());
    for (id, row) in rows {
        let seen = state.row(&Key::new(TABLE, id)).unwrap();
        assert_eq!(format!("{:?}", seen.row), format!("{row:?}"));
    }
}

fn slice(replica: &Replica<MemoryStore>) -> bool {
    block_on(replica.compact(NOW, &[TABLE])).unwrap()
}

#[test]
fn killed_after_any_slice_nothing_is_lost_and_the_next_life_goes_on() {
    let told = history(4_500, 1_200, &mut Chance::new(7));
    let (store, _) = fill(&told, &[], 40);
    for life in 0..60 {
        let replica = open(&store);
        let before = stored(&store);
        for _ in 0..=life {
            if !slice(&replica) {
                assert_holds(&replica, &told);
                assert!(stored(&store) < 8, "{} segments are left", stored(&store));
                return;
            }
        }
        assert!(stored(&store) <= before);
        assert_holds(&open(&store), &told);
    }
    panic!("compaction never came to its end");
}

#[test]
fn a_merge_gives_way_to_another_context_a_new_schema_and_a_new_generation() {
    let told = history(4_500, 1_200, &mut Chance::new(8));
    type Meanwhile = fn(&mut Draft);
    let nothing: Meanwhile = |_| {};
    let schema: Meanwhile = |draft| draft.set_schema((*draft.schema()).clone());
    let swap: Meanwhile = |draft| {
        let mut cursor = draft.cursor(TABLE);
        cursor.shadow = Some(cursor.live + 1);
        draft.set_cursor(TABLE, cursor);
        draft.swap(TABLE);
    };
    for (what, meanwhile, rows) in
        [("another context", nothing, true), ("a schema", schema, true), ("a generation", swap, false)]
    {
        let (store, _) = fill(&told, &[], 40);
        let replica = open(&store);
        assert!(slice(&replica) && slice(&replica), "{what}: a merge must be under way");
        if what == "another context" {
            let other = open(&store);
            while slice(&other) {}
        }
        let done = replica.transact(NOW, Durability::Strict, &[TABLE], |draft| {
            meanwhile(draft);
            Ok(())
        });
        block_on(done).unwrap();
        while slice(&replica) {}
        let again = open(&store);
        let told = if rows { told.as_slice() } else { &[] };
        assert_holds(&again, told);
        while slice(&again) {}
        assert_holds(&again, told);
        assert!(numbers(&again).len() < 8, "{what}");
    }
}

#[test]
fn however_many_deltas_come_few_segments_and_few_dead_items_are_kept() {
    let mut chance = Chance::new(9);
    let mut told = history(300, 200, &mut chance);
    let (store, mut version) = fill(&told, &[], 3);
    let replica = open(&store);
    for _ in 0..150 {
        let delta = history(12, 200, &mut chance);
        add(&replica, &delta, &mut version);
        told.extend(delta);
        while slice(&replica) {}
        assert!(numbers(&replica).len() < 16, "{} segments", numbers(&replica).len());
    }
    assert_holds(&replica, &told);
    let bytes = replica.state().tables[TABLE].stored_bytes();
    let fresh = fill(&told, &[], 1).0;
    let once = open(&fresh);
    while slice(&once) {}
    let alone = once.state().tables[TABLE].stored_bytes();
    println!("{bytes} bytes after 150 deltas, {alone} for all items at once");
    assert!(bytes < alone * 3, "{bytes} bytes, where {alone} would do");
}

#[test]
fn rows_that_are_all_deleted_leave_nothing_behind() {
    let mut chance = Chance::new(10);
    let rows: Vec<Told> = (0..2_500).map(|id| Told::Row(id, row(&mut chance))).collect();
    let gone: Vec<Told> = (0..2_500).map(Told::Gone).collect();
    let (store, mut version) = fill(&rows, &[], 1);
    let replica = open(&store);
    add(&replica, &gone, &mut version);
    while slice(&replica) {}
    assert_eq!((stored(&store), numbers(&replica).len()), (0, 0));
    assert_holds(&replica, &[]);
    assert_holds(&open(&store), &[]);
}

/// Overwrites the first stored segment: with noise, or with one of a format to come.
fn spoil(store: &MemoryStore, newer: bool) {
    let (key, mut value) =
        block_on(store.scan(Table::Segment, KeyRange::all(), 1)).unwrap().into_iter().next().unwrap();
    if newer {
        value[4] = 200;
        let head = u32::from_le_bytes(value[8..12].try_into().unwrap()) as usize;
        let mut sum = crc32fast::Hasher::new();
        sum.update(&value[..12]);
        sum.update(&value[16..head]);
        value[12..16].copy_from_slice(&sum.finalize().to_le_bytes());
    } else {
        value.truncate(value.len() / 2);
    }
    let expected = block_on(store.revision()).unwrap();
    let writes = vec![Write::Put { table: Table::Segment, key, value }];
    block_on(store.commit(Batch { expected, durability: Durability::Strict, writes })).unwrap();
}

#[test]
fn a_segment_that_cannot_be_read_is_left_out_said_to_be_missing_and_not_merged_over() {
    let told = history(400, 100, &mut Chance::new(12));
    for newer in [false, true] {
        let (store, _) = fill(&told, &[], 20);
        spoil(&store, newer);
        let replica = open(&store);
        // The first segment has the first half.
        let rest = replay(&told[200..]);
        {
            let state = replica.state();
            let table = &state.tables[TABLE];
            assert!(!table.cursor.complete && table.cursor.delta_link.is_none(), "newer: {newer}");
            assert_eq!(table.mirror.as_ref().unwrap().len(), rest.len());
        }
        assert!(!slice(&replica));
        assert_eq!((stored(&store), numbers(&replica).len()), (20, 19));
    }
}
