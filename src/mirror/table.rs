//! The segments of one table, seen as one.

use super::Segment;
use flette_odata::filter::Filter;
use flette_odata::query::OrderBy;
use flette_odata::{Row, Table, Uuid, Value};

/// Where a live row stands. Good until the table changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowAt {
    pub(super) slot: u32,
    pub(super) row: u32,
}

/// What compaction made. To commit in one transaction: write `bytes` under `number`, delete all others of `replaces`;
/// then call [`MirrorTable::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Number of the merged segment: the highest of those it replaces.
    pub number: u64,
    /// The sealed segment.
    pub bytes: Vec<u8>,
    /// Numbers that it replaces, ascending, `number` among them.
    pub replaces: Vec<u64>,
}

/// The mirror of one table.
#[derive(Debug)]
pub struct MirrorTable;

impl MirrorTable {
    /// An empty mirror of `table`.
    pub fn new(_table: &Table) -> MirrorTable {
        todo!()
    }
    /// The schema changed; columns whose type changed read as `Null` until pulled again.
    pub fn set_schema(&mut self, _table: &Table) {
        todo!()
    }
    /// Adds a segment. Of one id the item with the highest number counts, and within a segment the last: the order of
    /// adding does not matter. A number that is there already is replaced.
    pub fn add(&mut self, _number: u64, _segment: Segment) {
        todo!()
    }
    /// Takes segments out again, whatever they superseded counts again.
    pub fn remove(&mut self, _numbers: &[u64]) {
        todo!()
    }
    /// Numbers of all segments, ascending.
    pub fn numbers(&self) -> Vec<u64> {
        todo!()
    }
    /// Live rows.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there is no live row.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// Whether a live row has this id.
    pub fn contains(&self, _id: Uuid) -> bool {
        todo!()
    }
    /// Where the live row of this id stands.
    pub fn find(&self, _id: Uuid) -> Option<RowAt> {
        todo!()
    }
    /// Etag of a live row.
    pub fn etag(&self, _id: Uuid) -> Option<String> {
        todo!()
    }
    /// All known columns of a live row.
    pub fn row(&self, _id: Uuid) -> Option<Row> {
        todo!()
    }
    /// Id of a row.
    pub fn id_at(&self, _at: RowAt) -> Uuid {
        todo!()
    }
    /// Etag of a row; empty where the server gave none.
    pub fn etag_at(&self, _at: RowAt) -> String {
        todo!()
    }
    /// All known columns of a row.
    pub fn row_at(&self, _at: RowAt) -> Row {
        todo!()
    }
    /// One column's value by logical name; `Null` where it is not known.
    pub fn cell(&self, _at: RowAt, _column: &str) -> Value {
        todo!()
    }
    /// Ids of all live rows, in no order.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        std::iter::empty()
    }
    /// Live rows that pass `filter`, as [`flette_odata::filter::matches`] decides, without those named in `skip`
    /// (rows with journal entries, which the caller judges by what the app sees). In no order.
    pub fn select(&self, _filter: Option<&Filter>, _skip: &[Uuid]) -> Vec<RowAt> {
        todo!()
    }
    /// The first `limit` rows of `selection` (all of them without one), ordered by `orderby` as
    /// `flette_odata::collate::value_order` compares, ties by id ascending: a total order.
    pub fn order(&self, _selection: Vec<RowAt>, _orderby: &[OrderBy], _limit: Option<usize>) -> Vec<RowAt> {
        todo!()
    }
    /// Which segments are worth merging now, if any.
    pub fn plan(&self) -> Option<Vec<u64>> {
        todo!()
    }
    /// Merges segments into one: live rows only, and the tombstones that are still needed.
    pub fn merge(&self, _numbers: &[u64]) -> Merged {
        todo!()
    }
    /// Puts a committed merge in place of what it replaces.
    ///
    /// # Errors
    /// When `merged.bytes` are no segment.
    pub fn apply(&mut self, _merged: Merged) -> Result<(), super::SegmentError> {
        todo!()
    }
    /// Bytes held in memory now.
    pub fn heap_bytes(&self) -> usize {
        todo!()
    }
}
