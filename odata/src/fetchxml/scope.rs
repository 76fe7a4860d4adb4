//! What the names in conditions and orders mean: tables, columns, aliases.

use super::element::{error, shown};
use super::{Operator, Test};
use crate::edm::{Column, Schema, Table};
use crate::error::Result;
use crate::filter::comparable;

/// What the names in conditions and orders may mean.
pub(super) struct Scope<'s> {
    pub(super) table: &'s Table,
    /// Alias and table of joined links; none where other rows cannot be named.
    pub(super) links: Vec<(String, &'s Table)>,
}

impl<'s> Scope<'s> {
    /// The row that `entityname` means: by alias, or by table where only one link has it.
    pub(super) fn entity(&self, name: Option<&str>) -> Result<(Option<String>, &'s Table)> {
        let Some(name) = name else { return Ok((None, self.table)) };
        if let Some((alias, table)) = self.links.iter().find(|(alias, _)| alias == name) {
            return Ok((Some(alias.clone()), table));
        }
        let mut named = self.links.iter().filter(|(_, table)| table.logical_name == name);
        match (named.next(), named.next()) {
            (Some((alias, table)), None) => Ok((Some(alias.clone()), table)),
            _ if name == self.table.logical_name => Ok((None, self.table)),
            _ => Err(error(
                "0x8004110b",
                format!("No alias for the given entity '{}' in the condition was found.", shown(name)),
            )),
        }
    }

    /// `valueof`: a column of the same row, or after an alias of another.
    pub(super) fn value_of(&self, text: &str, column: &Column, operator: Operator) -> Result<Test> {
        let op = operator
            .comparison()
            .ok_or_else(|| error("0x80041120", "Unsupported condition operator.".to_owned()))?;
        let (entity, name) = match text.split_once('.') {
            Some((entity, name)) => (Some(entity), name),
            None => (None, text),
        };
        let (entity, table) = self.entity(entity)?;
        let other = column_of(table, name)?;
        if !comparable(column, other) {
            return Err(error(
                "0x80041139",
                format!(
                    "Attributes '{}' and '{}' cannot be compared.",
                    column.logical_name, other.logical_name
                ),
            ));
        }
        Ok(Test::Column { op, entity, column: other.logical_name.clone() })
    }
}

/// A table of the schema.
///
/// # Errors
/// 400 `0x80041102`
pub(super) fn table_of<'s>(schema: &'s Schema, name: &str) -> Result<&'s Table> {
    schema.table(name).ok_or_else(|| {
        let name = shown(name);
        error("0x80041102", format!("The entity with a name = '{name}' was not found in the MetadataCache."))
    })
}

/// A column of a table.
///
/// # Errors
/// 400 `0x80041103`
pub(super) fn column_of<'t>(table: &'t Table, name: &str) -> Result<&'t Column> {
    table.column(name).ok_or_else(|| {
        let name = shown(name);
        error(
            "0x80041103",
            format!("'{}' entity doesn't contain attribute with Name = '{name}'.", table.logical_name),
        )
    })
}
