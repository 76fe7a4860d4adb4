//! Merges small and half-dead segments, so that reading stays cheap however many deltas have come.
//!
//! A merge is made in slices, column by column, beside the segments it will replace. Nothing of it shows, and nothing
//! is stored, before all of it is put in their place in one transaction: dropped at any point, nothing is lost.

use super::bits::Bits;
use super::column::{ColumnBuilder, Kind};
use super::format::{Sealer, SegmentError};
use super::table::Slot;
use super::text::EtagBuilder;
use super::{MirrorTable, Segment};
use flette_odata::ordered;
use flette_odata::Uuid;
use std::collections::HashMap;

/// Rows that a merge aims at: one pulled page, as a rule.
pub const SEGMENT_ROWS_TARGET: usize = 8_192;
/// A segment of fewer items, and of fewer bytes than [`SMALL_BYTES_MAX`], is small.
pub const SMALL_ROWS_MAX: usize = SEGMENT_ROWS_TARGET / 4;
/// Stored bytes from which on a segment is worth a value of its own, however few its rows are.
pub const SMALL_BYTES_MAX: usize = 1 << 20;
/// So many small segments of the same columns are worth merging: a push of a thousand edits leaves ten, and who waits for its end
/// should not wait for that each time.
pub const SMALL_SEGMENTS_MIN: usize = 16;
/// Stored bytes that one merge of small segments takes in.
const MERGED_BYTES_MAX: usize = 8 * SMALL_BYTES_MAX;
/// Values that one slice of a merge goes through before it stops at the next column: one column of a full segment. A merge
/// of 10,000 rows of 24 columns (25 ms natively, `cargo bench`) comes in some 26 slices, so that a request that comes
/// meanwhile waits for about a millisecond.
pub const SLICE_CELLS_MAX: usize = SEGMENT_ROWS_TARGET;

/// What compaction made. To commit in one transaction: write `bytes` under `number`, delete all others of `replaces`;
/// then call [`MirrorTable::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Number of the merged segment: the highest of those it replaces.
    pub number: u64,
    /// The sealed segment; `None` when nothing is left, so that `number` is to be deleted too.
    pub bytes: Option<Vec<u8>>,
    /// Numbers that it replaces, ascending, `number` among them.
    pub replaces: Vec<u64>,
}

/// A merge under way.
#[derive(Debug)]
pub struct Merge {
    /// Ascending by number.
    sources: Vec<Source>,
    /// Ids that stay deleted.
    tombstones: Vec<Uuid>,
    /// Rows and tombstones.
    rows: usize,
    next: Next,
    sealer: Sealer,
}

/// What is taken over from one segment.
#[derive(Debug)]
struct Source {
    number: u64,
    /// Rows that were live when the merge began. Those superseded since are superseded in the merged segment, too.
    rows: Bits,
    count: usize,
}

/// The block that is made next.
#[derive(Debug, Clone, Copy)]
enum Next {
    Keys,
    Etags,
    /// By index in the schema.
    Column(usize),
}

/// How far a merge is after a slice.
#[derive(Debug)]
pub enum Sliced {
    /// There is more to do.
    More(Merge),
    /// All of it is done.
    Done(Merged),
    /// It cannot go on: a segment went meanwhile, or cannot be read.
    GivenUp,
}

impl MirrorTable {
    /// Which segments are worth merging now, if any: a large one of which more than half is superseded, or many small
    /// ones of the same columns; of many small ones those first of which nothing is left, since they go without anything
    /// being written anew. Applying the merge and asking again ends in `None`.
    pub fn plan(&self) -> Option<Vec<u64>> {
        let slots = self.slots.iter().filter_map(|slot| Some((slot.number?, slot))).collect();
        let mut slots: Vec<(u64, &Slot)> = ordered::list_by_key(slots, |(number, _)| *number);
        let stale = slots.iter().find(|(_, slot)| !is_small(&slot.segment) && self.is_stale(slot));
        if let Some((number, _)) = stale {
            return Some(vec![*number]);
        }
        slots.retain(|(_, slot)| is_small(&slot.segment));
        if slots.len() < SMALL_SEGMENTS_MIN {
            return None;
        }
        let dead = slots.iter().filter(|(_, slot)| slot.live.count() == 0 && self.needed(slot) == 0);
        let dead: Vec<u64> = dead.map(|(number, _)| *number).collect();
        if !dead.is_empty() {
            return Some(dead);
        }
        let small: Vec<_> =
            slots.into_iter().map(|(number, slot)| (number, slot, self.columns_of(&slot.segment))).collect();
        // Deletions alone have no columns and go with any rows.
        let only_bare = small.iter().all(|(_, _, columns)| columns.is_empty());
        for (_, _, columns) in small.iter().filter(|(_, _, columns)| only_bare || !columns.is_empty()) {
            let group = || small.iter().filter(|(_, _, other)| other.is_empty() || other == columns);
            if group().count() < SMALL_SEGMENTS_MIN {
                continue;
            }
            let (mut rows, mut bytes) = (0, 0);
            let fitting = group().take_while(|(_, slot, _)| {
                rows += slot.segment.rows();
                bytes += slot.segment.stored_bytes();
                rows <= SEGMENT_ROWS_TARGET && bytes <= MERGED_BYTES_MAX
            });
            return Some(fitting.map(|(number, _, _)| *number).collect());
        }
        None
    }

    /// Whether more than half of a segment's items would go if it were merged alone.
    fn is_stale(&self, slot: &Slot) -> bool {
        let half = slot.segment.rows().div_ceil(2);
        let live = slot.live.count();
        live < half && live + self.needed(slot) < half
    }

    /// How many tombstones of a segment would stay if it were merged alone.
    fn needed(&self, slot: &Slot) -> usize {
        let needed = |row: &usize| {
            let id = slot.segment.id(*row);
            self.is_newest(id, slot) && self.superseded(id) > 0
        };
        slot.segment.tombstones().ones().filter(needed).count()
    }

    fn is_newest(&self, id: Uuid, slot: &Slot) -> bool {
        self.newest(id).is_some_and(|at| self.slots[at.slot as usize].number == slot.number)
    }

    /// Which of the schema's columns a segment has, by index.
    fn columns_of(&self, segment: &Segment) -> Vec<usize> {
        let columns = self.schema.columns.iter().enumerate();
        let known = columns
            .filter(|(_, column)| segment.find(&column.logical_name, Kind::of(&column.kind)).is_some());
        known.map(|(at, _)| at).collect()
    }

    /// Begins the merge that is worth most, if any is.
    pub fn begin_merge(&self) -> Option<Merge> {
        self.begin_merge_of(&self.plan()?)
    }

    /// Begins to merge segments into one: live rows only, and tombstones of ids that an older segment still holds. All
    /// stored segments must have been added, or a row whose tombstone is dropped here could come back.
    ///
    /// `None` when none of `numbers` is there.
    pub fn begin_merge_of(&self, numbers: &[u64]) -> Option<Merge> {
        let slots = self.slots.iter().filter_map(|slot| Some((slot.number?, slot)));
        let slots = slots.filter(|(number, _)| numbers.contains(number)).collect();
        let slots: Vec<(u64, &Slot)> = ordered::list_by_key(slots, |(number, _)| *number);
        slots.first()?;
        let tombstones = self.tombstones_needed(&slots);
        let source = |(number, slot): (u64, &Slot)| Source {
            number,
            rows: slot.live.clone(),
            count: slot.live.count(),
        };
        let sources: Vec<Source> = slots.into_iter().map(source).collect();
        let rows = sources.iter().map(|source| source.count).sum::<usize>() + tombstones.len();
        Some(Merge { sources, tombstones, rows, next: Next::Keys, sealer: Sealer::default() })
    }

    /// Ids whose newest item is a tombstone in `merging`, and of which there are items outside of it: those are older.
    fn tombstones_needed(&self, merging: &[(u64, &Slot)]) -> Vec<Uuid> {
        let newest = |slot: &Slot, row: usize| {
            let at = self.newest(slot.segment.id(row));
            at.is_some_and(|at| at.row as usize == row && self.slots[at.slot as usize].number == slot.number)
        };
        let mut gone: HashMap<Uuid, u32> = HashMap::new();
        for (_, slot) in merging {
            let deleted = slot.segment.tombstones().ones().filter(|row| newest(slot, *row));
            gone.extend(deleted.map(|row| (slot.segment.id(row), 0)));
        }
        if gone.is_empty() {
            return Vec::new();
        }
        for (_, slot) in merging {
            for row in 0..slot.segment.rows() {
                if let Some(merged) = gone.get_mut(&slot.segment.id(row)) {
                    *merged += 1;
                }
            }
        }
        // All of its items but the newest are superseded ones.
        let outside = |(id, merged): (Uuid, u32)| (self.superseded(id) + 1 > merged).then_some(id);
        ordered::list(gone.into_iter().filter_map(outside).collect(), Ord::cmp)
    }

    /// Does one slice of a merge: at most [`SLICE_CELLS_MAX`] values, or one column where that has more.
    pub fn slice(&self, mut merge: Merge) -> Sliced {
        if merge.sources.iter().any(|source| self.slot_of(source.number).is_none()) {
            return Sliced::GivenUp;
        }
        let mut cells = 0;
        while cells < SLICE_CELLS_MAX {
            if merge.rows == 0 || matches!(merge.next, Next::Column(at) if at >= self.schema.columns.len()) {
                return merge.finish().map_or(Sliced::GivenUp, Sliced::Done);
            }
            match self.block(&mut merge) {
                Some(done) => cells += done,
                None => return Sliced::GivenUp,
            }
        }
        Sliced::More(merge)
    }

    /// Makes the next block; gives how many values it has, `None` when a segment cannot be read.
    fn block(&self, merge: &mut Merge) -> Option<usize> {
        let done = match merge.next {
            Next::Keys => self.key_block(merge)?,
            Next::Etags => self.etag_block(merge)?,
            Next::Column(at) => self.column_block(merge, at)?,
        };
        merge.next = match merge.next {
            Next::Keys => Next::Etags,
            Next::Etags => Next::Column(0),
            Next::Column(at) => Next::Column(at + 1),
        };
        Some(done)
    }

    fn source(&self, source: &Source) -> Option<&Segment> {
        self.slot_of(source.number).map(|at| &self.slots[at].segment)
    }

    fn key_block(&self, merge: &mut Merge) -> Option<usize> {
        let mut ids = Vec::with_capacity(merge.rows);
        for source in &merge.sources {
            let segment = self.source(source)?;
            ids.extend(source.rows.ones().map(|row| segment.id(row)));
        }
        let live = ids.len();
        ids.extend(&merge.tombstones);
        merge.sealer.keys(&ids, &Bits::from_fn(ids.len(), |row| row >= live));
        Some(merge.rows)
    }

    fn etag_block(&self, merge: &mut Merge) -> Option<usize> {
        let mut builder = EtagBuilder::new();
        for source in &merge.sources {
            let segment = self.source(source)?;
            segment
                .with_etags(|etags| source.rows.ones().for_each(|row| builder.push(&etags.get(row))))
                .ok()?;
        }
        merge.tombstones.iter().for_each(|_| builder.push(""));
        merge.sealer.etags(&self.schema.primary_id, &builder);
        Some(merge.rows)
    }

    /// A column that no source has is left out.
    fn column_block(&self, merge: &mut Merge, at: usize) -> Option<usize> {
        let name = &self.schema.columns[at].logical_name;
        let Some(kind) = self.kind(name) else { return Some(0) };
        let mut builder = ColumnBuilder::new(kind);
        let mut rows = 0;
        for source in &merge.sources {
            let segment = self.source(source)?;
            if let Some(block) = segment.find(name, kind).filter(|_| source.count > 0) {
                builder.pad(rows);
                let copy = segment.with_column(block, |column| {
                    source.rows.ones().for_each(|row| builder.push(column.cell(row)));
                });
                copy.ok()?;
            }
            rows += source.count;
        }
        if builder.len() == 0 {
            return Some(0);
        }
        builder.pad(merge.rows);
        merge.sealer.column(name, &mut builder);
        Some(merge.rows)
    }

    /// A whole merge at once; `None` when none of `numbers` is there, or one of them cannot be read.
    pub fn merge(&self, numbers: &[u64]) -> Option<Merged> {
        let mut merge = self.begin_merge_of(numbers)?;
        loop {
            merge = match self.slice(merge) {
                Sliced::More(merge) => merge,
                Sliced::Done(merged) => return Some(merged),
                Sliced::GivenUp => return None,
            }
        }
    }

    /// Puts a committed merge in place of what it replaces. Costs as much as those have items.
    ///
    /// # Errors
    /// When `merged.bytes` are no segment; then nothing changed.
    pub fn apply(&mut self, merged: Merged) -> Result<(), SegmentError> {
        let segment = merged.bytes.map(Segment::open).transpose()?;
        self.vacate(&merged.replaces);
        if let Some(segment) = segment {
            self.add(merged.number, segment);
        }
        Ok(())
    }
}

fn is_small(segment: &Segment) -> bool {
    segment.rows() < SMALL_ROWS_MAX && segment.stored_bytes() < SMALL_BYTES_MAX
}

impl Merge {
    fn finish(self) -> Option<Merged> {
        let replaces: Vec<u64> = self.sources.iter().map(|source| source.number).collect();
        let number = *replaces.last()?;
        let bytes = (self.rows > 0).then(|| self.sealer.finish(self.rows));
        Some(Merged { number, bytes, replaces })
    }
}
