//! Change sets in the making. What is written in one reaches the server in one batch, so it may be no more than a batch
//! takes: what is more is refused here, where whoever writes can still write less at once.

use super::{is_held, Draft};
use crate::error::Result;
use crate::journal::Entry;
use crate::model::{Change, ChangeSetId, Key, Value, BATCH_PARTS_MAX};
use flette_odata::path::PARTY_TABLE;
use flette_odata::{ordered, ODataError};
use std::collections::{BTreeMap, BTreeSet};

impl Draft<'_> {
    /// From here on, changes belong to one change set until [`Draft::end_change_set`].
    pub fn begin_change_set(&mut self) {
        self.change_set = Some(ChangeSetId(self.new_id()));
    }

    /// Changes stand alone again.
    pub fn end_change_set(&mut self) {
        self.change_set = None;
    }

    /// Whatever `work` drafts reaches the server together or not at all: in a change set of its own, unless one has been
    /// begun.
    ///
    /// # Errors
    /// What `work` says; as [`Draft::check_change_set`].
    pub fn whole<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.change_set.is_some() {
            return work(self);
        }
        self.begin_change_set();
        let done = work(self).and_then(|done| self.check_change_set().map(|()| done));
        self.end_change_set();
        done
    }

    /// Whether what the change set that has been begun holds so far can be sent.
    ///
    /// # Errors
    /// 400 when it needs more than [`BATCH_PARTS_MAX`] requests.
    pub fn check_change_set(&self) -> Result<()> {
        let entries = self.effects.entries.values().flatten();
        let of_set: Vec<&Entry> = entries
            .filter(|entry| self.change_set.is_some() && entry.change_set == self.change_set)
            .collect();
        if of_set.len() <= BATCH_PARTS_MAX || self.requests_of(&of_set) <= BATCH_PARTS_MAX {
            return Ok(());
        }
        let message = format!(
            "What is written here at once needs more than {BATCH_PARTS_MAX} requests, and no batch may hold that many. \
             Write it in smaller parts."
        );
        Err(ODataError::bad_payload(message).into())
    }

    /// How many requests tell what a change set holds: one a row, one a pair, and one for all parties of an activity, unless they
    /// stand in its body.
    fn requests_of(&self, set: &[&Entry]) -> usize {
        let schema = self.schema();
        let mut rows: BTreeMap<&Key, Vec<&Entry>> = BTreeMap::new();
        set.iter().for_each(|entry| rows.entry(&entry.key).or_default().push(entry));
        // Of what is made and goes again nothing is told.
        rows.retain(|_, entries| !(is_made(entries) && is_deleted(entries)));
        let deleted: BTreeSet<&Key> = of(&rows, is_deleted);
        let made: BTreeSet<&Key> = of(&rows, is_made);
        let (held, own): (Vec<_>, Vec<_>) = rows.iter().partition(|(key, _)| is_held(&schema, &key.table));
        // They go with whoever holds them.
        let stays = |entries: &[&Entry]| {
            let holders = entries.first().map(|entry| entry.holders.as_slice()).unwrap_or_default();
            !holders.is_empty() && !holders.iter().any(|holder| deleted.contains(holder))
        };
        let held = held.into_iter().filter(|(_, entries)| stays(entries));
        let (parties, pairs): (Vec<_>, Vec<_>) = held.partition(|(key, _)| key.table == PARTY_TABLE);
        let mut replaced: BTreeSet<&Key> = BTreeSet::new();
        for (_, entries) in parties {
            let Some(activity) = entries.first().and_then(|entry| entry.holders.first()) else { continue };
            let is_new = |to: &Key| to != activity && made.contains(to);
            let names_new = entries.iter().flat_map(|entry| links(&entry.change)).any(|to| is_new(&to));
            if !made.contains(activity) || names_new {
                replaced.insert(activity);
            }
        }
        own.len() + pairs.len() + replaced.len()
    }
}

fn of<'e>(rows: &BTreeMap<&'e Key, Vec<&Entry>>, is: impl Fn(&[&Entry]) -> bool) -> BTreeSet<&'e Key> {
    ordered::set(rows.iter().filter(|(_, entries)| is(entries)).map(|(key, _)| *key))
}

fn is_made(entries: &[&Entry]) -> bool {
    entries.first().is_some_and(|entry| matches!(entry.change, Change::Create(_)))
}

fn is_deleted(entries: &[&Entry]) -> bool {
    entries.last().is_some_and(|entry| entry.change.is_delete())
}

/// Rows that a new row points to.
fn links(change: &Change) -> Vec<Key> {
    let Change::Create(row) = change else { return Vec::new() };
    let link = |value: &Value| match value {
        Value::Lookup(to) => Some(Key::new(to.table.clone(), to.id)),
        _ => None,
    };
    row.values().filter_map(link).collect()
}
