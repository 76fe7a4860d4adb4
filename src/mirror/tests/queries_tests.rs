use super::*;
use flette_odata::collate::value_order;
use flette_odata::filter::{matches, CompareOp, Filter, TextOp};
use flette_odata::query::OrderBy;
use std::collections::BTreeMap;

fn op() -> impl Strategy<Value = CompareOp> {
    proptest::sample::select(CompareOp::ALL.to_vec())
}

fn any_column() -> impl Strategy<Value = String> {
    proptest::sample::select(columns().chain(["thingid".into(), "unknown".into()]).collect::<Vec<_>>())
}

/// A literal that a column may be compared with: of its own type as a rule.
fn literal(column: &str) -> BoxedStrategy<Value> {
    match column {
        "thingid" | "parent" | "owner" => (0u128..8).prop_map(|id| Value::Guid(key(id))).boxed(),
        "unknown" => value("name"),
        "size" | "version" | "choice" | "amount" | "factor" => prop_oneof![
            4 => value(column),
            1 => value("choice"),
            1 => value("price"),
            1 => value("factor"),
        ]
        .boxed(),
        "seen" | "born" => prop_oneof![4 => value(column), 1 => value("seen"), 1 => value("born")].boxed(),
        _ => prop_oneof![9 => value(column), 1 => Just(Value::Int(1))].boxed(),
    }
}

/// A column that is to be one id, of columns that hold ids as a rule.
fn equal_id() -> impl Strategy<Value = Filter> {
    const HOLD: [&str; 3] = ["thingid", "parent", "owner"];
    const OTHERS: [&str; 2] = ["name", "unknown"];
    let column =
        prop_oneof![9 => proptest::sample::select(&HOLD[..]), 1 => proptest::sample::select(&OTHERS[..])];
    (column.prop_map(str::to_owned), (0u128..8).prop_map(|id| Value::Guid(key(id))))
        .prop_map(|(column, value)| Filter::Compare { column, op: CompareOp::Equal, value })
}

fn filter() -> BoxedStrategy<Filter> {
    let compare = any_column().prop_flat_map(|column| {
        let value = literal(&column);
        (Just(column), op(), value).prop_map(|(column, op, value)| Filter::Compare { column, op, value })
    });
    let texts = proptest::sample::select(vec![TextOp::Contains, TextOp::StartsWith, TextOp::EndsWith]);
    let pattern = prop_oneof!["[a-cA-C ]{0,2}", Just("åS".to_owned()), Just("ς".into()), Just("\0".into())];
    let leaf = prop_oneof![
        6 => compare,
        3 => (any_column(), texts, pattern)
            .prop_map(|(column, op, pattern)| Filter::Text { column, op, pattern }),
        1 => (any_column(), op(), any_column())
            .prop_map(|(left, op, right)| Filter::CompareColumns { left, op, right }),
        1 => any::<bool>().prop_map(Filter::Always),
        2 => prop::collection::vec(equal_id(), 2..12).prop_map(Filter::Or),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

fn orderby() -> impl Strategy<Value = Vec<OrderBy>> {
    let by = (any_column(), any::<bool>()).prop_map(|(column, descending)| OrderBy {
        path: Vec::new(),
        column,
        descending,
    });
    prop::collection::vec(by, 0..3)
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(60), 0..60)
}

/// The same history in `count` segments.
fn split(changes: &[Change], count: usize) -> MirrorTable {
    let mut mirror = MirrorTable::new(&table());
    for (number, part) in changes.chunks(changes.len().div_ceil(count).max(1)).enumerate() {
        mirror.add(number as u64, open(part));
    }
    mirror
}

fn cell(row: &Row) -> impl Fn(&str) -> Value + '_ {
    |name| row.get(name).cloned().unwrap_or_default()
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_scan_finds_what_every_row_by_itself_would_say(
        changes in changes(),
        filter in filter(),
        orderby in orderby(),
        limit in prop_oneof![Just(None), (0usize..70).prop_map(Some)],
        skip in prop::collection::vec(0u128..60, 0..4),
    ) {
        let skip: Vec<Uuid> = skip.into_iter().map(key).collect();
        let mut rows = BTreeMap::new();
        for change in &changes {
            match change {
                Change::Put(id, _, row) => rows.insert(key(*id), with_key(row, key(*id))),
                Change::Delete(id) => rows.remove(&key(*id)),
            };
        }
        let mut expected: Vec<(&Uuid, &Row)> =
            rows.iter().filter(|(id, row)| !skip.contains(id) && matches(&filter, &cell(row))).collect();
        let found = expected.len();
        expected.sort_by(|(a, left), (b, right)| {
            let columns = orderby.iter().map(|by| {
                let order = value_order(&cell(left)(&by.column), &cell(right)(&by.column));
                if by.descending { order.reverse() } else { order }
            });
            columns.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then(a.cmp(b))
        });
        expected.truncate(limit.unwrap_or(usize::MAX));
        let expected: Vec<Uuid> = expected.into_iter().map(|(id, _)| *id).collect();
        for count in [1, 3, 7] {
            let mut mirror = split(&changes, count);
            for merged in [false, true] {
                if merged {
                    let numbers = mirror.numbers();
                    let Some(merged) = mirror.merge(&numbers) else { continue };
                    mirror.apply(merged).unwrap();
                }
                let selection = mirror.select(Some(&filter), &skip);
                prop_assert_eq!(selection.len(), found);
                prop_assert_eq!(mirror.count(Some(&filter), &skip), found);
                let ordered = mirror.order(selection, &orderby, limit);
                let ids: Vec<Uuid> = ordered.iter().map(|at| mirror.id_at(*at)).collect();
                prop_assert_eq!(&ids, &expected, "{} segments, merged: {}", count, merged);
                for pair in ordered.windows(2) {
                    let other = |name: &str| mirror.cell(pair[1], name);
                    prop_assert!(mirror.compare_with(pair[0], &orderby, &other).is_lt());
                }
            }
        }
    }
}

#[test]
fn long_texts_with_a_common_beginning_are_ordered_to_their_end() {
    let mut builder = SegmentBuilder::new(&table());
    let names =
        ["Common beginning of b", "common beginning of a", "COMMON BEGINNING OF", "common beginning of aa"];
    for (at, name) in names.iter().enumerate() {
        let row = Row::from([("name".to_owned(), Value::Text((*name).to_owned()))]);
        builder.push_row(key(at as u128), "", &row).unwrap();
    }
    let mut mirror = MirrorTable::new(&table());
    mirror.add(1, Segment::open(builder.seal()).unwrap());
    let by = |descending| [OrderBy { path: Vec::new(), column: "name".into(), descending }];
    let ids = |rows: Vec<RowAt>| rows.into_iter().map(|at| mirror.id_at(at)).collect::<Vec<_>>();
    let all = || mirror.select(None, &[]);
    assert_eq!(ids(mirror.order(all(), &by(false), None)), [2, 1, 3, 0].map(key));
    assert_eq!(ids(mirror.order(all(), &by(true), Some(2))), [0, 3].map(key));
    let across = Filter::Text { column: "name".into(), op: TextOp::Contains, pattern: "bcommon".into() };
    assert!(mirror.select(Some(&across), &[]).is_empty(), "a hit across two texts");
}

#[test]
fn the_first_rows_are_the_same_however_many_are_wanted_and_in_whatever_order_they_come() {
    let sizes: [fn(i64) -> i64; 4] = [|at| at, |at| -at, |at| at * 37 % 101, |at| at % 3];
    for size in sizes {
        let mut builder = SegmentBuilder::new(&table());
        for at in 0..200 {
            let row = Row::from([("size".to_owned(), Value::Int(size(at)))]);
            builder.push_row(key(at.unsigned_abs().into()), "", &row).unwrap();
        }
        let mut mirror = MirrorTable::new(&table());
        mirror.add(1, Segment::open(builder.seal()).unwrap());
        for by in [true, false] {
            let by = [OrderBy { path: Vec::new(), column: "size".into(), descending: by }];
            let all = mirror.order(mirror.select(None, &[]), &by, None);
            assert_eq!(all.len(), 200);
            // Around the numbers of rows that are kept before they are tidied.
            for limit in [0, 1, 3, 4, 5, 15, 16, 17, 49, 50, 51, 199, 200, 201] {
                let first = mirror.order(mirror.select(None, &[]), &by, Some(limit));
                assert_eq!(first, all[..limit.min(200)], "{limit}");
            }
        }
    }
}

#[test]
fn two_rows_of_a_segment_have_one_code_exactly_when_they_have_one_value() {
    let mut runner = proptest::test_runner::TestRunner::new(config(64));
    let tested = runner.run(&changes(), |changes| {
        let mirror = split(&changes, 2);
        let names: Vec<String> = columns().chain(["unknown".into()]).collect();
        let cells = mirror.cells(names.iter().map(String::as_str));
        let rows = mirror.select(None, &[]);
        for (column, name) in names.iter().enumerate() {
            for (a, b) in rows.iter().flat_map(|a| rows.iter().map(move |b| (*a, *b))) {
                let (Some(left), Some(right)) = (cells.code(a, column), cells.code(b, column)) else {
                    continue;
                };
                prop_assert!(left.code < left.codes);
                if left.slot == right.slot {
                    prop_assert_eq!(left.codes, right.codes);
                    let same = Value::from(cells.cell(a, column)) == Value::from(cells.cell(b, column));
                    prop_assert_eq!(left.code == right.code, same, "{}", name);
                }
            }
        }
        Ok(())
    });
    tested.unwrap();
}
