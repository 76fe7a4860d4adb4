//! Queries of the Web API over rows in memory.

use super::figures::{average, count, sum};
use super::passes::{cell, World};
use super::Rows;
use crate::collate::value_order;
use crate::edm::{Schema, Table};
use crate::error::Result;
use crate::fetchxml::{too_many_rows, AGGREGATE_ROWS_MAX};
use crate::filter::Filter;
use crate::query::{Aggregate, AggregateOp, Apply, Expand, OrderBy, Query};
use crate::value::{Row, Value};
use std::cmp::Ordering;

/// The answer to a query, whatever page is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<'a> {
    /// Rows, unless `$apply` is asked for.
    Rows(List<'a>),
    /// Of each group the keys and the figures by their names, in the order asked for. Groups stand in the order of
    /// their keys.
    Groups(Vec<Vec<(String, Value)>>),
}

/// Rows in order.
#[derive(Debug, Clone, PartialEq)]
pub struct List<'a> {
    /// At most `$top`.
    pub rows: Vec<Found<'a>>,
    /// How many there are without `$top`.
    pub total: usize,
}

/// A row, with what is expanded of it. Which of its columns are shown is left to whoever renders.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'a> {
    /// Logical name of its table.
    pub table: &'a str,
    /// Every column.
    pub row: &'a Row,
    /// One for each navigation property expanded, in that order.
    pub expanded: Vec<Expanded<'a>>,
}

/// What is expanded of a navigation property.
#[derive(Debug, Clone, PartialEq)]
pub enum Expanded<'a> {
    /// The row behind a lookup, if there is one.
    One(Option<Box<Found<'a>>>),
    /// The rows of a collection.
    Many(List<'a>),
}

/// Answers a query on a table. Its filters must be resolved ([`crate::filter::resolve`]); `$skiptoken`, `$deltatoken`,
/// views and FetchXML are not looked at.
///
/// # Errors
/// 400 when the schema is another one than the query was read with, when `$apply` goes over more than
/// [`AGGREGATE_ROWS_MAX`] rows, or when a sum is too large; 500 when a filter was not resolved.
pub fn find<'a>(
    rows: &'a dyn Rows,
    schema: &'a Schema,
    table: &'a Table,
    query: &Query,
) -> Result<Answer<'a>> {
    let world = World { rows, schema };
    let all: Vec<&Row> = rows.rows(&table.logical_name).iter().collect();
    if let Some(apply) = &query.apply {
        let passing = world.filtered(all, table, query.filter.as_ref())?;
        let passing = world.filtered(passing, table, apply.filter.as_ref())?;
        return world.groups(&passing, table, apply).map(Answer::Groups);
    }
    let wanted = Wanted {
        filter: query.filter.as_ref(),
        orderby: &query.orderby,
        top: query.top,
        expand: &query.expand,
    };
    world.list(all, table, wanted).map(Answer::Rows)
}

/// What of a list is wanted.
struct Wanted<'q> {
    filter: Option<&'q Filter>,
    orderby: &'q [OrderBy],
    top: Option<u32>,
    expand: &'q [Expand],
}

impl<'a> World<'a> {
    fn filtered(self, rows: Vec<&'a Row>, table: &'a Table, filter: Option<&Filter>) -> Result<Vec<&'a Row>> {
        let Some(filter) = filter else { return Ok(rows) };
        let mut passing = Vec::new();
        for row in rows {
            if self.passes(filter, table, Some(row))? {
                passing.push(row);
            }
        }
        Ok(passing)
    }

    fn list(self, rows: Vec<&'a Row>, table: &'a Table, wanted: Wanted<'_>) -> Result<List<'a>> {
        let mut keyed = Vec::new();
        for row in self.filtered(rows, table, wanted.filter)? {
            let mut key = Vec::new();
            for by in wanted.orderby {
                key.push(self.along(table, Some(row), &by.path, &by.column)?);
            }
            key.push(cell(Some(row), &table.primary_id));
            keyed.push((key, row));
        }
        keyed.sort_by(|(left, _), (right, _)| {
            let descending = wanted.orderby.iter().map(|by| by.descending).chain([false]);
            let orders = left.iter().zip(right).zip(descending).map(|((left, right), descending)| {
                let order = value_order(left, right);
                if descending {
                    order.reverse()
                } else {
                    order
                }
            });
            orders.fold(Ordering::Equal, Ordering::then)
        });
        let total = keyed.len();
        let top = wanted.top.and_then(|top| usize::try_from(top).ok()).unwrap_or(usize::MAX);
        let shown = keyed.into_iter().take(top);
        let rows =
            shown.map(|(_, row)| self.with_expanded(row, table, wanted.expand)).collect::<Result<_>>()?;
        Ok(List { rows, total })
    }

    fn with_expanded(self, row: &'a Row, table: &'a Table, expand: &[Expand]) -> Result<Found<'a>> {
        let mut expanded = Vec::new();
        for one in expand {
            expanded.push(match one.collection {
                true => {
                    let (target, rows) = self.collection(table, Some(row), &one.navigation)?;
                    let wanted = Wanted {
                        filter: one.filter.as_ref(),
                        orderby: &one.orderby,
                        top: one.top,
                        expand: &one.expand,
                    };
                    Expanded::Many(self.list(rows, target, wanted)?)
                }
                false => {
                    let (target, found) = self.step(table, Some(row), &one.navigation)?;
                    let found = found.map(|row| self.with_expanded(row, target, &one.expand)).transpose()?;
                    Expanded::One(found.map(Box::new))
                }
            });
        }
        Ok(Found { table: &table.logical_name, row, expanded })
    }

    /// Groups in the order of their keys. Texts are grouped without case and show the spelling of the row with the
    /// smallest primary key. Without keys there is one group, even of no rows.
    fn groups(self, rows: &[&'a Row], table: &'a Table, apply: &Apply) -> Result<Vec<Vec<(String, Value)>>> {
        if rows.len() > usize::try_from(AGGREGATE_ROWS_MAX).unwrap_or(usize::MAX) {
            return Err(too_many_rows());
        }
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| {
            value_order(&cell(Some(a), &table.primary_id), &cell(Some(b), &table.primary_id))
        });
        let mut groups: Vec<(Vec<Value>, Vec<&Row>)> = Vec::new();
        if apply.group.is_empty() {
            groups.push((Vec::new(), Vec::new()));
        }
        for row in rows {
            let keys = apply.group.iter().map(|key| self.along(table, Some(row), &key.path, &key.column));
            let key = keys.collect::<Result<Vec<Value>>>()?;
            match groups.iter_mut().find(|(known, _)| order_of(known, &key).is_eq()) {
                Some((_, members)) => members.push(row),
                None => groups.push((key, vec![row])),
            }
        }
        groups.sort_by(|(left, _), (right, _)| order_of(left, right));
        groups.into_iter().map(|(key, members)| self.group(&key, &members, table, apply)).collect()
    }

    fn group(
        self,
        key: &[Value],
        members: &[&'a Row],
        table: &'a Table,
        apply: &Apply,
    ) -> Result<Vec<(String, Value)>> {
        let keys = apply.group.iter().zip(key).map(|(of, value)| (of.alias.clone(), value.clone()));
        let mut shown: Vec<(String, Value)> = keys.collect();
        for aggregate in &apply.aggregates {
            shown.push((aggregate.alias.clone(), self.figure(aggregate, members, table)?));
        }
        Ok(shown)
    }

    fn figure(self, aggregate: &Aggregate, members: &[&'a Row], table: &'a Table) -> Result<Value> {
        let Some((path, column)) = &aggregate.column else { return Ok(count(members.len())) };
        let mut values = Vec::new();
        for row in members {
            values.push(self.along(table, Some(row), path, column)?);
        }
        values.retain(|value| !value.is_null());
        values.sort_by(value_order);
        match aggregate.op {
            AggregateOp::Sum => sum(&values),
            AggregateOp::Average if values.is_empty() => Ok(Value::Null),
            AggregateOp::Average => average(&sum(&values)?, values.len()),
            AggregateOp::Min => Ok(values.first().cloned().unwrap_or_default()),
            // Of equal ones (`1.5`, `1.50`) the first: that of the smallest primary key, as for the least.
            AggregateOp::Max => {
                let most = values.last();
                let equal = |value: &&Value| most.is_some_and(|most| value_order(value, most).is_eq());
                Ok(values.iter().find(equal).cloned().unwrap_or_default())
            }
            AggregateOp::Count => Ok(count(members.len())),
            AggregateOp::CountDistinct => {
                values.dedup_by(|a, b| value_order(a, b).is_eq());
                Ok(count(values.len()))
            }
        }
    }
}

fn order_of(left: &[Value], right: &[Value]) -> Ordering {
    left.iter().zip(right).map(|(left, right)| value_order(left, right)).fold(Ordering::Equal, Ordering::then)
}
