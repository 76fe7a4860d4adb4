//! Tables of the model that the test cases speak of.

use super::cases::Cases;
use flette_odata::edm::{LookupTarget, OnDelete, TextFormat};
use flette_odata::{Column, ColumnKind, Decimal, Schema, Table};

const ID: &str = "a0000000-0000-4000-8000-000000000001";

/// One table for each entity set. All have the same columns, and every navigation property leads to `Products`: what
/// the cases test is grammar, and of types only that which their names say.
pub fn schema(cases: &Cases) -> Schema {
    let names = |kind: &str| cases.names.get(kind).cloned().unwrap_or_default();
    let mut columns: Vec<Column> = vec![column("ID", ColumnKind::Id)];
    for name in [names("primitiveKeyProperty"), names("primitiveNonKeyProperty")].concat() {
        if columns.iter().all(|known| known.logical_name != name) {
            columns.push(column(&name, kind(&name)));
        }
    }
    for name in names("entityNavigationProperty") {
        columns.push(lookup(&format!("to_{name}"), "Products", &name, &format!("from_{name}")));
    }
    let sets = names("entitySetName");
    let mut tables: Vec<Table> = sets.iter().map(|set| table(set, columns.clone())).collect();
    let products = tables.iter_mut().find(|table| table.logical_name == "Products").unwrap();
    for set in &sets {
        for name in names("entityColNavigationProperty") {
            let up = format!("up_{set}_{name}");
            products.columns.push(lookup(&up, set, &up, &name));
        }
    }
    Schema { tables, ..Schema::default() }
}

fn kind(name: &str) -> ColumnKind {
    let decimal = |text: &str| Decimal::parse(text).unwrap();
    match name {
        "Completed" | "Shipped" => {
            ColumnKind::Boolean { label_false: "No".into(), label_true: "Yes".into(), default: false }
        }
        "BirthDate" => ColumnKind::Date,
        "ReleaseDate" => ColumnKind::DateTime,
        "Age" | "Rating" | "Quantity" | "Population" | "Year" => {
            ColumnKind::Integer { min: i32::MIN, max: i32::MAX }
        }
        "Amount" | "Cost" | "Price" | "Revenue" | "SumAmount" | "TaxRate" | "PlannedRevenue" => {
            ColumnKind::Decimal { precision: 4, min: decimal("-1e11"), max: decimal("1e11") }
        }
        _ => ColumnKind::Text { length_max: 100, format: TextFormat::Text },
    }
}

fn column(name: &str, kind: ColumnKind) -> Column {
    Column { logical_name: name.into(), schema_name: name.into(), kind, ..Column::default() }
}

fn lookup(name: &str, table: &str, navigation: &str, collection: &str) -> Column {
    let target = LookupTarget {
        table: table.into(),
        navigation: navigation.into(),
        collection: collection.into(),
        relationship: name.into(),
        on_delete: OnDelete::RemoveLink,
    };
    column(name, ColumnKind::Lookup { targets: vec![target] })
}

fn table(name: &str, columns: Vec<Column>) -> Table {
    Table {
        logical_name: name.into(),
        schema_name: name.into(),
        set_name: name.into(),
        primary_id: "ID".into(),
        writable: true,
        columns,
        ..Table::default()
    }
}

/// A URL whose numeric keys, `(1)` or `(ID=1)`, are ids.
pub fn with_ids(url: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('(') {
        out.push_str(before);
        out.push('(');
        rest = after;
        if let Some((key, behind)) = after.split_once(')') {
            let number = key.strip_prefix("ID=").unwrap_or(key);
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
                out.push_str(&key.replace(number, ID));
                out.push(')');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    match query {
        Some(query) => format!("{out}?{query}"),
        None => out,
    }
}

/// `None` when the encoding is malformed.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let pair = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}
