//! Takes rows in and seals them.

use super::bits::Bits;
use super::column::{Cell, ColumnBuilder, Kind};
use super::format::Sealer;
use super::text::EtagBuilder;
use super::{MirrorTable, RowAt};
use flette_odata::ordered;
use flette_odata::{Row, Table, Uuid, Value};

/// A value does not fit the type of its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongType {
    /// Logical name.
    pub column: String,
}

/// Takes rows in, column by column.
#[derive(Debug)]
pub struct SegmentBuilder {
    primary_id: String,
    names: Vec<String>,
    columns: Vec<ColumnBuilder>,
    ids: Vec<Uuid>,
    tombstones: Bits,
    etags: EtagBuilder,
}

impl SegmentBuilder {
    /// An empty builder for rows of `table`.
    pub fn new(table: &Table) -> SegmentBuilder {
        let kinds = table.columns.iter().map(|column| Kind::of(&column.kind));
        SegmentBuilder {
            primary_id: table.primary_id.clone(),
            names: table.columns.iter().map(|column| column.logical_name.clone()).collect(),
            columns: kinds.map(ColumnBuilder::new).collect(),
            ids: Vec::new(),
            tombstones: Bits::default(),
            etags: EtagBuilder::new(),
        }
    }

    /// Appends a row as the server gave it. Columns that `table` does not know are left out; a column that no row of
    /// the segment has is unknown to the segment.
    ///
    /// # Errors
    /// When a value does not fit its column; nothing was appended.
    pub fn push_row(&mut self, id: Uuid, etag: &str, row: &Row) -> Result<(), WrongType> {
        for (at, cell) in self.cells(row)? {
            self.put(at, cell);
        }
        self.end_row(id, etag);
        Ok(())
    }

    /// Appends a row that a mirror of the same table has, with these columns over it: as [`SegmentBuilder::push_row`] of the
    /// row that the two make, without making that.
    ///
    /// # Errors
    /// When a value does not fit its column; nothing was appended.
    pub fn push_changed(
        &mut self,
        (mirror, at): (&MirrorTable, RowAt),
        etag: &str,
        changes: &Row,
    ) -> Result<(), WrongType> {
        let mut cells = self.cells(changes)?.into_iter().peekable();
        let known = mirror.reading(at);
        let mut near = 0;
        for column in 0..self.columns.len() {
            if let Some((_, cell)) = cells.next_if(|(changed, _)| *changed == column) {
                self.put(column, cell);
            }
            if self.names[column] == self.primary_id {
                continue;
            }
            let Some(stored) = known.find_near(near, &self.names[column], self.columns[column].kind) else {
                continue;
            };
            near = stored + 1;
            if !self.is_put(column) {
                known.with_cell(stored, |cell| self.put(column, cell));
            }
        }
        self.end_row(mirror.id_at(at), etag);
        Ok(())
    }

    /// What a row says of the columns, in their order.
    fn cells<'v>(&self, row: &'v Row) -> Result<Vec<(usize, Cell<'v>)>, WrongType> {
        let mut cells = Vec::with_capacity(row.len());
        for (at, (name, column)) in self.names.iter().zip(&self.columns).enumerate() {
            if let (Some(value), false) = (row.get(name), *name == self.primary_id) {
                let cell = Cell::of(value, column.kind);
                cells.push((at, cell.ok_or_else(|| WrongType { column: name.clone() })?));
            }
        }
        Ok(cells)
    }

    /// Appends a deletion.
    pub fn push_tombstone(&mut self, id: Uuid) {
        self.ids.push(id);
        self.etags.push("");
        self.tombstones.push(true);
    }

    /// Rows and tombstones so far.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is nothing to seal.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether a column of the row that is being read was set.
    pub(super) fn is_put(&self, column: usize) -> bool {
        self.columns[column].len() > self.ids.len()
    }

    /// Sets a column of the row that is being read, once.
    pub(super) fn put(&mut self, column: usize, cell: Cell<'_>) {
        let rows = self.ids.len();
        let column = &mut self.columns[column];
        column.pad(rows);
        column.push(cell);
    }

    /// Ends the row that is being read.
    pub(super) fn end_row(&mut self, id: Uuid, etag: &str) {
        self.ids.push(id);
        self.etags.push(etag);
        self.tombstones.push(false);
    }

    pub(super) fn id(&self, row: usize) -> Uuid {
        self.ids[row]
    }

    pub(super) fn is_tombstone(&self, row: usize) -> bool {
        self.tombstones.get(row)
    }

    pub(super) fn etag(&self, row: usize) -> Option<String> {
        let etag = self.etags.get(row);
        (!etag.is_empty()).then(|| etag.into_owned())
    }

    /// The columns that a row has so far; empty for a tombstone.
    pub(super) fn row(&self, row: usize) -> Row {
        if self.is_tombstone(row) {
            return Row::new();
        }
        let known = self.names.iter().zip(&self.columns).filter(|(_, column)| column.len() > 0);
        let cells = known.map(|(name, column)| (name.clone(), column.get(row)));
        ordered::map(cells.chain([(self.primary_id.clone(), Value::Guid(self.ids[row]))]))
    }

    /// The bytes to store.
    pub fn seal(mut self) -> Vec<u8> {
        let rows = self.ids.len();
        let mut sealer = Sealer::default();
        sealer.keys(&self.ids, &self.tombstones);
        sealer.etags(&self.primary_id, &self.etags);
        for (name, column) in self.names.iter().zip(&mut self.columns) {
            if column.len() == 0 || *name == self.primary_id {
                continue;
            }
            column.pad(rows);
            sealer.column(name, column);
        }
        sealer.finish(rows)
    }
}
