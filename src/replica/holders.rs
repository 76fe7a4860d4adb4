//! Rows that the server hears of through others only: the parties of an activity, the pairs of two rows. They are rows
//! like any other to whoever reads; when they are sent, those that hold them speak for them.

use super::Draft;
use crate::model::{Change, Key, Row, Value};
use flette_odata::edm::{Schema, Table};
use flette_odata::path::PARTY_TABLE;

/// Column of a party that says whose party it is.
pub const PARTY_HOLDER: &str = "activityid";

/// Whether the rows of a table are held by others.
pub fn is_held(schema: &Schema, table: &str) -> bool {
    table == PARTY_TABLE || schema.many_to_many.iter().any(|pairs| pairs.intersect == table)
}

/// The rows that hold a row: one activity, or the two ends of a pair, in the order of the relationship.
fn holders(schema: &Schema, table: &str, row: &Row) -> Vec<Key> {
    if table == PARTY_TABLE {
        return match row.get(PARTY_HOLDER) {
            Some(Value::Lookup(activity)) => vec![Key::new(activity.table.clone(), activity.id)],
            Some(_) | None => Vec::new(),
        };
    }
    let Some(pairs) = schema.many_to_many.iter().find(|pairs| pairs.intersect == table) else {
        return Vec::new();
    };
    let end = |table: &str, column: &str| match row.get(column) {
        Some(Value::Guid(id)) => Some(Key::new(table, *id)),
        Some(_) | None => None,
    };
    let [first, second] = [&pairs.first, &pairs.second].map(|one| end(&one.table, &one.column));
    first.into_iter().chain(second).collect()
}

/// Columns of a table by which rows of `target` hold its rows, where the table has pairs.
pub(super) fn pair_columns<'s>(schema: &'s Schema, table: &Table, target: &str) -> Vec<&'s str> {
    let pairs = schema.many_to_many.iter().filter(|pairs| pairs.intersect == table.logical_name);
    let ends = pairs.flat_map(|pairs| [&pairs.first, &pairs.second]);
    ends.filter(|end| end.table == target).map(|end| end.column.as_str()).collect()
}

impl Draft<'_> {
    /// Who holds the row of a new entry.
    pub(super) fn holders_of(&self, key: &Key, change: &Change) -> Vec<Key> {
        let schema = self.schema();
        if !is_held(&schema, &key.table) {
            return Vec::new();
        }
        if let Change::Create(row) = change {
            return holders(&schema, &key.table, row);
        }
        match self.entries_of(key).first() {
            Some(first) => first.holders.clone(),
            None => {
                let known = self.state().mirror_row(key);
                known.map(|(row, _)| holders(&schema, &key.table, &row)).unwrap_or_default()
            }
        }
    }
}
