//! Merges small and half-dead segments, so that reading stays cheap however many deltas have come.

use super::column::Kind;
use super::table::Slot;
use super::{MirrorTable, Segment, SegmentBuilder, SegmentError};
use flette_odata::Uuid;
use std::collections::HashSet;

/// Rows that a merge aims at: one pulled page, as a rule.
pub const SEGMENT_ROWS_TARGET: usize = 8_192;
/// A segment with fewer items is small.
pub const SMALL_ROWS_MAX: usize = SEGMENT_ROWS_TARGET / 4;
/// So many small segments of the same columns are worth merging.
pub const SMALL_SEGMENTS_MIN: usize = 8;

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

impl MirrorTable {
    /// Which segments are worth merging now, if any: a large one of which more than half is superseded, or many small
    /// ones of the same columns. Applying the merge and asking again ends in `None`.
    pub fn plan(&self) -> Option<Vec<u64>> {
        let mut slots: Vec<&Slot> = self.slots.iter().collect();
        slots.sort_unstable_by_key(|slot| slot.number);
        let stale = slots.iter().find(|slot| {
            let rows = slot.segment.rows();
            rows >= SMALL_ROWS_MAX && self.kept(slot) * 2 < rows
        });
        if let Some(slot) = stale {
            return Some(vec![slot.number]);
        }
        slots.retain(|slot| slot.segment.rows() < SMALL_ROWS_MAX);
        let small: Vec<_> = slots.iter().map(|slot| (slot, self.columns_of(&slot.segment))).collect();
        // Deletions alone have no columns and go with any rows.
        let only_bare = small.iter().all(|(_, columns)| columns.is_empty());
        for (_, columns) in small.iter().filter(|(_, columns)| only_bare || !columns.is_empty()) {
            let group = || small.iter().filter(|(_, other)| other.is_empty() || other == columns);
            if group().count() < SMALL_SEGMENTS_MIN {
                continue;
            }
            let mut rows = 0;
            let fitting = group().take_while(|(slot, _)| {
                rows += slot.segment.rows();
                rows <= SEGMENT_ROWS_TARGET
            });
            return Some(fitting.map(|(slot, _)| slot.number).collect());
        }
        None
    }

    /// Which of the schema's columns a segment has, by index.
    fn columns_of(&self, segment: &Segment) -> Vec<usize> {
        let columns = self.schema.columns.iter().enumerate();
        let known = columns
            .filter(|(_, column)| segment.find(&column.logical_name, Kind::of(&column.kind)).is_some());
        known.map(|(at, _)| at).collect()
    }

    /// Live rows and tombstones: what a merge of this segment alone keeps at most.
    fn kept(&self, slot: &Slot) -> usize {
        slot.live.count() + slot.segment.tombstones().count()
    }

    /// Merges segments into one: live rows only, and tombstones of ids that an older segment still holds. All stored
    /// segments must have been added, or a row whose tombstone is dropped here could come back.
    ///
    /// `None` when none of `numbers` is there.
    pub fn merge(&self, numbers: &[u64]) -> Option<Merged> {
        let mut slots: Vec<&Slot> = self.slots.iter().filter(|s| numbers.contains(&s.number)).collect();
        slots.sort_unstable_by_key(|slot| slot.number);
        let replaces: Vec<u64> = slots.iter().map(|slot| slot.number).collect();
        let number = *replaces.last()?;
        let needed = self.tombstones_needed(&slots);
        let mut builder = SegmentBuilder::new(&self.schema);
        for slot in slots {
            self.copy_live(slot, &mut builder);
        }
        needed.into_iter().for_each(|id| builder.push_tombstone(id));
        Some(Merged { number, bytes: builder.seal(), replaces })
    }

    fn copy_live(&self, slot: &Slot, builder: &mut SegmentBuilder) {
        let segment = &slot.segment;
        let columns: Vec<_> = self
            .schema
            .columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| Some((at, self.stored(segment, &column.logical_name)?)))
            .collect();
        for row in slot.live.ones() {
            columns.iter().for_each(|(at, column)| builder.put(*at, column.cell(row)));
            builder.end_row(segment.id(row), &segment.etag(row).unwrap_or_default());
        }
    }

    /// Ids whose newest item is a tombstone in `merging`, and that an older segment outside of it holds.
    fn tombstones_needed(&self, merging: &[&Slot]) -> Vec<Uuid> {
        let gone: HashSet<Uuid> = merging
            .iter()
            .flat_map(|slot| slot.segment.tombstones().ones().map(|row| slot.segment.id(row)))
            .filter(|id| {
                let newest = self.newest(*id).map(|at| (&self.slots[at.slot as usize], at.row as usize));
                newest.is_some_and(|(slot, row)| {
                    slot.segment.is_tombstone(row) && merging.iter().any(|m| m.number == slot.number)
                })
            })
            .collect();
        if gone.is_empty() {
            return Vec::new();
        }
        let newest = merging.iter().map(|slot| slot.number).max().unwrap_or(0);
        let outside = self
            .slots
            .iter()
            .filter(|slot| slot.number < newest && merging.iter().all(|merged| merged.number != slot.number));
        let mut needed: Vec<Uuid> = outside
            .flat_map(|slot| (0..slot.segment.rows()).map(|row| slot.segment.id(row)))
            .filter(|id| gone.contains(id))
            .collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// Puts a committed merge in place of what it replaces.
    ///
    /// # Errors
    /// When `merged.bytes` are no segment; then nothing changed.
    pub fn apply(&mut self, merged: Merged) -> Result<(), SegmentError> {
        let segment = Segment::open(merged.bytes)?;
        self.remove(&merged.replaces);
        self.add(merged.number, segment);
        Ok(())
    }
}
