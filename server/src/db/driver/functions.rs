//! What SQLite is taught, so that a `$filter` or `$orderby` gives the very rows that the engine gives: the
//! collation of `flette_odata::collate` for text, exact order for decimals, and the text functions.

use flette_odata::{collate, Decimal};
use rusqlite::functions::FunctionFlags;
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

/// Gives a connection the collations and functions. Without them the tables cannot be read in order.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_collation(TEXT, collate::compare)?;
    connection.create_collation(DECIMAL, compare_decimals)?;
    type Matches = fn(&str, &str) -> bool;
    let functions: [(&str, Matches); 3] =
        [(CONTAINS, collate::contains), (STARTS_WITH, collate::starts_with), (ENDS_WITH, collate::ends_with)];
    for (name, function) in functions {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_scalar_function(name, 2, flags, move |arguments| {
            // Null never matches: two-valued logic, as in `filter::matches`.
            let text = arguments.get_raw(0).as_str_or_null()?;
            let pattern = arguments.get_raw(1).as_str_or_null()?;
            Ok(matches!((text, pattern), (Some(text), Some(pattern)) if function(text, pattern)))
        })?;
    }
    Ok(())
}

fn compare_decimals(left: &str, right: &str) -> Ordering {
    match (Decimal::parse(left), Decimal::parse(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        // Only numbers are stored; any total order of anything else keeps an index whole.
        (None, None) => left.cmp(right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}
