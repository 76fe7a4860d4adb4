//! One sealed segment, opened.

use super::alone;
use super::bits::Bits;
use super::bytes::{Damage, Reader};
use super::column::{Cell, Column, Kind};
use super::format::{packed_len, read_block, read_frame, Block, SegmentError};
use super::text::Etags;
use super::unpacked::Unpacked;
use flette_odata::ordered;
use flette_odata::{Row, Uuid, Value};

/// A sealed segment, opened. Columns are unpacked when first read.
#[derive(Debug)]
pub struct Segment {
    bytes: Vec<u8>,
    ids: Vec<Uuid>,
    tombstones: Bits,
    primary_id: String,
    etags: Unpacked<Etags>,
    etag_block: Block,
    blocks: Vec<Block>,
    /// Whether anything of it was read since it last grew older.
    read: std::cell::Cell<bool>,
    /// Bytes of what was unpacked then.
    unpacked: usize,
    /// How many rows were read out of packed columns since then.
    alone: std::cell::Cell<u32>,
}

/// Most rows that one request reads out of the packed columns of a segment. It pays to unpack these for more.
const ALONE_MAX: u32 = 2;

impl Segment {
    /// Reads sealed bytes; checks the sums of all of them.
    ///
    /// # Errors
    /// When they are damaged or newer than this code.
    pub fn open(bytes: impl Into<Vec<u8>>) -> Result<Segment, SegmentError> {
        let bytes = bytes.into();
        let mut head = read_frame(&bytes)?;
        let rows = head.length()?;
        let count = head.length()?;
        let mut blocks = Vec::new();
        let mut start = bytes.len() - packed_len(&bytes, head.clone(), count)?;
        for _ in 0..count {
            let block = read_block(&mut head, &bytes, start)?;
            start = block.packed.end;
            blocks.push(block);
        }
        head.finish()?;
        if blocks.len() < 2 {
            return Err(SegmentError::Damaged("blocks are missing"));
        }
        let key_block = blocks.remove(0);
        let etag_block = blocks.remove(0);
        let keys = key_block.unpack(&bytes)?;
        let mut reader = Reader::new(&keys);
        let ids = reader.take_array(rows)?.map(Uuid::from_bytes).collect();
        let tombstones = Bits::read(&mut reader, rows)?;
        reader.finish()?;
        let primary_id = etag_block.name.clone();
        let etags = Unpacked::default();
        let (read, unpacked, alone) = (Default::default(), 0, Default::default());
        Ok(Segment { bytes, ids, tombstones, primary_id, etags, etag_block, blocks, read, unpacked, alone })
    }

    /// A segment of no rows.
    pub(super) fn nothing() -> Segment {
        Segment {
            bytes: Vec::new(),
            ids: Vec::new(),
            tombstones: Bits::default(),
            primary_id: String::new(),
            etags: Unpacked::default(),
            etag_block: Block::nothing(),
            blocks: Vec::new(),
            read: Default::default(),
            unpacked: 0,
            alone: Default::default(),
        }
    }

    /// Unpacks every column, for a thorough check: sums hold already, so this finds faults of the writer only.
    ///
    /// # Errors
    /// When a column cannot be read.
    pub fn check(&self) -> Result<(), SegmentError> {
        self.read_etags()?;
        for block in &self.blocks {
            self.read_column(block)?;
        }
        Ok(())
    }

    /// Rows and tombstones. Row numbers below are `0..rows()`.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Id of a row or tombstone.
    pub fn id(&self, row: usize) -> Uuid {
        self.ids[row]
    }

    /// Etag of a row; `None` for a tombstone or where the server gave none.
    pub fn etag(&self, row: usize) -> Option<String> {
        self.read.set(true);
        let etags = self.etags.get_or_init(|| match self.read_etags() {
            Ok(etags) => etags,
            // Sums held, so only a faulty writer leads here: rows without etags are fetched anew before a push.
            Err(_) => Etags::Numbers(super::number::Ints::new(&vec![-1; self.rows()])),
        });
        let etag = etags.get(row);
        (!etag.is_empty()).then(|| etag.into_owned())
    }

    /// The etags, read anew where they are not unpacked.
    pub(super) fn with_etags<T>(&self, read: impl FnOnce(&Etags) -> T) -> Result<T, Damage> {
        match self.etags.peek() {
            Some(etags) => Ok(read(etags)),
            None => self.read_etags().map(|etags| read(&etags)),
        }
    }

    fn read_etags(&self) -> Result<Etags, Damage> {
        let plain = self.etag_block.unpack(&self.bytes)?;
        let mut reader = Reader::new(&plain);
        let etags = Etags::read(&mut reader, self.rows())?;
        reader.finish()?;
        Ok(etags)
    }

    /// Whether the item says that the row is gone.
    pub fn is_tombstone(&self, row: usize) -> bool {
        self.tombstones.get(row)
    }

    /// One column's value by logical name; `Null` where the segment has no such column.
    pub fn cell(&self, row: usize, column: &str) -> Value {
        if column == self.primary_id {
            return Value::Guid(self.ids[row]);
        }
        let block = self.blocks.iter().position(|block| block.name == column);
        block.map_or(Value::Null, |block| self.value(row, block))
    }

    /// All columns the segment knows, the primary key among them; empty for a tombstone.
    pub fn row(&self, row: usize) -> Row {
        if self.is_tombstone(row) {
            return Row::new();
        }
        let cells = (0..self.blocks.len()).map(|at| (self.blocks[at].name.clone(), self.value(row, at)));
        ordered::map(cells.chain([(self.primary_id.clone(), Value::Guid(self.ids[row]))]))
    }

    /// Bytes of the sealed form.
    pub fn stored_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of columns that are unpacked now.
    pub(super) fn unpacked_bytes(&self) -> usize {
        let blocks = self.blocks.iter().filter_map(|block| block.unpacked.peek()).map(Column::heap_bytes);
        blocks.sum::<usize>() + self.etags.peek().map_or(0, Etags::heap_bytes)
    }

    /// Bytes held in memory now: packed ones and unpacked columns.
    pub fn heap_bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(|block| size_of::<Block>() + block.name.capacity());
        self.bytes.capacity()
            + self.ids.capacity() * size_of::<Uuid>()
            + self.tombstones.heap_bytes()
            + blocks.sum::<usize>()
            + self.unpacked_bytes()
    }

    /// A request of this number has ended. Gives the bytes of what is unpacked. Costs nothing where nothing was read.
    pub(super) fn grow_older(&mut self, request: u32) -> usize {
        self.alone.set(0);
        if self.read.take() {
            self.blocks.iter_mut().for_each(|block| block.unpacked.grow_older(request));
            self.etags.grow_older(request);
            self.unpacked = self.unpacked_bytes();
        }
        self.unpacked
    }

    /// Tells `held` of everything unpacked: which column (the etags come after the last), how many requests have not
    /// read it, and its bytes.
    pub(super) fn each_unpacked(&self, request: u32, mut held: impl FnMut(usize, u32, usize)) {
        for (at, block) in self.blocks.iter().enumerate() {
            if let Some(column) = block.unpacked.peek() {
                held(at, block.unpacked.idle(request), column.heap_bytes());
            }
        }
        if let Some(etags) = self.etags.peek() {
            held(self.blocks.len(), self.etags.idle(request), etags.heap_bytes());
        }
    }

    /// Forgets one unpacked column, or the etags, as [`Segment::each_unpacked`] numbers them.
    pub(super) fn forget(&mut self, column: usize) {
        match self.blocks.get_mut(column) {
            Some(block) => block.unpacked.forget(),
            None => self.etags.forget(),
        }
        self.unpacked = self.unpacked_bytes();
    }

    fn value(&self, row: usize, block: usize) -> Value {
        match self.is_tombstone(row) {
            true => Value::Null,
            false => self.column(block).cell(row).to_value(),
        }
    }

    pub(super) fn tombstones(&self) -> &Bits {
        &self.tombstones
    }

    /// Index of a column stored with this name and kind.
    pub(super) fn find(&self, name: &str, kind: Kind) -> Option<usize> {
        self.blocks.iter().position(|block| block.kind == kind && block.name == name)
    }

    /// The same, looked for first where it stands if the columns come in the order of the schema.
    pub(super) fn find_near(&self, near: usize, name: &str, kind: Kind) -> Option<usize> {
        let is_it = |block: &&Block| block.kind == kind && block.name == name;
        self.blocks.get(near).filter(is_it).map(|_| near).or_else(|| self.find(name, kind))
    }

    /// Smallest and largest whole number of a column, where the head tells them.
    pub(super) fn range(&self, column: usize) -> Option<(i64, i64)> {
        self.blocks[column].range
    }

    pub(super) fn column(&self, column: usize) -> &Column {
        let block = &self.blocks[column];
        // Sums held, so only a faulty writer leads to an error here; `check` reports it.
        let nothing = |_| Column::nothing(block.kind, self.rows());
        self.read.set(true);
        block.unpacked.get_or_init(|| self.read_column(block).unwrap_or_else(nothing))
    }

    /// Whether one more row is better read out of packed columns, with [`Segment::with_cell_alone`].
    pub(super) fn takes_one_alone(&self) -> bool {
        self.alone.set(self.alone.get().saturating_add(1));
        self.alone.get() <= ALONE_MAX
    }

    /// Hands over one value of a column that is kept only if it is unpacked already: for whoever reads single rows.
    pub(super) fn with_cell_alone<T>(
        &self,
        row: usize,
        column: usize,
        read: impl FnOnce(Cell<'_>) -> T,
    ) -> T {
        let block = &self.blocks[column];
        if self.is_tombstone(row) {
            return read(Cell::Null);
        }
        if block.unpacked.peek().is_some() {
            return read(self.column(column).cell(row));
        }
        // Sums held, so only a faulty writer leads to an error here; `check` reports it.
        let Ok(plain) = block.unpack(&self.bytes) else { return read(Cell::Null) };
        read(alone::cell(&plain, block.kind, self.rows(), row).unwrap_or(Cell::Null))
    }

    /// Bytes of all columns unpacked, near enough.
    pub(super) fn plain_bytes(&self) -> usize {
        self.blocks.iter().chain([&self.etag_block]).map(|block| block.plain_len).sum()
    }

    /// A column, read anew where it is not unpacked: for work that passes once over everything.
    pub(super) fn with_column<T>(&self, column: usize, read: impl FnOnce(&Column) -> T) -> Result<T, Damage> {
        let block = &self.blocks[column];
        match block.unpacked.peek() {
            Some(known) => Ok(read(known)),
            None => self.read_column(block).map(|column| read(&column)),
        }
    }

    fn read_column(&self, block: &Block) -> Result<Column, Damage> {
        block.unpack(&self.bytes).and_then(|plain| Column::read(&plain, block.kind, self.rows()))
    }
}
