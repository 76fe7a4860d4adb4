//! The frame of a segment, read and written by hand: to put right sums on what was changed, and to change what stands in
//! the blocks.

use crate::generate::Chance;

/// Length of the frame that no version changes.
const FRAME: usize = 16;

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().unwrap()) as usize)
}

/// Where the sum of each block stands, and how long the block is, as far as the head can be followed.
fn sums(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let Some(count) = number(bytes, 20) else { return found };
    let mut at = 24usize;
    for _ in 0..count.min(100_000) {
        let Some(name) = number(bytes, at) else { break };
        let Some(ranged) = at.checked_add(4 + name + 1).and_then(|at| bytes.get(at)) else { break };
        let lengths = at + 4 + name + 2 + if *ranged == 0 { 0 } else { 16 };
        let Some(packed) = number(bytes, lengths + 4) else { break };
        found.push((lengths + 8, packed));
        at = lengths + 12;
    }
    found
}

/// Puts right sums on blocks and head.
pub fn sign(bytes: &mut [u8]) {
    let Some(head) = number(bytes, 8) else { return };
    let mut start = head;
    for (at, packed) in sums(bytes) {
        let end = start.saturating_add(packed);
        if let Some(crc) = bytes.get(start..end).map(crc32fast::hash) {
            if let Some(place) = bytes.get_mut(at..at + 4) {
                place.copy_from_slice(&crc.to_le_bytes());
            }
        }
        start = end;
    }
    if (FRAME..=bytes.len()).contains(&head) {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..12]);
        hasher.update(&bytes[FRAME..head]);
        bytes[12..FRAME].copy_from_slice(&hasher.finalize().to_le_bytes());
    }
}

/// One block, not packed.
pub struct Part {
    /// Name, kind, range: what stands before the lengths.
    before: Vec<u8>,
    pub plain: Vec<u8>,
}

/// The blocks of a good segment; `None` for any other.
pub fn parts(bytes: &[u8]) -> Option<(usize, Vec<Part>)> {
    let (rows, mut at, mut start) = (number(bytes, 16)?, 24, number(bytes, 8)?);
    let mut parts = Vec::new();
    for (sum, packed) in sums(bytes) {
        let plain = lz4_flex::block::decompress(bytes.get(start..start + packed)?, number(bytes, sum - 8)?);
        parts.push(Part { before: bytes.get(at..sum - 8)?.to_vec(), plain: plain.ok()? });
        (at, start) = (sum + 4, start + packed);
    }
    Some((rows, parts))
}

/// A segment of these blocks, with right sums.
pub fn joined(rows: usize, parts: &[Part], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = b"FLSG\x02\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    let mut blocks = Vec::new();
    let put = |bytes: &mut Vec<u8>, number: usize| {
        bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    };
    put(&mut bytes, rows);
    put(&mut bytes, parts.len());
    for part in parts {
        let packed = lz4_flex::block::compress(&part.plain);
        bytes.extend(&part.before);
        // Lengths may lie, too.
        let lie = if chance.one_in(60) { chance.below(1 << 20) } else { 0 };
        put(&mut bytes, part.plain.len() + lie);
        put(&mut bytes, packed.len());
        put(&mut bytes, 0);
        blocks.extend(packed);
    }
    let head = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes[8..12].copy_from_slice(&head);
    bytes.extend(blocks);
    sign(&mut bytes);
    bytes
}
