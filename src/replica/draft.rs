//! A transaction in the making: reads see what it has drafted, nothing shows outside before it is durable.

use super::drafted::Drafted;
use super::{Cursor, Record, SeenRow, State};
use crate::error::{Error, Result};
use crate::journal::{Entry, EntryState};
use crate::mirror::{Merged, MirrorTable, Segment, SegmentBuilder};
use crate::model::{
    planted, Bug, Change, ChangeSetId, Conflict, ETag, EntityRef, FieldEdit, Heard, Hlc, Key, Millis, OpId,
    Row, Seq, TraceEvent,
};
use flette_odata::edm::Schema;
use flette_odata::ordered;
use flette_odata::path::PARTY_TABLE;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use uuid::Uuid;

/// Which generation of a table's segments is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The one that is read.
    Live,
    /// The one that a full resync fills.
    Shadow,
}

/// A sealed segment on its way into the store.
pub struct DraftSegment {
    /// Logical name of the table.
    pub table: String,
    /// Where it goes.
    pub target: Target,
    /// Generation of segments.
    pub generation: u32,
    /// Its number.
    pub number: u64,
    /// Stored form.
    pub bytes: Vec<u8>,
    /// Decoded form.
    pub segment: Segment,
}

/// What a draft does, besides reading.
#[derive(Default)]
pub struct Effects {
    /// Entries written or (`None`) removed.
    pub entries: BTreeMap<Seq, Option<Entry>>,
    /// Conflicts written.
    pub conflicts: BTreeMap<Uuid, Conflict>,
    /// Segments added.
    pub segments: Vec<DraftSegment>,
    /// Cursors set.
    pub cursors: BTreeMap<String, Cursor>,
    /// Segment generations deleted.
    pub dropped: Vec<(String, u32)>,
    /// Segments merged into one.
    pub compacted: Vec<(String, Merged)>,
    /// Tables whose shadow becomes what is read.
    pub swapped: Vec<String>,
    /// Id pairs added.
    pub ids: Vec<(Key, Uuid)>,
    /// Schema set.
    pub schema: Option<Rc<Schema>>,
    /// What is to be traced once this is durable.
    pub notes: Vec<TraceEvent>,
    /// Whether the trace is stored along.
    pub keeps_trace: bool,
}

impl Effects {
    /// Whether it changes nothing of the rows as the server tells them, nor of what they are called, nor of the schema.
    pub(super) fn is_of_entries_alone(&self) -> bool {
        self.schema.is_none()
            && self.ids.is_empty()
            && self.segments.is_empty()
            && self.swapped.is_empty()
            && self.dropped.is_empty()
    }
}

/// See the module.
pub struct Draft<'a> {
    state: &'a State,
    now: Millis,
    random: &'a dyn Fn(&mut [u8]),
    pub(super) change_set: Option<ChangeSetId>,
    pub(super) drafted: Drafted,
    /// What will be written.
    pub effects: Effects,
    /// Small things; written when changed.
    pub record: Record,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a State, now: Millis, random: &'a dyn Fn(&mut [u8])) -> Draft<'a> {
        let record = state.record.clone();
        let (drafted, effects) = (Drafted::default(), Effects::default());
        Draft { state, now, random, change_set: None, drafted, effects, record }
    }

    /// Tables and columns.
    pub fn schema(&self) -> Rc<Schema> {
        self.effects.schema.clone().unwrap_or_else(|| self.state.schema.clone())
    }

    /// What the replica knew before this draft.
    pub fn state(&self) -> &'a State {
        self.state
    }

    /// Device time at the beginning of the transaction.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Server time, as well as this device knows it.
    pub fn corrected_now(&self) -> Millis {
        self.record.clock.corrected(self.now)
    }

    /// A moment that the server's clock has reached by now; `None` while that clock is not known.
    pub fn reached(&self) -> Option<Millis> {
        self.record.clock.reached(self.now)
    }

    /// A new id that sorts after earlier ones (RFC 9562, version 7).
    pub fn new_id(&mut self) -> Uuid {
        let mut bytes = [0; 10];
        (self.random)(&mut bytes);
        let millis = u64::try_from(self.corrected_now().0).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    /// Entries of a row, in order, drafts included.
    pub fn entries_of(&self, key: &Key) -> Vec<Entry> {
        let stored =
            self.state.journal.of(key).filter(|e| !self.effects.entries.contains_key(&e.seq)).cloned();
        let drafted = self.drafted.of(key).filter_map(|seq| self.effects.entries.get(&seq)?.as_ref());
        let drafted = drafted.filter(|e| e.key == *key).cloned();
        ordered::list_by_key(stored.chain(drafted).collect(), |entry: &Entry| entry.seq)
    }

    /// The entry at `seq`, drafts included.
    pub fn entry(&self, seq: Seq) -> Option<Entry> {
        self.entry_at(seq).cloned()
    }

    /// The same, to be looked at.
    pub fn entry_at(&self, seq: Seq) -> Option<&Entry> {
        match self.effects.entries.get(&seq) {
            Some(drafted) => drafted.as_ref(),
            None => self.state.journal.get(seq),
        }
    }

    /// The row as the app would see it after this draft.
    pub fn row(&self, key: &Key) -> Option<SeenRow> {
        let key = self.resolve(key);
        let seen = self.state.see(&key, self.entries_of(&key).iter())?;
        self.after_deletions(&key, seen)
    }

    /// [`Draft::row`] with these columns at least: of a row that is as the mirror says no others are read.
    pub fn row_with<'n>(&self, key: &Key, columns: impl Iterator<Item = &'n str>) -> Option<SeenRow> {
        let key = self.resolve(key);
        if !self.effects.entries.is_empty() || self.state.is_touched(&key) {
            return self.row(&key);
        }
        let (mirror, at) = self.state.known(&key)?;
        Some(SeenRow { row: mirror.part_of_row(at, columns), etag: mirror.etag_at(at), pending: false })
    }

    /// The key under which the replica keeps a row.
    pub fn resolve(&self, key: &Key) -> Key {
        let drafted = self.effects.ids.iter().find(|(local, _)| local == key).map(|(_, id)| *id);
        Key::new(key.table.clone(), drafted.unwrap_or_else(|| self.state.id_map.resolve(key)))
    }

    /// The id under which the server knows the row that a lookup points to.
    pub fn target(&self, to: &EntityRef) -> Uuid {
        match planted(Bug::LocalIdSent) {
            true => to.id,
            false => self.resolve(&Key::new(to.table.clone(), to.id)).id,
        }
    }

    /// Notes that the server keeps a row under another id than the one it was made with here.
    ///
    /// # Errors
    /// [`Error::Damaged`] when either id is mapped to something else already: pairs are never changed.
    pub fn map_id(&mut self, local: Key, server: Uuid) -> Result<()> {
        if self.state.id_map.contradicts(&local, server) {
            return Err(Error::Damaged(format!("id map of {}: {} is mapped already", local.table, local.id)));
        }
        self.effects.ids.push((local, server));
        self.drafted.forget_rows();
        Ok(())
    }

    /// Journals a new row.
    pub fn create(&mut self, key: Key, row: Row) {
        self.append(key, Change::Create(row), None);
    }

    /// Journals edits of a row that is there; nothing when no value changes. What is parked of the row is corrected by them,
    /// and sent again, unless it may have been carried out before.
    pub fn update(&mut self, key: &Key, edits: Vec<FieldEdit>) {
        let key = self.resolve(key);
        let edits = self.upon_links(&key, edits);
        if self.amend(&key, edits) {
            self.release(vec![key]);
        }
    }

    /// Journals edits, and leaves parked what is parked. Tells whether any value changes.
    pub(super) fn amend(&mut self, key: &Key, edits: Vec<FieldEdit>) -> bool {
        let edits: Vec<FieldEdit> = edits.into_iter().filter(|edit| edit.old != edit.new).collect();
        if edits.is_empty() {
            return false;
        }
        if !self.correct(key, &edits) {
            let base = self.base_of(key);
            self.append(key.clone(), Change::Update(edits), base);
        }
        true
    }

    /// Journals a row's deletion. A row that the server never heard of takes its entries with it.
    pub fn delete(&mut self, key: &Key) {
        let mut next = vec![self.resolve(key)];
        // A list and not recursion: a chain of rows may be long.
        let mut done = BTreeSet::new();
        while let Some(key) = next.pop() {
            if !done.insert(key.clone()) {
                continue;
            }
            let entries = self.entries_of(&key);
            let unheard = entries.first().is_some_and(|e| matches!(e.change, Change::Create(_)))
                && entries.iter().all(|e| e.state != EntryState::Sent && e.change_set.is_none());
            if unheard {
                for entry in entries {
                    self.remove(entry.seq);
                }
                // Its id may turn out to be taken: then there is a row that the user sees and wants gone.
                if self.state.mirror_etag(&key).is_none() {
                    // Nobody will hear of the row, so nobody but us can follow its relationships.
                    next.extend(self.leave(&key));
                    continue;
                }
            }
            let base = self.base_of(&key);
            self.append(key, Change::Delete, base);
        }
    }

    /// The etag a new entry builds upon: that of the row's first entry, else the mirror's, unless that is from another
    /// database: there the same etag may name another version.
    fn base_of(&self, key: &Key) -> Option<ETag> {
        match self.entries_of(key).first() {
            Some(first) => first.base.clone(),
            None => self.state.mirror_etag(key).filter(|_| !self.cursor(&key.table).foreign),
        }
    }

    pub(super) fn append(&mut self, key: Key, change: Change, base: Option<ETag>) {
        let seq = Seq(self.record.next_seq);
        self.record.next_seq += 1;
        let holders = self.holders_of(&key, &change);
        // It may be in its set under another id before this is told.
        let taken_out = (change.is_delete() && key.table == PARTY_TABLE).then(|| self.row(&key)).flatten();
        let before = taken_out.map(|seen| Box::new((base.clone().unwrap_or_default(), seen.row)));
        let entry = Entry {
            seq,
            op: OpId(self.new_id()),
            key,
            change,
            at: self.stamp(),
            base,
            change_set: self.change_set,
            state: EntryState::Waiting,
            holders,
            added: false,
            first_sent: None,
            before,
        };
        self.set(seq, Some(entry));
    }

    fn set(&mut self, seq: Seq, entry: Option<Entry>) {
        let known = [self.state.journal.get(seq), self.entry_at(seq), entry.as_ref()];
        let keys: Vec<Key> = known.into_iter().flatten().map(|entry| entry.key.clone()).collect();
        self.drafted.add(seq, &keys, entry.as_ref());
        self.effects.entries.insert(seq, entry);
    }

    /// The server's clock when it showed what is taken over here: what is made of it comes later.
    pub fn hear(&mut self, heard: Option<Heard>) {
        if let Some(heard) = heard {
            self.record.clock.hear(&heard);
        }
    }

    /// The version of the server's definitions that came with rows. Where it is another one than before, the schema is compared
    /// before the next pull.
    pub fn hear_definitions(&mut self, version: Option<&String>) {
        let Some(version) = version else { return };
        let heard = self.record.definitions_heard.as_ref();
        if heard != Some(version) {
            if heard.is_some() {
                self.record.schema_checked = None;
            }
            self.record.definitions_heard = Some(version.clone());
        }
    }

    /// A stamp later than all before.
    pub fn stamp(&mut self) -> Hlc {
        self.record.clock.stamp(self.now)
    }

    /// Writes an entry again (merged, sent, parked).
    pub fn put(&mut self, entry: Entry) {
        self.set(entry.seq, Some(entry));
    }

    /// Removes an entry: accepted, merged away or discarded.
    pub fn remove(&mut self, seq: Seq) {
        self.set(seq, None);
    }

    /// Traces an event once the transaction is durable.
    pub fn note(&mut self, event: TraceEvent) {
        self.effects.notes.push(event);
    }

    /// Stores the trace as it is now, if anything else is written.
    pub fn keep_trace(&mut self) {
        self.effects.keeps_trace = true;
    }

    /// Writes to the conflict log.
    pub fn log(&mut self, conflict: Conflict) {
        self.effects.conflicts.insert(conflict.id, conflict);
    }

    /// Where a table's pull stands, drafts included.
    pub fn cursor(&self, table: &str) -> Cursor {
        let stored = || self.state.tables.get(table).map(|t| t.cursor.clone()).unwrap_or_default();
        self.effects.cursors.get(table).cloned().unwrap_or_else(stored)
    }

    /// Moves a table's pull.
    pub fn set_cursor(&mut self, table: &str, cursor: Cursor) {
        self.effects.cursors.insert(table.to_owned(), cursor);
    }

    /// Adds rows the server told of. An empty segment adds nothing.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the sealed segment does not open again, which would be a defect.
    pub fn add_segment(&mut self, table: &str, target: Target, builder: SegmentBuilder) -> Result<()> {
        if builder.is_empty() {
            return Ok(());
        }
        let mut cursor = self.cursor(table);
        let generation = match target {
            Target::Live => cursor.live,
            Target::Shadow => *cursor.shadow.get_or_insert(cursor.live.wrapping_add(1)),
        };
        let number = cursor.next_segment;
        cursor.next_segment += 1;
        self.set_cursor(table, cursor);
        let bytes = builder.seal();
        let segment = Segment::open(bytes.as_slice())
            .map_err(|e| Error::Damaged(format!("new segment of {table}: {e:?}")))?;
        self.effects.segments.push(DraftSegment {
            table: table.to_owned(),
            target,
            generation,
            number,
            bytes,
            segment,
        });
        Ok(())
    }

    /// Makes the shadow what is read, and deletes what was read before.
    pub fn swap(&mut self, table: &str) {
        let mut cursor = self.cursor(table);
        let Some(shadow) = cursor.shadow.take() else { return };
        self.effects.dropped.push((table.to_owned(), cursor.live));
        self.effects.swapped.push(table.to_owned());
        (cursor.live, cursor.foreign) = (shadow, false);
        self.set_cursor(table, cursor);
    }

    /// Puts merged segments in the place of what they were merged from, if that is still what is read: of generation
    /// `live`, in memory, and all there. Tells whether it was. To be done in a transaction of its own.
    pub fn compact(&mut self, table: &str, live: u32, merged: &Merged) -> bool {
        let known = self.state.tables.get(table).filter(|table| table.cursor.live == live);
        let numbers = known.and_then(|table| table.mirror.as_ref()).map(MirrorTable::numbers);
        let there = |numbers: Vec<u64>| merged.replaces.iter().all(|number| numbers.contains(number));
        let replaced = numbers.is_some_and(there);
        if replaced {
            self.effects.compacted.push((table.to_owned(), merged.clone()));
        }
        replaced
    }

    /// Throws away a shadow begun earlier.
    pub fn drop_shadow(&mut self, table: &str) {
        let mut cursor = self.cursor(table);
        let Some(shadow) = cursor.shadow.take() else { return };
        self.effects.dropped.push((table.to_owned(), shadow));
        cursor.listing = false;
        self.set_cursor(table, cursor);
    }

    /// Sets the schema; its generation counts on.
    pub fn set_schema(&mut self, schema: Schema) {
        self.record.generation += 1;
        self.effects.schema = Some(Rc::new(schema));
    }
}
