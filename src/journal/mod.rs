//! The journal: ordered local changes not yet accepted. Pure; the replica stores it.

mod entry;
mod fold;
mod plan;
mod squash;

pub use crate::model::Reason;
pub use entry::{Entry, EntryState};
pub use fold::fold;
pub use plan::{plan, Unit};
pub use squash::{squash, RowRequest, Squashed};

use crate::model::{Key, OpId, Seq};
use std::collections::{BTreeMap, HashMap};

/// All entries, in order and by row.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: BTreeMap<Seq, Entry>,
    by_key: HashMap<Key, Vec<Seq>>,
}

impl Journal {
    /// Adds or replaces the entry at its `seq`.
    pub fn put(&mut self, entry: Entry) {
        let seqs = self.by_key.entry(entry.key.clone()).or_default();
        if let Err(at) = seqs.binary_search(&entry.seq) {
            seqs.insert(at, entry.seq);
        }
        self.entries.insert(entry.seq, entry);
    }

    /// Removes an entry.
    pub fn remove(&mut self, seq: Seq) {
        let Some(entry) = self.entries.remove(&seq) else { return };
        if let Some(seqs) = self.by_key.get_mut(&entry.key) {
            seqs.retain(|s| *s != seq);
            if seqs.is_empty() {
                self.by_key.remove(&entry.key);
            }
        }
    }

    /// Entries in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Entries of one row, in order.
    pub fn of(&self, key: &Key) -> impl Iterator<Item = &Entry> {
        self.by_key.get(key).into_iter().flatten().filter_map(|seq| self.entries.get(seq))
    }

    /// Rows of one table that have entries.
    pub fn keys_of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Key> {
        self.by_key.keys().filter(move |key| key.table == table)
    }

    /// The entry of an operation.
    pub fn by_op(&self, op: OpId) -> Option<&Entry> {
        self.entries.values().find(|e| e.op == op)
    }

    /// The entry at `seq`.
    pub fn get(&self, seq: Seq) -> Option<&Entry> {
        self.entries.get(&seq)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
