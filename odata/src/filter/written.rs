//! Values written as bare text, as FetchXML does: the column says what they are.

use super::literal::{is_number, parse_guid, Literal};
use super::{CompareOp, Filter};
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use crate::ordered;
use crate::time::{parse_date, parse_datetime, DAY_MILLIS};
use crate::value::Value;
use std::borrow::Cow;
use uuid::Uuid;

/// A column against a value written as bare text.
///
/// # Errors
/// 400 `0x80041139` when the text is no value of the column's type.
pub(crate) fn compare(column: &Column, op: CompareOp, text: &str) -> Result<Filter> {
    let trimmed = text.trim();
    let literal = match &column.kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Some(Literal::Text(Cow::Borrowed(text))),
        ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. } => guid(trimmed).map(Literal::Guid),
        ColumnKind::Boolean { .. } => boolean(trimmed).map(Literal::Bool),
        ColumnKind::DateTime => instant(trimmed).map(Literal::DateTime),
        ColumnKind::Date => match parse_date(trimmed) {
            Some(days) => Some(Literal::Date(days)),
            None => instant(trimmed).map(Literal::DateTime),
        },
        ColumnKind::Integer { .. }
        | ColumnKind::BigInt
        | ColumnKind::Decimal { .. }
        | ColumnKind::Money { .. }
        | ColumnKind::Double { .. }
        | ColumnKind::Picklist { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => is_number(trimmed).then_some(Literal::Number(trimmed)),
        ColumnKind::MultiPicklist { .. } => return several(column, op, trimmed),
    };
    let literal = literal.ok_or_else(|| wrong(column))?;
    Ok(literal.bound(column, op)?.compare(&column.logical_name, op))
}

/// Several options: the same ones, and no others. Written in any order.
fn several(column: &Column, op: CompareOp, text: &str) -> Result<Filter> {
    let numbers: Option<Vec<i32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    let numbers = ordered::set(numbers.ok_or_else(|| wrong(column))?);
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Ok(Filter::Compare { column: column.logical_name.clone(), op, value: Value::Text(texts.join(",")) })
}

/// An id, with or without braces.
pub(crate) fn guid(text: &str) -> Option<Uuid> {
    let text = text.trim();
    let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    parse_guid(bare.unwrap_or(text))
}

/// A moment: an instant, one without a zone (which is UTC), or a day (its midnight).
pub(crate) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(days) = parse_date(text) {
        return Some(i64::from(days) * DAY_MILLIS);
    }
    let standard = text.replacen(' ', "T", 1);
    parse_datetime(&standard).or_else(|| parse_datetime(&format!("{standard}Z")))
}

/// `1`, `0`, or the words.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "true" | "True" => Some(true),
        "0" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn wrong(column: &Column) -> ODataError {
    ODataError::new(
        400,
        "0x80041139",
        format!("A value given for attribute '{}' is not of its type.", column.logical_name),
    )
}
