//! Collection-valued navigation properties: what stands behind them.

use crate::edm::{Column, ColumnKind, LookupTarget, ManyToMany, ManyToManyEnd, Schema, Table};
use crate::error::{ODataError, Result};

/// The table of those who take part in activities. Its rows are written through their activity: a set at a time.
pub const PARTY_TABLE: &str = "activityparty";

/// What a collection-valued navigation property of a table means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Collection<'s> {
    /// Rows whose lookup points to the row.
    Pointing {
        /// The table that holds the lookup.
        holder: &'s Table,
        /// The lookup.
        lookup: &'s Column,
        /// Its target: the table that has the collection.
        target: &'s LookupTarget,
    },
    /// Rows that are paired with the row.
    Paired {
        /// The relationship.
        relationship: &'s ManyToMany,
        /// This end of it.
        end: &'s ManyToManyEnd,
        /// The other one.
        other: &'s ManyToManyEnd,
    },
}

impl<'s> Collection<'s> {
    /// The collection of this name. Case counts.
    pub fn find(schema: &'s Schema, table: &Table, name: &str) -> Option<Collection<'s>> {
        if let Some((holder, lookup, target)) = collection(schema, table, name) {
            return Some(Collection::Pointing { holder, lookup, target });
        }
        let (relationship, end, other) = schema.many_to_many(&table.logical_name, name)?;
        Some(Collection::Paired { relationship, end, other })
    }

    /// The table whose rows the collection holds.
    ///
    /// # Errors
    /// 404: the schema does not have it.
    pub fn other(&self, schema: &'s Schema) -> Result<&'s Table> {
        match self {
            Collection::Pointing { holder, .. } => Ok(holder),
            Collection::Paired { other, .. } => {
                schema.table(&other.table).ok_or_else(|| ODataError::segment_not_found(&other.table))
            }
        }
    }
}

/// The lookup behind a collection-valued navigation property of a table: the table that holds the lookup, the
/// lookup and its target. Names are case-sensitive.
pub fn collection<'a>(
    schema: &'a Schema,
    table: &Table,
    name: &str,
) -> Option<(&'a Table, &'a Column, &'a LookupTarget)> {
    let lookups = schema.tables.iter().flat_map(|t| t.columns.iter().map(move |c| (t, c)));
    lookups.into_iter().find_map(|(holder, column)| match &column.kind {
        ColumnKind::Lookup { targets } => targets
            .iter()
            .find(|target| target.table == table.logical_name && target.collection == name)
            .map(|target| (holder, column, target)),
        _ => None,
    })
}

/// The table whose rows a collection-valued navigation property of a table holds, 1:N or N:N.
pub fn collection_table<'a>(schema: &'a Schema, table: &Table, name: &str) -> Option<&'a Table> {
    Collection::find(schema, table, name)?.other(schema).ok()
}
