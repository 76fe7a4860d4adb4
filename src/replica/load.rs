//! Reading a replica from its store.

use super::state::TableState;
use super::{Cursor, IdMap, Identity, Random, Record, State, CURSOR_PREFIX, RECORD_KEY, SCHEMA_KEY};
use crate::error::{Error, Result};
use crate::journal::{Entry, Journal};
use crate::mirror::{MirrorTable, Segment};
use crate::model::{planted, Bug, Conflict, DeviceId, HlcClock};
use crate::store::{KeyRange, Pair, Store, Table};
use flette_odata::edm;
use futures_util::future::{join, try_join, try_join3};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Pairs asked for in one scan of small values.
const SCAN_PAIRS_MAX: u32 = 1000;
/// Segments asked for in one scan.
const SCAN_SEGMENTS_MAX: u32 = 4;

/// Everything but the mirror's rows, which are read when first needed. The revision is read first: what is read after
/// it, all at once, may be newer, and a commit then fails and reads anew.
pub(super) async fn state<S: Store>(store: &S, random: &Random, identity: Identity) -> Result<State> {
    let revision = store.revision().await?;
    let ((record, schema), (journal_pairs, id_pairs), (conflict_pairs, cursor_pairs)) = try_join3(
        async {
            let record = store.get(Table::Meta, RECORD_KEY);
            Ok::<_, Error>(try_join(record, store.get(Table::Schema, SCHEMA_KEY)).await?)
        },
        try_join(scan(store, Table::Journal, KeyRange::all()), scan(store, Table::IdMap, KeyRange::all())),
        try_join(
            scan(store, Table::Conflict, KeyRange::all()),
            scan(store, Table::Meta, KeyRange::prefix(CURSOR_PREFIX)),
        ),
    )
    .await?;
    let record = match record {
        Some(bytes) => {
            let mut record: Record = State::decode("record", &bytes)?;
            if planted(Bug::ClockNotStored) {
                record.clock = HlcClock::new(record.clock.device());
            }
            record
        }
        None => new_record(random, identity),
    };
    let schema = match schema {
        Some(bytes) => State::decode("schema", &bytes)?,
        None => edm::Schema::default(),
    };
    let mut journal = Journal::default();
    for (_, value) in journal_pairs {
        journal.put(Entry::decode(&value)?);
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
        id_map,
        conflicts,
        record,
        aftermath: OnceCell::new(),
        base_currency: OnceCell::new(),
    })
}

fn new_record(random: &Random, identity: Identity) -> Record {
    let mut device = [0; 8];
    random(&mut device);
    Record::new(DeviceId(u64::from_be_bytes(device)), identity)
}

async fn scan<S: Store>(store: &S, table: Table, mut keys: KeyRange) -> Result<Vec<Pair>> {
    let mut all = Vec::new();
    loop {
        let page = store.scan(table, keys.clone(), SCAN_PAIRS_MAX).await?;
        let full = page.len() == usize::try_from(SCAN_PAIRS_MAX).unwrap_or(usize::MAX);
        all.extend(page);
        match all.last() {
            Some((last, _)) if full => keys.start = [last.as_slice(), &[0]].concat(),
            _ => return Ok(all),
        }
    }
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
        if shadow_damaged {
            state.cursor.next_link = None;
        }
    }
    if live_damaged {
        state.cursor.complete = false;
        (state.cursor.next_link, state.cursor.delta_link, state.cursor.watermark) = (None, None, None);
    }
    Ok(state)
}

async fn generation<S: Store>(store: &S, table: &edm::Table, generation: u32) -> Result<(MirrorTable, bool)> {
    let mut mirror = MirrorTable::new(table);
    let mut damaged = false;
    let prefix = generation_prefix(&table.logical_name, generation);
    let mut keys = KeyRange::prefix(&prefix);
    let mut page = store.scan(Table::Segment, keys.clone(), SCAN_SEGMENTS_MAX).await?;
    while let Some((last, _)) = page.last() {
        keys.start = [last.as_slice(), &[0]].concat();
        let is_full = u32::try_from(page.len()).is_ok_and(|len| len == SCAN_SEGMENTS_MAX);
        let next = async {
            match is_full {
                true => store.scan(Table::Segment, keys.clone(), SCAN_SEGMENTS_MAX).await,
                false => Ok(Vec::new()),
            }
        };
        let this = async {
            for (key, value) in page {
                let number = key.get(prefix.len()..).and_then(|n| n.try_into().ok()).map(u64::from_be_bytes);
                let number =
                    number.ok_or_else(|| Error::Damaged(format!("segment key of {}", table.logical_name)))?;
                match Segment::open(value) {
                    Ok(segment) => mirror.add(number, segment),
                    Err(_) => damaged = true,
                }
            }
            Ok::<_, Error>(())
        };
        // The next ones are on their way while these are opened.
        let (next, opened) = join(next, this).await;
        opened?;
        page = next?;
    }
    Ok((mirror, damaged))
}
