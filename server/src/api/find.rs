//! Rows by the values of their columns, and what alternate keys mean.

use crate::db::query::{Collection, Listing, Within};
use crate::db::rows::Sight;
use crate::db::Reader;
use flette_odata::alike::all_equal;
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::names::RowNames;
use flette_odata::path::AlternateName;
use flette_odata::{EntityRef, ODataError, Table, Uuid, Value};

/// Ids of rows in sight that meet a condition, at most `limit`, in the order of the ids.
pub(super) fn ids(
    reader: &Reader,
    table: &Table,
    sight: &Sight,
    filter: &Filter,
    limit: u64,
) -> Result<Vec<Uuid>> {
    ids_within(reader, (table, None), sight, filter, limit)
}

/// The same among the rows of a collection.
fn ids_within(
    reader: &Reader,
    (table, within): (&Table, Option<Within>),
    sight: &Sight,
    filter: &Filter,
    limit: u64,
) -> Result<Vec<Uuid>> {
    let key = table.column(&table.primary_id);
    let key = key.ok_or_else(|| ODataError::new(500, "", "A table has no primary key."))?;
    let listing = Listing { table, sight, within, filter: Some(filter), order: &[], after: None, limit };
    let mut ids = Vec::new();
    reader.list(&listing, &[key], |found| {
        if let Value::Guid(id) = found.value(0) {
            ids.push(id);
        }
        Ok(true)
    })?;
    Ok(ids)
}

/// Names of rows as one snapshot knows them.
pub(super) struct KnownNames<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) sight: Sight,
    /// Rows that a change set has made so far.
    pub(super) content: &'a dyn Fn(&str) -> Option<EntityRef>,
}

impl RowNames for KnownNames<'_> {
    fn content(&self, reference: &str) -> Option<EntityRef> {
        (self.content)(reference)
    }

    fn by_key(&self, table: &Table, key: &AlternateName) -> Result<Option<Uuid>> {
        let filter = all_equal(key.values.iter().map(|(name, value)| (name.as_str(), value)));
        Ok(ids(self.reader, table, &self.sight, &filter, 1)?.first().copied())
    }

    fn behind(&self, table: &Table, id: Uuid, navigation: &str) -> Result<Option<EntityRef>> {
        behind(self.reader, &self.sight, (table, id), navigation)
    }

    fn holds(&self, table: &Table, id: Uuid, name: &str, child: Uuid) -> Result<bool> {
        self.reader.row(table, id, &self.sight)?.ok_or_else(|| not_there(table, id))?;
        let collection = Collection::find(self.reader.schema, table, name)?;
        let other = collection.table();
        let is_child = all_equal([(other.primary_id.as_str(), &Value::Guid(child))]);
        let within = Some(Within { collection: &collection, holders: table, holder: id });
        Ok(!ids_within(self.reader, (other, within), &self.sight, &is_child, 1)?.is_empty())
    }
}

/// Where a single-valued navigation property of a row leads; `None` when it leads nowhere.
///
/// # Errors
/// 404 when the row is not there or out of sight, or has no such property.
pub(super) fn behind(
    reader: &Reader,
    sight: &Sight,
    (table, id): (&Table, Uuid),
    navigation: &str,
) -> Result<Option<EntityRef>> {
    let (column, targets) =
        table.navigation(navigation).ok_or_else(|| ODataError::segment_not_found(navigation))?;
    let stored = reader.row(table, id, sight)?.ok_or_else(|| not_there(table, id))?;
    Ok(match stored.row.get(&column.logical_name).filter(|_| !sight.masks(table, column)) {
        Some(Value::Lookup(to)) if targets.iter().any(|target| target.table == to.table) => Some(to.clone()),
        _ => None,
    })
}

fn not_there(table: &Table, id: Uuid) -> ODataError {
    ODataError::row_not_found(&table.logical_name, id)
}
