//! `$filter`: grammar, types, and what it means for a row.

use crate::edm::Table;
use crate::error::{ODataError, Result};
use crate::value::Value;

/// A condition on one row. Columns are logical names that exist in the table; values fit their columns' types.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All hold; never empty when parsed.
    And(Vec<Filter>),
    /// At least one holds; never empty when parsed.
    Or(Vec<Filter>),
    /// Does not hold.
    Not(Box<Filter>),
    /// A column against a literal. Lookups and keys are compared with `Value::Guid`, dates and date-times with
    /// `Value::Date` or `Value::DateTime`, whole numbers with `Value::Int` or (`1.5`) `Value::Decimal`.
    Compare {
        /// Logical name.
        column: String,
        /// How.
        op: CompareOp,
        /// The literal.
        value: Value,
    },
    /// Two columns of the same row against each other.
    CompareColumns {
        /// Logical name.
        left: String,
        /// How.
        op: CompareOp,
        /// Logical name.
        right: String,
    },
    /// A text column against a pattern.
    Text {
        /// Logical name.
        column: String,
        /// How.
        op: TextOp,
        /// What is looked for, as written (not folded).
        pattern: String,
    },
    /// The same for every row.
    Always(bool),
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Text functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TextOp {
    Contains,
    StartsWith,
    EndsWith,
}

/// Reads the text of a `$filter` option, percent-decoded.
///
/// # Errors
/// 400 for a syntax error, an unknown column, a type that does not fit, or more than the caps allow; 501 for what
/// Dataverse knows and this crate does not (paths, lambdas, query functions).
pub fn parse_filter(_text: &str, _table: &Table) -> Result<Filter> {
    Err(ODataError::not_implemented("$filter is not read yet."))
}

/// Whether a row passes. `cell` gives a column's value by logical name, `Null` where there is none.
pub fn matches(filter: &Filter, _cell: &dyn Fn(&str) -> Value) -> bool {
    matches!(filter, Filter::Always(true))
}
