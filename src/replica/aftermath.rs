//! What hangs on rows deleted here. The server deletes dependents or takes links away when it hears of a deletion; until
//! then the same is derived, never journalled: the server does it, and giving the deletion up undoes it.

use super::draft::Effects;
use super::holders::pair_columns;
use super::{Draft, SeenRow, State};
use crate::journal::{plan, Entry};
use crate::model::{Change, EntityRef, FieldEdit, Key, Row, Value};
use flette_odata::edm::{Column, ColumnKind, OnDelete, Table};
use flette_odata::filter::{CompareOp, Filter};
use flette_odata::ordered;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// See the module. Empty when no row of the replica was deleted here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Aftermath {
    /// Rows deleted here, and those that go with them.
    gone: BTreeSet<Key>,
    /// Rows that stay, and point to rows that are gone.
    unlinked: BTreeSet<Key>,
}

impl Aftermath {
    /// Follows the relationships from every deleted row. The tables must be loaded.
    pub(super) fn of(state: &State) -> Aftermath {
        let known = |key: &&Key| state.schema.table(&key.table).is_some();
        let is_last = |entry: &&Entry| state.journal.of(&entry.key).last() == Some(*entry);
        let deleted = state.journal.deletions().filter(is_last).map(|entry| &entry.key);
        let mut next: Vec<Key> = deleted.filter(known).cloned().collect();
        let mut found = Aftermath { gone: ordered::set(next.iter().cloned()), ..Aftermath::default() };
        if next.is_empty() {
            return found;
        }
        let edited = edited_links(state);
        // A list and not recursion: a chain of rows may be as long as the table.
        while let Some(target) = next.pop() {
            let edited = edited.get(&target).into_iter().flatten().cloned();
            for (key, on_delete) in untouched_links(state, &target).into_iter().chain(edited) {
                match on_delete {
                    OnDelete::Cascade if found.gone.insert(key.clone()) => next.push(key),
                    OnDelete::RemoveLink => drop(found.unlinked.insert(key)),
                    OnDelete::Cascade | OnDelete::Restrict | OnDelete::NoCascade => {}
                }
            }
        }
        found
    }

    /// Whether all of it is still true when this has been done: rows that it says nothing of were changed, and neither pointed
    /// to one that is gone nor do so now. `state` is what was before. May say no where it would be true.
    pub(super) fn stands_after(&self, state: &State, effects: &Effects) -> bool {
        let is_apart = |entry: &Entry| {
            let link = |value: &Value| match value {
                Value::Lookup(to) => self.is_gone(&Key::new(to.table.clone(), to.id)),
                _ => false,
            };
            let links = match &entry.change {
                Change::Create(row) => row.values().any(link),
                Change::Update(edits) => edits.iter().any(|edit| link(&edit.old) || link(&edit.new)),
                Change::Delete => true,
            };
            !links && !self.touches(&entry.key) && !entry.holders.iter().any(|holder| self.is_gone(holder))
        };
        effects.is_of_entries_alone() && state.changed_by(effects).all(is_apart)
    }

    /// Whether the row is gone, by itself or with another.
    pub(super) fn is_gone(&self, key: &Key) -> bool {
        self.gone.contains(key)
    }

    /// Whether the row is gone, or has lost a link.
    pub(super) fn touches(&self, key: &Key) -> bool {
        self.gone.contains(key) || self.unlinked.contains(key)
    }

    /// Rows of a table that are not as mirror and journal alone say.
    pub(super) fn of_table<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Key> {
        self.gone.iter().chain(&self.unlinked).filter(move |key| key.table == table)
    }

    /// The row without links to rows that are gone; `None` when it went with one.
    pub(super) fn upon(&self, table: Option<&Table>, key: &Key, mut seen: SeenRow) -> Option<SeenRow> {
        if self.is_gone(key) {
            return None;
        }
        if self.unlinked.contains(key) {
            for column in table.iter().flat_map(|table| &table.columns) {
                let points_nowhere = |to: &EntityRef| {
                    rule(column, &to.table) == Some(OnDelete::RemoveLink)
                        && self.is_gone(&Key::new(to.table.clone(), to.id))
                };
                if link(&seen.row, column).is_some_and(points_nowhere) {
                    seen.row.insert(column.logical_name.clone(), Value::Null);
                }
            }
        }
        Some(seen)
    }
}

impl Draft<'_> {
    /// The row after the deletions of this draft: without links to rows that are gone by them; `None` when it went with
    /// one.
    pub(super) fn after_deletions(&self, key: &Key, mut seen: SeenRow) -> Option<SeenRow> {
        let mut drafted = self.effects.entries.values().flatten();
        if !drafted.any(|entry| entry.change == Change::Delete) {
            return Some(seen);
        }
        if self.goes_with_drafted(key) {
            return None;
        }
        let schema = self.schema();
        for column in schema.table(&key.table).iter().flat_map(|table| &table.columns) {
            let lets_go = |to: &EntityRef| {
                rule(column, &to.table) == Some(OnDelete::RemoveLink)
                    && self.goes_with_drafted(&Key::new(to.table.clone(), to.id))
            };
            if link(&seen.row, column).is_some_and(lets_go) {
                seen.row.insert(column.logical_name.clone(), Value::Null);
            }
        }
        Some(seen)
    }

    /// Whether a row is deleted in this draft, or hangs on one that is.
    fn goes_with_drafted(&self, key: &Key) -> bool {
        let schema = self.schema();
        let mut next = vec![key.clone()];
        // A list and not recursion: a chain of rows may be as long as the table.
        let mut done = BTreeSet::new();
        while let Some(key) = next.pop() {
            if !done.insert(key.clone()) {
                continue;
            }
            let entries = self.entries_of(&key);
            if entries.last().is_some_and(|last| {
                last.change == Change::Delete && self.effects.entries.contains_key(&last.seq)
            }) {
                return true;
            }
            let Some(seen) = self.state().see(&key, entries.iter()) else { continue };
            next.extend(entries.iter().flat_map(|entry| entry.holders.clone()));
            for column in schema.table(&key.table).iter().flat_map(|table| &table.columns) {
                let hangs = |to: &&EntityRef| rule(column, &to.table) == Some(OnDelete::Cascade);
                let to = link(&seen.row, column).filter(hangs);
                next.extend(to.map(|to| Key::new(to.table.clone(), to.id)));
            }
        }
        false
    }

    /// Takes links to a row away that no longer is. Gives the rows that go with it.
    ///
    /// Only rows with entries can point to a row that the server never had.
    pub(super) fn leave(&mut self, gone: &Key) -> Vec<Key> {
        let mut follow = self.held_by(gone);
        for table in &self.schema().tables {
            for key in self.keys_with_entries(&table.logical_name) {
                // Also where it is not shown, since it hangs on a row that is gone.
                let Some(seen) = self.state().fold_with(&key, self.entries_of(&key).iter()) else { continue };
                for column in &table.columns {
                    let points_there =
                        link(&seen.row, column).is_some_and(|to| to.id == gone.id && to.table == gone.table);
                    match rule(column, &gone.table).filter(|_| points_there) {
                        Some(OnDelete::Cascade) => follow.push(key.clone()),
                        Some(OnDelete::RemoveLink) => {
                            let name = column.logical_name.clone();
                            let old = seen.row.get(&name).cloned().unwrap_or_default();
                            self.amend(&key, vec![FieldEdit { name, old, new: Value::Null }]);
                        }
                        Some(OnDelete::Restrict | OnDelete::NoCascade) | None => {}
                    }
                }
            }
        }
        follow
    }

    /// Drops rows that were made and deleted here before the server heard of them, with what hangs on them: nobody else can
    /// follow their relationships. Those in a change set were kept for it until now. Tells whether there were any.
    pub fn drop_unmade(&mut self) -> bool {
        let state = self.state();
        let journal = &state.journal;
        let is_new =
            |key: &&Key| journal.of(key).next().is_some_and(|e| matches!(e.change, Change::Create(_)));
        let made: Vec<&Key> = journal.deletions().map(|entry| &entry.key).filter(is_new).collect();
        if made.is_empty() {
            return false;
        }
        let nothing = ordered::set(plan(journal.iter()).into_iter().flat_map(|unit| unit.nothing));
        let unmade = |key: &&&Key| journal.of(key).all(|entry| nothing.contains(&entry.seq));
        let unmade: Vec<&Key> = made.iter().filter(unmade).copied().collect();
        for key in &unmade {
            journal.of(key).for_each(|entry| self.remove(entry.seq));
            self.leave(key).iter().for_each(|hung| self.delete(hung));
        }
        !unmade.is_empty()
    }

    /// Rows with entries that a row holds.
    pub fn held_by(&self, holder: &Key) -> Vec<Key> {
        let stored = self.state().journal.held_by(holder).map(|entry| self.entry(entry.seq));
        let drafted = self.effects.entries.values().cloned();
        let held = stored.chain(drafted).flatten().filter(|entry| entry.holders.contains(holder));
        held.map(|entry| entry.key).collect()
    }

    fn keys_with_entries(&self, table: &str) -> BTreeSet<Key> {
        let stored = self.state().journal.keys_of(table);
        let drafted = self.effects.entries.values().flatten().map(|entry| &entry.key);
        ordered::set(stored.chain(drafted.filter(|key| key.table == table)).cloned())
    }
}

fn link<'r>(row: &'r Row, column: &Column) -> Option<&'r EntityRef> {
    match row.get(&column.logical_name) {
        Some(Value::Lookup(to)) => Some(to),
        _ => None,
    }
}

/// What the deletion of a row of `target` does to rows whose `column` points to it.
pub(super) fn rule(column: &Column, target: &str) -> Option<OnDelete> {
    match &column.kind {
        ColumnKind::Lookup { targets } => targets.iter().find(|t| t.table == target).map(|t| t.on_delete),
        _ => None,
    }
}

/// Who points to a row by a relationship that its deletion follows, among the rows that have entries.
fn edited_links(state: &State) -> BTreeMap<Key, Vec<(Key, OnDelete)>> {
    let mut links: BTreeMap<Key, Vec<(Key, OnDelete)>> = BTreeMap::new();
    for table in &state.schema.tables {
        for key in state.journal.keys_of(&table.logical_name) {
            let Some(seen) = state.folded(key) else { continue };
            for holder in state.journal.of(key).flat_map(|entry| &entry.holders) {
                links.entry(holder.clone()).or_default().push((key.clone(), OnDelete::Cascade));
            }
            for column in &table.columns {
                let Some(to) = link(&seen.row, column) else { continue };
                if let Some(rule) = rule(column, &to.table).filter(is_followed) {
                    let target = Key::new(to.table.clone(), to.id);
                    links.entry(target).or_default().push((key.clone(), rule));
                }
            }
        }
    }
    links
}

/// The same for one row, among the rows that are as the server told them.
fn untouched_links(state: &State, target: &Key) -> Vec<(Key, OnDelete)> {
    let mut found = Vec::new();
    for table in &state.schema.tables {
        let Some(mirror) = state.tables.get(&table.logical_name).and_then(|t| t.mirror.as_ref()) else {
            continue;
        };
        let edited: Vec<Uuid> = state.journal.keys_of(&table.logical_name).map(|key| key.id).collect();
        for column in pair_columns(&state.schema, table, &target.table) {
            for at in mirror.select(Some(&points_to(column, target.id)), &edited) {
                let pair = Key::new(table.logical_name.clone(), mirror.id_at(at));
                found.push((pair, OnDelete::Cascade));
            }
        }
        for column in &table.columns {
            let Some(rule) = rule(column, &target.table).filter(is_followed) else { continue };
            for at in mirror.select(Some(&points_to(&column.logical_name, target.id)), &edited) {
                // The same id may name a row of another target table.
                if matches!(mirror.cell(at, &column.logical_name), Value::Lookup(to) if to.table == target.table)
                {
                    found.push((Key::new(table.logical_name.clone(), mirror.id_at(at)), rule));
                }
            }
        }
    }
    found
}

fn points_to(column: &str, id: Uuid) -> Filter {
    Filter::Compare { column: column.to_owned(), op: CompareOp::Equal, value: Value::Guid(id) }
}

fn is_followed(rule: &OnDelete) -> bool {
    matches!(rule, OnDelete::Cascade | OnDelete::RemoveLink)
}
