//! Laws of the mirror, held against plain maps of rows.

mod damage_tests;
mod pages_tests;
mod queries_tests;
mod segments_tests;
mod tables_tests;
mod types_tests;

use super::*;
use flette_odata::edm::{LookupTarget, OnDelete, OptionItem, Required, TextFormat};
use flette_odata::{Column, ColumnKind, Decimal, EntityRef, Row, Table, Uuid, Value};
use proptest::prelude::*;

/// So many cases, or what `PROPTEST_CASES` says.
pub(super) fn config(cases: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(cases),
    }
}

/// A table with a column of every type.
pub(super) fn table() -> Table {
    let decimal = |text: &str| Decimal::parse(text).unwrap();
    let (min, max) = (decimal("-100000000000"), decimal("100000000000"));
    let options = vec![OptionItem { value: 1, label: "One".into() }];
    let kinds = [
        ("thingid", ColumnKind::Id),
        ("name", ColumnKind::Text { length_max: 100, format: TextFormat::Text }),
        ("note", ColumnKind::Memo { length_max: 2000 }),
        ("size", ColumnKind::Integer { min: i32::MIN, max: i32::MAX }),
        ("version", ColumnKind::BigInt),
        ("amount", ColumnKind::Decimal { precision: 10, min, max }),
        ("price", ColumnKind::Money { precision: 4, min, max }),
        ("factor", ColumnKind::Double { precision: 5, min: -1e9, max: 1e9 }),
        (
            "active",
            ColumnKind::Boolean { label_false: "No".into(), label_true: "Yes".into(), default: false },
        ),
        ("seen", ColumnKind::DateTime),
        ("born", ColumnKind::Date),
        ("choice", ColumnKind::Picklist { options, default: None }),
        ("statecode", ColumnKind::State { options: Vec::new() }),
        ("statuscode", ColumnKind::Status { options: Vec::new() }),
        ("parent", ColumnKind::Lookup { targets: vec![target("thing")] }),
        ("owner", ColumnKind::Lookup { targets: vec![target("systemuser"), target("team")] }),
        ("step", ColumnKind::Guid),
    ];
    Table {
        logical_name: "thing".into(),
        schema_name: "Thing".into(),
        set_name: "things".into(),
        display_name: "Thing".into(),
        display_collection_name: "Things".into(),
        primary_id: "thingid".into(),
        primary_name: "name".into(),
        type_code: 10_000,
        writable: true,
        owned: true,
        activity: false,
        change_tracking: true,
        metadata_id: Uuid::nil(),
        columns: kinds.into_iter().map(|(name, kind)| column(name, kind)).collect(),
        ..Table::default()
    }
}

pub(super) fn column(name: &str, kind: ColumnKind) -> Column {
    Column {
        logical_name: name.into(),
        schema_name: name.into(),
        display_name: name.into(),
        kind,
        required: Required::None,
        valid_for_create: true,
        valid_for_update: true,
        metadata_id: Uuid::nil(),
        ..Column::default()
    }
}

fn target(table: &str) -> LookupTarget {
    LookupTarget {
        table: table.into(),
        navigation: table.into(),
        collection: table.into(),
        relationship: table.into(),
        on_delete: OnDelete::RemoveLink,
    }
}

/// What a column may hold, null included: few values and many, ordinary and extreme ones.
pub(super) fn value(name: &str) -> BoxedStrategy<Value> {
    let decimals = (-10i128.pow(30) + 1..10i128.pow(30), 0u8..=12)
        .prop_map(|(mantissa, scale)| Value::Decimal(Decimal::new(mantissa, scale).unwrap()));
    let money = (-50_000i64..50_000).prop_map(|n| Value::Decimal(Decimal::new(n.into(), 4).unwrap()));
    let doubles = prop_oneof![
        (-8i32..8).prop_map(|n| Value::Double(f64::from(n) / 4.0)),
        Just(Value::Double(-0.0)),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::Double)
    ];
    let instants = prop_oneof![
        (0i64..10).prop_map(|n| Value::DateTime(1_750_000_000_000 + n * 1000)),
        (-62_135_596_800_000i64..253_402_300_799_999).prop_map(Value::DateTime)
    ];
    let lookups = |tables: &'static [&'static str]| {
        (proptest::sample::select(tables), 0u128..6)
            .prop_map(|(table, id)| Value::Lookup(EntityRef { table: table.into(), id: key(id) }))
    };
    let some = match name {
        "name" => prop_oneof![
            "[a-cA-C ]{0,3}",
            proptest::sample::select(vec!["Åse", "åSE", "ΟΔΟΣ", "οδος", "straße", "İ", "", "a\0", "😀x"])
                .prop_map(str::to_owned),
        ]
        .prop_map(Value::Text)
        .boxed(),
        "note" => "\\PC{0,24}".prop_map(Value::Text).boxed(),
        "size" => any::<i32>().prop_map(|n| Value::Int(n.into())).boxed(),
        "version" => prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)].prop_map(Value::Int).boxed(),
        "amount" => decimals.boxed(),
        "price" => money.boxed(),
        "factor" => doubles.boxed(),
        "active" => any::<bool>().prop_map(Value::Bool).boxed(),
        "seen" => instants.boxed(),
        "born" => (-700_000i32..2_900_000).prop_map(Value::Date).boxed(),
        "choice" | "statecode" | "statuscode" => (0i64..4).prop_map(Value::Int).boxed(),
        "parent" => lookups(&["thing"]).boxed(),
        "owner" => lookups(&["systemuser", "team"]).boxed(),
        "step" => (0u128..6).prop_map(|id| Value::Guid(key(id))).boxed(),
        other => panic!("no values for {other}"),
    };
    prop_oneof![1 => Just(Value::Null), 4 => some].boxed()
}

/// A whole row without its key.
pub(super) fn row() -> BoxedStrategy<Row> {
    let names: Vec<String> = columns().collect();
    let values: Vec<_> = names.iter().map(|name| value(name)).collect();
    values.prop_map(move |values| names.iter().cloned().zip(values).collect()).boxed()
}

/// Every column but the key.
pub(super) fn columns() -> impl Iterator<Item = String> {
    table().columns.into_iter().map(|column| column.logical_name).filter(|name| name != "thingid")
}

pub(super) fn key(number: u128) -> Uuid {
    Uuid::from_u128(0x7000_0000_0000_4000_8000_0000_0000_0000 + number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// What the mirror gives for a row: its columns and its key.
pub(super) fn with_key(row: &Row, id: Uuid) -> Row {
    let mut row = row.clone();
    row.insert("thingid".into(), Value::Guid(id));
    row
}

/// The same rows, down to the scale of decimals and the sign of zeros.
pub(super) fn assert_same(left: &Row, right: &Row) {
    assert_eq!(format!("{left:?}"), format!("{right:?}"));
}

/// One item of a history.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Put(u128, String, Row),
    Delete(u128),
}

pub(super) fn change(ids: u128) -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0..ids, 1u64..1_000_000, row()).prop_map(|(id, n, row)| Change::Put(id, format!("W/\"{n}\""), row)),
        1 => (0..ids).prop_map(Change::Delete),
    ]
}

pub(super) fn seal(changes: &[Change]) -> Vec<u8> {
    let mut builder = SegmentBuilder::new(&table());
    for change in changes {
        match change {
            Change::Put(id, etag, row) => builder.push_row(key(*id), etag, row).unwrap(),
            Change::Delete(id) => builder.push_tombstone(key(*id)),
        }
    }
    builder.seal()
}

pub(super) fn open(changes: &[Change]) -> Segment {
    Segment::open(seal(changes)).unwrap()
}
