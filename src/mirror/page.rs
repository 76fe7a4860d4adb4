//! Decodes an answer of the server straight into columns.

use super::SegmentBuilder;
use flette_odata::{Row, Table, Uuid};

/// Why a body is not a page. Nothing of it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageError {
    /// Cut, or not JSON, or not of the shape of a page or row. Says what; never holds a value.
    Malformed(String),
    /// A value does not fit the type the schema gives its column: the schema must be read again.
    WrongType {
        /// Logical name.
        column: String,
    },
    /// A lookup with several possible target tables came without the annotation that names its target.
    UnknownTarget {
        /// Logical name.
        column: String,
    },
    /// A row came without its primary key.
    NoId,
}

/// One item of a page, in the server's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Item {
    Row(Uuid),
    Tombstone(Uuid),
}

/// A decoded page.
#[derive(Debug)]
pub struct Page {
    /// Its items, ready to be sealed; item `n` of the page is row `n` of the segment.
    pub segment: SegmentBuilder,
    /// How many items are rows.
    pub rows: u32,
    /// How many items are tombstones.
    pub tombstones: u32,
    /// `@odata.nextLink`, verbatim.
    pub next_link: Option<String>,
    /// `@odata.deltaLink`, verbatim.
    pub delta_link: Option<String>,
    /// `@odata.count`
    pub count: Option<u64>,
}

impl Page {
    /// Items in the server's order. An id may occur more than once: the last one counts.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        std::iter::empty()
    }
    /// One item's columns; empty for a tombstone. For the few rows that must be looked at one by one.
    pub fn row(&self, _index: usize) -> Row {
        todo!()
    }
    /// One item's etag.
    pub fn etag(&self, _index: usize) -> Option<String> {
        todo!()
    }
}

/// Decodes the body of a collection or delta answer.
///
/// # Errors
/// See [`PageError`]; a body that was cut anywhere is an error.
pub fn decode_page(_body: &[u8], _table: &Table) -> Result<Page, PageError> {
    todo!()
}

/// Decodes the body of a single-row answer (`GET accounts(id)`, `return=representation`) as a page of one row.
///
/// # Errors
/// See [`PageError`].
pub fn decode_row(_body: &[u8], _table: &Table) -> Result<Page, PageError> {
    todo!()
}

/// The next link, read from the members that stand before `value` without decoding the rest: the next page can be
/// asked for while this one is decoded. `None` when it stands elsewhere; then [`decode_page`] finds it.
pub fn next_link_ahead(_body: &[u8]) -> Option<String> {
    todo!()
}
