//! Bytes in tables, committed all or nothing. No interactive transaction can exist: a reader reads, decides, and
//! commits by compare-and-swap on the revision.

pub mod conformance;
pub mod ledger;
pub mod memory;

pub use crate::error::StoreError;

/// The tables of a replica. Values are opaque bytes, keys are ordered bytewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Cursors, clock, mode: small named records.
    Meta,
    /// The schema generation.
    Schema,
    /// Mirror segments.
    Segment,
    /// Journal entries by `Seq`.
    Journal,
    /// Local id to server id.
    IdMap,
    /// Conflict log.
    Conflict,
}

impl Table {
    /// Every table, in declaration order.
    pub const ALL: [Table; 6] =
        [Table::Meta, Table::Schema, Table::Segment, Table::Journal, Table::IdMap, Table::Conflict];

    /// Name of the table in a database.
    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Schema => "schema",
            Table::Segment => "segment",
            Table::Journal => "journal",
            Table::IdMap => "idmap",
            Table::Conflict => "conflict",
        }
    }
}

/// How many commits a store has seen; every commit adds one. A new store is at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Handed to the operating system: for what can be pulled again.
    Relaxed,
    /// On persistent storage: for what the user was told is saved.
    Strict,
}

/// Keys of a scan or of a range delete: `start <= key`, and `key < end` where there is an end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct KeyRange {
    pub start: Vec<u8>,
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { start: Vec::new(), end: None }
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        let mut end = prefix.to_vec();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        let end = end.last_mut().map(|last| *last += 1).map(|()| end.clone());
        KeyRange { start: prefix.to_vec(), end }
    }
}

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Write {
    Put { table: Table, key: Vec<u8>, value: Vec<u8> },
    Delete { table: Table, key: Vec<u8> },
    DeleteRange { table: Table, keys: KeyRange },
}

/// Writes that happen together, in order, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Batch {
    pub expected: Revision,
    pub durability: Durability,
    pub writes: Vec<Write>,
}

/// A key with its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Durable tables of bytes. Implementations pass the conformance suite.
#[allow(async_fn_in_trait)]
pub trait Store {
    /// How many commits the store has seen.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn revision(&self) -> Result<Revision, StoreError>;

    /// The value of one key.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Pairs in key order, at most `limit`. To go on, scan from the last key with a zero byte appended.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn scan(&self, table: Table, keys: KeyRange, limit: u32) -> Result<Vec<Pair>, StoreError>;

    /// All writes or none; returns the new revision once they are as durable as the batch asks.
    ///
    /// # Errors
    /// [`StoreError::Stale`] unless the store is still at `batch.expected`; otherwise as the backend failed. After any
    /// error nothing was written.
    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError>;
}
