//! What becomes of entries whose row is not there.

use super::{Clashed, Decision, Local};
use crate::journal::{fold, squash, Entry, Squashed};
use crate::merge::Rule;
use crate::model::{Change, Clash, FieldEdit, Side, Value};

/// The row is not there: a deletion is done, edits have nowhere to go and are kept in the conflict log.
pub(super) fn gone(local: Local, rule: Rule) -> Decision {
    let Some(last) = local.entries.last() else { return Decision::default() };
    if matches!(last.change, Change::Delete) {
        return Decision::default();
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

fn edits_of(change: Change) -> Vec<FieldEdit> {
    match change {
        Change::Create(row) => {
            row.into_iter().map(|(name, new)| FieldEdit { name, old: Value::Null, new }).collect()
        }
        Change::Update(edits) => edits,
        Change::Delete => Vec::new(),
    }
}
