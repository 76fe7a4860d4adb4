//! What the database layer counts, for operators.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures of one process since it began.
#[derive(Debug, Default)]
pub struct Figures {
    reads: AtomicU64,
    writes: AtomicU64,
    retries: AtomicU64,
    lent: AtomicU64,
    lent_max: AtomicU64,
}

/// The same at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FiguresNow {
    /// Transactions that read.
    pub reads: u64,
    /// Transactions that write.
    pub writes: u64,
    /// Transactions run again, because others came in between or a connection was lost.
    pub retries: u64,
    /// Connections in use.
    pub lent: u64,
    /// Most connections in use at once.
    pub lent_max: u64,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Write,
}

impl Figures {
    /// A transaction was asked for.
    pub(super) fn began(&self, purpose: Purpose) {
        match purpose {
            Purpose::Read => &self.reads,
            Purpose::Write => &self.writes,
        }
        .fetch_add(1, Ordering::Relaxed);
    }

    /// It is run again.
    pub(super) fn again(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection is in use until this is dropped.
    pub(super) fn lend(&self) -> Lent<'_> {
        let lent = self.lent.fetch_add(1, Ordering::Relaxed) + 1;
        self.lent_max.fetch_max(lent, Ordering::Relaxed);
        Lent(self)
    }

    /// The figures of this moment.
    pub fn now(&self) -> FiguresNow {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        FiguresNow {
            reads: of(&self.reads),
            writes: of(&self.writes),
            retries: of(&self.retries),
            lent: of(&self.lent),
            lent_max: of(&self.lent_max),
        }
    }
}

/// A connection in use.
pub(super) struct Lent<'f>(&'f Figures);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.lent.fetch_sub(1, Ordering::Relaxed);
    }
}
