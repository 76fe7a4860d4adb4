//! The back door: rounds of push and pull between the replica and the CRM server.
//!
//! `reconcile`, `policy` and `settle` are pure decisions; `push`, `pull` and `round` act on them. Every
//! step is one transaction that makes sense alone: a round may be killed at any await and is taken up by the next one.

mod added;
mod again;
mod ahead;
mod answered;
mod changes;
mod cursor;
mod deferred;
mod definitions;
mod flight;
mod held;
mod horizon;
mod known;
mod limits;
mod listing;
#[cfg(test)]
mod matrix_tests;
mod outside;
mod page;
mod pages;
mod pairs;
mod parties;
mod passed;
mod policy;
mod pull;
mod push;
mod reconcile;
mod related;
mod reread;
mod round;
mod schema;
mod scope;
mod sets;
mod settle;
mod spoil;
mod step;
mod survey;
mod turns;
mod unchanged;
mod unclear;
mod view;
mod wanted;
mod wave;

pub use passed::{learn, Written};
pub use policy::Policy;
pub use reconcile::{reconcile, Clashed, Decision, Incoming, Local};
pub use round::round;
pub use settle::settle;
pub use survey::{survey, Survey};

use crate::model::{Millis, Profile};
use crate::platform::Transport;
use std::cell::{Cell, RefCell};

/// What a round needs of the outside world, and nothing more.
#[allow(missing_docs)]
pub struct Outside<'a, T: Transport> {
    pub transport: &'a T,
    /// This device's wall clock, as it is.
    pub now: &'a dyn Fn() -> Millis,
    /// Fills with chance.
    pub random: &'a dyn Fn(&mut [u8]),
}

/// What is synchronised, and how.
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// API root, ending in `/`: `/api/data/v9.2/` or `https://host/api/data/v9.2/`.
    pub root: String,
    /// Logical names in scope, in pull order.
    pub tables: Vec<String>,
    /// Most rows of a pulled page, `1..=5000`.
    pub page_size: u32,
    /// Most requests that go in one batch, `1..=100`; change sets stay whole.
    pub batch_size: u32,
    /// What of the tables goes offline, and whose value stands in a conflict.
    pub profile: Profile,
}

/// What a round is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Phase {
    Schema,
    /// Rights and numbers of rows, before going offline.
    Checks,
    Pull,
    Push,
}

/// How far a round has come, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What is being done.
    pub phase: Phase,
    /// Logical name; empty for a push.
    pub table: String,
    /// Rows so far in this phase and table.
    pub done: u64,
    /// Rows to come in all, where known.
    pub total: Option<u64>,
}

/// Where a round tells how far it has come; `None` between rounds. And where it is told to stop.
#[derive(Debug, Default)]
pub struct Progress {
    stage: RefCell<Option<Stage>>,
    stopped: Cell<bool>,
    /// Writes that are being passed on to the server, and how many were.
    passing: Cell<u32>,
    passed: Cell<u64>,
    /// Whether metadata did not come before the time of the last round was up.
    schema_failed: Cell<bool>,
    /// Whether the question what changed in it was not answered in time.
    changes_failed: Cell<bool>,
}

/// A write on its way past the replica: see [`Progress::passes`].
#[derive(Debug)]
pub struct Passing<'a>(&'a Progress);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.passing.set(self.0.passing.get().saturating_sub(1));
        self.0.passed.set(self.0.passed.get().wrapping_add(1));
    }
}

impl Progress {
    /// What is being done now.
    pub fn get(&self) -> Option<Stage> {
        self.stage.borrow().clone()
    }

    /// The round under way ends at the next slice, as if its time were up. What it has committed stays.
    pub fn stop(&self) {
        self.stopped.set(true);
    }

    /// Takes back what [`Progress::stop`] said; to be called before a round.
    pub fn resume(&self) {
        self.stopped.set(false);
    }

    /// A user's write goes to the server and not into the journal, as long as this is kept. No page that was asked for
    /// before its end is taken over from here on: the user would see his row again as it was before his write.
    pub fn passes(&self) -> Passing<'_> {
        self.passing.set(self.passing.get().saturating_add(1));
        Passing(self)
    }

    /// Now, as such writes count.
    fn moment(&self) -> u64 {
        self.passed.get()
    }

    /// Whether what was asked for at a moment may be older than such a write.
    fn is_overtaken(&self, moment: u64) -> bool {
        self.passing.get() > 0 || self.passed.get() != moment
    }

    fn set(&self, stage: Option<Stage>) {
        *self.stage.borrow_mut() = stage;
    }
}

/// How a round ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether everything that could be sent was sent, and everything pulled.
    pub ok: bool,
    /// Whether the round stopped only because its time was up: call again at once.
    pub more: bool,
    /// Requests that the server accepted.
    pub pushed: u64,
    /// Rows and deletions that were received.
    pub pulled: u64,
    /// Rows whose local edits were merged with the server's without a conflict.
    pub merged: u64,
    /// Conflicts written to the log.
    pub conflicts: u64,
    /// Entries that were parked.
    pub parked: u64,
    /// Why the round stopped, for people; never holds a field's value.
    pub problem: Option<String>,
    /// How long to wait before the next round, where the server said so.
    pub retry_after_millis: Option<u64>,
    /// Whether the server was reached.
    pub reachable: bool,
    /// Whether the server wants the user to sign in again.
    pub signed_out: bool,
}

impl Report {
    /// Both rounds as one: sums, and how the later one ended.
    pub fn then(self, next: Report) -> Report {
        Report {
            pushed: self.pushed + next.pushed,
            pulled: self.pulled + next.pulled,
            merged: self.merged + next.merged,
            conflicts: self.conflicts + next.conflicts,
            parked: self.parked + next.parked,
            ..next
        }
    }
}
