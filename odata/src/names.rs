//! Names of rows that say nothing by themselves: `$1` in a change set, alternate keys. Only whoever holds the rows can
//! tell which row they mean.

use crate::edm::Table;
use crate::error::{ODataError, Result};
use crate::path::{AlternateName, RowKey};
use crate::value::EntityRef;
use uuid::Uuid;

/// What names mean.
pub trait RowNames {
    /// The row that an earlier request of the same change set made: `$1`, dollar sign included.
    fn content(&self, reference: &str) -> Option<EntityRef>;

    /// The row that has the values of an alternate key; `None` when there is none.
    ///
    /// # Errors
    /// Whatever keeps the rows from being asked.
    fn by_key(&self, table: &Table, key: &AlternateName) -> Result<Option<Uuid>>;
}

/// No change set, and nobody to ask: alternate keys are answered with 501.
#[derive(Debug, Clone, Copy)]
pub struct NoNames;

impl RowNames for NoNames {
    fn content(&self, _: &str) -> Option<EntityRef> {
        None
    }

    fn by_key(&self, _: &Table, _: &AlternateName) -> Result<Option<Uuid>> {
        Err(unsupported())
    }
}

/// A change set, and nobody to ask: alternate keys are answered with 501.
#[derive(Debug, Clone, Copy)]
pub struct ContentIds<F>(pub F);

impl<F: Fn(&str) -> Option<EntityRef>> RowNames for ContentIds<F> {
    fn content(&self, reference: &str) -> Option<EntityRef> {
        (self.0)(reference)
    }

    fn by_key(&self, _: &Table, _: &AlternateName) -> Result<Option<Uuid>> {
        Err(unsupported())
    }
}

fn unsupported() -> ODataError {
    ODataError::not_implemented("Alternate keys are not supported here.")
}

/// The id of a row that must be there to be named by its key.
///
/// # Errors
/// 404 `0x80060891`: no row has the values of the key; else what [`RowNames::by_key`] says.
pub fn id_of(names: &dyn RowNames, table: &Table, key: &RowKey) -> Result<Uuid> {
    match key {
        RowKey::Id(id) => Ok(*id),
        RowKey::Alternate(key) => {
            names.by_key(table, key)?.ok_or_else(|| ODataError::key_not_found(&table.logical_name))
        }
    }
}
