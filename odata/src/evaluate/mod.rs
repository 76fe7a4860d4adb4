//! Queries over rows in memory, by the plainest means there are: no indexes, no cleverness. What an answer
//! from a database is measured by.

pub mod fetch;
mod figures;
pub mod find;
mod passes;

use crate::value::Row;

/// Rows by table: the primary key is among the columns of each. The intersect tables of N:N relationships
/// have rows like any other.
pub trait Rows {
    /// All rows of a table, in any order; none for a table that is unknown.
    fn rows(&self, table: &str) -> &[Row];
}

impl Rows for std::collections::BTreeMap<String, Vec<Row>> {
    fn rows(&self, table: &str) -> &[Row] {
        self.get(table).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
