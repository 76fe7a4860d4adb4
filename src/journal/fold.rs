//! Row = mirror row folded with its entries. Never stored.

use super::Entry;
use crate::model::{Change, Row};

/// Applies a row's entries, in order, to what the server last said. `None` is a row that is not there.
///
/// Parked entries count too: the user sees what he did until he discards it. An update of a row that is not there
/// changes nothing: it waits to be settled, and no row is made up from a few columns.
pub fn fold<'a>(mirror: Option<Row>, entries: impl IntoIterator<Item = &'a Entry>) -> Option<Row> {
    entries.into_iter().fold(mirror, |row, entry| match (&entry.change, row) {
        (Change::Create(created), None) => Some(created.clone()),
        // The server has the row already: the create was applied, its answer lost. What it says counts.
        (Change::Create(_), Some(row)) => Some(row),
        (Change::Update(edits), Some(mut row)) => {
            for edit in edits {
                row.insert(edit.name.clone(), edit.new.clone());
            }
            Some(row)
        }
        (Change::Update(_), None) | (Change::Delete, _) => None,
    })
}
