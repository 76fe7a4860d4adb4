//! FetchXML over rows in memory: nested loops.

use super::figures::{average, count, sum};
use super::Rows;
use crate::collate::{compare_values, value_order};
use crate::edm::Schema;
use crate::error::Result;
use crate::fetchxml::{
    too_many_rows, Condition, Criteria, Entity, Fetch, Figure, Link, LinkKind, Output, Position, Role, Test,
};
use crate::filter::matches;
use crate::value::{Row, Value};
use std::cmp::Ordering;

/// One row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// Values by [`Fetch::outputs`].
    pub cells: Vec<Value>,
    /// Values by [`Fetch::positions`]; none in an aggregate.
    pub position: Vec<Value>,
}

/// Every row of the answer, in order, whatever page is asked for. Conditions must be resolved
/// ([`Fetch::resolve`]).
///
/// # Errors
/// 400 when the schema is another one than the query was read with, and `0x8004e023` when an aggregate goes
/// over more rows than it may.
pub fn fetch(
    rows: &dyn Rows,
    schema: &Schema,
    fetch: &Fetch,
    utc_offset_minutes: i32,
) -> Result<Vec<Fetched>> {
    let evaluation = Evaluation { rows, schema, fetch };
    let joined = evaluation.joined()?;
    let outputs = fetch.outputs(schema)?;
    if fetch.aggregate {
        return evaluation.groups(&joined, &outputs, utc_offset_minutes);
    }
    let positions = fetch.positions(schema)?;
    let mut found: Vec<Fetched> = joined
        .iter()
        .map(|row| Fetched {
            cells: outputs
                .iter()
                .map(|output| cell(row, output.place, &output.column.logical_name))
                .collect(),
            position: positions.iter().map(|at| cell(row, at.place, &at.column.logical_name)).collect(),
        })
        .collect();
    found.sort_by(|left, right| in_order(&left.position, &right.position, &positions));
    if fetch.distinct {
        found = distinct(found, &positions);
    }
    Ok(found)
}

/// Rows that stand side by side, by place; `None` where an outer join found nothing.
type Joined<'a> = Vec<Option<&'a Row>>;

struct Evaluation<'a> {
    rows: &'a dyn Rows,
    schema: &'a Schema,
    fetch: &'a Fetch,
}

fn cell(row: &Joined, place: usize, column: &str) -> Value {
    row.get(place).copied().flatten().and_then(|row| row.get(column)).cloned().unwrap_or_default()
}

fn own(row: &Row, column: &str) -> Value {
    row.get(column).cloned().unwrap_or_default()
}

impl<'a> Evaluation<'a> {
    fn joined(&self) -> Result<Vec<Joined<'a>>> {
        let entity = &self.fetch.entity;
        let mut all = Vec::new();
        for row in self.rows.rows(&entity.table) {
            if self.apart(entity, row)? {
                for joined in self.beside(entity, row)? {
                    if self.all_hold(&entity.criteria, row, &joined)? {
                        all.push(joined);
                    }
                }
            }
        }
        Ok(all)
    }

    /// Whether links that are only asked after are fulfilled.
    fn apart(&self, entity: &Entity, row: &Row) -> Result<bool> {
        for link in entity.links.iter().filter(|link| !link.kind.joins()) {
            if !self.has_match(link, row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A row with everything joined below it.
    fn beside(&self, entity: &Entity, row: &'a Row) -> Result<Vec<Joined<'a>>> {
        let mut all = vec![vec![Some(row)]];
        for link in entity.links.iter().filter(|link| link.kind.joins()) {
            let below = self.below(link, row)?;
            all = all
                .into_iter()
                .flat_map(|left| below.iter().map(move |right| [left.clone(), right.clone()].concat()))
                .collect();
        }
        Ok(all)
    }

    fn below(&self, link: &Link, row: &Row) -> Result<Vec<Joined<'a>>> {
        let mut candidates = self.behind(link, row);
        let key = self.schema.table(&link.entity.table).map(|table| table.primary_id.as_str());
        candidates.sort_by(|a, b| value_order(&own(a, key.unwrap_or("")), &own(b, key.unwrap_or(""))));
        let mut all = Vec::new();
        for candidate in candidates {
            if !self.all_hold(&link.entity.criteria, candidate, &vec![Some(candidate)])?
                || !self.apart(&link.entity, candidate)?
            {
                continue;
            }
            all.extend(self.beside(&link.entity, candidate)?);
            if link.kind == LinkKind::First && !all.is_empty() {
                break;
            }
        }
        if link.kind == LinkKind::Outer && all.is_empty() {
            all.push(vec![None; 1 + link.entity.joined().len()]);
        }
        Ok(all)
    }

    /// Rows whose column equals that of the row above, whatever the link's conditions.
    fn behind(&self, link: &Link, row: &Row) -> Vec<&'a Row> {
        let wanted = own(row, &link.to);
        let rows = self.rows.rows(&link.entity.table).iter();
        rows.filter(|row| compare_values(&own(row, &link.from), &wanted) == Some(Ordering::Equal)).collect()
    }

    /// Whether a row lets its link be fulfilled that is not joined.
    fn has_match(&self, link: &Link, row: &Row) -> Result<bool> {
        let behind = self.behind(link, row);
        let mut met = false;
        for candidate in &behind {
            met = met || self.meets(&link.entity, candidate)?;
        }
        Ok(match link.kind {
            LinkKind::NotAny => !met,
            LinkKind::All => !behind.is_empty() && !met,
            LinkKind::Inner
            | LinkKind::Outer
            | LinkKind::First
            | LinkKind::Exists
            | LinkKind::In
            | LinkKind::Any
            | LinkKind::NotAll => met,
        })
    }

    /// Whether a row meets the conditions of an entity nothing is shown of, and has what its links ask for.
    fn meets(&self, entity: &Entity, row: &Row) -> Result<bool> {
        if !self.all_hold(&entity.criteria, row, &vec![Some(row)])? {
            return Ok(false);
        }
        for link in entity.links.iter().filter(|link| link.kind != LinkKind::Outer) {
            if !self.has_match(link, row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn all_hold(&self, criteria: &[Criteria], row: &Row, joined: &Joined) -> Result<bool> {
        for one in criteria {
            if !self.holds(one, row, joined)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, criteria: &Criteria, row: &Row, joined: &Joined) -> Result<bool> {
        match criteria {
            Criteria::And(parts) => self.all_hold(parts, row, joined),
            Criteria::Or(parts) => {
                for part in parts {
                    if self.holds(part, row, joined)? {
                        return Ok(true);
                    }
                }
                Ok(parts.is_empty())
            }
            Criteria::Link(link) => self.has_match(link, row),
            Criteria::Condition(condition) => Ok(self.condition(condition, row, joined)),
        }
    }

    fn condition(&self, condition: &Condition, row: &Row, joined: &Joined) -> bool {
        let value = |entity: &Option<String>, column: &str| match entity {
            None => own(row, column),
            Some(alias) => cell(joined, self.fetch.place(Some(alias)), column),
        };
        match &condition.test {
            Test::Values { filter, .. } => matches(filter, &|column| value(&condition.entity, column)),
            Test::Column { op, entity, column } => {
                let left = value(&condition.entity, &condition.column);
                compare_values(&left, &value(entity, column)).is_some_and(|order| op.holds(order))
            }
        }
    }

    fn groups(&self, joined: &[Joined], outputs: &[Output], utc_offset_minutes: i32) -> Result<Vec<Fetched>> {
        if joined.len() > usize::try_from(self.fetch.aggregate_rows_max).unwrap_or(usize::MAX) {
            return Err(too_many_rows());
        }
        let keys = |row: &Joined| -> Vec<Value> {
            let grouped = outputs.iter().filter_map(|output| match output.role {
                Role::Group(grouping) => {
                    let value = cell(row, output.place, &output.column.logical_name);
                    Some(grouping.map_or(value.clone(), |part| part.of(&value, utc_offset_minutes)))
                }
                Role::Plain | Role::Aggregate(_) => None,
            });
            grouped.collect()
        };
        let mut groups: Vec<(Vec<Value>, Vec<&Joined>)> = Vec::new();
        if !outputs.iter().any(|output| matches!(output.role, Role::Group(_))) {
            groups.push((Vec::new(), Vec::new()));
        }
        for row in joined {
            let key = keys(row);
            match groups.iter_mut().find(|(known, _)| alike(known, &key)) {
                Some((known, members)) => {
                    known.iter_mut().zip(key).for_each(|(known, value)| smaller_text(known, value));
                    members.push(row);
                }
                None => groups.push((key, vec![row])),
            }
        }
        let mut found = Vec::new();
        for (key, members) in groups {
            let mut key = key.into_iter();
            let cells = outputs.iter().map(|output| match output.role {
                Role::Group(_) => Ok(key.next().unwrap_or_default()),
                Role::Aggregate(figure) => {
                    let column = &output.column.logical_name;
                    figure_of(figure, members.iter().map(|row| cell(row, output.place, column)).collect())
                }
                Role::Plain => Ok(Value::Null),
            });
            found.push(Fetched { cells: cells.collect::<Result<_>>()?, position: Vec::new() });
        }
        let order = self.fetch.group_order(outputs)?;
        found.sort_by(|left, right| {
            let orders = order.iter().map(|(at, descending)| {
                let order = value_order(&left.cells[*at], &right.cells[*at]);
                if *descending {
                    order.reverse()
                } else {
                    order
                }
            });
            orders.fold(Ordering::Equal, Ordering::then)
        });
        Ok(found)
    }
}

fn in_order(left: &[Value], right: &[Value], positions: &[Position]) -> Ordering {
    let keys = left.iter().zip(right).zip(positions);
    let orders = keys.map(|((left, right), position)| {
        let order = value_order(left, right);
        if position.descending {
            order.reverse()
        } else {
            order
        }
    });
    orders.fold(Ordering::Equal, Ordering::then)
}

fn alike(left: &[Value], right: &[Value]) -> bool {
    left.iter().zip(right).all(|(left, right)| value_order(left, right).is_eq())
}

/// Rows that are alike become one, which shows of each text the spelling that comes first by code points.
fn distinct(sorted: Vec<Fetched>, positions: &[Position]) -> Vec<Fetched> {
    let mut found: Vec<Fetched> = Vec::new();
    for row in sorted {
        match found.last_mut().filter(|last| in_order(&last.position, &row.position, positions).is_eq()) {
            Some(last) => {
                last.cells.iter_mut().zip(row.cells).for_each(|(known, value)| smaller_text(known, value));
                last.position
                    .iter_mut()
                    .zip(row.position)
                    .for_each(|(known, value)| smaller_text(known, value));
            }
            None => found.push(row),
        }
    }
    found
}

fn smaller_text(known: &mut Value, other: Value) {
    if let (Value::Text(known), Value::Text(other)) = (known, other) {
        if other < *known {
            *known = other;
        }
    }
}

fn figure_of(figure: Figure, values: Vec<Value>) -> Result<Value> {
    let rows = values.len();
    let mut values: Vec<Value> = values.into_iter().filter(|value| !value.is_null()).collect();
    values.sort_by(value_order);
    match figure {
        Figure::Rows => Ok(count(rows)),
        Figure::Values => Ok(count(values.len())),
        Figure::DistinctValues => {
            values.dedup_by(|a, b| value_order(a, b).is_eq());
            Ok(count(values.len()))
        }
        Figure::Min => Ok(values.into_iter().next().unwrap_or_default()),
        Figure::Max => Ok(values.pop().unwrap_or_default()),
        Figure::Sum => sum(&values),
        Figure::Average if values.is_empty() => Ok(Value::Null),
        Figure::Average => average(&sum(&values)?, values.len()),
    }
}
