//! What becomes of entries whose row is not there.

use super::super::parties::taken_out_again;
use super::{Clashed, Decision, Local};
use crate::journal::{fold, squash, Entry, Squashed};
use crate::merge::Rule;
use crate::model::{Change, Clash, ETag, FieldEdit, Row, Side, Value};
use flette_odata::edm::Table;
use flette_odata::path::PARTY_TABLE;

/// The row is not there: a deletion is done, edits have nowhere to go and are kept in the conflict log.
pub(super) fn gone(table: &Table, local: Local, rule: Rule) -> Decision {
    let Some(last) = local.entries.last() else { return Decision::default() };
    if matches!(last.change, Change::Delete) {
        return taken_out(table, local).unwrap_or_default();
    }
    let entries: Vec<&Entry> = local.entries.iter().collect();
    let edits = match squash(&entries) {
        Some(Squashed::Request(request)) => edits_of(request.change),
        Some(Squashed::Nothing) | None => Vec::new(),
    };
    let seen = fold(local.known(local.entries.first()).cloned(), local.entries);
    let row = seen.unwrap_or_else(|| edits.iter().map(|e| (e.name.clone(), e.new.clone())).collect());
    let clashed = Clashed {
        clash: Clash::DeletedThere { row, edits },
        local_at: last.at,
        server_at: None,
        server_author: None,
        op: last.op,
        winner: Side::Server,
        manual: rule == Rule::Manual,
    };
    Decision { clashes: vec![clashed], ..Decision::default() }
}

/// A party that is taken out here may be in its set under another id: its deletion stays, with what it was, and goes over to that one
/// (`sync/parties.rs`).
fn taken_out(table: &Table, local: Local) -> Option<Decision> {
    let last = local.entries.last().filter(|last| last.change.is_delete());
    let last = last.filter(|_| table.logical_name == PARTY_TABLE)?;
    let known = || Some(Box::new((last.base.clone().unwrap_or_default(), local.mirror?.clone())));
    let before = last.before.clone().or_else(known)?;
    let mut keep = taken_out_again(local.entries);
    if let Some(last) = keep.last_mut() {
        last.before = Some(before);
    }
    Some(Decision { keep, ..Decision::default() })
}

/// What is kept of a row with a deletion of it that stays: of a party what it is.
pub(super) fn as_known(
    table: &Table,
    change: &Change,
    (etag, row): (&ETag, &Row),
) -> Option<Box<(ETag, Row)>> {
    let is_taken_out = change.is_delete() && table.logical_name == PARTY_TABLE;
    is_taken_out.then(|| Box::new((etag.clone(), row.clone())))
}

fn edits_of(change: Change) -> Vec<FieldEdit> {
    match change {
        Change::Create(row) => {
            row.into_iter().map(|(name, new)| FieldEdit { name, old: Value::Null, new }).collect()
        }
        Change::Update(edits) => edits,
        Change::Delete => Vec::new(),
    }
}
