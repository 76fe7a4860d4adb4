//! What a navigation property of a table leads to.

use crate::edm::{Column, Schema, Table};
use crate::error::{ODataError, Result};
use crate::path;

/// A navigation property, seen from the table that has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Navigation<'a> {
    /// Single-valued: the row that a lookup points to.
    ToOne {
        /// The lookup, of the table itself.
        column: &'a Column,
        /// Tables that the property can lead to, as far as they are in the schema: several only where they share
        /// the property, as with `ownerid`.
        targets: Vec<&'a Table>,
    },
    /// Collection-valued, 1:N: the rows whose lookup points here.
    ToMany {
        /// The table of those rows.
        table: &'a Table,
        /// Their lookup.
        column: &'a Column,
    },
    /// Collection-valued, N:N.
    ManyToMany {
        /// The table at the other end.
        table: &'a Table,
        /// The table that holds the pairs.
        intersect: &'a Table,
        /// Column of `intersect` with ids of this end.
        near: &'a str,
        /// Column of `intersect` with ids of the other end.
        far: &'a str,
    },
}

/// What a navigation property means; `None` when the table has none of that name. Case counts.
pub fn navigation<'a>(schema: &'a Schema, table: &'a Table, name: &str) -> Option<Navigation<'a>> {
    if let Some((column, targets)) = table.navigation(name) {
        let targets = targets.iter().filter_map(|target| schema.table(&target.table)).collect();
        return Some(Navigation::ToOne { column, targets });
    }
    if let Some((table, column, _)) = path::collection(schema, table, name) {
        return Some(Navigation::ToMany { table, column });
    }
    let (relationship, near, far) = schema.many_to_many(&table.logical_name, name)?;
    Some(Navigation::ManyToMany {
        table: schema.table(&far.table)?,
        intersect: schema.table(&relationship.intersect)?,
        near: &near.column,
        far: &far.column,
    })
}

/// The table that a single-valued navigation property leads to, in a path to a column.
///
/// # Errors
/// 400 when there is no such property, when it is collection-valued, or when it leads to several tables: the type
/// `principal`, to which `ownerid` leads in Dataverse, has no columns of its own. 501 when the table is not here.
pub fn single_target<'a>(schema: &'a Schema, table: &'a Table, name: &str) -> Result<&'a Table> {
    match navigation(schema, table, name) {
        Some(Navigation::ToOne { column, targets }) => match (targets.as_slice(), shares(column, name)) {
            ([target], false) => Ok(target),
            ([], false) => Err(ODataError::not_implemented(format!(
                "The table that '{}' leads to is not here.",
                shown(name)
            ))),
            _ => Err(ODataError::bad_request(format!(
                "'{}' leads to rows of the type 'Microsoft.Dynamics.CRM.principal', which has no such property.",
                shown(name)
            ))),
        },
        Some(Navigation::ToMany { .. } | Navigation::ManyToMany { .. }) => {
            Err(ODataError::bad_request(format!(
                "The parent value for a property access of '{}' is not a single value.",
                shown(name)
            )))
        }
        None => Err(crate::filter::column_not_found(table, name)),
    }
}

/// Whether several targets of a lookup share a navigation property, be they in the schema or not.
fn shares(column: &Column, name: &str) -> bool {
    match &column.kind {
        crate::edm::ColumnKind::Lookup { targets } => {
            targets.iter().filter(|target| target.navigation == name).count() > 1
        }
        _ => false,
    }
}

/// What a message repeats of a name, at most.
fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}
