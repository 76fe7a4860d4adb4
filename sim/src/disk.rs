//! A disk with the promises of IndexedDB and no more: commits are whole or not at all, may fail, and the latest of those
//! that were only handed to the operating system may be lost with the power.

use crate::dice::Dice;
use crate::faults::{Fault, Faults};
use crate::step::yield_now;
use flette::store::{Batch, Durability, KeyRange, Pair, Revision, Store, StoreError, Table, Write};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

type Address = (Table, Vec<u8>);
/// Shared between the disks that begin as copies of one.
type Value = Arc<Vec<u8>>;
/// What stood where a commit wrote.
type Undo = Vec<(Address, Option<Value>)>;

/// What is written on a disk.
#[derive(Debug, Clone, Default)]
pub struct Platter {
    revision: u64,
    values: BTreeMap<Address, Value>,
    /// Of each commit since the last strict one: what stood there before.
    relaxed: Vec<Undo>,
}

/// A handle to a disk.
#[derive(Debug, Clone)]
pub struct Disk {
    platter: Rc<RefCell<Platter>>,
    faults: Rc<Faults>,
    /// Whether this handle's database was deleted or its process killed.
    closed: Rc<Cell<bool>>,
    /// How many calls still meet a connection that the browser has closed.
    refusing: Rc<Cell<usize>>,
}

impl Disk {
    /// A disk with what is written on it.
    pub fn new(platter: Platter, faults: Rc<Faults>) -> Disk {
        let platter = Rc::new(RefCell::new(platter));
        Disk { platter, faults, closed: Rc::default(), refusing: Rc::default() }
    }

    /// A copy of what is written on it.
    pub fn copied(&self) -> Platter {
        self.platter.borrow().clone()
    }

    /// A handle for the process that comes next; this one is of no use any more.
    pub fn reopened(&self) -> Disk {
        self.closed.set(true);
        let (platter, faults) = (self.platter.clone(), self.faults.clone());
        Disk { platter, faults, closed: Rc::default(), refusing: Rc::default() }
    }

    /// The next calls meet a closed connection, and those after them a new one.
    pub fn close_for(&self, calls: usize) {
        self.refusing.set(calls);
    }

    /// Everything on it is deleted.
    pub fn evict(&self) {
        *self.platter.borrow_mut() = Platter::default();
    }

    /// Loses some of the commits that were not synced, the latest first. How many.
    pub fn lose_power(&self, dice: &Dice) -> usize {
        let mut platter = self.platter.borrow_mut();
        let lost = dice.roll(platter.relaxed.len() + 1);
        for _ in 0..lost {
            let undo = platter.relaxed.pop().unwrap_or_default();
            for (address, before) in undo.into_iter().rev() {
                match before {
                    Some(value) => platter.values.insert(address, value),
                    None => platter.values.remove(&address),
                };
            }
            platter.revision -= 1;
        }
        lost
    }

    fn check(&self) -> Result<(), StoreError> {
        let refusing = self.refusing.get();
        self.refusing.set(refusing.saturating_sub(1));
        match self.closed.get() || refusing > 0 {
            true => Err(StoreError::Closed),
            false => Ok(()),
        }
    }
}

impl Platter {
    fn apply(&mut self, write: Write, undo: &mut Undo) {
        match write {
            Write::Put { table, key, value } => {
                let address = (table, key);
                undo.push((address.clone(), self.values.insert(address, Arc::new(value))));
            }
            Write::Delete { table, key } => {
                let address = (table, key);
                let before = self.values.remove(&address);
                undo.push((address, before));
            }
            Write::DeleteRange { table, keys } => {
                for key in self.keys(table, &keys) {
                    self.apply(Write::Delete { table, key }, undo);
                }
            }
        }
    }

    fn keys(&self, table: Table, keys: &KeyRange) -> Vec<Vec<u8>> {
        let within = |key: &[u8]| keys.end.as_ref().is_none_or(|end| key < end.as_slice());
        let from = self.values.range((table, keys.start.clone())..);
        from.take_while(|((of, key), _)| *of == table && within(key))
            .map(|((_, key), _)| key.clone())
            .collect()
    }
}

impl Store for Disk {
    async fn revision(&self) -> Result<Revision, StoreError> {
        yield_now().await;
        self.check()?;
        Ok(Revision(self.platter.borrow().revision))
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        yield_now().await;
        self.check()?;
        Ok(self.platter.borrow().values.get(&(table, key.to_vec())).map(|value| value.to_vec()))
    }

    async fn scan(&self, table: Table, keys: KeyRange, limit: u32) -> Result<Vec<Pair>, StoreError> {
        yield_now().await;
        self.check()?;
        let platter = self.platter.borrow();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let found = platter.keys(table, &keys).into_iter().take(limit);
        let value = |key: Vec<u8>| {
            let found = platter.values.get(&(table, key.clone())).map(|value| value.to_vec());
            (key, found.unwrap_or_default())
        };
        Ok(found.map(value).collect())
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        yield_now().await;
        self.check()?;
        match self.faults.on_commit() {
            Some(Fault::DiskFull) => return Err(StoreError::Full),
            Some(_) => return Err(StoreError::Failed("UnknownError".to_owned())),
            None => {}
        }
        let revision = {
            let mut platter = self.platter.borrow_mut();
            if Revision(platter.revision) != batch.expected {
                return Err(StoreError::Stale);
            }
            let mut undo = Vec::new();
            for write in batch.writes {
                platter.apply(write, &mut undo);
            }
            platter.revision += 1;
            match batch.durability {
                Durability::Strict => platter.relaxed.clear(),
                Durability::Relaxed => platter.relaxed.push(undo),
            }
            Revision(platter.revision)
        };
        // Killed here, the commit stands and nobody was told.
        yield_now().await;
        Ok(revision)
    }
}
