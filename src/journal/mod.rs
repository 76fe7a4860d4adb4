//! The journal: ordered local changes not yet accepted. Pure; the replica stores it.

mod entry;
mod fold;
mod plan;
mod squash;

pub use crate::model::Reason;
pub use entry::{Entry, EntryState};
pub use fold::fold;
pub use plan::{bound, plan, Unit};
pub use squash::{sent_edits, squash, was_sent_for, RowRequest, Squashed};

use crate::model::{Key, OpId, Seq};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// All entries, in order and by row.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: BTreeMap<Seq, Entry>,
    by_key: BTreeMap<Key, Vec<Seq>>,
    by_holder: BTreeMap<Key, BTreeSet<Seq>>,
    deletions: BTreeSet<Seq>,
}

impl Journal {
    /// Adds or replaces the entry at its `seq`.
    pub fn put(&mut self, entry: Entry) {
        let moved = |known: &Entry| {
            known.key != entry.key
                || known.holders != entry.holders
                || known.change.is_delete() != entry.change.is_delete()
        };
        if self.entries.get(&entry.seq).is_some_and(moved) {
            self.remove(entry.seq);
        }
        let seqs = self.by_key.entry(entry.key.clone()).or_default();
        if let Err(at) = seqs.binary_search(&entry.seq) {
            seqs.insert(at, entry.seq);
        }
        for holder in &entry.holders {
            self.by_holder.entry(holder.clone()).or_default().insert(entry.seq);
        }
        if entry.change.is_delete() {
            self.deletions.insert(entry.seq);
        }
        self.entries.insert(entry.seq, entry);
    }

    /// Removes an entry.
    pub fn remove(&mut self, seq: Seq) {
        let Some(entry) = self.entries.remove(&seq) else { return };
        self.deletions.remove(&seq);
        for holder in &entry.holders {
            if let Some(seqs) = self.by_holder.get_mut(holder) {
                seqs.remove(&seq);
                if seqs.is_empty() {
                    self.by_holder.remove(holder);
                }
            }
        }
        if let Some(seqs) = self.by_key.get_mut(&entry.key) {
            seqs.retain(|s| *s != seq);
            if seqs.is_empty() {
                self.by_key.remove(&entry.key);
            }
        }
    }

    /// Entries in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> + Clone {
        self.entries.values()
    }

    /// Entries of one row, in order.
    pub fn of(&self, key: &Key) -> impl Iterator<Item = &Entry> {
        self.by_key.get(key).into_iter().flatten().filter_map(|seq| self.entries.get(seq))
    }

    /// Entries of the rows that a row holds, in order.
    pub fn held_by(&self, holder: &Key) -> impl Iterator<Item = &Entry> {
        self.by_holder.get(holder).into_iter().flatten().filter_map(|seq| self.entries.get(seq))
    }

    /// Rows of one table that hold rows with entries.
    pub fn holders_of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Key> {
        of_table(&self.by_holder, table)
    }

    /// Rows that have entries, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.by_key.keys()
    }

    /// Rows of one table that have entries, by id: what is asked for in their order is the same each time.
    pub fn keys_of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Key> {
        of_table(&self.by_key, table)
    }

    /// Entries that delete their rows, in order.
    pub fn deletions(&self) -> impl Iterator<Item = &Entry> {
        self.deletions.iter().filter_map(|seq| self.entries.get(seq))
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

/// The keys of one table: they stand together.
fn of_table<'a, T>(map: &'a BTreeMap<Key, T>, table: &'a str) -> impl Iterator<Item = &'a Key> {
    let first = Key::new(table, Uuid::nil());
    map.range(first..).map(|(key, _)| key).take_while(move |key| key.table == table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change, DeviceId, Hlc, Millis, Row};

    fn key(table: &str, id: u128) -> Key {
        Key::new(table, Uuid::from_u128(id))
    }

    fn entry(seq: u64, key: Key, holders: Vec<Key>) -> Entry {
        Entry {
            seq: Seq(seq),
            op: OpId(Uuid::from_u128(u128::from(seq))),
            key,
            change: Change::Delete,
            at: Hlc { wall: Millis(0), counter: 0, device: DeviceId(1) },
            base: None,
            change_set: None,
            state: EntryState::Waiting,
            holders,
            added: false,
            first_sent: None,
            before: None,
        }
    }

    #[test]
    fn entries_are_found_by_their_row_and_by_who_holds_it() {
        let (account, pair, other) = (key("account", 1), key("pair", 2), key("pair", 3));
        let seqs = |entries: Vec<&Entry>| -> Vec<u64> { entries.iter().map(|e| e.seq.0).collect() };
        let mut journal = Journal::default();
        journal.put(entry(1, pair.clone(), vec![account.clone()]));
        journal.put(entry(2, account.clone(), Vec::new()));
        assert_eq!(seqs(journal.held_by(&account).collect()), [1]);
        assert_eq!(journal.holders_of("account").collect::<Vec<_>>(), [&account]);
        // The same entry about another row: it is not found by the old one any more.
        journal.put(entry(1, other.clone(), Vec::new()));
        assert_eq!(seqs(journal.of(&pair).collect()), [0_u64; 0]);
        assert_eq!((seqs(journal.of(&other).collect()), journal.held_by(&account).count()), (vec![1], 0));
        journal.remove(Seq(1));
        assert_eq!((journal.len(), journal.holders_of("account").count()), (1, 0));
    }

    #[test]
    fn rows_of_a_table_and_deletions_are_found_without_the_others() {
        let mut journal = Journal::default();
        let keys = [key("account", 1), key("account", u128::MAX), key("accountx", 0), key("aa", 0)];
        (1..).zip(&keys).for_each(|(seq, key)| journal.put(entry(seq, key.clone(), Vec::new())));
        assert_eq!(journal.keys_of("account").collect::<Vec<_>>(), [&keys[0], &keys[1]]);
        assert_eq!(journal.keys_of("a").count(), 0);
        let made = Entry { change: Change::Create(Row::default()), ..entry(2, keys[1].clone(), Vec::new()) };
        journal.put(made);
        journal.remove(Seq(3));
        assert_eq!(journal.deletions().map(|entry| entry.seq.0).collect::<Vec<_>>(), [1, 4]);
    }
}
