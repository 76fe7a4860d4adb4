//! Bytes in tables, committed all or nothing. No interactive transaction can exist: a reader reads, decides, and
//! commits by compare-and-swap on the revision.

pub mod conformance;
pub mod ledger;
pub mod memory;

pub use crate::error::StoreError;
use futures_util::future::{join, try_join_all};

/// Pairs asked for in one scan where all are wanted.
const SCAN_PAIRS_MAX: u32 = 1000;
/// Pairs with values of a mebibyte asked for in one scan.
const SCAN_LARGE_PAIRS_MAX: u32 = 4;

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

    /// One key.
    pub fn only(key: &[u8]) -> KeyRange {
        KeyRange { start: key.to_vec(), end: Some([key, &[0]].concat()) }
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

    /// How many commits the store has seen, and all pairs of several ranges, each in key order. What is read is of that
    /// revision or of a later one; stores that can read all of it at one point in time.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn snapshot(&self, ranges: &[(Table, KeyRange)]) -> Result<(Revision, Vec<Vec<Pair>>), StoreError> {
        let revision = self.revision().await?;
        let scans = ranges.iter().map(|(table, keys)| scan_all(self, *table, keys.clone()));
        Ok((revision, try_join_all(scans).await?))
    }

    /// Hands every pair of a range to `take`, in key order, while later ones are on their way: for values of up to a mebibyte
    /// that need work. What is committed meanwhile may be seen or not.
    ///
    /// # Errors
    /// When the store cannot be read; some pairs may have been taken by then, none of them twice.
    async fn visit(
        &self,
        table: Table,
        mut keys: KeyRange,
        mut take: impl FnMut(Pair),
    ) -> Result<(), StoreError> {
        let mut page = self.scan(table, keys.clone(), SCAN_LARGE_PAIRS_MAX).await?;
        while let Some((last, _)) = page.last() {
            keys.start = [last.as_slice(), &[0]].concat();
            let is_full = u32::try_from(page.len()).is_ok_and(|len| len == SCAN_LARGE_PAIRS_MAX);
            let next = async {
                match is_full {
                    true => self.scan(table, keys.clone(), SCAN_LARGE_PAIRS_MAX).await,
                    false => Ok(Vec::new()),
                }
            };
            let this = async { page.into_iter().for_each(&mut take) };
            page = join(next, this).await.0?;
        }
        Ok(())
    }

    /// All writes or none; returns the new revision once they are as durable as the batch asks.
    ///
    /// # Errors
    /// [`StoreError::Stale`] unless the store is still at `batch.expected`; otherwise as the backend failed. After any
    /// error nothing was written.
    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError>;
}

async fn scan_all<S: Store + ?Sized>(
    store: &S,
    table: Table,
    mut keys: KeyRange,
) -> Result<Vec<Pair>, StoreError> {
    let mut all = Vec::new();
    loop {
        let page = store.scan(table, keys.clone(), SCAN_PAIRS_MAX).await?;
        let full = page.len() == usize::try_from(SCAN_PAIRS_MAX).unwrap_or(usize::MAX);
        all.extend(page);
        match all.last() {
            Some((last, _)) if full => keys.start = [last.as_slice(), &[0]].concat(),
            _ => return Ok(all),
        }
    }
}
