//! One value as JSON, written without allocation.

use crate::decimal::Decimal;
use crate::edm::{Column, ColumnKind};
use crate::value::{EntityRef, Value};
use chrono::{Datelike, Timelike};
use std::io::Write as _;
use uuid::Uuid;

/// A borrowed value: what a row's source hands out without copying text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'v> {
    /// No value.
    Null,
    /// Two options.
    Bool(bool),
    /// Whole numbers, options, Int64.
    Int(i64),
    /// Decimal and money.
    Decimal(Decimal),
    /// Floating point number; one that is not finite is written as `null`.
    Double(f64),
    /// Text and memo.
    Text(&'v str),
    /// A row id.
    Guid(Uuid),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// Days since 1970-01-01.
    Date(i32),
    /// A reference to a row.
    Lookup {
        /// Logical name of the target table.
        table: &'v str,
        /// Id of the target row.
        id: Uuid,
    },
}

impl<'v> From<&'v Value> for Cell<'v> {
    fn from(value: &'v Value) -> Cell<'v> {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(b) => Cell::Bool(*b),
            Value::Int(n) => Cell::Int(*n),
            Value::Decimal(d) => Cell::Decimal(*d),
            Value::Double(d) => Cell::Double(*d),
            Value::Text(text) => Cell::Text(text),
            Value::Guid(id) => Cell::Guid(*id),
            Value::DateTime(at) => Cell::DateTime(*at),
            Value::Date(days) => Cell::Date(*days),
            Value::Lookup(to) => Cell::Lookup { table: &to.table, id: to.id },
        }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Value {
        match cell {
            Cell::Null => Value::Null,
            Cell::Bool(value) => Value::Bool(value),
            Cell::Int(number) => Value::Int(number),
            Cell::Decimal(number) => Value::Decimal(number),
            Cell::Double(number) => Value::Double(number),
            Cell::Text(text) => Value::Text(text.to_owned()),
            Cell::Guid(id) => Value::Guid(id),
            Cell::DateTime(at) => Value::DateTime(at),
            Cell::Date(days) => Value::Date(days),
            Cell::Lookup { table, id } => Value::Lookup(EntityRef { table: table.to_owned(), id }),
        }
    }
}

/// Appends one value as JSON. Money has four digits after the point, as Dataverse sends it; a lookup is its
/// id.
pub fn write_value(out: &mut Vec<u8>, column: &Column, value: &Value) {
    write_cell(out, column, Cell::from(value));
}

/// The same as [`write_value`] for a borrowed value.
pub fn write_cell(out: &mut Vec<u8>, column: &Column, cell: Cell<'_>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(true) => out.extend_from_slice(b"true"),
        Cell::Bool(false) => out.extend_from_slice(b"false"),
        Cell::Int(number) => write_json(out, &number),
        Cell::Decimal(number) if matches!(column.kind, ColumnKind::Money { .. }) => {
            write_decimal(out, number.rescale(MONEY_SCALE));
        }
        Cell::Decimal(number) => match column.kind {
            // As many digits as the column has, so that the text does not depend on where the value was kept.
            ColumnKind::Decimal { precision, .. } => {
                write_decimal(out, number.rescale(precision.max(number.scale())))
            }
            _ => write_decimal(out, number),
        },
        Cell::Double(number) => write_json(out, &number),
        Cell::Text(text) => write_text(out, text),
        Cell::Guid(id) | Cell::Lookup { id, .. } => {
            out.push(b'"');
            write_guid(out, id);
            out.push(b'"');
        }
        Cell::DateTime(at) => write_datetime(out, at),
        Cell::Date(days) => write_date(out, days),
    }
}

/// Digits after the point of money on the wire.
const MONEY_SCALE: u8 = 4;

/// Appends a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    write_json(out, text);
}

/// Appends a GUID in lower case with hyphens, without quotes.
pub fn write_guid(out: &mut Vec<u8>, id: Uuid) {
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
}

pub(super) fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(&mut *out, value).expect("a Vec takes every text and number");
}

fn write_decimal(out: &mut Vec<u8>, number: Decimal) {
    let unit = 10i64.pow(u32::from(number.scale()));
    match i64::try_from(number.mantissa()) {
        // The usual size, without 128-bit division.
        Ok(mantissa) if number.scale() > 0 => {
            if mantissa < 0 {
                out.push(b'-');
            }
            let (mantissa, unit) = (mantissa.unsigned_abs(), unit.unsigned_abs());
            write_json(out, &(mantissa / unit));
            out.push(b'.');
            write_digits(out, mantissa % unit, usize::from(number.scale()));
        }
        _ => write!(out, "{number}").expect("a Vec takes every text"),
    }
}

/// Appends exactly `width` digits, zeros in front.
fn write_digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for place in out[start..].iter_mut().rev() {
        *place += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// The same text as [`crate::time::format_datetime`], quoted, without its allocation.
fn write_datetime(out: &mut Vec<u8>, at: i64) {
    let Some(moment) = chrono::DateTime::from_timestamp_millis(at).filter(|m| (1..=9999).contains(&m.year()))
    else {
        return write_text(out, &crate::time::format_datetime(at));
    };
    out.push(b'"');
    write_ymd(out, moment.date_naive());
    for (mark, number) in [(b'T', moment.hour()), (b':', moment.minute()), (b':', moment.second())] {
        out.push(mark);
        write_digits(out, u64::from(number), 2);
    }
    let millis = moment.timestamp_subsec_millis();
    if millis != 0 {
        out.push(b'.');
        write_digits(out, u64::from(millis), 3);
    }
    out.extend_from_slice(b"Z\"");
}

fn write_date(out: &mut Vec<u8>, days: i32) {
    let epoch = chrono::NaiveDate::default();
    match epoch.checked_add_signed(chrono::Duration::days(i64::from(days))) {
        Some(date) if (1..=9999).contains(&date.year()) => {
            out.push(b'"');
            write_ymd(out, date);
            out.push(b'"');
        }
        _ => write_text(out, &crate::time::format_date(days)),
    }
}

fn write_ymd(out: &mut Vec<u8>, date: chrono::NaiveDate) {
    write_digits(out, u64::from(date.year().unsigned_abs()), 4);
    out.push(b'-');
    write_digits(out, u64::from(date.month()), 2);
    out.push(b'-');
    write_digits(out, u64::from(date.day()), 2);
}
