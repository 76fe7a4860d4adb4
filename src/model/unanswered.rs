//! What batches without an answer leave to those after them: less is sent at once, and what gets no answer by itself waits
//! until all else is through. Pure.
//!
//! It is stored with the entries that are marked as sent, so that a batch at which the worker itself is stopped counts, too.

use super::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// From so many batches in a row without an answer on, less is sent: one alone may have met with a gap of the network.
const IN_A_ROW: u32 = 2;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// Batches that were sent since the last answer.
    in_a_row: u32,
    /// Most requests of a batch by now; none where nothing speaks against as many as there may be.
    requests_max: Option<usize>,
    /// Requests of the last batch.
    requests: usize,
    /// Rows of the last batch, where nothing of it could have been sent apart.
    alone: Vec<Key>,
    /// Rows whose changes got no answer though they went alone, the one that was tried last behind the others.
    aside: Vec<Key>,
}

impl Unanswered {
    /// Most requests of the next batch, where that is less than `most`.
    pub fn requests_max(&self, most: usize) -> usize {
        self.requests_max.map_or(most, |max| max.min(most))
    }

    /// Rows that wait until all else is through.
    pub fn aside(&self) -> &[Key] {
        &self.aside
    }

    /// Another batch is about to be chosen: what the one before means is certain by now.
    pub fn before_next(&mut self) {
        if self.in_a_row < IN_A_ROW {
            return;
        }
        self.requests_max = Some((self.requests / 2).max(1));
        for key in std::mem::take(&mut self.alone) {
            self.aside.retain(|known| *known != key);
            self.aside.push(key);
        }
    }

    /// A batch of so many requests is about to be sent; its rows are given if it is one unit.
    pub fn sent(&mut self, requests: usize, alone: Vec<Key>) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        (self.requests, self.alone) = (requests, alone);
    }

    /// The batch that was sent last met with a refusal as a whole: that is an answer, too.
    pub fn refused(&mut self) {
        self.in_a_row = self.in_a_row.saturating_sub(1);
        self.alone.clear();
    }

    /// These rows are tried once more: the others have their turn before they are tried again.
    pub fn tried(&mut self, rows: &BTreeSet<Key>) {
        // A stable sort: those that are not tried keep their order, and come first.
        self.aside.sort_by_key(|key| rows.contains(key));
    }

    /// A batch was answered, whatever the answers say.
    pub fn answered<'k>(&mut self, rows: impl Iterator<Item = &'k Key> + Clone, most: usize) {
        self.in_a_row = 0;
        self.alone.clear();
        self.requests_max = self.requests_max.map(|max| max.saturating_mul(2)).filter(|max| *max < most);
        self.aside.retain(|key| !rows.clone().any(|answered| answered == key));
    }

    /// Forgets rows of which nothing waits any more.
    pub fn retain(&mut self, waits: impl Fn(&Key) -> bool) {
        self.aside.retain(waits);
    }
}
