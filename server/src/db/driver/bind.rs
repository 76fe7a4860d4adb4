//! Values on their way into a statement, for both drivers.

use rusqlite::types::{ToSqlOutput, ValueRef};
use sea_query::Value;
use tokio_postgres::types::{to_sql_checked, Format, IsNull, ToSql, Type};

/// One bound value.
#[derive(Debug)]
pub(super) struct Bound<'v>(pub(super) &'v Value);

enum Plain<'v> {
    Null,
    Whole(i128),
    Real(f64),
    Bool(bool),
    Text(&'v str),
    Bytes(&'v [u8]),
}

impl Bound<'_> {
    fn plain(&self) -> Plain<'_> {
        match self.0 {
            Value::Bool(Some(value)) => Plain::Bool(*value),
            Value::TinyInt(Some(value)) => Plain::Whole((*value).into()),
            Value::SmallInt(Some(value)) => Plain::Whole((*value).into()),
            Value::Int(Some(value)) => Plain::Whole((*value).into()),
            Value::BigInt(Some(value)) => Plain::Whole((*value).into()),
            Value::TinyUnsigned(Some(value)) => Plain::Whole((*value).into()),
            Value::SmallUnsigned(Some(value)) => Plain::Whole((*value).into()),
            Value::Unsigned(Some(value)) => Plain::Whole((*value).into()),
            Value::BigUnsigned(Some(value)) => Plain::Whole((*value).into()),
            Value::Float(Some(value)) => Plain::Real((*value).into()),
            Value::Double(Some(value)) => Plain::Real(*value),
            Value::String(Some(value)) => Plain::Text(value),
            Value::Bytes(Some(value)) => Plain::Bytes(value),
            // No other kind of value is ever bound; each could only be null.
            _ => Plain::Null,
        }
    }
}

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.plain() {
            Plain::Null => ValueRef::Null,
            // Beyond what SQLite holds: a limit, which is then none.
            Plain::Whole(value) => ValueRef::Integer(i64::try_from(value).unwrap_or(i64::MAX)),
            Plain::Real(value) => ValueRef::Real(value),
            Plain::Bool(value) => ValueRef::Integer(value.into()),
            Plain::Text(value) => ValueRef::Text(value.as_bytes()),
            Plain::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// Everything but bytes goes as text, which PostgreSQL reads as the type that the statement needs there: a
/// decimal is exact, and a whole number fits any numeric type.
impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        wanted: &Type,
        out: &mut tokio_postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let text = match self.plain() {
            Plain::Null => return Ok(IsNull::Yes),
            Plain::Bytes(value) => {
                out.extend_from_slice(value);
                return Ok(IsNull::No);
            }
            Plain::Text(value) => {
                out.extend_from_slice(value.as_bytes());
                return Ok(IsNull::No);
            }
            Plain::Bool(value) if *wanted == Type::BOOL => value.to_string(),
            Plain::Bool(value) => i64::from(value).to_string(),
            Plain::Whole(value) if *wanted == Type::BOOL => (value != 0).to_string(),
            Plain::Whole(value) if *wanted == Type::INT8 => value.min(i64::MAX.into()).to_string(),
            Plain::Whole(value) => value.to_string(),
            Plain::Real(value) => value.to_string(),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self.plain() {
            Plain::Bytes(_) => Format::Binary,
            _ => Format::Text,
        }
    }

    to_sql_checked!();
}
