//! A table with a column of every type, rows of it, and histories of what a server told of them.

use crate::chance::Chance;
use flette_odata::edm::{
    Column, ColumnKind, LookupTarget, OnDelete, OptionItem, StateOption, StatusOption, TextFormat,
};
use flette_odata::{Decimal, EntityRef, Row, Schema, Table, Uuid, Value};

pub const TABLE: &str = "thing";
pub const KEY: &str = "thingid";

pub fn key(number: usize) -> Uuid {
    let mixed = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    uuid::Builder::from_random_bytes(mixed.to_be_bytes()).into_uuid()
}

fn column(name: &str, kind: ColumnKind) -> Column {
    Column {
        logical_name: name.into(),
        schema_name: name.into(),
        display_name: name.into(),
        kind,
        valid_for_create: true,
        valid_for_update: true,
        ..Column::default()
    }
}

fn target(table: &str) -> LookupTarget {
    LookupTarget {
        table: table.into(),
        navigation: format!("to_{table}"),
        collection: format!("things_{table}"),
        relationship: format!("thing_{table}"),
        // What follows from deletions is not this test's.
        on_delete: OnDelete::NoCascade,
    }
}

pub fn schema() -> Schema {
    let decimal = |text: &str| Decimal::parse(text).unwrap();
    let (min, max) = (decimal("-100000000000"), decimal("100000000000"));
    let options = || (0..4).map(|value| OptionItem { value, label: format!("Option {value}") }).collect();
    let state = |value| StateOption { value, label: format!("State {value}"), default_status: value + 1 };
    let status = |value| StatusOption { value, label: format!("Status {value}"), state: value - 1 };
    let kinds = [
        (KEY, ColumnKind::Id),
        ("name", ColumnKind::Text { length_max: 100, format: TextFormat::Text }),
        ("note", ColumnKind::Memo { length_max: 2000 }),
        ("size", ColumnKind::Integer { min: i32::MIN, max: i32::MAX }),
        ("version", ColumnKind::BigInt),
        ("amount", ColumnKind::Decimal { precision: 10, min, max }),
        ("price", ColumnKind::Money { precision: 4, min, max }),
        ("factor", ColumnKind::Double { precision: 5, min: -1e300, max: 1e300 }),
        (
            "active",
            ColumnKind::Boolean { label_false: "No".into(), label_true: "Yes".into(), default: false },
        ),
        ("seen", ColumnKind::DateTime),
        ("born", ColumnKind::Date),
        ("choice", ColumnKind::Picklist { options: options(), default: None }),
        ("marks", ColumnKind::MultiPicklist { options: options() }),
        ("statecode", ColumnKind::State { options: vec![state(0), state(1)] }),
        ("statuscode", ColumnKind::Status { options: vec![status(1), status(2)] }),
        ("parent", ColumnKind::Lookup { targets: vec![target("thing")] }),
        ("keeper", ColumnKind::Lookup { targets: vec![target("person"), target("group")] }),
        ("token", ColumnKind::Guid),
    ];
    let table = Table {
        logical_name: TABLE.into(),
        schema_name: "Thing".into(),
        set_name: "things".into(),
        display_name: "Thing".into(),
        display_collection_name: "Things".into(),
        primary_id: KEY.into(),
        primary_name: "name".into(),
        type_code: 10_000,
        writable: true,
        change_tracking: true,
        columns: kinds.into_iter().map(|(name, kind)| column(name, kind)).collect(),
        ..Table::default()
    };
    Schema { tables: vec![table], ..Schema::default() }
}

/// Every column but the key.
pub const COLUMNS: [&str; 17] = [
    "name",
    "note",
    "size",
    "version",
    "amount",
    "price",
    "factor",
    "active",
    "seen",
    "born",
    "choice",
    "marks",
    "statecode",
    "statuscode",
    "parent",
    "keeper",
    "token",
];

const TEXTS: [&str; 14] =
    ["", "a", "A", "b", "ab", "aB c", "Åse", "åSE", "ΟΔΟΣ", "οδος", "straße", "STRASSE", "😀x", "10% _[x]"];

/// What a column may hold, null left out: few values and many, ordinary and extreme ones.
pub fn value(column: &str, chance: &mut Chance) -> Value {
    let number = chance.next();
    let few = i64::try_from(number % 7).unwrap();
    let extreme = chance.one_in(6);
    let decimal = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
    let lookup = |table: &str| {
        Value::Lookup(EntityRef { table: table.into(), id: key(usize::try_from(number % 9).unwrap()) })
    };
    match column {
        "name" if extreme => Value::Text(format!("common beginning of {number}")),
        "name" | "note" => Value::Text((*chance.of(&TEXTS)).to_owned()),
        "size" if extreme => Value::Int(*chance.of(&[i64::from(i32::MIN), i64::from(i32::MAX)])),
        "size" => Value::Int(few - 3),
        "version" if extreme => Value::Int(*chance.of(&[i64::MIN, i64::MAX, (1 << 53) + 1])),
        "version" => Value::Int(few + 1_000_000),
        "amount" if extreme => {
            let text: &&str = chance.of(&["99999999999.9999999999", "-0.0000000001", "0.10"]);
            decimal(text)
        }
        "amount" => decimal(&format!("{}.{}", few - 3, number % 10)),
        "price" => decimal(&format!("{}.{:04}", few * 1000, number % 3 * 2500)),
        "factor" if extreme => Value::Double(*chance.of(&[0.1, -0.0, 1e-300, 1e300, 1.0 / 3.0])),
        "factor" => Value::Double(few as f64 / 4.0),
        "active" => Value::Bool(few % 2 == 0),
        "seen" if extreme => Value::DateTime(*chance.of(&[-62_135_596_800_000, 253_402_300_799_000, 0])),
        "seen" => Value::DateTime(1_750_000_000_000 + few * 1000),
        "born" if extreme => Value::Date(*chance.of(&[-719_162, 2_932_896, 0])),
        "born" => Value::Date(i32::try_from(few).unwrap() * 400),
        "choice" => Value::Int(few % 4),
        "marks" => Value::Text((*chance.of(&["0", "1", "0,2", "0,1,2,3", "3"])).to_owned()),
        "statecode" => Value::Int(few % 2),
        "statuscode" => Value::Int(few % 2 + 1),
        "parent" => lookup(TABLE),
        "keeper" => {
            let table: &&str = chance.of(&["person", "group"]);
            lookup(table)
        }
        "token" => Value::Guid(key(usize::try_from(number % 5).unwrap())),
        other => panic!("no values for {other}"),
    }
}

fn cell(column: &str, chance: &mut Chance) -> Value {
    match chance.one_in(5) {
        true => Value::Null,
        false => value(column, chance),
    }
}

/// A whole row but its key.
pub fn row(chance: &mut Chance) -> Row {
    COLUMNS.iter().map(|name| ((*name).to_owned(), cell(name, chance))).collect()
}

/// One item that a server told.
#[derive(Clone)]
pub enum Told {
    Row(usize, Row),
    Gone(usize),
}

/// So many items over so many ids, one in eight a deletion.
pub fn history(items: usize, ids: usize, chance: &mut Chance) -> Vec<Told> {
    let item = |_| match chance.below(8) {
        0 => Told::Gone(chance.below(ids)),
        _ => Told::Row(chance.below(ids), row(chance)),
    };
    (0..items).map(item).collect()
}

/// What is left at the end.
pub fn replay(history: &[Told]) -> std::collections::BTreeMap<Uuid, Row> {
    let mut rows = std::collections::BTreeMap::new();
    for told in history {
        match told {
            Told::Row(id, row) => {
                let mut row = row.clone();
                row.insert(KEY.into(), Value::Guid(key(*id)));
                rows.insert(key(*id), row);
            }
            Told::Gone(id) => {
                rows.remove(&key(*id));
            }
        }
    }
    rows
}
