//! One row of an answer, borrowed from whichever driver read it.

use flette_odata::{Decimal, Uuid};
use rusqlite::types::ValueRef;
use tokio_postgres::types::{FromSql, Type};

/// A row. Columns are counted from 0, in the order of the statement.
#[derive(Clone, Copy)]
pub(crate) enum SqlRow<'r> {
    /// Of SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
    /// Of PostgreSQL.
    Postgres(&'r tokio_postgres::Row),
}

/// What stands in one column of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum SqlValue<'r> {
    /// Nothing.
    Null,
    /// Whole number; also booleans, dates and instants.
    Int(i64),
    /// Floating point number.
    Real(f64),
    /// Text; on SQLite also decimals.
    Text(&'r str),
    /// Bytes; ids.
    Bytes(&'r [u8]),
    /// Exact decimal.
    Decimal(Decimal),
}

/// The getters give `None` for null, and for a value of another type.
impl<'r> SqlRow<'r> {
    /// The value in a column; null beyond the last one.
    pub(crate) fn value(&self, at: usize) -> SqlValue<'r> {
        match self {
            SqlRow::Sqlite(row) => match row.get_ref(at) {
                Ok(ValueRef::Integer(value)) => SqlValue::Int(value),
                Ok(ValueRef::Real(value)) => SqlValue::Real(value),
                Ok(ValueRef::Text(text)) => std::str::from_utf8(text).map_or(SqlValue::Null, SqlValue::Text),
                Ok(ValueRef::Blob(bytes)) => SqlValue::Bytes(bytes),
                Ok(ValueRef::Null) | Err(_) => SqlValue::Null,
            },
            SqlRow::Postgres(row) => row.try_get(at).unwrap_or(SqlValue::Null),
        }
    }

    /// Whole number, also when SQL made an exact decimal of it (sums of whole numbers).
    pub(crate) fn int(&self, at: usize) -> Option<i64> {
        match self.value(at) {
            SqlValue::Int(value) => Some(value),
            SqlValue::Decimal(value) => whole(value),
            SqlValue::Null | SqlValue::Real(_) | SqlValue::Text(_) | SqlValue::Bytes(_) => None,
        }
    }

    /// Text.
    pub(crate) fn text(&self, at: usize) -> Option<&'r str> {
        match self.value(at) {
            SqlValue::Text(value) => Some(value),
            _ => None,
        }
    }

    /// Text, owned; empty for none.
    pub(crate) fn string(&self, at: usize) -> String {
        self.text(at).unwrap_or_default().to_owned()
    }

    /// Bytes.
    pub(crate) fn bytes(&self, at: usize) -> Option<&'r [u8]> {
        match self.value(at) {
            SqlValue::Bytes(value) => Some(value),
            _ => None,
        }
    }

    /// An id.
    pub(crate) fn id(&self, at: usize) -> Option<Uuid> {
        self.bytes(at).and_then(|bytes| Uuid::from_slice(bytes).ok())
    }

    /// Floating point number.
    pub(crate) fn real(&self, at: usize) -> Option<f64> {
        match self.value(at) {
            SqlValue::Real(value) => Some(value),
            _ => None,
        }
    }

    /// Exact decimal, from a decimal column or any other number that is one.
    pub(crate) fn decimal(&self, at: usize) -> Option<Decimal> {
        match self.value(at) {
            SqlValue::Decimal(value) => Some(value),
            SqlValue::Text(text) => Decimal::parse(text),
            SqlValue::Int(value) => Some(Decimal::from(value)),
            SqlValue::Null | SqlValue::Real(_) | SqlValue::Bytes(_) => None,
        }
    }
}

fn whole(value: Decimal) -> Option<i64> {
    let unit = 10i128.pow(u32::from(value.scale()));
    (value.mantissa() % unit == 0).then(|| i64::try_from(value.mantissa() / unit).ok()).flatten()
}

impl<'r> FromSql<'r> for SqlValue<'r> {
    fn from_sql(
        kind: &Type,
        raw: &'r [u8],
    ) -> Result<SqlValue<'r>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => SqlValue::Int(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => SqlValue::Int(i32::from_be_bytes(raw.try_into()?).into()),
            Type::INT2 => SqlValue::Int(i16::from_be_bytes(raw.try_into()?).into()),
            Type::BOOL => SqlValue::Int(raw.iter().any(|byte| *byte != 0).into()),
            Type::FLOAT8 => SqlValue::Real(f64::from_be_bytes(raw.try_into()?)),
            Type::FLOAT4 => SqlValue::Real(f32::from_be_bytes(raw.try_into()?).into()),
            Type::BYTEA => SqlValue::Bytes(raw),
            Type::NUMERIC => numeric(raw).map_or(SqlValue::Null, SqlValue::Decimal),
            _ => SqlValue::Text(std::str::from_utf8(raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<SqlValue<'r>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(SqlValue::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Reads a `numeric` as it comes over the wire: four 16-bit fields (how many digits, weight of the first,
/// sign, digits after the point that are shown), then digits to the base of 10,000
/// (`src/backend/utils/adt/numeric.c`, `numeric_send`).
fn numeric(raw: &[u8]) -> Option<Decimal> {
    const BASE: i128 = 10_000;
    const NEGATIVE: u16 = 0x4000;
    let field = |at: usize| Some(u16::from_be_bytes(raw.get(at * 2..at * 2 + 2)?.try_into().ok()?));
    let (count, sign) = (usize::from(field(0)?), field(2)?);
    let weight = i32::from(i16::from_be_bytes(raw.get(2..4)?.try_into().ok()?));
    let scale = i32::from(field(3)?);
    if sign != NEGATIVE && sign != 0 {
        return None;
    }
    let mut mantissa = 0i128;
    for at in 0..count {
        let digit = i128::from(field(4 + at)?);
        // Decimal places of the digit's last figure, counted from the last figure that is kept.
        let place = (weight - i32::try_from(at).ok()?) * 4 + scale;
        let part = match u32::try_from(place) {
            Ok(place) => digit.checked_mul(10i128.checked_pow(place)?)?,
            Err(_) => digit / BASE.min(10i128.checked_pow(place.unsigned_abs())?),
        };
        mantissa = mantissa.checked_add(part)?;
    }
    Decimal::new(if sign == NEGATIVE { -mantissa } else { mantissa }, u8::try_from(scale).ok()?)
}

#[cfg(test)]
mod tests;
