//! Several entries of one row become one request.

use super::{Entry, EntryState};
use crate::model::{Change, ETag, FieldEdit, Key, OpId, Row, Seq, Value};

/// What a row's entries amount to.
#[derive(Debug, Clone, PartialEq)]
pub enum Squashed {
    /// Created and deleted, never sent: the server need not hear of it.
    Nothing,
    /// One request.
    Request(RowRequest),
}

/// One request that stands for all given entries of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowRequest {
    /// The row.
    pub key: Key,
    /// The whole change; an update's edits hold the oldest `old` and the newest `new` of each column.
    pub change: Change,
    /// Etag to send as `If-Match`; none for a create.
    pub base: Option<ETag>,
    /// Identity of the request: that of the first entry, so that it stays the same when entries follow; of a deletion
    /// its own, since what it follows may have been sent already.
    pub op: OpId,
    /// Entries that an answer settles.
    pub seqs: Vec<Seq>,
    /// As of an entry.
    pub holders: Vec<Key>,
}

/// Folds a row's entries, in order, into one request. `None` when there are no entries.
pub fn squash(entries: &[&Entry]) -> Option<Squashed> {
    let (first, rest) = entries.split_first()?;
    let mut change = Some(first.change.clone());
    for entry in rest {
        change = join(change, &entry.change);
    }
    let Some(change) = change else { return Some(Squashed::Nothing) };
    let last = entries.last().unwrap_or(first);
    let op = if matches!(change, Change::Delete) { last.op } else { first.op };
    Some(Squashed::Request(RowRequest {
        key: first.key.clone(),
        change,
        base: first.base.clone(),
        op,
        seqs: entries.iter().map(|e| e.seq).collect(),
        holders: first.holders.clone(),
    }))
}

fn join(before: Option<Change>, next: &Change) -> Option<Change> {
    match (before, next) {
        (None, next) => Some(next.clone()),
        (Some(Change::Create(mut row)), Change::Update(edits)) => {
            apply(&mut row, edits);
            Some(Change::Create(row))
        }
        (Some(Change::Create(_)), Change::Delete) => None,
        (Some(Change::Update(before)), Change::Update(edits)) => Some(Change::Update(chain(before, edits))),
        (Some(Change::Update(_)), Change::Delete) => Some(Change::Delete),
        // Ids are never used twice, so nothing can follow a delete, and a row is created once.
        (Some(before), Change::Create(_)) => Some(before),
        (Some(Change::Delete), Change::Update(_) | Change::Delete) => Some(Change::Delete),
    }
}

fn apply(row: &mut Row, edits: &[FieldEdit]) {
    for edit in edits {
        row.insert(edit.name.clone(), edit.new.clone());
    }
}

fn chain(mut before: Vec<FieldEdit>, edits: &[FieldEdit]) -> Vec<FieldEdit> {
    for edit in edits {
        match before.iter_mut().find(|b| b.name == edit.name) {
            Some(earlier) => earlier.new = edit.new.clone(),
            None => before.push(edit.clone()),
        }
    }
    before.retain(|edit| edit.old != edit.new);
    before
}

/// Whether a value was sent for a column and not answered.
pub fn was_sent_for(entries: &[Entry], name: &str, value: &Value) -> bool {
    sent_edits(entries).any(|edit| edit.name == name && edit.new == *value)
}

/// What was sent and not answered of a row that was there before.
pub fn sent_edits(entries: &[Entry]) -> impl Iterator<Item = &FieldEdit> {
    entries.iter().filter(|e| e.state == EntryState::Sent).flat_map(|e| match &e.change {
        Change::Update(edits) => edits.as_slice(),
        Change::Create(_) | Change::Delete => &[],
    })
}
