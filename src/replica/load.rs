//! Reading a replica from its store.

use super::folds::Folds;
use super::marks::Marks;
use super::state::{Kept, TableState};
use super::{
    Cursor, IdMap, Identity, Random, Record, State, CURSOR_PREFIX, MARK_PREFIX, RECORD_KEY, SCHEMA_KEY,
};
use crate::error::{Error, Result};
use crate::journal::{Entry, Journal};
use crate::mirror::{MirrorTable, Segment};
use crate::model::{planted, Bug, Conflict, DeviceId, HlcClock};
use crate::store::{KeyRange, Pair, Store, Table};
use flette_odata::edm;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Everything but the mirror's rows, which are read when first needed. What is newer than the revision makes the next
/// commit fail, which then reads anew.
pub(super) async fn state<S: Store>(store: &S, random: &Random, identity: Identity) -> Result<State> {
    let ranges = [
        (Table::Meta, KeyRange::only(RECORD_KEY)),
        (Table::Schema, KeyRange::only(SCHEMA_KEY)),
        (Table::Journal, KeyRange::all()),
        (Table::IdMap, KeyRange::all()),
        (Table::Conflict, KeyRange::all()),
        (Table::Meta, KeyRange::prefix(CURSOR_PREFIX)),
        (Table::Meta, KeyRange::prefix(MARK_PREFIX)),
    ];
    let (revision, mut pairs) = store.snapshot(&ranges).await?;
    let mut next = || if pairs.is_empty() { Vec::new() } else { pairs.remove(0) };
    let (record, schema) = (next().pop(), next().pop());
    let (journal_pairs, id_pairs, conflict_pairs) = (next(), next(), next());
    let (cursor_pairs, mark_pairs) = (next(), next());
    let (stored, is_stored) = match record {
        Some((_, bytes)) => (State::decode::<Record>("record", &bytes)?, true),
        None => (new_record(random, identity), false),
    };
    let schema = match schema {
        Some((_, bytes)) => State::decode("schema", &bytes)?,
        None => edm::Schema::default(),
    };
    let mut journal = Journal::default();
    for (_, value) in journal_pairs {
        journal.put(Entry::decode(&value)?);
    }
    let marks = Marks::read(mark_pairs, &mut journal)?;
    let mut record = stored.after(journal.iter());
    let kept = match (is_stored, record == stored) {
        (false, _) => Kept::Nothing,
        (true, false) => Kept::AllButStamps,
        (true, true) => Kept::All,
    };
    if planted(Bug::ClockNotStored) {
        record.clock = HlcClock::new(record.clock.device());
    }
    let mut id_map = IdMap::default();
    for (key, value) in id_pairs {
        let (local, server) = IdMap::decode(&key, &value)?;
        id_map.insert(local, server)?;
    }
    let mut conflicts = BTreeMap::new();
    for (_, value) in conflict_pairs {
        let conflict: Conflict = State::decode("conflict", &value)?;
        conflicts.insert(conflict.id, conflict);
    }
    let mut tables = BTreeMap::new();
    for (key, value) in cursor_pairs {
        let name = String::from_utf8_lossy(&key[CURSOR_PREFIX.len()..]).into_owned();
        let cursor: Cursor = State::decode("cursor", &value)?;
        tables.insert(name, TableState { cursor, ..TableState::default() });
    }
    Ok(State {
        revision,
        schema: Rc::new(schema),
        tables,
        journal,
        marks,
        id_map,
        conflicts,
        record,
        kept,
        aftermath: OnceCell::new(),
        base_currency: OnceCell::new(),
        folds: Folds::default(),
    })
}

fn new_record(random: &Random, identity: Identity) -> Record {
    let mut device = [0; 8];
    random(&mut device);
    Record::new(DeviceId(u64::from_be_bytes(device)), identity)
}

/// Prefix of the segments of one generation: table, zero byte, generation.
pub(super) fn generation_prefix(table: &str, generation: u32) -> Vec<u8> {
    [table.as_bytes(), &[0], &generation.to_be_bytes()].concat()
}

/// Key of a segment: its generation's prefix, then its number, so that keys order as segments do.
pub(super) fn segment_key(table: &str, generation: u32, number: u64) -> Vec<u8> {
    [generation_prefix(table, generation).as_slice(), &number.to_be_bytes()].concat()
}

/// The rows of one table. A damaged segment is not served: the table then counts as incomplete, and its feed begins
/// anew, which pulls the missing rows again.
pub(super) async fn table<S: Store>(store: &S, table: &edm::Table, cursor: Cursor) -> Result<TableState> {
    let mut state = TableState { cursor, ..TableState::default() };
    let (live, live_damaged) = generation(store, table, state.cursor.live).await?;
    state.mirror = Some(live);
    if let Some(shadow) = state.cursor.shadow {
        let (shadow, shadow_damaged) = generation(store, table, shadow).await?;
        state.shadow = Some(shadow);
        // It may lack rows: another one is filled.
        if shadow_damaged {
            (state.cursor.next_link, state.cursor.delta_link, state.cursor.watermark) = (None, None, None);
        }
    }
    if live_damaged {
        state.cursor.complete = false;
        // Where a shadow is filled these are its place, and it takes that of what is damaged.
        if state.cursor.shadow.is_none() {
            (state.cursor.next_link, state.cursor.delta_link, state.cursor.watermark) = (None, None, None);
        }
    }
    Ok(state)
}

async fn generation<S: Store>(store: &S, table: &edm::Table, generation: u32) -> Result<(MirrorTable, bool)> {
    let mut mirror = MirrorTable::new(table);
    let mut damaged = false;
    let prefix = generation_prefix(&table.logical_name, generation);
    let mut misplaced = false;
    let open = |(key, value): Pair| {
        let number = key.get(prefix.len()..).and_then(|n| n.try_into().ok()).map(u64::from_be_bytes);
        match (number, Segment::open(value)) {
            (Some(number), Ok(segment)) => mirror.add(number, segment),
            (Some(_), Err(_)) => damaged = true,
            (None, _) => misplaced = true,
        }
    };
    store.visit(Table::Segment, KeyRange::prefix(&prefix), open).await?;
    if misplaced {
        return Err(Error::Damaged(format!("segment key of {}", table.logical_name)));
    }
    Ok((mirror, damaged))
}
