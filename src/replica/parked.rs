//! What a human decides of entries, parked ones above all: corrected, sent again, given up, merged into a row that the
//! server has already.
//!
//! A parked change set stays whole: what is sent again is sent with all that is parked with it. One of its rows can be
//! given up by itself; the rest stays parked, and stays one set, until it is sent again.

use super::aftermath::rule;
use super::{is_held, Draft, Renamed};
use crate::error::Result;
use crate::journal::{fold, Entry, EntryState};
use crate::model::{
    Change, ChangeSetId, EntityRef, FieldEdit, Key, OpId, Row, TraceEvent, Value, OPEN, OWNER, STATE,
};
use flette_odata::edm::{ColumnKind, OnDelete, Table};
use flette_odata::rules::money::CURRENCY;
use flette_odata::{alike, rules, ODataError, Schema};
use std::collections::BTreeSet;
use uuid::Uuid;

impl Draft<'_> {
    /// Sends a parked entry again, with what is parked on its row and in its change sets.
    ///
    /// # Errors
    /// 404 when no entry has this operation.
    pub fn retry(&mut self, op: OpId) -> Result<()> {
        let entry = self.entry_of(op)?;
        self.note(TraceEvent::Decided { op, decision: "retry" });
        let rows = self.bound(vec![entry.key]);
        self.let_wait(&rows);
        Ok(())
    }

    /// [`Draft::retry`], as another operation: what was refused is not asked for in the same way.
    pub fn send_anew(&mut self, op: OpId) {
        if let Ok(entry) = self.entry_of(op) {
            self.renew(&entry.key);
            self.release(vec![entry.key]);
        }
    }

    /// Lets wait again what was parked since a table was not in the offline scope. It goes under the operation that it had: it
    /// may have been sent before that table went.
    pub fn release_out_of_scope(&mut self) {
        let missed =
            |entry: &&Entry| matches!(&entry.state, EntryState::Parked(reason) if reason.is_out_of_scope());
        let keys: BTreeSet<Key> = self.all_entries().filter(missed).map(|entry| entry.key.clone()).collect();
        keys.into_iter().for_each(|key| self.release(vec![key]));
    }

    /// Lets what is parked of rows wait again, with all rows of their change sets; nothing of it when any of that may have been
    /// carried out before.
    pub(super) fn release(&mut self, keys: Vec<Key>) {
        let rows = self.bound(keys);
        let unclear =
            |entry: &Entry| matches!(&entry.state, EntryState::Parked(reason) if reason.is_unclear());
        if !rows.iter().any(|key| self.entries_of(key).iter().any(unclear)) {
            self.let_wait(&rows);
        }
    }

    fn let_wait(&mut self, rows: &BTreeSet<Key>) {
        for key in rows {
            for entry in self.entries_of(key).into_iter().filter(Entry::is_parked) {
                self.put(Entry { state: EntryState::Waiting, ..entry });
            }
        }
    }

    /// These rows, and all that change sets bind to them.
    fn bound(&self, mut rows: Vec<Key>) -> BTreeSet<Key> {
        let (mut bound, mut sets) = (BTreeSet::new(), BTreeSet::new());
        while let Some(key) = rows.pop() {
            if bound.contains(&key) {
                continue;
            }
            // A set may have as many rows as there are: each is walked once.
            let of_row: Vec<ChangeSetId> =
                self.entries_of(&key).iter().filter_map(|entry| entry.change_set).collect();
            let unseen = of_row.into_iter().filter(|set| sets.insert(*set));
            rows.extend(unseen.flat_map(|set| self.rows_of(set)));
            bound.insert(key);
        }
        bound
    }

    fn rows_of(&self, set: ChangeSetId) -> BTreeSet<Key> {
        let entries = self.all_entries();
        entries.filter(|entry| entry.change_set == Some(set)).map(|entry| entry.key.clone()).collect()
    }

    /// All entries, drafts included, in no order.
    pub(super) fn all_entries(&self) -> impl Iterator<Item = &Entry> {
        let drafted = &self.effects.entries;
        let stored = self.state().journal.iter().filter(|entry| !drafted.contains_key(&entry.seq));
        stored.chain(drafted.values().flatten())
    }

    /// Corrects a row's last entry by edits if that is parked: the server never took it, so it may be changed. The row's
    /// request asks for something else then, and gets an operation of its own. `false`: there is none such, or the edits
    /// belong to a change set that the entry has no part in.
    pub(super) fn correct(&mut self, key: &Key, edits: &[FieldEdit]) -> bool {
        let entries = self.entries_of(key);
        let Some(mut last) = entries.last().filter(|last| last.is_parked()).cloned() else {
            if entries.first().is_some_and(Entry::is_parked) {
                self.renew(key);
            }
            return false;
        };
        if self.change_set.is_some() && self.change_set != last.change_set {
            self.renew(key);
            return false;
        }
        match &mut last.change {
            Change::Create(row) => {
                row.extend(edits.iter().map(|edit| (edit.name.clone(), edit.new.clone())));
                last.at = self.stamp();
                self.put(last);
            }
            Change::Update(known) => {
                let base = entries.first().and_then(|first| first.base.clone());
                let corrected = taken_out(known, edits);
                let (set, state) = (last.change_set, last.state.clone());
                if known.is_empty() {
                    self.remove(last.seq);
                } else {
                    self.put(last);
                }
                if !corrected.is_empty() {
                    let outer = std::mem::replace(&mut self.change_set, set);
                    self.append(key.clone(), Change::Update(corrected), base);
                    self.change_set = outer;
                    let added = self.entries_of(key).pop();
                    added.into_iter().for_each(|entry| self.put(Entry { state: state.clone(), ..entry }));
                }
            }
            Change::Delete => return false,
        }
        self.renew(key);
        true
    }

    /// The request of a row gets an operation of its own.
    pub fn renew(&mut self, key: &Key) {
        if let Some(mut first) = self.entries_of(key).into_iter().next() {
            (first.op, first.first_sent) = (OpId(self.new_id()), Some(self.corrected_now()));
            self.put(first);
        }
    }

    /// Gives an entry up. What was built upon it is built upon what was before (later edits of the same columns). Of a row
    /// that was to be created every entry goes; new rows that point to it go with it or lose the link, as the relationship
    /// says, and rows that the server knows point to what they pointed to before. Other rows of its change set stay as they
    /// are, one set still.
    ///
    /// # Errors
    /// 404 when no entry has this operation.
    pub fn discard(&mut self, op: OpId) -> Result<()> {
        let entry = self.entry_of(op)?;
        self.note(TraceEvent::Decided { op, decision: "discard" });
        match &entry.change {
            Change::Create(_) => self.unmake(&entry.key),
            Change::Update(edits) => {
                self.remove(entry.seq);
                for mut next in self.entries_of(&entry.key).into_iter().filter(|e| e.seq > entry.seq) {
                    if let Change::Update(next_edits) = &mut next.change {
                        rebase(next_edits, edits);
                        self.put(next);
                    }
                }
            }
            Change::Delete => self.remove(entry.seq),
        }
        Ok(())
    }

    /// A list and not recursion: a chain of new rows may be long.
    fn unmake(&mut self, key: &Key) {
        let mut rows = vec![key.clone()];
        while let Some(key) = rows.pop() {
            for held in self.held_by(&key) {
                self.entries_of(&held).iter().for_each(|entry| self.remove(entry.seq));
            }
            self.entries_of(&key).iter().for_each(|entry| self.remove(entry.seq));
            // Where a row of somebody else stands under its id, what points there points to that one.
            if self.state().mirror_etag(&key).is_none() {
                rows.extend(self.let_go(&key));
            }
        }
    }

    /// Takes back what points to a new row that is given up: of rows that the server knows the edit, of new rows the link.
    /// Gives the new rows that do not stand without it.
    fn let_go(&mut self, gone: &Key) -> Vec<Key> {
        let schema = self.schema();
        let mut follow = Vec::new();
        for (key, name, before) in self.pointing_to(gone) {
            let column = schema.table(&key.table).and_then(|table| table.column(&name));
            let cascades = column.and_then(|column| rule(column, &gone.table)) == Some(OnDelete::Cascade);
            let old = link_to(gone);
            let standing = self.row(&key).and_then(|seen| seen.row.get(&name).cloned());
            // It points elsewhere by now.
            if standing.as_ref() != Some(&old) {
                continue;
            }
            match before {
                None if cascades => follow.push(key),
                before => {
                    let new = before.unwrap_or_default();
                    self.amend(&key, vec![FieldEdit { name, old, new }]);
                }
            }
        }
        follow
    }

    /// Entries that point to a row: their rows, the columns, and of edits what stood there before.
    fn pointing_to(&self, gone: &Key) -> Vec<(Key, String, Option<Value>)> {
        let target = link_to(gone);
        let of = |entry: Entry| -> Vec<(Key, String, Option<Value>)> {
            let key = entry.key;
            match entry.change {
                Change::Create(row) => {
                    let names = row.into_iter().filter(|(_, value)| *value == target);
                    names.map(|(name, _)| (key.clone(), name, None)).collect()
                }
                Change::Update(edits) => {
                    let edits = edits.into_iter().filter(|edit| edit.new == target);
                    edits.map(|edit| (key.clone(), edit.name, Some(edit.old))).collect()
                }
                Change::Delete => Vec::new(),
            }
        };
        let rows = self.with_links_to(gone);
        rows.iter().flat_map(|key| self.entries_of(key)).flat_map(of).collect()
    }

    /// Makes a parked new row one with a row that the server has: its values become edits of that row, and from here on
    /// both ids mean it.
    ///
    /// # Errors
    /// 404 when no entry has this operation, or the other row is not here; 409 when the entry is no refused new row, or
    /// when another row was merged into the same one before.
    pub fn merge_into(&mut self, op: OpId, id: Uuid) -> Result<()> {
        let entry = self.entry_of(op)?;
        let (here, schema) = (entry.key.clone(), self.schema());
        let there = self.resolve(&Key::new(here.table.clone(), id));
        let table = schema.table(&here.table).ok_or_else(|| ODataError::segment_not_found(&here.table))?;
        let entries = self.entries_of(&here);
        let new = fold(None, &entries).filter(|_| self.may_merge(&schema, &entries, &there));
        let new = new.ok_or_else(|| cannot("Only a new row that the server refused can be merged."))?;
        let known = self.row(&there).filter(|_| self.state().mirror_etag(&there).is_some());
        let known = known.ok_or_else(|| ODataError::row_not_found(&there.table, there.id))?;
        if self.state().id_map.contradicts(&here, there.id) {
            return Err(cannot("Another row was merged into this one before.").into());
        }
        self.note(TraceEvent::Decided { op, decision: "merge" });
        entries.iter().for_each(|entry| self.remove(entry.seq));
        self.rename(&Renamed::of(&schema, std::iter::once((&here, &there))))?;
        let edits = as_edits(table, &new, &known.row, self.record.user);
        let sets: BTreeSet<ChangeSetId> = entries.iter().filter_map(|entry| entry.change_set).collect();
        self.update(&there, edits);
        // What was refused together with it goes again, as the set that it still is.
        self.release(sets.into_iter().flat_map(|set| self.rows_of(set)).collect());
        Ok(())
    }

    fn may_merge(&self, schema: &Schema, entries: &[Entry], there: &Key) -> bool {
        let Some(first) = entries.first() else { return false };
        let refused = matches!(first.change, Change::Create(_)) && entries.iter().any(Entry::is_parked);
        refused
            && first.key != *there
            && !is_held(schema, &first.key.table)
            && self.state().mirror_etag(&first.key).is_none()
    }

    /// Rows that a refused new row may be meant to be, as far as they are here: those with the same alternate key first,
    /// then those that it resembles. At most `rows_max`. The table must be loaded.
    ///
    /// # Errors
    /// 404 when no entry has this operation.
    pub fn look_alikes(&self, op: OpId, rows_max: usize) -> Result<Vec<EntityRef>> {
        let entry = self.entry_of(op)?;
        let schema = self.schema();
        let (Some(table), Some(row)) =
            (schema.table(&entry.key.table), fold(None, &self.entries_of(&entry.key)))
        else {
            return Ok(Vec::new());
        };
        let name = &table.logical_name;
        let changed: Vec<&str> = table.columns.iter().map(|column| column.logical_name.as_str()).collect();
        let keys = alike::keys(table, &row, &changed).into_iter().map(|(_, filter)| filter);
        let mut found: Vec<Uuid> = Vec::new();
        for filter in keys.chain(alike::duplicates(table, &row, &changed)) {
            let mut ids = self.ids_where(name, &filter);
            ids.sort_unstable();
            let is_there = |id: &Uuid| self.state().mirror_etag(&Key::new(name.clone(), *id)).is_some();
            found.extend(ids.into_iter().filter(|id| *id != entry.key.id && is_there(id)));
        }
        let mut seen = BTreeSet::new();
        found.retain(|id| seen.insert(*id));
        found.truncate(rows_max);
        Ok(found.into_iter().map(|id| EntityRef { table: name.clone(), id }).collect())
    }

    fn entry_of(&self, op: OpId) -> Result<Entry> {
        let unknown =
            || ODataError::new(404, "0x80040217", format!("The journal holds no operation {}.", op.0));
        Ok(self.state().journal.by_op(op).cloned().ok_or_else(unknown)?)
    }
}

fn cannot(why: &str) -> ODataError {
    ODataError::new(409, "0x80040203", why)
}

fn link_to(key: &Key) -> Value {
    Value::Lookup(EntityRef { table: key.table.clone(), id: key.id })
}

/// A new row as edits of one that is there: what its maker said, and not what a new row has by itself (owner, open state,
/// defaults, and a currency without amounts).
fn as_edits(table: &Table, new: &Row, known: &Row, maker: Uuid) -> Vec<FieldEdit> {
    let is_amount = |name: &str| {
        table.column(name).is_some_and(|c| matches!(c.kind, ColumnKind::Money { .. }) && c.valid_for_update)
    };
    let has_amounts = new.iter().any(|(name, value)| !value.is_null() && is_amount(name));
    let is_open = new.get(STATE[0]).is_none_or(|state| *state == OPEN);
    let by_itself = |name: &str, value: &Value| match name {
        OWNER => matches!(value, Value::Lookup(owner) if owner.id == maker),
        CURRENCY => !has_amounts,
        _ => STATE.contains(&name) && is_open,
    };
    let columns = table.columns.iter().filter(|column| column.valid_for_update && !column.computed);
    let edit = columns.filter_map(|column| {
        let name = &column.logical_name;
        let said =
            new.get(name).filter(|value| !value.is_null() && **value != rules::default_value(column))?;
        let old = known.get(name).cloned().unwrap_or_default();
        let differs = old != *said && !by_itself(name, said);
        differs.then(|| FieldEdit { name: name.clone(), old, new: said.clone() })
    });
    edit.collect()
}

/// Edits upon what an entry's edits built upon; of the columns that they are about the entry keeps nothing. What it keeps was
/// edited when it was edited: only what is corrected is newer.
fn taken_out(known: &mut Vec<FieldEdit>, edits: &[FieldEdit]) -> Vec<FieldEdit> {
    let corrected = edits.iter().map(|edit| {
        let at = known.iter().position(|known| known.name == edit.name);
        let old = at.map_or_else(|| edit.old.clone(), |at| known.remove(at).old);
        FieldEdit { old, ..edit.clone() }
    });
    let corrected: Vec<FieldEdit> = corrected.collect();
    corrected.into_iter().filter(|edit| edit.old != edit.new).collect()
}

/// Edits made upon discarded ones take over their base; `Seq` order makes the first one that touches a column count.
fn rebase(edits: &mut [FieldEdit], discarded: &[FieldEdit]) {
    for edit in edits {
        if let Some(gone) = discarded.iter().find(|d| d.name == edit.name && d.new == edit.old) {
            edit.old = gone.old.clone();
        }
    }
}
