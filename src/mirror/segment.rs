//! One sealed segment and how it is built.

use flette_odata::{Row, Table, Uuid, Value};

/// Why bytes are no segment that can be read. Its rows must be pulled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentError {
    /// Cut, changed, or never a segment; says what did not hold.
    Damaged(&'static str),
    /// Written by a later version of the format.
    NewerVersion(u16),
}

/// A value does not fit the type of its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongType {
    /// Logical name.
    pub column: String,
}

/// Takes rows in, column by column.
#[derive(Debug)]
pub struct SegmentBuilder;

impl SegmentBuilder {
    /// An empty builder for rows of `table`.
    pub fn new(_table: &Table) -> SegmentBuilder {
        todo!()
    }
    /// Appends a row as the server gave it. Columns that `table` does not know are left out.
    ///
    /// # Errors
    /// When a value does not fit its column; nothing was appended.
    pub fn push_row(&mut self, _id: Uuid, _etag: &str, _row: &Row) -> Result<(), WrongType> {
        todo!()
    }
    /// Appends a deletion.
    pub fn push_tombstone(&mut self, _id: Uuid) {
        todo!()
    }
    /// Rows and tombstones so far.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there is nothing to seal.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// The bytes to store.
    pub fn seal(self) -> Vec<u8> {
        todo!()
    }
}

/// A sealed segment, opened. Columns are unpacked when first read.
#[derive(Debug)]
pub struct Segment;

impl Segment {
    /// Reads sealed bytes; checks all of them.
    ///
    /// # Errors
    /// When they are damaged or newer than this code.
    pub fn open(_bytes: impl Into<Vec<u8>>) -> Result<Segment, SegmentError> {
        todo!()
    }
    /// Rows and tombstones. Row numbers below are `0..rows()`.
    pub fn rows(&self) -> usize {
        todo!()
    }
    /// Id of a row or tombstone.
    pub fn id(&self, _row: usize) -> Uuid {
        todo!()
    }
    /// Etag of a row; `None` for a tombstone or where the server gave none.
    pub fn etag(&self, _row: usize) -> Option<String> {
        todo!()
    }
    /// Whether the item says that the row is gone.
    pub fn is_tombstone(&self, _row: usize) -> bool {
        todo!()
    }
    /// One column's value by logical name; `Null` where the segment has no such column.
    pub fn cell(&self, _row: usize, _column: &str) -> Value {
        todo!()
    }
    /// All columns the segment knows, the primary key among them.
    pub fn row(&self, _row: usize) -> Row {
        todo!()
    }
    /// Bytes held in memory now: packed ones and unpacked columns.
    pub fn heap_bytes(&self) -> usize {
        todo!()
    }
}
