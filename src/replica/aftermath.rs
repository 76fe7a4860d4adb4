//! What hangs on rows deleted here. The server deletes dependents or takes links away when it hears of a deletion; until
//! then the same is derived, never journalled: the server does it, and giving the deletion up undoes it.

use super::draft::Effects;
use super::holders::pair_columns;
use super::state::etag_without;
use super::{Draft, SeenRow, State};
use crate::journal::{plan, Entry};
use crate::mirror::Condition;
use crate::model::{Change, EntityRef, FieldEdit, Key, Row, Value};
use flette_odata::collate;
use flette_odata::edm::{Column, ColumnKind, OnDelete, Table};
use flette_odata::ordered;
use flette_odata::render::Cell;
use std::borrow::Cow;
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
        let deleted: Vec<Key> = state.journal.deletions().map(|entry| entry.key.clone()).collect();
        let mut found = Aftermath::default();
        found.extend(state, deleted);
        found
    }

    /// Adds what hangs on rows that were deleted since, as `state` is now. The tables must be loaded. Gives the rows that it
    /// had said nothing of, or something else.
    pub(super) fn extend(&mut self, state: &State, deleted: Vec<Key>) -> BTreeSet<Key> {
        let is_deleted = |key: &Key| {
            state.schema.table(&key.table).is_some()
                && state.journal.of(key).last().is_some_and(|last| last.change.is_delete())
        };
        let mut added = BTreeSet::new();
        for key in deleted.into_iter().filter(is_deleted) {
            // It has no links any more that could be taken away.
            self.unlinked.remove(&key);
            if self.gone.insert(key.clone()) {
                added.insert(key);
            }
        }
        let mut level = added.clone();
        if level.is_empty() {
            return added;
        }
        let edited = Edited::of(state);
        // Level by level: each column is asked once for all rows of a level, and a chain of rows may be as long as the table.
        while !level.is_empty() {
            let mut next = BTreeSet::new();
            for (key, on_delete) in edited.pointing_to(&level).chain(untouched_links(state, &level, &edited))
            {
                match on_delete {
                    OnDelete::Cascade if self.gone.insert(key.clone()) => drop(next.insert(key)),
                    OnDelete::RemoveLink if self.unlinked.insert(key.clone()) => drop(added.insert(key)),
                    OnDelete::Cascade | OnDelete::RemoveLink | OnDelete::Restrict | OnDelete::NoCascade => {}
                }
            }
            added.extend(next.iter().cloned());
            level = next;
        }
        added
    }

    /// Rows whose deletion is all that is to be added when this has been done ([`Aftermath::extend`]): other rows that are
    /// changed by it neither pointed to one that is gone nor do so now. `state` is what was before. `None` where it has to be
    /// found out anew; may be that where it would not have to.
    pub(super) fn deleted_by(&self, state: &State, effects: &Effects) -> Option<Vec<Key>> {
        if !effects.is_of_entries_alone() {
            return None;
        }
        let mut deleted = Vec::new();
        for (seq, after) in &effects.entries {
            match (state.journal.get(*seq), after) {
                (None, Some(after)) if after.change.is_delete() => deleted.push(after.key.clone()),
                // Sent, or set aside.
                (Some(before), Some(after))
                    if before.change.is_delete() && after.change.is_delete() && before.key == after.key => {}
                (before, after)
                    if before.into_iter().chain(after).all(|entry| self.is_apart(entry))
                        && before.is_none_or(|before| self.is_apart_beneath(state, &before.key)) => {}
                (_, _) => return None,
            }
        }
        Some(deleted)
    }

    /// Whether nothing of this follows from an entry, nor does the entry change anything of it.
    fn is_apart(&self, entry: &Entry) -> bool {
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
    }

    /// The same of all else that is known of the row, which an entry that leaves uncovers: the link that it changed may have been
    /// lost before.
    fn is_apart_beneath(&self, state: &State, key: &Key) -> bool {
        let leads_nowhere = |value: &Value| match value {
            Value::Lookup(to) => self.is_gone(&Key::new(to.table.clone(), to.id)),
            _ => false,
        };
        let told = || state.mirror_row(key).is_some_and(|(row, _)| row.values().any(leads_nowhere));
        self.gone.is_empty() || state.journal.of(key).all(|entry| self.is_apart(entry)) && !told()
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
            let is_lost = |to: &Key| self.is_gone(to);
            take_links(table, &mut seen, is_lost);
        }
        Some(seen)
    }
}

impl Draft<'_> {
    /// The row after the deletions of this draft: without links to rows that are gone by them; `None` when it went with
    /// one.
    pub(super) fn after_deletions(&self, key: &Key, mut seen: SeenRow) -> Option<SeenRow> {
        if !self.drafted.deletes {
            return Some(seen);
        }
        if self.goes_with_drafted(key) {
            return None;
        }
        let schema = self.schema();
        take_links(schema.table(&key.table), &mut seen, |to| self.goes_with_drafted(to));
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

    /// Edits of links that are not shown since the rows are being deleted to which they lead: until that is done they stand, and come
    /// back should it be given up.
    pub(super) fn upon_links(&self, key: &Key, mut edits: Vec<FieldEdit>) -> Vec<FieldEdit> {
        let schema = self.schema();
        let table = schema.table(&key.table);
        let is_link = |edit: &FieldEdit| {
            let column = table.and_then(|table| table.column(&edit.name));
            edit.old.is_null() && column.is_some_and(Column::is_lookup)
        };
        if !edits.iter().any(is_link) {
            return edits;
        }
        let standing = self.state().fold_with(key, self.entries_of(key).iter());
        let Some(standing) = standing.map(|seen| seen.row) else { return edits };
        for edit in edits.iter_mut().filter(|edit| is_link(edit)) {
            edit.old = standing.get(&edit.name).cloned().unwrap_or_default();
        }
        edits
    }

    /// Takes links to a row away that no longer is. Gives the rows that go with it.
    ///
    /// Only rows with entries can point to a row that the server never had.
    pub(super) fn leave(&mut self, gone: &Key) -> Vec<Key> {
        let mut follow = self.held_by(gone);
        let schema = self.schema();
        for key in self.with_links_to(gone) {
            let Some(table) = schema.table(&key.table) else { continue };
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
        let held = stored.flatten().filter(|entry| entry.holders.contains(holder)).map(|entry| entry.key);
        let drafted = self.effects.entries.values().flatten();
        let drafted = drafted.filter(|entry| entry.holders.contains(holder)).map(|entry| entry.key.clone());
        held.chain(drafted).collect()
    }
}

/// Takes those links away that a row loses when the rows are gone to which they lead. It is another version then.
fn take_links(table: Option<&Table>, seen: &mut SeenRow, is_lost: impl Fn(&Key) -> bool) {
    let mut lost = Vec::new();
    for column in table.iter().flat_map(|table| &table.columns) {
        let points_nowhere = |to: &EntityRef| {
            rule(column, &to.table) == Some(OnDelete::RemoveLink)
                && is_lost(&Key::new(to.table.clone(), to.id))
        };
        if link(&seen.row, column).is_some_and(points_nowhere) {
            seen.row.insert(column.logical_name.clone(), Value::Null);
            lost.push(column.logical_name.as_str());
        }
    }
    seen.etag = etag_without(&seen.etag, &lost);
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

/// The rows that have entries.
struct Edited {
    /// Who of them points to a row by a relationship that its deletion follows.
    links: BTreeMap<Key, Vec<(Key, OnDelete)>>,
    /// Their ids, by table.
    ids: BTreeMap<String, Vec<Uuid>>,
}

impl Edited {
    fn of(state: &State) -> Edited {
        let mut found = Edited { links: BTreeMap::new(), ids: BTreeMap::new() };
        for table in &state.schema.tables {
            let keys: Vec<&Key> = state.journal.keys_of(&table.logical_name).collect();
            keys.iter().for_each(|key| found.add(state, table, key));
            found.ids.insert(table.logical_name.clone(), keys.iter().map(|key| key.id).collect());
        }
        found
    }

    fn add(&mut self, state: &State, table: &Table, key: &Key) {
        // One that is deleted is not read for this.
        if state.journal.of(key).last().is_some_and(|last| last.change.is_delete()) {
            return;
        }
        let Some(seen) = state.folded(key) else { return };
        for holder in state.journal.of(key).flat_map(|entry| &entry.holders) {
            self.links.entry(holder.clone()).or_default().push((key.clone(), OnDelete::Cascade));
        }
        for column in &table.columns {
            let Some(to) = link(&seen.row, column) else { continue };
            if let Some(rule) = rule(column, &to.table).filter(is_followed) {
                let target = Key::new(to.table.clone(), to.id);
                self.links.entry(target).or_default().push((key.clone(), rule));
            }
        }
    }

    fn pointing_to<'e>(&'e self, targets: &'e BTreeSet<Key>) -> impl Iterator<Item = (Key, OnDelete)> + 'e {
        targets.iter().filter_map(|target| self.links.get(target)).flatten().cloned()
    }
}

/// Who points to one of these rows by a relationship that its deletion follows, among the rows that are as the server told
/// them.
fn untouched_links(state: &State, targets: &BTreeSet<Key>, edited: &Edited) -> Vec<(Key, OnDelete)> {
    let mut by_table: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
    targets.iter().for_each(|key| by_table.entry(&key.table).or_default().push(key.id));
    let mut found = Vec::new();
    for table in &state.schema.tables {
        let Some(mirror) = state.tables.get(&table.logical_name).and_then(|t| t.mirror.as_ref()) else {
            continue;
        };
        let skip = edited.ids.get(&table.logical_name).map(Vec::as_slice).unwrap_or_default();
        let mut ask = |condition: Condition, rule: OnDelete| {
            let rows = mirror.select_where(Some(&condition), skip).into_iter();
            found.extend(rows.map(|at| (Key::new(table.logical_name.clone(), mirror.id_at(at)), rule)));
        };
        for (target, ids) in &by_table {
            for column in pair_columns(&state.schema, table, target) {
                let values = ids.iter().map(|id| collate::Key::of(Cell::Guid(*id))).collect();
                ask(Condition::OneOf { column: Cow::Borrowed(column), values }, OnDelete::Cascade);
            }
            for column in &table.columns {
                let Some(rule) = rule(column, target).filter(is_followed) else { continue };
                let (column, ids) =
                    (Cow::Borrowed(column.logical_name.as_str()), ids.iter().copied().collect());
                // The same id may name a row of another target table.
                ask(Condition::Leads { column, table: Some(Cow::Borrowed(target)), ids }, rule);
            }
        }
    }
    found
}

fn is_followed(rule: &OnDelete) -> bool {
    matches!(rule, OnDelete::Cascade | OnDelete::RemoveLink)
}
