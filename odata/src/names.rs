//! Names of rows that say nothing by themselves: `$1` in a change set, alternate keys, paths through other rows. Only
//! whoever holds the rows can tell which row they mean.

use crate::edm::{Schema, Table};
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

    /// Where a single-valued navigation property of a row leads; `None` when it leads nowhere.
    ///
    /// # Errors
    /// 404 when the row is not there; 501 from whoever follows no paths.
    fn behind(&self, _table: &Table, _id: Uuid, _navigation: &str) -> Result<Option<EntityRef>> {
        Err(no_paths())
    }

    /// Whether a collection of a row holds a row.
    ///
    /// # Errors
    /// As [`RowNames::behind`].
    fn holds(&self, _table: &Table, _id: Uuid, _collection: &str, _child: Uuid) -> Result<bool> {
        Err(no_paths())
    }
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

fn no_paths() -> ODataError {
    ODataError::not_implemented("A path through other rows is not supported here.")
}

/// The id of a row that must be there to be named by its key.
///
/// # Errors
/// 404 `0x80060891`: no row has the values of the key; 404: a path leads nowhere, or its collection does not hold the
/// row; else what [`RowNames`] says.
pub fn id_of(names: &dyn RowNames, schema: &Schema, table: &Table, key: &RowKey) -> Result<Uuid> {
    let holder = |name: &str| schema.table(name).ok_or_else(|| ODataError::segment_not_found(name));
    match key {
        RowKey::Id(id) => Ok(*id),
        RowKey::Alternate(key) => {
            names.by_key(table, key)?.ok_or_else(|| ODataError::key_not_found(&table.logical_name))
        }
        RowKey::Behind { table: from, key, navigation } => {
            let from = holder(from)?;
            let to = names.behind(from, id_of(names, schema, from, key)?, navigation)?;
            let to = to.filter(|to| to.table == table.logical_name);
            to.map(|to| to.id).ok_or_else(|| ODataError::segment_not_found(navigation))
        }
        RowKey::Within { table: from, key, collection, child } => {
            let from = holder(from)?;
            let row = id_of(names, schema, from, key)?;
            let child = id_of(names, schema, table, child)?;
            match names.holds(from, row, collection, child)? {
                true => Ok(child),
                false => Err(ODataError::row_not_found(&table.logical_name, child)),
            }
        }
    }
}
