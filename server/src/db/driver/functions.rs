//! What SQLite is taught, so that a `$filter` or `$orderby` gives the very rows that the engine gives: the
//! collation of `flette_odata::collate` for text, exact order for decimals, and the text functions.

use flette_odata::{collate, Decimal};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::Connection;
use std::cmp::Ordering;

/// Collation of text columns.
pub(in crate::db) const TEXT: &str = "flette_text";
/// Collation of decimal and money columns, which are kept as text.
pub(in crate::db) const DECIMAL: &str = "flette_decimal";
/// Function `contains(text, pattern)`.
pub(in crate::db) const CONTAINS: &str = "flette_contains";
/// Function `starts_with(text, pattern)`.
pub(in crate::db) const STARTS_WITH: &str = "flette_starts_with";
/// Function `ends_with(text, pattern)`.
pub(in crate::db) const ENDS_WITH: &str = "flette_ends_with";
/// Function `like(text, pattern)`, with the wildcards of Transact-SQL.
pub(in crate::db) const LIKE: &str = "flette_like";

/// Aggregate `sum(number)`: exact, of decimals and whole numbers; null over nothing.
pub(in crate::db) const SUM: &str = "flette_sum";

/// Gives a connection the collations and functions. Without them the tables cannot be read in order.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_collation(TEXT, collate::compare)?;
    connection.create_collation(DECIMAL, compare_decimals)?;
    type Matches = fn(&str, &str) -> bool;
    let functions: [(&str, Matches); 4] = [
        (CONTAINS, collate::contains),
        (STARTS_WITH, collate::starts_with),
        (ENDS_WITH, collate::ends_with),
        (LIKE, collate::like),
    ];
    for (name, function) in functions {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_scalar_function(name, 2, flags, move |arguments| {
            // Null never matches: two-valued logic, as in `filter::matches`.
            let text = arguments.get_raw(0).as_str_or_null()?;
            let pattern = arguments.get_raw(1).as_str_or_null()?;
            Ok(matches!((text, pattern), (Some(text), Some(pattern)) if function(text, pattern)))
        })?;
    }
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function(SUM, 1, flags, Sum)
}

/// Adds up exactly. What no decimal can hold has no sum.
struct Sum;

/// The sum so far; `Some(None)` when it cannot be held.
type Total = Option<Option<Decimal>>;

impl Aggregate<Total, Option<String>> for Sum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Total> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> rusqlite::Result<()> {
        let number = match context.get_raw(0) {
            ValueRef::Integer(number) => Some(Decimal::from(number)),
            ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(Decimal::parse),
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => None,
        };
        if let Some(number) = number {
            let so_far = total.unwrap_or(Some(Decimal::from(0)));
            *total = Some(so_far.and_then(|so_far| so_far.plus(number)));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> rusqlite::Result<Option<String>> {
        Ok(total.flatten().flatten().map(|total| total.to_string()))
    }
}

fn compare_decimals(left: &str, right: &str) -> Ordering {
    match (Decimal::parse(left), Decimal::parse(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        // Only numbers are stored; any total order of anything else keeps an index whole.
        (None, None) => left.cmp(right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}
