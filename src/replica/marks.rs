//! Marks of entries that were sent: one stored value for all those of a wave, since for the browser each write is work of its own.
//!
//! A marked entry is stored as it was before. Whatever else is written of it, and its end, takes it out of its mark in the same
//! transaction, so that no mark speaks of what is newer than itself.

use super::{State, MARK_PREFIX};
use crate::error::Result;
use crate::journal::{Entry, EntryState, Journal};
use crate::model::{Millis, Seq};
use crate::store::{Pair, Table, Write};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Of fewer entries each is written anew: a mark is to be taken away, too.
const MARKED_MIN: usize = 3;

/// Entries that were sent at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// First and last of entries one behind the other; ascending.
    runs: Vec<(Seq, Seq)>,
    /// What [`Entry::sent`] is told of each.
    added: bool,
    first_sent: Option<Millis>,
}

impl Mark {
    fn of(seqs: impl Iterator<Item = Seq>, (added, first_sent): (bool, Option<Millis>)) -> Mark {
        Mark { runs: runs(seqs), added, first_sent }
    }

    fn seqs(&self) -> impl Iterator<Item = Seq> + '_ {
        self.runs.iter().flat_map(|(first, last)| (first.0..=last.0).map(Seq))
    }

    fn holds_any(&self, entries: &BTreeMap<Seq, Option<Entry>>) -> bool {
        self.runs.iter().any(|(first, last)| entries.range(*first..=*last).next().is_some())
    }
}

/// Ascending numbers as the first and last of those one behind the other.
pub(super) fn runs(seqs: impl Iterator<Item = Seq>) -> Vec<(Seq, Seq)> {
    let mut runs: Vec<(Seq, Seq)> = Vec::new();
    for seq in seqs {
        match runs.last_mut() {
            Some((_, last)) if last.0.checked_add(1) == Some(seq.0) => *last = seq,
            Some(_) | None => runs.push((seq, seq)),
        }
    }
    runs
}

/// All marks, by the revision that they were made upon, which no other one has.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeMap<u64, Mark>);

/// What a transaction makes of the marks.
#[derive(Debug, Default)]
pub(super) struct Marking {
    /// Marks as they are after it; `None` where nothing of one is left.
    changed: BTreeMap<u64, Option<Mark>>,
    /// Entries that the new one speaks for.
    spoken_for: BTreeSet<Seq>,
}

impl Marking {
    /// Whether the entry is not written itself.
    pub(super) fn speaks_for(&self, seq: Seq) -> bool {
        self.spoken_for.contains(&seq)
    }

    /// # Errors
    /// Never; serialisation is fallible by type.
    pub(super) fn writes(&self) -> Result<Vec<Write>> {
        let write = |(number, mark): (&u64, &Option<Mark>)| {
            let (table, key) = (Table::Meta, [MARK_PREFIX, &number.to_be_bytes()].concat());
            Ok(match mark {
                Some(mark) => Write::Put { table, key, value: State::encode(mark)? },
                None => Write::Delete { table, key },
            })
        };
        self.changed.iter().map(write).collect()
    }
}

impl Marks {
    /// Reads marks as they were stored, and marks the journal's entries.
    ///
    /// # Errors
    /// [`crate::Error::Damaged`] when a value is no mark.
    pub(super) fn read(stored: Vec<Pair>, journal: &mut Journal) -> Result<Marks> {
        let mut marks = BTreeMap::new();
        for (key, value) in stored {
            let mark: Mark = State::decode("mark", &value)?;
            for entry in mark.seqs().filter_map(|seq| journal.get(seq).cloned()).collect::<Vec<_>>() {
                journal.put(entry.sent(mark.added, mark.first_sent));
            }
            let number = key.get(MARK_PREFIX.len()..).and_then(|number| number.try_into().ok());
            marks.insert(number.map(u64::from_be_bytes).unwrap_or_default(), mark);
        }
        Ok(Marks(marks))
    }

    /// What a transaction upon `revision` makes of them that writes these entries, or removes them (`None`).
    pub(super) fn marking(
        &self,
        journal: &Journal,
        entries: &BTreeMap<Seq, Option<Entry>>,
        revision: u64,
    ) -> Marking {
        let touched = self.0.iter().filter(|(_, mark)| mark.holds_any(entries));
        let mut changed: BTreeMap<u64, Option<Mark>> = touched
            .map(|(number, mark)| {
                let left = mark.seqs().filter(|seq| !entries.contains_key(seq));
                let left = Mark::of(left, (mark.added, mark.first_sent));
                (*number, Some(left).filter(|left| !left.runs.is_empty()))
            })
            .collect();
        let sent = entries.iter().filter_map(|(seq, entry)| {
            let entry = entry.as_ref().filter(|entry| entry.state == EntryState::Sent)?;
            let known = journal.get(*seq).filter(|known| known.state == EntryState::Waiting)?;
            (known.clone().sent(entry.added, entry.first_sent) == *entry).then_some(entry)
        });
        let sent: Vec<&Entry> = sent.collect();
        let Some(told) = sent.first().map(|entry| (entry.added, entry.first_sent)) else {
            return Marking { changed, ..Marking::default() };
        };
        let alike = sent.iter().filter(|entry| (entry.added, entry.first_sent) == told);
        let spoken_for: BTreeSet<Seq> = alike.map(|entry| entry.seq).collect();
        if spoken_for.len() < MARKED_MIN {
            return Marking { changed, ..Marking::default() };
        }
        changed.insert(revision, Some(Mark::of(spoken_for.iter().copied(), told)));
        Marking { changed, spoken_for }
    }

    /// Shows what has become durable.
    pub(super) fn apply(&mut self, marking: Marking) {
        for (number, mark) in marking.changed {
            match mark {
                Some(mark) => self.0.insert(number, mark),
                None => self.0.remove(&number),
            };
        }
    }
}
