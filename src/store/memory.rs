//! A store in memory: the reference for every other back end, and the disk of native tests. A clone is a second handle
//! to the same data, so that a test can drop everything else and "start again" on what was committed.

use super::{Batch, KeyRange, Pair, Revision, Store, StoreError, Table, Write};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;

/// Tables of bytes in memory. Clones share the data; the last one to go takes it along.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    revision: Revision,
    tables: BTreeMap<Table, Rows>,
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

impl MemoryStore {
    /// An empty store at revision 0.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }
}

impl Store for MemoryStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.state.borrow().revision)
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state.borrow().tables.get(&table).and_then(|rows| rows.get(key)).cloned())
    }

    async fn scan(&self, table: Table, keys: KeyRange, limit: u32) -> Result<Vec<Pair>, StoreError> {
        let state = self.state.borrow();
        let (Some(rows), Some(bounds)) = (state.tables.get(&table), bounds(keys)) else {
            return Ok(Vec::new());
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(rows.range(bounds).take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        let mut state = self.state.borrow_mut();
        if state.revision != batch.expected {
            return Err(StoreError::Stale);
        }
        for write in batch.writes {
            state.write(write);
        }
        state.revision = Revision(state.revision.0 + 1);
        Ok(state.revision)
    }
}

impl State {
    fn write(&mut self, write: Write) {
        match write {
            Write::Put { table, key, value } => {
                self.tables.entry(table).or_default().insert(key, value);
            }
            Write::Delete { table, key } => {
                self.tables.entry(table).or_default().remove(&key);
            }
            Write::DeleteRange { table, keys } => {
                if let Some(bounds) = bounds(keys) {
                    delete_range(self.tables.entry(table).or_default(), bounds);
                }
            }
        }
    }
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The range in the map's words; `None` when no key can be in it (the map panics on an inverted range).
fn bounds(keys: KeyRange) -> Option<Bounds> {
    match keys.end {
        None => Some((Bound::Included(keys.start), Bound::Unbounded)),
        Some(end) if keys.start < end => Some((Bound::Included(keys.start), Bound::Excluded(end))),
        Some(_) => None,
    }
}

fn delete_range(rows: &mut Rows, bounds: Bounds) {
    let doomed: Vec<Vec<u8>> = rows.range(bounds).map(|(key, _)| key.clone()).collect();
    for key in doomed {
        rows.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::Backend;

    #[derive(Default)]
    struct Memory {
        stores: RefCell<BTreeMap<String, MemoryStore>>,
    }

    impl Backend for Memory {
        type Store = MemoryStore;

        async fn open(&self, name: &str) -> MemoryStore {
            self.stores.borrow_mut().entry(name.to_owned()).or_default().clone()
        }
    }

    crate::store_conformance!(native, Memory::default());
}
