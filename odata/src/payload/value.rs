//! One JSON value, read as the type that its column has.

use super::wrong_type;
use crate::decimal::Decimal;
use crate::edm::{Column, ColumnKind, OptionItem, Table};
use crate::error::{ODataError, Result};
use crate::time;
use crate::value::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Reads a value that is no lookup. `null` is a value of every type.
pub(super) fn read(raw: &RawValue, table: &Table, column: &Column) -> Result<Value> {
    let json = raw.get();
    if json == "null" {
        return Ok(Value::Null);
    }
    let wrong = |needed: &str| wrong_type(table, &column.logical_name, needed);
    match &column.kind {
        ColumnKind::Id | ColumnKind::Guid => guid(raw).map(Value::Guid).ok_or_else(|| wrong("Edm.Guid")),
        ColumnKind::Text { length_max, .. } | ColumnKind::Memo { length_max } => {
            let text = text(raw).ok_or_else(|| wrong("Edm.String"))?;
            match text.encode_utf16().count() > usize::try_from(*length_max).unwrap_or(usize::MAX) {
                true => {
                    Err(ODataError::text_too_long(&table.logical_name, &column.logical_name, *length_max))
                }
                false => Ok(Value::Text(text)),
            }
        }
        ColumnKind::Integer { min, max } => {
            let number = whole(json, table, column, "Edm.Int32")?;
            match (i64::from(*min)..=i64::from(*max)).contains(&number) {
                true => Ok(Value::Int(number)),
                false => Err(out_of_range("0x8004432f", table, column)),
            }
        }
        ColumnKind::BigInt => whole(json, table, column, "Edm.Int64").map(Value::Int),
        ColumnKind::Decimal { precision, min, max } | ColumnKind::Money { precision, min, max } => {
            decimal(json, *precision, (*min, *max), table, column)
        }
        ColumnKind::Double { min, max, .. } => {
            let number: f64 = number(json).and_then(|n| n.parse().ok()).ok_or_else(|| wrong("Edm.Double"))?;
            match number.is_finite() && (*min..=*max).contains(&number) {
                true => Ok(Value::Double(number)),
                false => Err(out_of_range("0x80044330", table, column)),
            }
        }
        ColumnKind::Boolean { .. } => match json {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(wrong("Edm.Boolean")),
        },
        ColumnKind::DateTime => {
            let at = text(raw)
                .and_then(|t| time::parse_datetime(&t))
                .ok_or_else(|| wrong("Edm.DateTimeOffset"))?;
            Ok(Value::DateTime(at - at.rem_euclid(1000)))
        }
        ColumnKind::Date => {
            text(raw).and_then(|t| time::parse_date(&t)).map(Value::Date).ok_or_else(|| wrong("Edm.Date"))
        }
        ColumnKind::Picklist { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. } => {
            option(whole(json, table, column, "Edm.Int32")?, table, column)
        }
        ColumnKind::MultiPicklist { options } => {
            let text = text(raw).ok_or_else(|| wrong("Edm.String"))?;
            choices(&text, options).ok_or_else(|| out_of_range("0x8004431a", table, column))
        }
        ColumnKind::Lookup { .. } => Err(wrong("a bind")),
    }
}

/// A GUID in quotes, 36 characters, any case.
pub(super) fn guid(raw: &RawValue) -> Option<Uuid> {
    text(raw).and_then(|text| hyphenated(&text))
}

/// A bare GUID of 36 characters, any case. Other notations that the library knows are no part of the wire
/// format.
pub(super) fn hyphenated(text: &str) -> Option<Uuid> {
    (text.len() == uuid::fmt::Hyphenated::LENGTH).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// A text without lone surrogates. U+0000 is refused: neither Dataverse nor PostgreSQL keeps it.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_slice::<String>(raw.get().as_bytes()).ok().filter(|text| !text.contains('\0'))
}

/// The text of a JSON number.
fn number(json: &str) -> Option<&str> {
    json.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(json)
}

fn whole(json: &str, table: &Table, column: &Column, needed: &str) -> Result<i64> {
    let digits = number(json).ok_or_else(|| wrong_type(table, &column.logical_name, needed))?;
    let only_digits = digits.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(number) => Ok(number),
        Err(_) if only_digits => Err(out_of_range("0x8004432f", table, column)),
        Err(_) => Err(wrong_type(table, &column.logical_name, needed)),
    }
}

fn decimal(
    json: &str,
    precision: u8,
    range: (Decimal, Decimal),
    table: &Table,
    column: &Column,
) -> Result<Value> {
    let digits = number(json).ok_or_else(|| wrong_type(table, &column.logical_name, "Edm.Decimal"))?;
    // A number that cannot be held exactly has far more digits than any column allows.
    let exact = Decimal::parse(digits).ok_or_else(|| out_of_range("0x80044330", table, column))?;
    let rounded = if exact.scale() > precision { exact.rescale(precision) } else { exact };
    match (range.0..=range.1).contains(&rounded) {
        true => Ok(Value::Decimal(rounded)),
        false => Err(out_of_range("0x80044330", table, column)),
    }
}

fn option(number: i64, table: &Table, column: &Column) -> Result<Value> {
    let known = match &column.kind {
        ColumnKind::Picklist { options, .. } => options.iter().any(|o| i64::from(o.value) == number),
        ColumnKind::State { options } => options.iter().any(|o| i64::from(o.value) == number),
        ColumnKind::Status { options } => options.iter().any(|o| i64::from(o.value) == number),
        _ => false,
    };
    match known {
        true => Ok(Value::Int(number)),
        false => Err(out_of_range("0x8004431a", table, column)),
    }
}

/// `3,1` as a value: each option once, in rising order; none at all is null. `None`: not options of the column.
fn choices(text: &str, options: &[OptionItem]) -> Option<Value> {
    let mut chosen = BTreeSet::new();
    for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        let number: i32 = part.parse().ok()?;
        options.iter().find(|option| option.value == number)?;
        chosen.insert(number);
    }
    let all: Vec<String> = chosen.iter().map(i32::to_string).collect();
    Some(if all.is_empty() { Value::Null } else { Value::Text(all.join(",")) })
}

/// The range is in the definition of the column; the value is not repeated.
fn out_of_range(code: &str, table: &Table, column: &Column) -> ODataError {
    let message = format!(
        "A validation error occurred. The value of '{}' on record of type '{}' is outside the valid range.",
        column.logical_name, table.logical_name
    );
    ODataError::new(400, code, message)
}
