//! Local id to server id: one-to-one, append-only, per table. Applied at the two doors only.

use crate::error::{Error, Result};
use crate::model::{Key, Value};
use flette_odata::filter::Filter;
use std::collections::HashMap;
use uuid::Uuid;

/// Length of an id in a text: hexadecimal digits and four hyphens.
const ID_LENGTH: usize = 36;

/// The map. Rows that keep the id they were made with are not in it.
#[derive(Debug, Clone, Default)]
pub struct IdMap {
    to_server: HashMap<Key, Uuid>,
    to_local: HashMap<Key, Uuid>,
}

impl IdMap {
    /// Adds a pair.
    ///
    /// # Errors
    /// [`Error::Damaged`] when either id is mapped to something else already: pairs are never changed.
    pub fn insert(&mut self, local: Key, server: Uuid) -> Result<()> {
        if self.contradicts(&local, server) {
            return Err(Error::Damaged(format!("id map of {}: {} is mapped already", local.table, local.id)));
        }
        self.to_local.insert(Key::new(local.table.clone(), server), local.id);
        self.to_server.insert(local, server);
        Ok(())
    }

    /// Whether either id is mapped to something else.
    pub fn contradicts(&self, local: &Key, server: Uuid) -> bool {
        let reverse = Key::new(local.table.clone(), server);
        self.to_server.get(local).is_some_and(|known| *known != server)
            || self.to_local.get(&reverse).is_some_and(|known| *known != local.id)
    }

    /// Whether a row that was made here under another id has this one on the server.
    pub fn is_server_id(&self, key: &Key) -> bool {
        self.to_local.contains_key(key)
    }

    /// A condition with the ids under which the replica keeps rows. Ids are unique over tables (RFC 9562), so the table
    /// that a literal means need not be known.
    pub fn resolve_filter(&self, filter: &Filter) -> Filter {
        let all = |parts: &[Filter]| parts.iter().map(|part| self.resolve_filter(part)).collect();
        match filter {
            Filter::And(parts) => Filter::And(all(parts)),
            Filter::Or(parts) => Filter::Or(all(parts)),
            Filter::Not(part) => Filter::Not(Box::new(self.resolve_filter(part))),
            Filter::Compare { column, op, value: Value::Guid(id) } => {
                let known = self.to_server.iter().find(|(local, _)| local.id == *id);
                let value = Value::Guid(known.map_or(*id, |(_, server)| *server));
                Filter::Compare { column: column.clone(), op: *op, value }
            }
            Filter::Through { navigation, filter } => Filter::Through {
                navigation: navigation.clone(),
                filter: Box::new(self.resolve_filter(filter)),
            },
            Filter::Any { collection, filter } => {
                Filter::Any { collection: collection.clone(), filter: Box::new(self.resolve_filter(filter)) }
            }
            Filter::Compare { .. }
            | Filter::CompareColumns { .. }
            | Filter::Text { .. }
            | Filter::HasValues { .. }
            | Filter::Function { .. }
            | Filter::Always(_) => filter.clone(),
        }
    }

    /// A text for the server: where an id stands that only this device knows, in whichever case, that of the server stands
    /// in its place. `None` where there is none. The length stays, and what stands around an id does not matter: ids are
    /// unique over tables (RFC 9562).
    pub fn for_server(&self, text: &[u8]) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let servers: HashMap<Uuid, Uuid> =
            self.to_server.iter().map(|(local, server)| (local.id, *server)).collect();
        let mut changed: Option<Vec<u8>> = None;
        for (at, window) in text.windows(ID_LENGTH).enumerate() {
            let server = id_of(window).and_then(|id| servers.get(&id));
            if let Some(server) = server {
                let changed = changed.get_or_insert_with(|| text.to_vec());
                if let Some(place) = changed.get_mut(at..at + ID_LENGTH) {
                    server.hyphenated().encode_lower(place);
                }
            }
        }
        changed
    }

    /// The id under which the replica keeps a row that is asked for by either of its ids.
    pub fn resolve(&self, key: &Key) -> Uuid {
        self.to_server.get(key).copied().unwrap_or(key.id)
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.to_server.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.to_server.is_empty()
    }

    /// A pair's key in the store: table, zero byte, local id.
    pub fn store_key(local: &Key) -> Vec<u8> {
        [local.table.as_bytes(), &[0], local.id.as_bytes()].concat()
    }

    /// Reads a stored pair.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is none.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<(Key, Uuid)> {
        let damaged = || Error::Damaged("id map".to_owned());
        let at = key.iter().position(|b| *b == 0).ok_or_else(damaged)?;
        let table = std::str::from_utf8(&key[..at]).map_err(|_| damaged())?;
        let local = Uuid::from_slice(&key[at + 1..]).map_err(|_| damaged())?;
        let server = Uuid::from_slice(value).map_err(|_| damaged())?;
        Ok((Key::new(table, local), server))
    }
}

/// The id that a text of [`ID_LENGTH`] bytes is.
fn id_of(text: &[u8]) -> Option<Uuid> {
    let hyphens = [8, 13, 18, 23].iter().all(|at| text.get(*at) == Some(&b'-'));
    hyphens.then(|| Uuid::try_parse_ascii(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_never_changed_and_either_id_finds_the_row() {
        let (a, b, c) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let mut map = IdMap::default();
        map.insert(Key::new("account", a), b).unwrap();
        map.insert(Key::new("account", a), b).unwrap();
        assert!(map.insert(Key::new("account", a), c).is_err());
        assert!(map.insert(Key::new("account", c), b).is_err());
        assert_eq!(map.resolve(&Key::new("account", a)), b);
        assert_eq!(map.resolve(&Key::new("account", b)), b);
        assert_eq!(map.resolve(&Key::new("contact", a)), a);
    }

    #[test]
    fn a_text_for_the_server_has_the_ids_that_it_knows() {
        let (here, there, other) =
            (Uuid::from_u128(0xAB << 64), Uuid::from_u128(2), Uuid::from_u128(0xAB << 64 | 1));
        let mut map = IdMap::default();
        let all = |here: &Uuid| {
            let loud = here.to_string().to_uppercase();
            format!("a({here})?x=%27{loud}%27&y=%7b{here}%7D&z={other}{here}")
        };
        assert_eq!(map.for_server(all(&here).as_bytes()), None);
        map.insert(Key::new("account", here), there).unwrap();
        let expected = all(&here).replace(&here.to_string(), &there.to_string());
        let expected = expected.replace(&here.to_string().to_uppercase(), &there.to_string());
        assert_eq!(map.for_server(all(&here).as_bytes()), Some(expected.into_bytes()));
        for same in [other.to_string(), there.to_string(), "a-".repeat(40), here.simple().to_string()] {
            assert_eq!(map.for_server(same.as_bytes()), None, "{same}");
        }
    }

    #[test]
    fn a_stored_pair_reads_back() {
        let local = Key::new("contact", Uuid::from_u128(0));
        let stored = IdMap::store_key(&local);
        assert_eq!(IdMap::decode(&stored, Uuid::max().as_bytes()).unwrap(), (local, Uuid::max()));
        assert!(IdMap::decode(b"contact", &[]).is_err());
    }
}
