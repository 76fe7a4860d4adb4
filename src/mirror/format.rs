//! The format of a sealed segment: what stands where, and the sums that guard it.
//!
//! Format, little endian: a frame that no later version changes (magic `FLSG`, version `u16`, zero `u16`, length of
//! the head `u32`, CRC-32 of all the head but this field), the rest of the head (rows, and for each block its name, kind,
//! range, lengths and CRC-32), then the blocks, each packed with LZ4 by itself so that a column can be read without
//! the others. The first block holds ids and tombstones, the second etags, each other one a column.

use super::bits::Bits;
use super::bytes::{stored, Damage, Reader};
use super::column::{Column, ColumnBuilder, Kind};
use super::text::EtagBuilder;
use super::unpacked::Unpacked;
use flette_odata::Uuid;

const MAGIC: [u8; 4] = *b"FLSG";
/// Version of the format that this code writes. It reads all versions up to this one. Format 2 has ids that are neither
/// keys nor lookups besides.
const VERSION: u16 = 2;
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

/// Puts head and blocks together.
#[derive(Debug, Default)]
pub(super) struct Sealer {
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

    /// The first block.
    pub(super) fn keys(&mut self, ids: &[Uuid], tombstones: &Bits) {
        self.block("", Kind::Id, None, |out| {
            ids.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
            tombstones.write(out);
        });
    }

    /// The second block, named after the primary key.
    pub(super) fn etags(&mut self, primary_id: &str, etags: &EtagBuilder) {
        self.block(primary_id, Kind::Id, None, |out| etags.write(out));
    }

    /// Any other block.
    pub(super) fn column(&mut self, name: &str, column: &mut ColumnBuilder) {
        let (kind, range) = (column.kind, column.range());
        self.block(name, kind, range, |out| column.write(out));
    }

    /// All of it, once every block is there.
    pub(super) fn finish(self, rows: usize) -> Vec<u8> {
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
pub(super) fn head_crc(head: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head[..FRAME - 4]);
    hasher.update(&head[FRAME..]);
    hasher.finalize()
}

/// A block as the head describes it.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) range: Option<(i64, i64)>,
    pub(super) plain_len: usize,
    pub(super) packed: std::ops::Range<usize>,
    pub(super) unpacked: Unpacked<Column>,
}

impl Block {
    /// The block of a segment of no rows.
    pub(super) fn nothing() -> Block {
        Block {
            name: String::new(),
            kind: Kind::Id,
            range: None,
            plain_len: 0,
            packed: 0..0,
            unpacked: Unpacked::default(),
        }
    }

    pub(super) fn unpack(&self, bytes: &[u8]) -> Result<Vec<u8>, Damage> {
        let plain = lz4_flex::block::decompress(&bytes[self.packed.clone()], self.plain_len);
        plain.ok().filter(|plain| plain.len() == self.plain_len).ok_or(Damage("block cannot be unpacked"))
    }
}

/// Checks the frame; gives the rest of the head.
pub(super) fn read_frame(bytes: &[u8]) -> Result<Reader<'_>, SegmentError> {
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
pub(super) fn packed_len(bytes: &[u8], mut head: Reader<'_>, count: usize) -> Result<usize, SegmentError> {
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
pub(super) fn read_block(head: &mut Reader<'_>, bytes: &[u8], start: usize) -> Result<Block, SegmentError> {
    let BlockFields { name, kind, range, plain_len, packed_len, crc } = BlockFields::read(head)?;
    let packed = start..start.saturating_add(packed_len);
    let content = bytes.get(packed.clone()).ok_or(SegmentError::Damaged("block is cut"))?;
    if crc32fast::hash(content) != crc {
        return Err(SegmentError::Damaged("sum of a block"));
    }
    if plain_len / PACKING_MAX > packed_len {
        return Err(SegmentError::Damaged("length of a block"));
    }
    Ok(Block { name: name.to_owned(), kind, range, plain_len, packed, unpacked: Unpacked::default() })
}

/// Changes the plain bytes of blocks and puts right sums on them: what only a faulty writer could make.
#[cfg(test)]
pub(super) fn forge(bytes: &[u8], mut change: impl FnMut(usize, &mut Vec<u8>)) -> Vec<u8> {
    let mut head = read_frame(bytes).expect("a good segment");
    let (rows, count) = (head.length().expect("rows"), head.length().expect("count"));
    let mut start = bytes.len() - packed_len(bytes, head.clone(), count).expect("blocks");
    let mut sealer = Sealer::default();
    for number in 0..count {
        let block = read_block(&mut head, bytes, start).expect("a good block");
        start = block.packed.end;
        let mut plain = block.unpack(bytes).expect("a good block");
        change(number, &mut plain);
        sealer.block(&block.name, block.kind, block.range, |out| *out = plain);
    }
    sealer.finish(rows)
}
