//! One sealed segment and how it is built.
//!
//! Format, little endian: a frame that no later version changes (magic `FLSG`, version `u16`, zero `u16`, length of
//! the head `u32`, CRC-32 of all the head but this field), the rest of the head (rows, and for each block its name, kind,
//! range, lengths and CRC-32), then the blocks, each packed with LZ4 by itself so that a column can be read without
//! the others. The first block holds ids and tombstones, the second etags, each other one a column.

use super::bits::Bits;
use super::bytes::{stored, Damage, Reader};
use super::column::{Cell, Column, ColumnBuilder, Kind};
use super::text::{EtagBuilder, Etags};
use flette_odata::{Row, Table, Uuid, Value};
use std::cell::OnceCell;

const MAGIC: [u8; 4] = *b"FLSG";
/// Version of the format that this code writes. It reads all versions up to this one.
const VERSION: u16 = 1;
/// Length of the unchanging frame at the start.
const FRAME: usize = 16;
/// LZ4 cannot pack tighter; a block that claims to is lying.
const PACKING_MAX: usize = 256;

/// Why bytes are no segment that can be read. Its rows must be pulled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentError {
    /// Cut, changed, or never a segment; says what did not hold.
    Damaged(&'static str),
    /// Written by a later version of the format.
    NewerVersion(u16),
}

impl From<Damage> for SegmentError {
    fn from(damage: Damage) -> SegmentError {
        SegmentError::Damaged(damage.0)
    }
}

impl std::fmt::Display for SegmentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SegmentError::Damaged(what) => write!(f, "damaged segment: {what}"),
            SegmentError::NewerVersion(version) => write!(f, "segment of the newer format {version}"),
        }
    }
}

impl std::error::Error for SegmentError {}

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
    pub(super) columns: Vec<ColumnBuilder>,
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
        let mut cells = Vec::with_capacity(row.len());
        for (at, (name, column)) in self.names.iter().zip(&self.columns).enumerate() {
            if let (Some(value), false) = (row.get(name), *name == self.primary_id) {
                let cell = Cell::of(value, column.kind);
                cells.push((at, cell.ok_or_else(|| WrongType { column: name.clone() })?));
            }
        }
        cells.into_iter().for_each(|(at, cell)| self.put(at, cell));
        self.end_row(id, etag);
        Ok(())
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

    /// Sets a column of the row that is being read; whether it was set before.
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
        cells.chain([(self.primary_id.clone(), Value::Guid(self.ids[row]))]).collect()
    }

    /// The bytes to store.
    pub fn seal(mut self) -> Vec<u8> {
        let rows = self.ids.len();
        let mut sealer = Sealer::default();
        sealer.block("", Kind::Id, None, |out| {
            self.ids.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
            self.tombstones.write(out);
        });
        sealer.block(&self.primary_id, Kind::Id, None, |out| self.etags.write(out));
        for (name, column) in self.names.iter().zip(&mut self.columns) {
            if column.len() == 0 || *name == self.primary_id {
                continue;
            }
            column.pad(rows);
            sealer.block(name, column.kind, column.range(), |out| column.write(out));
        }
        sealer.finish(rows)
    }
}

/// Puts head and blocks together.
#[derive(Default)]
struct Sealer {
    head: Vec<u8>,
    blocks: Vec<u8>,
    count: usize,
    /// Used again for each block.
    plain: Vec<u8>,
}

impl Sealer {
    fn block(&mut self, name: &str, kind: Kind, range: Option<(i64, i64)>, write: impl FnOnce(&mut Vec<u8>)) {
        self.plain.clear();
        write(&mut self.plain);
        let packed = lz4_flex::block::compress(&self.plain);
        self.head.extend_from_slice(&stored(name.len()).to_le_bytes());
        self.head.extend_from_slice(name.as_bytes());
        self.head.push(kind.code());
        self.head.push(u8::from(range.is_some()));
        if let Some((min, max)) = range {
            self.head.extend_from_slice(&min.to_le_bytes());
            self.head.extend_from_slice(&max.to_le_bytes());
        }
        for number in [stored(self.plain.len()), stored(packed.len()), crc32fast::hash(&packed)] {
            self.head.extend_from_slice(&number.to_le_bytes());
        }
        self.blocks.extend_from_slice(&packed);
        self.count += 1;
    }

    fn finish(self, rows: usize) -> Vec<u8> {
        let head_len = FRAME + 8 + self.head.len();
        let mut bytes = Vec::with_capacity(head_len + self.blocks.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&stored(head_len).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&stored(rows).to_le_bytes());
        bytes.extend_from_slice(&stored(self.count).to_le_bytes());
        bytes.extend_from_slice(&self.head);
        let crc = head_crc(&bytes);
        bytes[FRAME - 4..FRAME].copy_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&self.blocks);
        bytes
    }
}

/// CRC-32 of a head, all but the place where it stands.
fn head_crc(head: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head[..FRAME - 4]);
    hasher.update(&head[FRAME..]);
    hasher.finalize()
}

/// A block as the head describes it.
#[derive(Debug)]
struct Block {
    name: String,
    kind: Kind,
    range: Option<(i64, i64)>,
    plain_len: usize,
    packed: std::ops::Range<usize>,
    unpacked: OnceCell<Column>,
}

/// A sealed segment, opened. Columns are unpacked when first read.
#[derive(Debug)]
pub struct Segment {
    bytes: Vec<u8>,
    ids: Vec<Uuid>,
    tombstones: Bits,
    primary_id: String,
    etags: OnceCell<Etags>,
    etag_block: Block,
    blocks: Vec<Block>,
}

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
        Ok(Segment { bytes, ids, tombstones, primary_id, etags: OnceCell::new(), etag_block, blocks })
    }

    /// Unpacks every column, for a thorough check: sums hold already, so this finds faults of the writer only.
    ///
    /// # Errors
    /// When a column cannot be read.
    pub fn check(&self) -> Result<(), SegmentError> {
        self.read_etags()?;
        for block in &self.blocks {
            Column::read(&block.unpack(&self.bytes)?, block.kind, self.rows())?;
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
        let etags = self.etags.get_or_init(|| match self.read_etags() {
            Ok(etags) => etags,
            // Sums held, so only a faulty writer leads here: rows without etags are fetched anew before a push.
            Err(_) => Etags::Numbers(super::number::Ints::new(&vec![-1; self.rows()])),
        });
        let etag = etags.get(row);
        (!etag.is_empty()).then(|| etag.into_owned())
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
        cells.chain([(self.primary_id.clone(), Value::Guid(self.ids[row]))]).collect()
    }

    /// Bytes held in memory now: packed ones and unpacked columns.
    pub fn heap_bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(|block| {
            size_of::<Block>() + block.name.capacity() + block.unpacked.get().map_or(0, Column::heap_bytes)
        });
        self.bytes.capacity()
            + self.ids.capacity() * size_of::<Uuid>()
            + self.tombstones.heap_bytes()
            + self.etags.get().map_or(0, Etags::heap_bytes)
            + blocks.sum::<usize>()
    }

    /// Forgets unpacked columns; they are unpacked again when read.
    pub fn release(&mut self) {
        self.etags.take();
        self.blocks.iter_mut().for_each(|block| drop(block.unpacked.take()));
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

    /// Smallest and largest whole number of a column, where the head tells them.
    pub(super) fn range(&self, column: usize) -> Option<(i64, i64)> {
        self.blocks[column].range
    }

    pub(super) fn column(&self, column: usize) -> &Column {
        let block = &self.blocks[column];
        block.unpacked.get_or_init(|| {
            let read =
                block.unpack(&self.bytes).and_then(|plain| Column::read(&plain, block.kind, self.rows()));
            // Sums held, so only a faulty writer leads here; `check` reports it.
            read.unwrap_or_else(|_| Column::nothing(block.kind, self.rows()))
        })
    }
}

impl Block {
    fn unpack(&self, bytes: &[u8]) -> Result<Vec<u8>, Damage> {
        let plain = lz4_flex::block::decompress(&bytes[self.packed.clone()], self.plain_len);
        plain.ok().filter(|plain| plain.len() == self.plain_len).ok_or(Damage("block cannot be unpacked"))
    }
}

/// Checks the frame; gives the rest of the head.
fn read_frame(bytes: &[u8]) -> Result<Reader<'_>, SegmentError> {
    let mut reader = Reader::new(bytes);
    if reader.take(4)? != MAGIC {
        return Err(SegmentError::Damaged("not a segment"));
    }
    let version = reader.u16()?;
    reader.u16()?;
    let head_len = reader.length()?;
    let crc = reader.u32()?;
    let head = bytes.get(..head_len).filter(|head| head.len() >= FRAME);
    let head = head.ok_or(SegmentError::Damaged("head is cut"))?;
    if head_crc(head) != crc {
        return Err(SegmentError::Damaged("sum of the head"));
    }
    if version > VERSION {
        return Err(SegmentError::NewerVersion(version));
    }
    Ok(Reader::new(&head[FRAME..]))
}

/// Length of all blocks together.
fn packed_len(bytes: &[u8], mut head: Reader<'_>, count: usize) -> Result<usize, SegmentError> {
    let mut total = 0usize;
    for _ in 0..count {
        let fields = BlockFields::read(&mut head)?;
        total = total.saturating_add(fields.packed_len);
    }
    let head_len = Reader::new(&bytes[8..]).length()?;
    if head_len.checked_add(total) == Some(bytes.len()) {
        Ok(total)
    } else {
        Err(SegmentError::Damaged("length of the blocks"))
    }
}

struct BlockFields<'a> {
    name: &'a str,
    kind: Kind,
    range: Option<(i64, i64)>,
    plain_len: usize,
    packed_len: usize,
    crc: u32,
}

impl<'a> BlockFields<'a> {
    fn read(head: &mut Reader<'a>) -> Result<BlockFields<'a>, Damage> {
        let name_len = head.length()?;
        let name = std::str::from_utf8(head.take(name_len)?).map_err(|_| Damage("name of a column"))?;
        let kind = Kind::from_code(head.u8()?).ok_or(Damage("kind of a column"))?;
        let range = match head.u8()? {
            0 => None,
            _ => Some((head.i64()?, head.i64()?)),
        };
        let (plain_len, packed_len, crc) = (head.length()?, head.length()?, head.u32()?);
        Ok(BlockFields { name, kind, range, plain_len, packed_len, crc })
    }
}

/// Reads one block's description; its bytes begin at `start`.
fn read_block(head: &mut Reader<'_>, bytes: &[u8], start: usize) -> Result<Block, SegmentError> {
    let BlockFields { name, kind, range, plain_len, packed_len, crc } = BlockFields::read(head)?;
    let packed = start..start.saturating_add(packed_len);
    let content = bytes.get(packed.clone()).ok_or(SegmentError::Damaged("block is cut"))?;
    if crc32fast::hash(content) != crc {
        return Err(SegmentError::Damaged("sum of a block"));
    }
    if plain_len / PACKING_MAX > packed_len {
        return Err(SegmentError::Damaged("length of a block"));
    }
    Ok(Block { name: name.to_owned(), kind, range, plain_len, packed, unpacked: OnceCell::new() })
}
