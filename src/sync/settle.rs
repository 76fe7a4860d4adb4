//! What an accepted request leaves of its row's entries. Pure.
//!
//! An answer settles only the entries it was sent for. Entries made meanwhile stay, upon the row as the server now has
//! it; so does what the request could not say yet, such as a lookup that closed a circle of new rows, or a value of a column that
//! only an update takes.

use super::reconcile::Decision;
use crate::journal::{squash, Entry, EntryState, RowRequest, Squashed};
use crate::model::{Change, ETag, FieldEdit, Row, Value};
use flette_odata::edm::Table;
use flette_odata::rules::{initial_value, waits_for_row};

/// Settles `request` by the row that the server answered. `entries` are all entries of the row, in order.
pub fn settle(table: &Table, request: &RowRequest, entries: &[Entry], row: &Row, etag: &ETag) -> Decision {
    let (sent, later): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| request.seqs.contains(&entry.seq));
    let mut decision = Decision::default();
    let standing = |name: &str| row.get(name).cloned().unwrap_or_default();
    let rest = unsaid(table, request, &sent, row, &standing);
    if let Some(entry) = still_to_say(rest, &sent, etag) {
        decision.renew.insert(entry.seq);
        decision.keep.push(entry);
    }
    if later.is_empty() {
        return decision;
    }
    let mut standing = row.clone();
    for edit in decision.keep.iter().flat_map(|entry| edits(&entry.change)) {
        standing.insert(edit.name.clone(), edit.new.clone());
    }
    let newest = request.seqs.iter().max();
    for entry in later {
        let mut change = entry.change.clone();
        if let (Change::Update(edits), true) = (&mut change, Some(&entry.seq) < newest) {
            // Written before, under another id of the row: its user has written over it since.
            edits.retain(|edit| !says(&request.change, &edit.name));
        }
        let change = rebased(&change, &mut standing);
        if !matches!(&change, Change::Update(edits) if edits.is_empty()) {
            decision.keep.push(Entry { change, base: Some(etag.clone()), before: None, ..entry.clone() });
        }
    }
    decision
}

/// Whether a change gives a column a value.
pub(super) fn says(change: &Change, name: &str) -> bool {
    match change {
        Change::Create(row) => row.contains_key(name),
        Change::Update(edits) => edits.iter().any(|edit| edit.name == name),
        Change::Delete => false,
    }
}

/// What a new row that was made, and is told of only now, did not say: links that would have closed a circle of new rows, and
/// what waits until the row stands, which others may have changed since. An entry in the place of what was sent, whose
/// operation is yet to be named.
pub fn left_unsaid(table: &Table, sent: &[Entry], row: &Row, etag: &ETag) -> Option<Entry> {
    let sent: Vec<&Entry> = sent.iter().collect();
    let Some(Squashed::Request(request)) = squash(&sent) else { return None };
    let Change::Create(meant) = &request.change else { return None };
    let at_first = |name: &str| {
        let column = table.column(name).filter(|_| waits_for_row(table, meant, name));
        let standing = || row.get(name).cloned().unwrap_or_default();
        column.map_or_else(standing, |column| initial_value(table, column))
    };
    still_to_say(unsaid(table, &request, &sent, row, &at_first), &sent, etag)
}

/// An entry for the rest, in the place of what was sent.
fn still_to_say(rest: Vec<FieldEdit>, sent: &[&Entry], etag: &ETag) -> Option<Entry> {
    let first = sent.first().filter(|_| !rest.is_empty())?;
    Some(Entry {
        change: Change::Update(rest),
        base: Some(etag.clone()),
        change_set: None,
        state: EntryState::Waiting,
        added: false,
        ..(*first).clone()
    })
}

/// What the entries say and the request did not, upon the values that `base` gives.
fn unsaid(
    table: &Table,
    request: &RowRequest,
    sent: &[&Entry],
    row: &Row,
    base: &dyn Fn(&str) -> Value,
) -> Vec<FieldEdit> {
    let meant = match squash(sent) {
        Some(Squashed::Request(meant)) => meant.change,
        Some(Squashed::Nothing) | None => return Vec::new(),
    };
    let writable = |name: &str| table.column(name).filter(|column| column.valid_for_update);
    match (meant, &request.change) {
        (Change::Create(meant), Change::Create(said)) => {
            let is_unsaid = |name: &str, new: &Value| {
                let unset = |is_lookup: bool| is_lookup && row.get(name).is_some_and(Value::is_null);
                let missing = said.get(name) != Some(new) || waits_for_row(table, &meant, name);
                !new.is_null() && writable(name).is_some_and(|c| missing || unset(c.is_lookup()))
            };
            let rest = meant.iter().filter(|(name, new)| is_unsaid(name, new));
            rest.map(|(name, new)| FieldEdit { old: base(name), name: name.clone(), new: new.clone() })
                .filter(|edit| edit.old != edit.new)
                .collect()
        }
        (Change::Update(meant), Change::Update(said)) => meant
            .into_iter()
            .filter(|edit| writable(&edit.name).is_some() && !said.iter().any(|s| s.name == edit.name))
            .map(|edit| FieldEdit { old: base(&edit.name), ..edit })
            .filter(|edit| edit.old != edit.new)
            .collect(),
        (Change::Create(_) | Change::Update(_) | Change::Delete, _) => Vec::new(),
    }
}

/// The change upon what stands now; `standing` moves on with it.
fn rebased(change: &Change, standing: &mut Row) -> Change {
    match change {
        Change::Update(edits) => {
            let rebase = |edit: &FieldEdit| {
                let old = standing.insert(edit.name.clone(), edit.new.clone());
                let old = old.unwrap_or_else(|| edit.old.clone());
                (old != edit.new).then(|| FieldEdit { old, ..edit.clone() })
            };
            Change::Update(edits.iter().filter_map(rebase).collect())
        }
        Change::Create(_) | Change::Delete => change.clone(),
    }
}

fn edits(change: &Change) -> &[FieldEdit] {
    match change {
        Change::Update(edits) => edits,
        Change::Create(_) | Change::Delete => &[],
    }
}

#[cfg(test)]
mod tests;
