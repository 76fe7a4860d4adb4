//! The replica: mirror (+) journal over a store. The two doors meet here and nowhere else.
//!
//! Every change goes through [`Replica::transact`]: read, decide, commit by compare-and-swap, and only then show. A
//! reader never sees what is not durable.

mod aftermath;
mod change_set;
mod cursor;
mod draft;
mod drafted;
mod find;
mod folds;
mod holders;
mod idmap;
mod load;
mod marks;
mod money;
mod parked;
mod query;
mod redirect;
mod resolve;
mod restrict;
mod state;
mod upkeep;
mod view;

/// What the replica takes in: pages and rows as the server wrote them.
pub use crate::mirror::{decode_page, decode_row, next_link_ahead, Item, Page, PageError, SegmentBuilder};
/// Where it has them.
pub use crate::mirror::{MirrorTable, RowAt};
pub use cursor::{Cursor, Feed};
pub use draft::{Draft, Target};
pub use holders::{is_held, PARTY_HOLDER};
pub use idmap::IdMap;
pub use query::{position, Ask, Found, Position};
pub(crate) use redirect::Renamed;
use state::Kept;
pub use state::{GoingOffline, Record, SeenRow, State, TableState, Total};
pub use view::View;

use crate::error::{Error, Result, StoreError};
use crate::journal::Entry;
use crate::model::{planted, Bug, Millis, Seq, Trace};
use crate::store::{Batch, Durability, KeyRange, Store, Table, Write};
use async_lock::{Mutex, MutexGuard};
use std::cell::{Cell, Ref, RefCell};

/// How often a transaction is decided again because another context wrote first.
pub const STALE_RETRIES_MAX: u32 = 8;

/// Key of the small record in [`Table::Meta`].
const RECORD_KEY: &[u8] = b"replica";
/// Prefix of the cursors in [`Table::Meta`].
const CURSOR_PREFIX: &[u8] = b"cursor/";
/// Prefix of the marks in [`Table::Meta`].
const MARK_PREFIX: &[u8] = b"sent/";
/// Key of the schema in [`Table::Schema`].
const SCHEMA_KEY: &[u8] = b"schema";

/// Key of the newest events of the trace in [`Table::Meta`].
const TRACE_KEY: &[u8] = b"trace";

/// Source of chance, for ids.
pub type Random = Box<dyn Fn(&mut [u8])>;

/// Who a replica belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Identity {
    pub user: uuid::Uuid,
    pub business_unit: uuid::Uuid,
    pub organization: uuid::Uuid,
}

/// See the module.
pub struct Replica<S: Store> {
    store: S,
    random: Random,
    state: RefCell<State>,
    trace: Trace,
    commits: Mutex<()>,
    compaction: RefCell<Option<upkeep::Compaction>>,
    unpacked_bytes_max: Cell<Option<usize>>,
}

impl<S: Store> Replica<S> {
    /// Opens the replica that the store holds, or begins a new one for `identity`.
    ///
    /// # Errors
    /// When the store cannot be read, or a record in it is damaged.
    pub async fn open(store: S, random: Random, identity: Identity) -> Result<Replica<S>> {
        let state = load::state(&store, &random, identity).await?;
        Ok(Replica {
            store,
            random,
            state: RefCell::new(state),
            trace: Trace::default(),
            commits: Mutex::new(()),
            compaction: RefCell::new(None),
            unpacked_bytes_max: Cell::new(None),
        })
    }

    /// An id for what is no row, such as the boundary of an answer.
    pub fn new_id(&self, now: Millis) -> uuid::Uuid {
        Draft::new(&self.state.borrow(), now, &*self.random).new_id()
    }

    /// What the replica knows. Not to be held over an await.
    pub fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    /// What happened lately.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Makes sure that what an earlier life stored of the trace stands before the events of this one.
    ///
    /// # Errors
    /// When the store cannot be read; then nothing of this life is stored either.
    pub async fn recall_trace(&self) -> Result<()> {
        if !self.trace.is_recalled() {
            let stored = self.store.get(Table::Meta, TRACE_KEY).await?;
            self.trace.recall(stored.as_deref());
        }
        Ok(())
    }

    /// Makes sure that the rows of `tables` are in memory.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(&self, tables: &[&str]) -> Result<()> {
        if !self.is_loaded(tables) {
            let guard = self.commits.lock().await;
            self.load_tables(tables, &guard).await?;
        }
        Ok(())
    }

    fn is_loaded(&self, tables: &[&str]) -> bool {
        let state = self.state.borrow();
        tables.iter().all(|name| {
            let loaded = |t: &state::TableState| {
                t.mirror.is_some() && (t.shadow.is_some() || t.cursor.shadow.is_none())
            };
            state.schema.table(name).is_none() || state.tables.get(*name).is_some_and(loaded)
        })
    }

    /// What is read belongs to the cursors known here only if no other context has written since. Before that is known
    /// nothing of it is shown: another context may have deleted the segments of a table meanwhile.
    async fn load_tables(&self, tables: &[&str], guard: &MutexGuard<'_, ()>) -> Result<()> {
        for _ in 0..STALE_RETRIES_MAX {
            if self.is_loaded(tables) {
                return Ok(());
            }
            let read = self.read_tables(tables, guard).await?;
            let revision = self.store.revision().await?;
            if revision == self.state.borrow().revision {
                let mut state = self.state.borrow_mut();
                state.tables.extend(read);
                state.forget();
                state.folds.clear();
                return Ok(());
            }
            self.reload().await?;
        }
        Err(StoreError::Stale.into())
    }

    async fn read_tables(
        &self,
        tables: &[&str],
        _guard: &MutexGuard<'_, ()>,
    ) -> Result<Vec<(String, state::TableState)>> {
        let mut read = Vec::new();
        for name in tables.iter().filter(|name| !self.is_loaded(&[name])) {
            let (table, cursor) = {
                let state = self.state.borrow();
                let Some(table) = state.schema.table(name).cloned() else { continue };
                (table, state.tables.get(*name).map(|t| t.cursor.clone()).unwrap_or_default())
            };
            read.push(((*name).to_owned(), load::table(&self.store, &table, cursor).await?));
        }
        Ok(read)
    }

    /// Reads everything again if another context has written since. Not while this one writes, which tells it anyway. Tells whether
    /// what is known here is the newest.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn catch_up(&self) -> Result<bool> {
        let guard = self.commits.try_lock();
        let known = self.state.borrow().revision;
        let is_newest = self.store.revision().await? == known;
        if is_newest || guard.is_none() {
            return Ok(is_newest);
        }
        self.reload().await?;
        Ok(true)
    }

    /// Comes back when every transaction that had begun is over.
    pub async fn calm(&self) {
        drop(self.commits.lock().await);
    }

    /// Decides on the newest state and makes the decision durable, all or nothing. `tables` are loaded first.
    ///
    /// `decide` may run several times: it must change nothing but its draft.
    ///
    /// # Errors
    /// What `decide` refuses, and failures of the store. After any error nothing has changed.
    pub async fn transact<T>(
        &self,
        now: Millis,
        durability: Durability,
        tables: &[&str],
        mut decide: impl FnMut(&mut Draft) -> Result<T>,
    ) -> Result<T> {
        let guard = self.commits.lock().await;
        for _ in 0..STALE_RETRIES_MAX {
            self.load_tables(tables, &guard).await?;
            let (answer, mut drafted, kept, batch) = {
                let state = self.state.borrow();
                let mut draft = Draft::new(&state, now, &*self.random);
                let answer = decide(&mut draft)?;
                let drafted = (draft.effects, draft.record);
                let mut writes = writes(&state, &drafted.0, &drafted.1)?;
                // It goes along with what is written anyway, and is no reason to write.
                let keeps = drafted.0.keeps_trace && !writes.is_empty();
                let kept = keeps.then(|| self.trace.to_keep()).flatten();
                if let Some((_, value)) = &kept {
                    let (key, value) = (TRACE_KEY.to_vec(), value.clone());
                    writes.push(Write::Put { table: Table::Meta, key, value });
                }
                let kept = kept.map(|(last, _)| last);
                let durability = match planted(Bug::AnswerBeforeDurable) {
                    true => Durability::Relaxed,
                    false => durability,
                };
                (answer, drafted, kept, Batch { expected: state.revision, durability, writes })
            };
            if batch.writes.is_empty() {
                return Ok(answer);
            }
            let batch = match planted(Bug::NoFencing) {
                true => Batch { expected: self.store.revision().await?, ..batch },
                false => batch,
            };
            match self.store.commit(batch).await {
                Ok(revision) => {
                    kept.into_iter().for_each(|last| self.trace.set_kept(last));
                    let notes = std::mem::take(&mut drafted.0.notes);
                    self.state.borrow_mut().apply(drafted.0, drafted.1, revision);
                    notes.iter().for_each(|event| self.trace.note(now, event));
                    return Ok(answer);
                }
                Err(StoreError::Stale) => self.reload().await?,
                Err(StoreError::Full) if planted(Bug::QuotaSwallowed) => {
                    let revision = self.state.borrow().revision;
                    self.state.borrow_mut().apply(drafted.0, drafted.1, revision);
                    return Ok(answer);
                }
                Err(error) => {
                    if planted(Bug::FailedWriteShown) {
                        let revision = self.state.borrow().revision;
                        self.state.borrow_mut().apply(drafted.0, drafted.1, revision);
                    }
                    return Err(error.into());
                }
            }
        }
        Err(StoreError::Stale.into())
    }

    /// Reads everything again: another context has written.
    async fn reload(&self) -> Result<()> {
        let identity = {
            let record = &self.state.borrow().record;
            Identity {
                user: record.user,
                business_unit: record.business_unit,
                organization: record.organization,
            }
        };
        let state = load::state(&self.store, &self.random, identity).await?;
        *self.state.borrow_mut() = state;
        // The other one may have put another segment in the place of one that is being merged.
        *self.compaction.borrow_mut() = None;
        Ok(())
    }
}

/// The store's share of a draft.
fn writes(state: &State, effects: &draft::Effects, record: &Record) -> Result<Vec<Write>> {
    let mut writes = Vec::new();
    let mut put = |table, key: Vec<u8>, value: Vec<u8>| writes.push(Write::Put { table, key, value });
    for (table, cursor) in &effects.cursors {
        put(Table::Meta, [CURSOR_PREFIX, table.as_bytes()].concat(), State::encode(cursor)?);
    }
    for (id, conflict) in &effects.conflicts {
        put(Table::Conflict, id.as_bytes().to_vec(), State::encode(conflict)?);
    }
    for segment in &effects.segments {
        let key = load::segment_key(&segment.table, segment.generation, segment.number);
        put(Table::Segment, key, segment.bytes.clone());
    }
    for (table, merged) in &effects.compacted {
        let generation = state.tables.get(table).map(|t| t.cursor.live).unwrap_or_default();
        if let Some(bytes) = &merged.bytes {
            put(Table::Segment, load::segment_key(table, generation, merged.number), bytes.clone());
        }
    }
    for (local, server) in &effects.ids {
        put(Table::IdMap, IdMap::store_key(local), server.as_bytes().to_vec());
    }
    if let Some(schema) = &effects.schema {
        put(Table::Schema, SCHEMA_KEY.to_vec(), State::encode(&**schema)?);
    }
    if state.writes_record(effects, record) {
        put(Table::Meta, RECORD_KEY.to_vec(), State::encode(record)?);
    }
    let marking = state.marking(effects);
    writes.extend(marking.writes()?);
    for (seq, entry) in &effects.entries {
        if let Some(entry) = entry.as_ref().filter(|_| !marking.speaks_for(*seq)) {
            let (key, value) = (Entry::store_key(*seq), entry.encode()?);
            writes.push(Write::Put { table: Table::Journal, key, value });
        }
    }
    let removed = effects.entries.iter().filter(|(_, entry)| entry.is_none()).map(|(seq, _)| *seq);
    writes.extend(removals(removed.filter(|seq| state.journal.get(*seq).is_some())));
    for (table, merged) in &effects.compacted {
        let generation = state.tables.get(table).map(|t| t.cursor.live).unwrap_or_default();
        let kept = |number: &u64| merged.bytes.is_some() && *number == merged.number;
        for number in merged.replaces.iter().filter(|number| !kept(number)) {
            let key = load::segment_key(table, generation, *number);
            writes.push(Write::Delete { table: Table::Segment, key });
        }
    }
    for (table, generation) in &effects.dropped {
        let keys = KeyRange::prefix(&load::generation_prefix(table, *generation));
        writes.push(Write::DeleteRange { table: Table::Segment, keys });
    }
    Ok(writes)
}

/// Entries that go, ascending. Those one behind the other, as a wave leaves them, go at once: for the browser each write is
/// work of its own.
fn removals(removed: impl Iterator<Item = Seq>) -> Vec<Write> {
    let removal = |(first, last): (Seq, Seq)| {
        let (table, start) = (Table::Journal, Entry::store_key(first));
        match last.0.checked_add(1).filter(|_| first != last) {
            None => Write::Delete { table, key: start },
            Some(end) => {
                let keys = KeyRange { start, end: Some(Entry::store_key(Seq(end))) };
                Write::DeleteRange { table, keys }
            }
        }
    };
    marks::runs(removed).into_iter().map(removal).collect()
}

impl State {
    /// Whether the record goes along. Not where entries are added and nothing else of it changes: what it says of the last stamp
    /// and the next number they say, too, for as long as they are there, and a local change waits for one write less.
    fn writes_record(&self, effects: &draft::Effects, record: &Record) -> bool {
        let is_new = |seq: &Seq| seq.0 >= self.record.next_seq;
        let added = effects.entries.iter().map(|(seq, entry)| entry.as_ref().filter(|_| is_new(seq)));
        let added: Option<Vec<&Entry>> = added.collect();
        let follows =
            |added: Vec<&Entry>| !added.is_empty() && self.record.after(added.into_iter()) == *record;
        match self.kept {
            Kept::Nothing => *record != self.record || !effects.entries.is_empty(),
            Kept::All if *record == self.record => false,
            Kept::AllButStamps | Kept::All => !added.is_some_and(follows),
        }
    }

    fn marking(&self, effects: &draft::Effects) -> marks::Marking {
        self.marks.marking(&self.journal, &effects.entries, self.revision.0)
    }

    /// Shows what has become durable.
    fn apply(&mut self, effects: draft::Effects, record: Record, revision: crate::store::Revision) {
        let marking = self.marking(&effects);
        self.marks.apply(marking);
        self.revision = revision;
        if self.writes_record(&effects, &record) {
            self.kept = Kept::All;
        } else if self.record != record {
            self.kept = Kept::AllButStamps;
        }
        self.record = record;
        let aftermath = self.aftermath.take().and_then(|kept| {
            let deleted = kept.deleted_by(self, &effects)?;
            Some((kept, deleted))
        });
        let stale = self.stale_by(&effects, aftermath.is_some());
        self.folds.forget(&stale);
        self.forget();
        if let Some(schema) = effects.schema {
            self.schema = schema;
            // Rows are decoded by the schema: those in memory are read again when next needed.
            for table in self.tables.values_mut() {
                (table.mirror, table.shadow) = (None, None);
            }
        }
        for (seq, entry) in effects.entries {
            match entry {
                Some(entry) => self.journal.put(entry),
                None => self.journal.remove(seq),
            }
        }
        self.conflicts.extend(effects.conflicts);
        for (local, server) in effects.ids {
            // A pair that contradicts the map was refused when it was drafted.
            let _ = self.id_map.insert(local, server);
        }
        for (name, generation) in &effects.dropped {
            // A shadow thrown away must not be filled further; what is read is replaced by the swap below.
            if let Some(table) = self.tables.get_mut(name).filter(|t| t.cursor.shadow == Some(*generation)) {
                table.shadow = None;
            }
        }
        for added in effects.segments {
            let Some(definition) = self.schema.table(&added.table).cloned() else { continue };
            let table = self.tables.entry(added.table).or_default();
            let mirror = match added.target {
                Target::Live => &mut table.mirror,
                Target::Shadow => &mut table.shadow,
            };
            if let Some(mirror) = mirror {
                mirror.add(added.number, added.segment);
            } else if added.target == Target::Shadow {
                mirror.get_or_insert_with(|| MirrorTable::new(&definition)).add(added.number, added.segment);
            }
        }
        for (name, merged) in effects.compacted {
            let Some(table) = self.tables.get_mut(&name) else { continue };
            let applied = table.mirror.as_mut().is_none_or(|mirror| mirror.apply(merged).is_ok());
            if !applied {
                // It is stored, so it is read again when next needed.
                table.mirror = None;
            }
        }
        for name in effects.swapped {
            let table = self.tables.entry(name).or_default();
            table.mirror = table.shadow.take();
        }
        for (name, cursor) in effects.cursors {
            self.tables.entry(name).or_default().cursor = cursor;
        }
        if let Some((mut aftermath, deleted)) = aftermath {
            let added = aftermath.extend(self, deleted);
            self.folds.forget(&State::stale_after(added));
            self.aftermath = aftermath.into();
        }
    }
}

impl From<StoreError> for flette_odata::ODataError {
    fn from(error: StoreError) -> Self {
        Error::Store(error).to_odata()
    }
}

#[cfg(test)]
mod tests;
