//! One column's value, typed, and a row of them.

use crate::decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A value as both sides hold it. Lookups are one value: target table and id belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// Two options.
    Bool(bool),
    /// Whole numbers, options, states, status reasons, Int64.
    Int(i64),
    /// Decimal and money, exact.
    Decimal(Decimal),
    /// Floating point numbers, finite.
    Double(f64),
    /// Text and memo.
    Text(String),
    /// A row id that is not a lookup (primary key).
    Guid(Uuid),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// Days since 1970-01-01, no time zone.
    Date(i32),
    /// A reference to a row.
    Lookup(EntityRef),
}

impl Value {
    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text, when it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Which row a lookup points to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntityRef {
    /// Logical name of the target table.
    pub table: String,
    /// Id of the target row.
    pub id: Uuid,
}

/// A row: column logical name (`parentcustomerid`, not `_parentcustomerid_value`) to value.
/// A column that is absent was not selected or not known; one that is `Null` has no value.
pub type Row = BTreeMap<String, Value>;
