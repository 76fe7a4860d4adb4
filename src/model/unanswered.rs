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
    /// The batch that was sent last.
    last: Option<Batch>,
    /// The one that was chosen while that was under way.
    next: Option<Batch>,
    /// Rows whose changes got no answer though they went alone, the one that was tried last behind the others.
    aside: Vec<Key>,
}

/// What is sent at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Batch {
    pub requests: usize,
    /// Its rows, where nothing of it could have been sent apart; else none.
    pub alone: Vec<Key>,
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

    /// Another batch is about to be chosen, and none is under way: the last one got no answer, if none was noted.
    pub fn before_next(&mut self) {
        self.next = None;
        let Some(last) = self.last.take().filter(|_| self.in_a_row >= IN_A_ROW) else { return };
        self.requests_max = Some((last.requests / 2).max(1));
        self.aside.retain(|known| !last.alone.contains(known));
        self.aside.extend(last.alone);
    }

    /// A batch is about to be sent; `behind`: while another one is under way, or as soon as that was answered.
    pub fn sent(&mut self, batch: Batch, behind: bool) {
        match behind {
            true => self.next = Some(batch),
            false => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.last = Some(batch);
            }
        }
    }

    /// The batch that was sent last met with a refusal as a whole: that is an answer, too.
    pub fn refused(&mut self) {
        self.in_a_row = self.in_a_row.saturating_sub(1);
        (self.last, self.next) = (None, None);
    }

    /// These rows are tried once more: the others have their turn before they are tried again.
    pub fn tried(&mut self, rows: &BTreeSet<Key>) {
        // A stable sort: those that are not tried keep their order, and come first.
        self.aside.sort_by_key(|key| rows.contains(key));
    }

    /// A batch was answered, whatever the answers say.
    pub fn answered<'k>(&mut self, rows: impl Iterator<Item = &'k Key> + Clone, most: usize) {
        self.last = self.next.take();
        self.in_a_row = u32::from(self.last.is_some());
        self.requests_max = self.requests_max.map(|max| max.saturating_mul(2)).filter(|max| *max < most);
        self.aside.retain(|key| !rows.clone().any(|answered| answered == key));
    }

    /// The batch that was chosen while another one was under way was answered, and that one was not.
    pub fn next_answered<'k>(&mut self, rows: impl Iterator<Item = &'k Key> + Clone) {
        self.next = None;
        self.aside.retain(|key| !rows.clone().any(|answered| answered == key));
    }

    /// Forgets rows of which nothing waits any more.
    pub fn retain(&mut self, waits: impl Fn(&Key) -> bool) {
        self.aside.retain(waits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn key(id: u128) -> Key {
        Key::new("contact", Uuid::from_u128(id))
    }

    /// Sends, without an answer.
    fn fails(unanswered: &mut Unanswered, requests: usize, alone: &[Key]) {
        unanswered.before_next();
        unanswered.sent(Batch { requests, alone: alone.to_vec() }, false);
    }

    #[test]
    fn less_is_sent_until_an_answer_comes() {
        let mut unanswered = Unanswered::default();
        fails(&mut unanswered, 100, &[]);
        unanswered.before_next();
        assert_eq!(unanswered.requests_max(100), 100);
        for (sent, next) in [(100, 50), (50, 25), (25, 12), (3, 1), (1, 1)] {
            fails(&mut unanswered, sent, &[]);
            unanswered.before_next();
            assert_eq!(unanswered.requests_max(100), next);
        }
        for next in [2, 4, 8, 16, 32, 64, 100] {
            unanswered.answered([].iter(), 100);
            unanswered.before_next();
            assert_eq!(unanswered.requests_max(100), next);
        }
        assert_eq!(unanswered, Unanswered::default());
    }

    #[test]
    fn what_gets_no_answer_alone_waits_and_each_has_its_turn() {
        let mut unanswered = Unanswered::default();
        let [one, other] = [key(1), key(2)];
        fails(&mut unanswered, 1, std::slice::from_ref(&one));
        fails(&mut unanswered, 1, std::slice::from_ref(&one));
        fails(&mut unanswered, 1, std::slice::from_ref(&other));
        unanswered.before_next();
        assert_eq!(unanswered.aside(), [one.clone(), other.clone()]);
        unanswered.tried(&BTreeSet::from([one.clone()]));
        assert_eq!(unanswered.aside(), [other.clone(), one.clone()]);
        unanswered.answered([&other].into_iter(), 100);
        assert_eq!(unanswered.aside(), std::slice::from_ref(&one));
        unanswered.retain(|_| false);
        assert!(unanswered.aside().is_empty());
    }

    #[test]
    fn what_was_only_chosen_is_not_blamed() {
        let mut unanswered = Unanswered::default();
        let [one, other] = [key(1), key(2)];
        let alone = |key: &Key| Batch { requests: 1, alone: vec![key.clone()] };
        for _ in 0..2 {
            unanswered.before_next();
            unanswered.sent(alone(&one), false);
            unanswered.sent(alone(&other), true);
        }
        unanswered.before_next();
        assert_eq!(unanswered.aside(), std::slice::from_ref(&one));
        // Behind an answer it is the one that was sent last.
        unanswered.sent(alone(&one), false);
        unanswered.sent(alone(&other), true);
        unanswered.answered([&one].into_iter(), 100);
        unanswered.before_next();
        unanswered.sent(alone(&other), false);
        unanswered.before_next();
        assert_eq!(unanswered.aside(), [other]);
    }

    #[test]
    fn a_refusal_of_a_batch_is_an_answer() {
        let mut unanswered = Unanswered::default();
        for _ in 0..5 {
            fails(&mut unanswered, 1, &[key(1)]);
            unanswered.refused();
        }
        unanswered.before_next();
        assert!(unanswered.aside().is_empty() && unanswered.requests_max(100) == 100);
    }

    #[test]
    fn what_was_overtaken_is_as_unanswered_as_before() {
        let (mut unanswered, one, other) = (Unanswered::default(), key(1), key(2));
        for _ in 0..2 {
            unanswered.before_next();
            unanswered.sent(Batch { requests: 4, alone: vec![one.clone()] }, false);
            unanswered.sent(Batch { requests: 1, alone: vec![other.clone()] }, true);
            unanswered.next_answered([&other].into_iter());
        }
        unanswered.before_next();
        assert_eq!((unanswered.requests_max(100), unanswered.aside()), (2, [one].as_slice()));
    }
}
