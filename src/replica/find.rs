//! Rows by their values, as the app would see them after a draft.

use super::{Draft, State};
use crate::model::{Key, Row};
use flette_odata::filter::{matches, Filter};
use flette_odata::ordered;
use std::collections::BTreeSet;
use uuid::Uuid;

impl State {
    /// Ids of rows of a table that pass, as the app sees them, in no order. The table must be loaded. No row is read
    /// that has no entries.
    pub fn ids_where(&self, table: &str, filter: &Filter) -> Vec<Uuid> {
        let touched = self.touched(table);
        let skip: Vec<Uuid> = touched.iter().map(|key| key.id).collect();
        let passes = |key: &&Key| {
            let seen = self.row(key);
            seen.is_some_and(|seen| matches(filter, &|name| seen.row.get(name).cloned().unwrap_or_default()))
        };
        let mirror = self.tables.get(table).and_then(|table| table.mirror.as_ref());
        let told = mirror
            .into_iter()
            .flat_map(|mirror| mirror.select(Some(filter), &skip).into_iter().map(|at| mirror.id_at(at)));
        told.chain(touched.iter().filter(passes).map(|key| key.id)).collect()
    }

    /// Rows of a table that pass, as the server told them, in no order. The table must be loaded.
    pub fn told_where(&self, table: &str, filter: &Filter) -> Vec<(Uuid, Row)> {
        let Some(mirror) = self.tables.get(table).and_then(|t| t.mirror.as_ref()) else { return Vec::new() };
        let found = mirror.select(Some(filter), &[]).into_iter();
        found.map(|at| (mirror.id_at(at), mirror.row_at(at))).collect()
    }
}

impl Draft<'_> {
    /// Ids of rows of a table that pass a condition on their own columns, in no order. The table must be loaded.
    pub fn ids_where(&self, table: &str, filter: &Filter) -> Vec<Uuid> {
        let drafted = self.drafted_keys(table);
        let found = self.state().ids_where(table, filter).into_iter();
        let is_there = |id: &Uuid| self.row(&Key::new(table, *id)).is_some();
        let others = found.filter(|id| !drafted.contains(&Key::new(table, *id)) && is_there(id));
        let passes = |key: &&Key| {
            let seen = self.row(key);
            seen.is_some_and(|seen| {
                matches(filter, &|column| seen.row.get(column).cloned().unwrap_or_default())
            })
        };
        others.chain(drafted.iter().filter(passes).map(|key| key.id)).collect()
    }

    /// Rows of a table whose entries this draft adds to or takes away from.
    fn drafted_keys(&self, table: &str) -> BTreeSet<Key> {
        let key = |(seq, drafted): (&crate::model::Seq, &Option<crate::journal::Entry>)| match drafted {
            Some(entry) => Some(entry.key.clone()),
            None => self.state().journal.get(*seq).map(|entry| entry.key.clone()),
        };
        ordered::set(self.effects.entries.iter().filter_map(key).filter(|key| key.table == table))
    }
}
