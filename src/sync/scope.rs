//! What a profile leaves of the server's schema. Pure.
//!
//! A column that is left out is not in the replica's schema at all, so nothing pulls, shows, finds or edits it by mistake;
//! one that only comes down is read-only there.

use crate::journal::Entry;
use crate::model::{is_fixed, Change, Direction, LeftOut, Profile};
use flette_odata::edm::{Column, Schema, Table};
use std::collections::{BTreeMap, BTreeSet};

/// Columns of which edits wait, by table.
pub(super) type Pending = BTreeMap<String, BTreeSet<String>>;

/// The schema under a profile.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Scoped {
    pub(super) schema: Schema,
    pub(super) left_out: LeftOut,
    /// Columns that would be left out and are kept until their edits are settled.
    pub(super) kept_for_edits: usize,
}

/// Leaves out what the profile says, except columns of which edits wait.
pub(super) fn scoped(schema: &Schema, profile: &Profile, pending: &Pending) -> Scoped {
    let mut scoped = Scoped { schema: schema.clone(), ..Scoped::default() };
    for table in &mut scoped.schema.tables {
        let name = table.logical_name.clone();
        let unwanted = unwanted(table, profile);
        let edited = |column: &str| pending.get(&name).is_some_and(|columns| columns.contains(column));
        let (kept, gone): (Vec<Column>, Vec<Column>) = std::mem::take(&mut table.columns)
            .into_iter()
            .partition(|column| !unwanted.contains(&column.logical_name) || edited(&column.logical_name));
        scoped.kept_for_edits += kept.iter().filter(|c| unwanted.contains(&c.logical_name)).count();
        gone.iter().for_each(|column| scoped.left_out.add(&name, column));
        table.columns = kept;
        let down: Vec<bool> = table.columns.iter().map(|column| is_down(table, column, profile)).collect();
        for (column, _) in table.columns.iter_mut().zip(down).filter(|(_, down)| *down) {
            (column.valid_for_create, column.valid_for_update) = (false, false);
        }
    }
    scoped
}

/// Whether a column is read-only on this device because of the profile.
pub(super) fn is_down(table: &Table, column: &Column, profile: &Profile) -> bool {
    profile.direction(&table.logical_name, &column.logical_name) == Direction::Down
        && !is_fixed(table, column)
}

/// Columns that a profile leaves out. What nobody can edit stays, unless it follows from a column that goes.
fn unwanted(table: &Table, profile: &Profile) -> BTreeSet<String> {
    let is_editable = |column: &Column| column.valid_for_create || column.valid_for_update;
    let may_go = |column: &&Column| !is_fixed(table, column);
    let name = &table.logical_name;
    let chosen = table.columns.iter().filter(may_go).filter(|column| {
        let named = profile.direction(name, &column.logical_name) == Direction::None;
        named || is_editable(column) && !profile.keeps(name, &column.logical_name)
    });
    let mut gone: BTreeSet<String> = chosen.map(|column| column.logical_name.clone()).collect();
    let follows = |column: &&Column| !is_editable(column) && follows(&column.logical_name, &gone);
    let more: Vec<String> =
        table.columns.iter().filter(may_go).filter(follows).map(|c| c.logical_name.clone()).collect();
    gone.extend(more);
    gone
}

/// Whether the service makes a column of others, some of which go: here it would be made of what is left.
fn follows(name: &str, gone: &BTreeSet<String>) -> bool {
    let parts = |prefix: &str| gone.iter().any(|column| column.starts_with(prefix));
    name.strip_suffix("_base").is_some_and(|amount| gone.contains(amount))
        || name.strip_suffix("composite").is_some_and(parts)
        || (name == "filesize" && gone.contains("documentbody"))
}

/// Columns that entries give a value.
pub(super) fn pending<'e>(entries: impl Iterator<Item = &'e Entry>) -> Pending {
    let mut pending = Pending::new();
    for entry in entries {
        let columns = pending.entry(entry.key.table.clone()).or_default();
        match &entry.change {
            Change::Create(row) => {
                columns
                    .extend(row.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.clone()));
            }
            Change::Update(edits) => columns.extend(edits.iter().map(|edit| edit.name.clone())),
            Change::Delete => {}
        }
    }
    pending
}

#[cfg(test)]
mod tests;
