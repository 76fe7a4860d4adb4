//! Sets of row ids.

use super::lookup::hash_id;
use flette_odata::Uuid;
use hashbrown::HashTable;

/// Ids, each once, in no order.
#[derive(Debug, Clone, Default)]
pub struct IdSet(HashTable<Uuid>);

impl IdSet {
    /// Adds an id; false when it was there.
    pub fn insert(&mut self, id: Uuid) -> bool {
        let hash = hash_id(id);
        let is_new = self.0.find(hash, |known| *known == id).is_none();
        if is_new {
            self.0.insert_unique(hash, id, |known| hash_id(*known));
        }
        is_new
    }

    /// Whether an id is in it.
    pub fn contains(&self, id: Uuid) -> bool {
        self.0.find(hash_id(id), |known| *known == id).is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Uuid> for IdSet {
    fn from_iter<I: IntoIterator<Item = Uuid>>(ids: I) -> IdSet {
        let mut set = IdSet::default();
        ids.into_iter().for_each(|id| {
            set.insert(id);
        });
        set
    }
}
