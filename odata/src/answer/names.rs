//! Names of the rows that lookups point to, for formatted values: read at once for each table and page.

use super::Source;
use crate::error::Result;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Names that are known. A row that is gone, out of sight or nameless has none.
#[derive(Default)]
pub(super) struct Names {
    known: RefCell<HashMap<Uuid, Option<String>>>,
}

impl Names {
    /// Reads the names of rows, given by table and id, that were not asked for before.
    ///
    /// # Errors
    /// What the source gives.
    pub(super) fn learn<'v>(
        &self,
        source: &dyn Source,
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
            if let Some(table) = source.schema().table(table) {
                let names = source.names_of(table, &ids)?;
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
