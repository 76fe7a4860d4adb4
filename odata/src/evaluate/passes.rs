//! Whether a row passes, other rows taken into account.

use super::Rows;
use crate::collate::compare_values;
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::{column_not_found, matches, Filter};
use crate::navigation::{navigation, Navigation};
use crate::value::{EntityRef, Row, Value};

/// A row's value; null where there is no row.
pub(super) fn cell(row: Option<&Row>, column: &str) -> Value {
    row.and_then(|row| row.get(column)).cloned().unwrap_or_default()
}

/// Rows and what they mean.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) rows: &'a dyn Rows,
    pub(super) schema: &'a Schema,
}

impl<'a> World<'a> {
    /// Whether a row of a table passes. `None` is the row of nulls that a path leads to when it leads nowhere.
    pub(super) fn passes(self, filter: &Filter, table: &'a Table, row: Option<&'a Row>) -> Result<bool> {
        match filter {
            Filter::And(items) => {
                for item in items {
                    if !self.passes(item, table, row)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Or(items) => {
                for item in items {
                    if self.passes(item, table, row)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Not(inner) => Ok(!self.passes(inner, table, row)?),
            Filter::Through { navigation, filter } => {
                let (target, row) = self.step(table, row, navigation)?;
                self.passes(filter, target, row)
            }
            Filter::Any { collection, filter } => {
                let (target, rows) = self.collection(table, row, collection)?;
                for row in rows {
                    if self.passes(filter, target, Some(row))? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Function { .. } => {
                Err(ODataError::new(500, "0x80040216", "A query function was not resolved before."))
            }
            Filter::Compare { .. }
            | Filter::CompareColumns { .. }
            | Filter::Text { .. }
            | Filter::HasValues { .. }
            | Filter::Always(_) => Ok(matches(filter, &|column| cell(row, column))),
        }
    }

    /// Table and row that a single-valued navigation property leads to. Where it can lead to several tables, the
    /// one that this row's lookup points to.
    pub(super) fn step(
        self,
        table: &'a Table,
        row: Option<&'a Row>,
        name: &str,
    ) -> Result<(&'a Table, Option<&'a Row>)> {
        let Some(Navigation::ToOne { column, targets }) = navigation(self.schema, table, name) else {
            return Err(column_not_found(table, name));
        };
        let first = *targets.first().ok_or_else(|| column_not_found(table, name))?;
        let Value::Lookup(EntityRef { table: wanted, id }) = cell(row, &column.logical_name) else {
            return Ok((first, None));
        };
        let Some(target) = targets.into_iter().find(|target| target.logical_name == wanted) else {
            return Ok((first, None));
        };
        let mut rows = self.rows.rows(&target.logical_name).iter();
        Ok((target, rows.find(|row| row.get(&target.primary_id) == Some(&Value::Guid(id)))))
    }

    /// Table and rows of a collection-valued navigation property, in any order, each row once.
    pub(super) fn collection(
        self,
        table: &'a Table,
        row: Option<&'a Row>,
        name: &str,
    ) -> Result<(&'a Table, Vec<&'a Row>)> {
        let id = cell(row, &table.primary_id);
        let found = navigation(self.schema, table, name);
        match found {
            Some(Navigation::ToMany { table: target, column }) => {
                let points_here = |row: &&Row| match (row.get(&column.logical_name), &id) {
                    (Some(Value::Lookup(to)), Value::Guid(id)) => {
                        to.id == *id && to.table == table.logical_name
                    }
                    _ => false,
                };
                Ok((target, self.rows.rows(&target.logical_name).iter().filter(points_here).collect()))
            }
            Some(Navigation::ManyToMany { table: target, intersect, near, far }) => {
                let pairs = self.rows.rows(&intersect.logical_name).iter();
                let others: Vec<Value> = pairs
                    .filter(|pair| same(&cell(Some(pair), near), &id))
                    .map(|pair| cell(Some(pair), far))
                    .collect();
                let paired = |row: &&Row| {
                    let key = cell(Some(row), &target.primary_id);
                    others.iter().any(|other| same(other, &key))
                };
                Ok((target, self.rows.rows(&target.logical_name).iter().filter(paired).collect()))
            }
            Some(Navigation::ToOne { .. }) | None => Err(column_not_found(table, name)),
        }
    }

    /// The value at the end of a path.
    pub(super) fn along(
        self,
        mut table: &'a Table,
        mut row: Option<&'a Row>,
        path: &[String],
        column: &str,
    ) -> Result<Value> {
        for name in path {
            (table, row) = self.step(table, row, name)?;
        }
        match table.column(column) {
            Some(_) => Ok(cell(row, column)),
            None => Err(column_not_found(table, column)),
        }
    }
}

fn same(left: &Value, right: &Value) -> bool {
    compare_values(left, right).is_some_and(std::cmp::Ordering::is_eq)
}
