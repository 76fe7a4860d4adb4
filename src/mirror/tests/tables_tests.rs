use super::*;
use std::collections::BTreeMap;

type Rows = BTreeMap<Uuid, (String, Row)>;

/// What a history leaves, item by item.
fn replay<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Rows {
    let mut rows = Rows::new();
    for change in changes {
        match change {
            Change::Put(id, etag, row) => {
                rows.insert(key(*id), (etag.clone(), with_key(row, key(*id))));
            }
            Change::Delete(id) => {
                rows.remove(&key(*id));
            }
        }
    }
    rows
}

fn assert_holds(mirror: &MirrorTable, expected: &Rows) {
    assert_eq!(mirror.len(), expected.len());
    let mut ids: Vec<Uuid> = mirror.ids().collect();
    ids.sort_unstable();
    assert_eq!(ids, expected.keys().copied().collect::<Vec<_>>());
    for (id, (etag, row)) in expected {
        assert_eq!(mirror.etag(*id).as_ref(), Some(etag));
        assert_same(&mirror.row(*id).unwrap(), row);
        let at = mirror.find(*id).unwrap();
        assert_eq!((mirror.id_at(at), &mirror.etag_at(at)), (*id, etag));
        assert_eq!(&mirror.cell(at, "name"), &row["name"]);
        assert_eq!(mirror.cell(at, "thingid"), Value::Guid(*id));
    }
    for id in (0..40).map(key).filter(|id| !expected.contains_key(id)) {
        assert!(!mirror.contains(id) && mirror.row(id).is_none() && mirror.etag(id).is_none());
    }
    assert_eq!(mirror.select(None, &[]).len(), expected.len());
}

/// Segments of a history, and an order in which they arrive.
fn history() -> impl Strategy<Value = (Vec<Vec<Change>>, Vec<usize>)> {
    prop::collection::vec(prop::collection::vec(change(40), 0..8), 1..8).prop_flat_map(|segments| {
        let order: Vec<usize> = (0..segments.len()).collect();
        (Just(segments), Just(order).prop_shuffle())
    })
}

fn mirror_of(segments: &[Vec<Change>], order: &[usize]) -> MirrorTable {
    let mut mirror = MirrorTable::new(&table());
    order.iter().for_each(|at| mirror.add(*at as u64 + 10, open(&segments[*at])));
    mirror
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn the_newest_item_counts_in_whatever_order_segments_come((segments, order) in history()) {
        let mirror = mirror_of(&segments, &order);
        assert_holds(&mirror, &replay(segments.iter().flatten()));
        prop_assert_eq!(mirror.numbers(), (10..10 + segments.len() as u64).collect::<Vec<_>>());
    }

    #[test]
    fn a_segment_taken_out_uncovers_what_it_superseded((segments, order) in history(), out in 0usize..8) {
        let out = out % segments.len();
        let mut mirror = mirror_of(&segments, &order);
        mirror.remove(&[out as u64 + 10]);
        let rest = segments.iter().enumerate().filter(|(at, _)| *at != out);
        assert_holds(&mirror, &replay(rest.flat_map(|(_, changes)| changes)));
        mirror.add(out as u64 + 10, open(&segments[out]));
        mirror.add(out as u64 + 10, open(&segments[out]));
        assert_holds(&mirror, &replay(segments.iter().flatten()));
    }

    #[test]
    fn merging_any_segments_changes_no_answer_nor_what_is_left_when_read_again(
        (segments, order) in history(),
        chosen in any::<u8>(),
        late in prop::collection::vec(change(40), 0..4),
    ) {
        let mut mirror = mirror_of(&segments, &order);
        let expected = replay(segments.iter().flatten());
        let numbers: Vec<u64> =
            (0..segments.len()).filter(|at| chosen >> at & 1 == 1).map(|at| at as u64 + 10).collect();
        let Some(merged) = mirror.merge(&numbers) else {
            prop_assert!(numbers.is_empty());
            return Ok(());
        };
        prop_assert_eq!(&merged.replaces, &numbers);
        prop_assert_eq!(Some(&merged.number), numbers.last());
        // A page that was committed while the merge was made.
        mirror.add(100, open(&late));
        let after_late = replay(segments.iter().flatten().chain(&late));
        mirror.apply(merged.clone()).unwrap();
        assert_holds(&mirror, &after_late);
        // What the store holds now, read from scratch.
        let mut again = MirrorTable::new(&table());
        if let Some(bytes) = &merged.bytes {
            again.add(merged.number, Segment::open(bytes.clone()).unwrap());
        }
        for at in order {
            let number = at as u64 + 10;
            if !numbers.contains(&number) {
                again.add(number, open(&segments[at]));
            }
        }
        assert_holds(&again, &expected);
    }

    #[test]
    fn a_row_is_copied_with_changes_over_it_as_if_the_two_were_one(
        rows in prop::collection::vec((row(), prop::bits::u32::masked(0x1ffff)), 3..8),
        changes in prop::collection::vec((row(), prop::bits::u32::masked(0x1ffff)), 3..8),
        is_large in any::<bool>(),
    ) {
        let part = |(row, chosen): &(Row, u32)| -> Row {
            let names = columns().zip(0..).filter(|(_, at)| chosen >> at & 1 == 1).map(|(name, _)| name);
            names.map(|name| (name.clone(), row[&name].clone())).collect()
        };
        let known: Vec<Row> = rows.iter().map(part).collect();
        let puts: Vec<Change> =
            known.iter().zip(0..).map(|(row, id)| Change::Put(id, "W/\"1\"".into(), row.clone())).collect();
        let mut mirror = MirrorTable::new(&table());
        mirror.add(1, open(&puts));
        mirror.is_large = is_large;
        let (mut copied, mut pushed) = (SegmentBuilder::new(&table()), SegmentBuilder::new(&table()));
        for (change, id) in changes.iter().map(part).zip((0..known.len() as u128).cycle()) {
            let at = mirror.find(key(id)).unwrap();
            copied.push_changed((&mirror, at), "W/\"2\"", &change).unwrap();
            let mut row = mirror.row_at(at);
            row.extend(change);
            pushed.push_row(key(id), "W/\"2\"", &row).unwrap();
        }
        prop_assert_eq!(copied.seal(), pushed.seal());
    }

    #[test]
    fn compaction_comes_to_an_end_and_leaves_few_segments(
        segments in prop::collection::vec(prop::collection::vec(change(40), 0..4), 20..40),
    ) {
        let order: Vec<usize> = (0..segments.len()).collect();
        let mut mirror = mirror_of(&segments, &order);
        let mut rounds = 0;
        while let Some(numbers) = mirror.plan() {
            let merged = mirror.merge(&numbers).unwrap();
            mirror.apply(merged).unwrap();
            rounds += 1;
            prop_assert!(rounds < 40);
        }
        // Rows of these segments have all columns, or there are none at all.
        prop_assert!(mirror.numbers().len() < SMALL_SEGMENTS_MIN);
        assert_holds(&mirror, &replay(segments.iter().flatten()));
    }
}

#[test]
fn a_deletion_is_forgotten_only_when_nothing_older_is_left() {
    let put = |id| Change::Put(id, String::new(), columns().map(|name| (name, Value::Null)).collect());
    let mirror = mirror_of(&[vec![put(1), put(2)], vec![put(3)], vec![Change::Delete(1)]], &[0, 1, 2]);
    let kept = Segment::open(mirror.merge(&[11, 12]).unwrap().bytes.unwrap()).unwrap();
    assert_eq!((0..kept.rows()).map(|at| kept.is_tombstone(at)).collect::<Vec<_>>(), [false, true]);
    let all = Segment::open(mirror.merge(&[10, 11, 12]).unwrap().bytes.unwrap()).unwrap();
    assert_eq!((0..all.rows()).map(|at| all.is_tombstone(at)).collect::<Vec<_>>(), [false, false]);
    assert!(mirror.merge(&[99]).is_none());
}

#[test]
fn a_large_segment_that_is_mostly_superseded_is_rewritten() {
    let put = |id| Change::Put(id, String::new(), Row::from([("size".to_owned(), Value::Int(1))]));
    let old: Vec<Change> = (0..2100).map(put).collect();
    let new: Vec<Change> = (0..1200).map(put).collect();
    let mut mirror = mirror_of(&[old, new], &[0, 1]);
    assert_eq!(mirror.plan(), Some(vec![10]));
    let merged = mirror.merge(&[10]).unwrap();
    mirror.apply(merged).unwrap();
    assert_eq!((mirror.plan(), mirror.len()), (None, 2100));
}

#[test]
fn small_segments_of_which_nothing_is_left_go_and_the_others_are_left_as_they_are() {
    let put = |id| Change::Put(id, String::new(), Row::from([("size".to_owned(), Value::Int(1))]));
    let mut segments: Vec<Vec<Change>> = (0..17).map(|id| vec![put(id)]).collect();
    // The deletion of a row that an older segment has, and the deletion of nothing.
    segments.extend([vec![Change::Delete(0)], vec![Change::Delete(50)], (1..16).map(put).collect()]);
    let mut mirror = mirror_of(&segments, &(0..segments.len()).collect::<Vec<_>>());
    assert_eq!(mirror.plan(), Some((10..26).chain([28]).collect()));
    let merged = mirror.merge(&mirror.plan().unwrap()).unwrap();
    assert_eq!(merged.bytes, None);
    mirror.apply(merged).unwrap();
    assert_eq!((mirror.plan(), mirror.numbers(), mirror.len()), (None, vec![26, 27, 29], 16));
}

#[test]
fn changes_that_do_not_fit_a_row_leave_nothing_of_it() {
    let mut mirror = MirrorTable::new(&table());
    mirror.add(1, open(&[Change::Put(1, String::new(), Row::from([("size".to_owned(), Value::Int(1))]))]));
    let mut builder = SegmentBuilder::new(&table());
    let wrong = Row::from([("size".to_owned(), Value::Text("1".into()))]);
    let pushed = builder.push_changed((&mirror, mirror.find(key(1)).unwrap()), "", &wrong);
    assert_eq!(pushed, Err(WrongType { column: "size".into() }));
    assert!(builder.is_empty() && !builder.is_put(3));
}

#[test]
fn segments_of_an_older_schema_are_read_beside_new_ones() {
    let row = Row::from([("size".to_owned(), Value::Int(5)), ("name".to_owned(), Value::Text("a".into()))]);
    let old = open(&[Change::Put(1, String::new(), row)]);
    let mut schema = table();
    schema.columns.retain(|column| column.logical_name != "name");
    schema.columns.push(column("added", ColumnKind::BigInt));
    for column in &mut schema.columns {
        if column.logical_name == "size" {
            column.kind = ColumnKind::Memo { length_max: 9 };
        }
    }
    let mut builder = SegmentBuilder::new(&schema);
    let row = Row::from([("size".to_owned(), Value::Text("5".into())), ("added".to_owned(), Value::Int(1))]);
    builder.push_row(key(2), "", &row).unwrap();
    let mut mirror = MirrorTable::new(&table());
    mirror.add(1, old);
    mirror.set_schema(&schema);
    mirror.add(2, Segment::open(builder.seal()).unwrap());
    assert_eq!(mirror.row(key(1)).unwrap(), with_key(&Row::new(), key(1)));
    assert_eq!(mirror.row(key(2)).unwrap(), with_key(&row, key(2)));
    let at = mirror.find(key(1)).unwrap();
    assert_eq!((mirror.cell(at, "size"), mirror.cell(at, "added")), (Value::Null, Value::Null));
}

#[test]
fn one_row_of_a_table_too_large_to_be_unpacked_is_read_without_unpacking_its_segment() {
    let changes: Vec<Change> = (0..50)
        .map(|id| {
            let name = Value::Text(format!("row {id}"));
            Change::Put(id, format!("W/\"{id}\""), Row::from([("name".to_owned(), name)]))
        })
        .collect();
    let mut mirror = MirrorTable::new(&table());
    mirror.add(1, open(&changes));
    let name = |mirror: &MirrorTable, id: u128| mirror.row(key(id)).unwrap()["name"].clone();
    keep_within(&mut [&mut mirror], 100);
    assert_eq!(name(&mirror, 7), Value::Text("row 7".into()));
    assert_eq!(mirror.unpacked_bytes(), 0);
    // For many rows of one segment in one request it pays to unpack it, and then it is to be forgotten again.
    (0..9).for_each(|id| assert_eq!(name(&mirror, id), Value::Text(format!("row {id}"))));
    assert!(mirror.unpacked_bytes() > 100);
    keep_within(&mut [&mut mirror], 100);
    assert!(mirror.unpacked_bytes() <= 100);
    assert_eq!(name(&mirror, 8), Value::Text("row 8".into()));
    assert!(mirror.unpacked_bytes() <= 100);
    // Where there is room for everything it is kept.
    keep_within(&mut [&mut mirror], 1 << 20);
    name(&mirror, 9);
    assert!(mirror.unpacked_bytes() > 100);
}
