//! Names of the rows that lookups point to, for formatted values: read by one statement per table and page.

use crate::db::rows::Sight;
use crate::db::Reader;
use flette_odata::error::Result;
use flette_odata::Uuid;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// Names that are known. A row that is gone, out of sight or nameless has none.
#[derive(Default)]
pub(super) struct Names {
    known: RefCell<HashMap<Uuid, Option<String>>>,
}

impl Names {
    /// Reads the names of rows, given by table and id, that were not asked for before.
    ///
    /// # Errors
    /// 500 or 503 when the database fails.
    pub(super) fn learn<'v>(
        &self,
        reader: &Reader,
        sight: &Sight,
        rows: impl Iterator<Item = (&'v str, Uuid)>,
    ) -> Result<()> {
        let mut known = self.known.borrow_mut();
        let mut missing: HashMap<&str, HashSet<Uuid>> = HashMap::new();
        for (table, id) in rows.filter(|(_, id)| !known.contains_key(id)) {
            missing.entry(table).or_default().insert(id);
        }
        for (table, ids) in missing {
            let ids: Vec<Uuid> = ids.into_iter().collect();
            known.extend(ids.iter().map(|id| (*id, None)));
            if let Some(table) = reader.schema.table(table) {
                let names = reader.names_of(table, sight, &ids)?;
                known.extend(names.into_iter().map(|(id, name)| (id, Some(name))));
            }
        }
        Ok(())
    }

    /// A name that was read.
    pub(super) fn get(&self, id: Uuid) -> Option<String> {
        self.known.borrow().get(&id).cloned().flatten()
    }
}
