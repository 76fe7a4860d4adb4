//! A replica filled with segments as a pull leaves them, and an engine over another one of the same.

use crate::rows::{key, schema, Told, KEY, TABLE};
use flette::engine::{Config, Engine, Identity, Profile};
use flette::model::{FieldEdit, Key, Millis, Row, Value};
use flette::platform::{Platform, Transport, TransportError};
use flette::replica::{Draft, Replica, SegmentBuilder, Target};
use flette::store::memory::MemoryStore;
use flette::store::{Durability, Store, Table};
use flette_odata::{Method, Request, Response, Uuid};
use pollster::block_on;
use std::cell::Cell;

pub const NOW: Millis = Millis(1_780_000_000_000);
const ROOT: &str = "/api/data/v9.2/";

/// Surroundings of an engine that is alone and offline.
pub struct Alone {
    store: MemoryStore,
    chance: Cell<u8>,
}

impl Transport for Alone {
    async fn send(&self, _request: Request) -> Result<Response, TransportError> {
        Err(TransportError::Unreachable("no network".to_owned()))
    }
}

impl Platform for Alone {
    type Store = MemoryStore;
    type Transport = Alone;
    type Lock = ();

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn transport(&self) -> &Alone {
        self
    }

    fn now(&self) -> Millis {
        NOW
    }

    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            self.chance.set(self.chance.get().wrapping_add(1));
            *byte = self.chance.get();
        }
    }

    async fn sleep(&self, _millis: u32) {}

    async fn try_lock(&self, _name: &str) -> Option<()> {
        Some(())
    }
}

pub fn identity() -> Identity {
    Identity { user: key(1_000_001), business_unit: key(1_000_002), organization: key(1_000_003) }
}

pub fn open(store: &MemoryStore) -> Replica<MemoryStore> {
    open_of(store, &[TABLE])
}

/// The same with other tables.
pub fn open_of(store: &MemoryStore, tables: &[&str]) -> Replica<MemoryStore> {
    let count = Cell::new(0u8);
    let random = move |bytes: &mut [u8]| {
        for byte in bytes {
            count.set(count.get().wrapping_add(1));
            *byte = count.get();
        }
    };
    let replica = block_on(Replica::open(store.clone(), Box::new(random), identity())).unwrap();
    block_on(replica.load(tables)).unwrap();
    replica
}

pub fn engine(store: &MemoryStore) -> Engine<Alone> {
    engine_of(store, &[TABLE])
}

/// The same with other tables.
pub fn engine_of(store: &MemoryStore, tables: &[&str]) -> Engine<Alone> {
    let config = Config {
        root: ROOT.to_owned(),
        database: "segments".to_owned(),
        identity: identity(),
        tables: tables.iter().map(|table| (*table).to_owned()).collect(),
        page_size: 5000,
        batch_size: 100,
        profile: Profile::default(),
    };
    block_on(Engine::open(Alone { store: store.clone(), chance: Cell::new(0) }, config)).unwrap()
}

/// One change that waits in the journal.
#[derive(Clone)]
pub enum Waiting {
    Create(usize, Row),
    Update(usize, Row),
    Delete(usize),
}

fn transact(replica: &Replica<MemoryStore>, mut change: impl FnMut(&mut Draft)) {
    let done = replica.transact(NOW, Durability::Strict, &[TABLE], |draft| {
        change(draft);
        Ok(())
    });
    block_on(done).unwrap();
}

/// Takes a page over, as a pull does.
pub fn add(replica: &Replica<MemoryStore>, told: &[Told], version: &mut u64) {
    let from = *version;
    transact(replica, |draft| {
        let schema = draft.schema();
        let mut builder = SegmentBuilder::new(schema.table(TABLE).unwrap());
        for (at, told) in told.iter().enumerate() {
            match told {
                Told::Row(id, row) => {
                    builder.push_row(key(*id), &format!("W/\"{}\"", from + at as u64), row).unwrap();
                }
                Told::Gone(id) => builder.push_tombstone(key(*id)),
            }
        }
        draft.add_segment(TABLE, Target::Live, builder).unwrap();
        let mut cursor = draft.cursor(TABLE);
        cursor.complete = true;
        draft.set_cursor(TABLE, cursor);
    });
    *version += told.len() as u64;
}

/// A store with that history in so many segments: the first half in one, the rest in equal parts.
pub fn fill(history: &[Told], waiting: &[Waiting], segments: usize) -> (MemoryStore, u64) {
    let store = MemoryStore::new();
    let replica = open(&store);
    transact(&replica, |draft| {
        draft.set_schema(schema());
        draft.record.offline_chosen = true;
    });
    let mut version = 1;
    let half = if segments == 1 { history.len() } else { history.len() / 2 };
    let (first, rest) = history.split_at(half);
    add(&replica, first, &mut version);
    for part in rest.chunks(rest.len().div_ceil(segments.saturating_sub(1).max(1)).max(1)) {
        add(&replica, part, &mut version);
    }
    for waiting in waiting {
        transact(&replica, |draft| wait(draft, waiting));
    }
    (store, version)
}

fn wait(draft: &mut Draft, waiting: &Waiting) {
    match waiting {
        Waiting::Create(id, row) => {
            let mut row = row.clone();
            row.insert(KEY.into(), Value::Guid(key(*id)));
            draft.create(Key::new(TABLE, key(*id)), row);
        }
        Waiting::Update(id, new) => {
            let key = Key::new(TABLE, key(*id));
            let Some(seen) = draft.row(&key) else { return };
            let edit = |(name, new): (&String, &Value)| FieldEdit {
                name: name.clone(),
                old: seen.row.get(name).cloned().unwrap_or_default(),
                new: new.clone(),
            };
            draft.update(&key, new.iter().map(edit).collect());
        }
        Waiting::Delete(id) => {
            let key = Key::new(TABLE, key(*id));
            if draft.row(&key).is_some() {
                draft.delete(&key);
            }
        }
    }
}

/// What the rows are when the waiting changes are upon them.
pub fn upon(rows: &mut std::collections::BTreeMap<Uuid, Row>, waiting: &[Waiting]) {
    for waiting in waiting {
        match waiting {
            Waiting::Create(id, row) => {
                let mut row = row.clone();
                row.insert(KEY.into(), Value::Guid(key(*id)));
                rows.insert(key(*id), row);
            }
            Waiting::Update(id, new) => {
                if let Some(row) = rows.get_mut(&key(*id)) {
                    row.extend(new.clone());
                }
            }
            Waiting::Delete(id) => {
                rows.remove(&key(*id));
            }
        }
    }
}

pub fn get(engine: &Engine<Alone>, path: &str, prefer: &str) -> Response {
    let url = if path.starts_with('/') { path.to_owned() } else { format!("{ROOT}{path}") };
    let mut request = Request::new(Method::Get, url);
    if !prefer.is_empty() {
        request = request.header("Prefer", prefer);
    }
    let answer = block_on(engine.handle(request));
    assert_eq!(answer.headers.get("Flette-Source"), Some("replica"), "{path}");
    answer
}

/// Numbers of the segments that are read now.
pub fn numbers(replica: &Replica<MemoryStore>) -> Vec<u64> {
    replica.state().tables[TABLE].mirror.as_ref().unwrap().numbers()
}

/// Segments in the store.
pub fn stored(store: &MemoryStore) -> usize {
    block_on(store.scan(Table::Segment, flette::store::KeyRange::all(), u32::MAX)).unwrap().len()
}
