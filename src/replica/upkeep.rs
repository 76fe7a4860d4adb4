//! What keeps a replica small: segments are merged slice by slice, and unpacked columns that nobody reads are
//! forgotten.

use super::{Replica, State};
use crate::error::Result;
use crate::mirror::{keep_within, unpacked_bytes_max, Merge, MirrorTable, Sliced};
use crate::model::Millis;
use crate::store::{Durability, Store};

/// A merge under way, and what it was begun upon.
pub(super) struct Compaction {
    table: String,
    /// The generation of segments that is read.
    live: u32,
    /// The schema's.
    schema: u64,
    merge: Merge,
}

impl Compaction {
    /// The first table of which segments are worth merging, among those in memory. A table of which a segment cannot be
    /// read waits until it was pulled again: an older row may stand there whose deletion would be forgotten.
    fn begin(state: &State, tables: &[&str]) -> Option<Compaction> {
        tables.iter().find_map(|name| {
            let table = state.tables.get(*name).filter(|table| table.cursor.complete)?;
            Some(Compaction {
                table: (*name).to_owned(),
                live: table.cursor.live,
                schema: state.record.generation,
                merge: table.mirror.as_ref()?.begin_merge()?,
            })
        })
    }

    /// The table, if it is still the same rows under the same schema.
    fn mirror<'s>(&self, state: &'s State) -> Option<&'s MirrorTable> {
        let table = state.tables.get(&self.table)?;
        let same = table.cursor.live == self.live && state.record.generation == self.schema;
        table.mirror.as_ref().filter(|_| same)
    }
}

impl<S: Store> Replica<S> {
    /// One slice of merging the segments of `tables`, as far as they are in memory: short, and what it leaves undone is
    /// gone on with in the next one. The last slice of a merge is a transaction of its own; killed at any point, nothing
    /// is lost. Tells whether there is more to do.
    ///
    /// # Errors
    /// When the store cannot be written; the merge is given up, and everything is as it was.
    pub async fn compact(&self, now: Millis, tables: &[&str]) -> Result<bool> {
        let merged = {
            let state = self.state.borrow();
            let under_way = self.compaction.borrow_mut().take();
            let Some(work) = under_way.or_else(|| Compaction::begin(&state, tables)) else {
                return Ok(false);
            };
            let Some(mirror) = work.mirror(&state) else { return Ok(true) };
            let Compaction { table, live, schema, merge } = work;
            match mirror.slice(merge) {
                Sliced::More(merge) => {
                    *self.compaction.borrow_mut() = Some(Compaction { table, live, schema, merge });
                    return Ok(true);
                }
                Sliced::Done(merged) => (table, live, merged),
                // What cannot be read would not be read on the next try either.
                Sliced::GivenUp => return Ok(false),
            }
        };
        let (table, live, merged) = merged;
        let replace = |draft: &mut super::Draft| Ok(draft.compact(&table, live, &merged));
        self.transact(now, Durability::Relaxed, &[], replace).await?;
        Ok(true)
    }

    /// To be called when a request has ended: forgets unpacked columns beyond what may be kept.
    pub fn rest(&self) {
        let mut state = self.state.borrow_mut();
        let tables = state.tables.values_mut();
        let mut mirrors: Vec<&mut MirrorTable> =
            tables.flat_map(|table| [table.mirror.as_mut(), table.shadow.as_mut()]).flatten().collect();
        let packed = mirrors.iter().map(|mirror| mirror.stored_bytes()).sum();
        let bytes_max = self.unpacked_bytes_max.get().unwrap_or_else(|| unpacked_bytes_max(packed));
        keep_within(&mut mirrors, bytes_max);
    }

    /// Sets how many bytes of unpacked columns may be kept between requests, instead of what suits the mirror's size.
    pub fn limit_unpacked(&self, bytes_max: usize) {
        self.unpacked_bytes_max.set(Some(bytes_max));
    }

    /// How many bytes of columns are unpacked now.
    pub fn unpacked_bytes(&self) -> usize {
        let state = self.state.borrow();
        let mirrors = state.tables.values().flat_map(|table| [&table.mirror, &table.shadow]).flatten();
        mirrors.map(MirrorTable::unpacked_bytes).sum()
    }
}
