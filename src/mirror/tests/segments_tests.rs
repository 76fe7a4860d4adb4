use super::*;

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn what_is_sealed_is_read_back(changes in prop::collection::vec(change(1000), 0..40)) {
        let segment = open(&changes);
        segment.check().unwrap();
        prop_assert_eq!(segment.rows(), changes.len());
        for (at, change) in changes.iter().enumerate() {
            match change {
                Change::Put(id, etag, row) => {
                    prop_assert_eq!(segment.id(at), key(*id));
                    prop_assert_eq!(segment.etag(at), Some(etag.clone()));
                    prop_assert!(!segment.is_tombstone(at));
                    assert_same(&segment.row(at), &with_key(row, key(*id)));
                    for (name, value) in row {
                        prop_assert_eq!(&segment.cell(at, name), value);
                    }
                }
                Change::Delete(id) => {
                    prop_assert_eq!(segment.id(at), key(*id));
                    prop_assert!(segment.is_tombstone(at) && segment.row(at).is_empty());
                    prop_assert_eq!((segment.etag(at), segment.cell(at, "name")), (None, Value::Null));
                }
            }
        }
    }

    #[test]
    fn a_value_read_alone_is_that_of_the_unpacked_column(changes in prop::collection::vec(change(1000), 0..40)) {
        let (packed, unpacked) = (open(&changes), open(&changes));
        for row in 0..packed.rows() {
            for name in columns() {
                let kind = super::super::column::Kind::of(&table().column(&name).unwrap().kind);
                let alone = packed.find(&name, kind).map(|at| packed.with_cell_alone(row, at, |cell| cell.to_value()));
                prop_assert_eq!(alone.unwrap_or_default(), unpacked.cell(row, &name), "{}", name);
            }
        }
        prop_assert_eq!(packed.unpacked_bytes(), 0);
    }

    #[test]
    fn a_builder_reads_as_the_segment_it_becomes(changes in prop::collection::vec(change(9), 1..12)) {
        let mut builder = SegmentBuilder::new(&table());
        for change in &changes {
            match change {
                Change::Put(id, etag, row) => builder.push_row(key(*id), etag, row).unwrap(),
                Change::Delete(id) => builder.push_tombstone(key(*id)),
            }
        }
        let rows: Vec<_> = (0..builder.len()).map(|at| (builder.row(at), builder.etag(at))).collect();
        let segment = Segment::open(builder.seal()).unwrap();
        for (at, (row, etag)) in rows.into_iter().enumerate() {
            assert_same(&row, &segment.row(at));
            prop_assert_eq!(etag, segment.etag(at));
        }
    }
}

#[test]
fn etags_of_any_form_come_back_as_they_were() {
    let etags =
        ["W/\"1\"", "W/\"007\"", "W/\"0\"", "\"strong\"", "", "W/\"99999999999999999999\"", "W/\"-1\""];
    for first in etags {
        let mut builder = SegmentBuilder::new(&table());
        for etag in [&[first][..], &etags].concat() {
            builder.push_row(key(1), etag, &Row::new()).unwrap();
        }
        let segment = Segment::open(builder.seal()).unwrap();
        for (at, etag) in [&[first][..], &etags].concat().into_iter().enumerate() {
            assert_eq!(segment.etag(at).unwrap_or_default(), etag);
        }
    }
}

#[test]
fn columns_that_no_row_has_are_unknown_and_read_as_null() {
    let mut builder = SegmentBuilder::new(&table());
    let row = |name: &str, value| Row::from([(name.to_owned(), value)]);
    builder.push_row(key(1), "", &row("size", Value::Int(7))).unwrap();
    builder.push_row(key(2), "", &row("name", Value::Text("x".into()))).unwrap();
    builder.push_row(key(3), "", &row("nothing", Value::Int(1))).unwrap();
    let segment = Segment::open(builder.seal()).unwrap();
    let known = segment.row(2);
    assert_eq!(known.keys().collect::<Vec<_>>(), ["name", "size", "thingid"]);
    assert_eq!(segment.cell(0, "size"), Value::Int(7));
    assert_eq!(segment.cell(1, "size"), Value::Null);
    assert_eq!(segment.cell(1, "note"), Value::Null);
}

#[test]
fn a_value_of_another_type_is_refused_and_nothing_is_appended() {
    let mut builder = SegmentBuilder::new(&table());
    let row = Row::from([
        ("name".to_owned(), Value::Text("x".into())),
        ("size".to_owned(), Value::Text("7".into())),
    ]);
    let refused = builder.push_row(key(1), "", &row);
    assert_eq!(refused, Err(WrongType { column: "size".into() }));
    assert!(builder.is_empty());
    builder.push_row(key(1), "", &Row::from([("size".to_owned(), Value::Int(7))])).unwrap();
    assert_eq!(Segment::open(builder.seal()).unwrap().row(0).len(), 2);
}

#[test]
fn many_distinct_texts_and_many_equal_ones_come_back() {
    let mut builder = SegmentBuilder::new(&table());
    let text = |at: u128| match at % 3 {
        0 => Value::Null,
        _ => Value::Text(format!("text {at}")),
    };
    for at in 0..3000 {
        let equal = Value::Text(format!("equal {}", at % 300));
        let row = Row::from([("name".to_owned(), text(at)), ("note".to_owned(), equal)]);
        builder.push_row(key(at), "", &row).unwrap();
    }
    let mut segment = Segment::open(builder.seal()).unwrap();
    for at in 0..3000u32 {
        assert_eq!(segment.cell(at as usize, "name"), text(at.into()));
        assert_eq!(segment.cell(at as usize, "note"), Value::Text(format!("equal {}", at % 300)));
    }
    let unpacked = segment.heap_bytes();
    (0..17).for_each(|column| segment.forget(column));
    assert!(segment.heap_bytes() < unpacked);
    assert_eq!(segment.cell(1, "name"), text(1));
}

const GOLDEN: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/segment-1.bin"));

/// What the golden file of format 1 holds. Never change it: later versions must still read this.
fn golden() -> Vec<Change> {
    let decimal = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
    let lookup = |table: &str, id| Value::Lookup(EntityRef { table: table.into(), id: key(id) });
    let first = Row::from([
        ("name".to_owned(), Value::Text("Ærlig Å. Ødegård".into())),
        ("note".to_owned(), Value::Text("line\nline \u{1f600}".into())),
        ("size".to_owned(), Value::Int(-40)),
        ("version".to_owned(), Value::Int(i64::MAX)),
        ("amount".to_owned(), decimal("99999999999999999.999999999999")),
        ("price".to_owned(), decimal("5000000.0000")),
        ("factor".to_owned(), Value::Double(0.1)),
        ("active".to_owned(), Value::Bool(true)),
        ("seen".to_owned(), Value::DateTime(1_768_471_331_250)),
        ("born".to_owned(), Value::Date(-25_000)),
        ("choice".to_owned(), Value::Int(100_000_001)),
        ("statecode".to_owned(), Value::Int(0)),
        ("statuscode".to_owned(), Value::Int(1)),
        ("parent".to_owned(), lookup("thing", 9)),
        ("owner".to_owned(), lookup("team", 8)),
    ]);
    // Ids that lead nowhere came later.
    let second = columns().filter(|name| name != "step").map(|name| (name, Value::Null)).collect();
    let mut third = first.clone();
    third.insert("owner".into(), lookup("systemuser", 7));
    third.insert("name".into(), Value::Text("B".into()));
    vec![
        Change::Put(1, "W/\"468026\"".into(), first),
        Change::Put(2, String::new(), second),
        Change::Delete(3),
        Change::Put(4, "W/\"468027\"".into(), third),
    ]
}

#[test]
fn the_golden_file_of_the_first_format_opens() {
    let segment = Segment::open(GOLDEN).unwrap();
    segment.check().unwrap();
    let golden = golden();
    assert_eq!(segment.rows(), golden.len());
    for (at, change) in golden.iter().enumerate() {
        match change {
            Change::Put(id, etag, row) => {
                assert_same(&segment.row(at), &with_key(row, key(*id)));
                assert_eq!(&segment.etag(at).unwrap_or_default(), etag);
            }
            Change::Delete(id) => {
                assert!(segment.is_tombstone(at) && segment.id(at) == key(*id));
            }
        }
    }
}
