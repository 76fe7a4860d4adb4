//! Rows by the values of their columns, and what alternate keys mean.

use crate::db::query::Listing;
use crate::db::rows::Sight;
use crate::db::Reader;
use flette_odata::error::Result;
use flette_odata::filter::{CompareOp, Filter};
use flette_odata::names::RowNames;
use flette_odata::path::AlternateName;
use flette_odata::{EntityRef, ODataError, Table, Uuid, Value};

/// The condition that every one of these columns has its value; texts are compared without case.
pub(super) fn all_equal<'v>(values: impl IntoIterator<Item = (&'v str, &'v Value)>) -> Filter {
    let equal = |(column, value): (&str, &Value)| Filter::Compare {
        column: column.to_owned(),
        op: CompareOp::Equal,
        value: match value {
            Value::Lookup(to) => Value::Guid(to.id),
            other => other.clone(),
        },
    };
    Filter::And(values.into_iter().map(equal).collect())
}

/// Ids of rows in sight that meet a condition, at most `limit`, in the order of the ids.
pub(super) fn ids(
    reader: &Reader,
    table: &Table,
    sight: &Sight,
    filter: &Filter,
    limit: u64,
) -> Result<Vec<Uuid>> {
    let key = table.column(&table.primary_id);
    let key = key.ok_or_else(|| ODataError::new(500, "", "A table has no primary key."))?;
    let listing =
        Listing { table, sight, within: None, filter: Some(filter), order: &[], after: None, limit };
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
}
