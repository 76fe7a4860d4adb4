//! What a plan says nothing of yet: entries whose rows, or whose change sets, have something unanswered under way.

use super::turns::links;
use crate::journal::{RowRequest, Unit};
use crate::model::{Change, EntityRef, Key, Seq};
use crate::replica::Draft;
use std::collections::BTreeMap;

/// Rows that deferred entries make, and rows that they take a link away from: by which unit, with the first such entry.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    made: BTreeMap<Key, usize>,
    unlinked: BTreeMap<Key, (usize, Seq)>,
}

impl Deferred {
    pub(super) fn of(draft: &Draft, units: &[Unit]) -> Deferred {
        let mut deferred = Deferred::default();
        for (at, unit) in units.iter().enumerate() {
            for entry in unit.deferred.iter().filter_map(|seq| draft.entry(*seq)) {
                deferred.add(at, &entry.key, &entry.change, entry.seq);
            }
        }
        deferred
    }

    fn add(&mut self, at: usize, row: &Key, change: &Change, seq: Seq) {
        if matches!(change, Change::Create(_)) {
            self.made.insert(row.clone(), at);
        }
        for from in links(change).into_iter().filter_map(|(old, _)| old) {
            let first = self.unlinked.entry(key(from)).or_insert((at, seq));
            first.1 = first.1.min(seq);
        }
    }

    /// Whether a unit points to a row that is yet to be made, or deletes one that an earlier edit, which has not been told,
    /// takes a link away from: the server may delete what still points to it.
    pub(super) fn holds_up(&self, unit: &Unit, at: usize) -> bool {
        let made = |row: &Key| self.made.get(row).is_some_and(|by| *by != at);
        let points = |request: &RowRequest| {
            request.holders.iter().any(made)
                || links(&request.change).into_iter().any(|(_, new)| new.is_some_and(|to| made(&key(to))))
        };
        let deletes = |request: &RowRequest| {
            let unlinked = self.unlinked.get(&request.key).filter(|_| request.change == Change::Delete);
            let last = request.seqs.last().copied().unwrap_or_default();
            unlinked.is_some_and(|(by, seq)| *by != at && *seq < last)
        };
        unit.requests.iter().any(|request| points(request) || deletes(request))
    }
}

fn key(row: &EntityRef) -> Key {
    Key::new(row.table.clone(), row.id)
}
