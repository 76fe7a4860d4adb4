//! Query functions rewritten to plain conditions, when it is known who asks, and when.

use super::calendar::{spans, Span};
use super::function::{CallerColumn, HierarchySide, QueryFunction};
use super::{CompareOp, Filter};
use crate::edm::{Column, ColumnKind, Schema, Table};
use crate::error::{ODataError, Result};
use crate::navigation::{navigation, single_target, Navigation};
use crate::time::{DAY_MILLIS, INSTANT_MAX, INSTANT_MIN};
use crate::value::Value;
use uuid::Uuid;

/// The language of everything that people read (`EqualUserLanguage`): English, United States, as Windows numbers it.
pub const LANGUAGE: i64 = 1033;

/// Who asks, and when.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
    /// The caller's `systemuserid`.
    pub user: Uuid,
    /// The caller's business unit.
    pub business_unit: Uuid,
    /// The caller's teams.
    pub teams: &'a [Uuid],
    /// Minutes to add to UTC for the caller's calendar.
    pub utc_offset_minutes: i32,
    /// Ids that answer a question about a hierarchy.
    pub hierarchy: &'a dyn Fn(&HierarchyQuestion) -> Result<Vec<Uuid>>,
}

/// Which rows stand above or under a row, that row itself never among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HierarchyQuestion {
    /// Logical name of the table.
    pub table: String,
    /// The table's lookup to itself (`parentaccountid`) that makes the hierarchy.
    pub parent: String,
    /// The row asked about.
    pub id: Uuid,
    /// Whether the rows above are asked for; else those under it.
    pub above: bool,
}

/// The same condition without [`Filter::Function`].
///
/// # Errors
/// 400 when a function asks for a hierarchy that the column's table does not have; what the callback gives.
pub fn resolve(filter: &Filter, table: &Table, schema: &Schema, at: &Circumstances<'_>) -> Result<Filter> {
    let all = |items: &[Filter]| -> Result<Vec<Filter>> {
        items.iter().map(|item| resolve(item, table, schema, at)).collect()
    };
    let boxed = |filter: &Filter, table: &Table| resolve(filter, table, schema, at).map(Box::new);
    Ok(match filter {
        Filter::And(items) => Filter::And(all(items)?),
        Filter::Or(items) => Filter::Or(all(items)?),
        Filter::Not(inner) => Filter::Not(boxed(inner, table)?),
        Filter::Through { navigation, filter } => {
            let target = single_target(schema, table, navigation)?;
            Filter::Through { navigation: navigation.clone(), filter: boxed(filter, target)? }
        }
        Filter::Any { collection, filter } => match navigation(schema, table, collection) {
            Some(Navigation::ToMany { table, .. } | Navigation::ManyToMany { table, .. }) => {
                Filter::Any { collection: collection.clone(), filter: boxed(filter, table)? }
            }
            Some(Navigation::ToOne { .. }) | None => {
                return Err(super::column_not_found(table, collection));
            }
        },
        Filter::Function { column, function } => {
            let column = table.column(column).ok_or_else(|| super::column_not_found(table, column))?;
            match spans(*function, local(at)) {
                Some(spans) => any_of(spans.into_iter().map(|span| within(column, span, at))),
                None => people(column, *function, table, schema, at)?,
            }
        }
        Filter::Compare { .. }
        | Filter::CompareColumns { .. }
        | Filter::Text { .. }
        | Filter::HasValues { .. }
        | Filter::Always(_) => filter.clone(),
    })
}

/// Now, as the caller's clock shows it.
fn local(at: &Circumstances<'_>) -> i64 {
    at.now.saturating_add(offset(at)).clamp(INSTANT_MIN, INSTANT_MAX)
}

fn offset(at: &Circumstances<'_>) -> i64 {
    i64::from(at.utc_offset_minutes) * 60_000
}

/// A column of dates or instants within a span of the caller's time.
fn within(column: &Column, (from, until): Span, at: &Circumstances<'_>) -> Filter {
    let compare = |op, value| Filter::Compare { column: column.logical_name.clone(), op, value };
    let day = |millis: i64| i32::try_from(millis.div_euclid(DAY_MILLIS)).map_or(Value::Null, Value::Date);
    let by_day = matches!(column.kind, ColumnKind::Date);
    let from = from.map(|from| match by_day {
        true => compare(CompareOp::GreaterOrEqual, day(from)),
        false => compare(CompareOp::GreaterOrEqual, Value::DateTime(from.saturating_sub(offset(at)))),
    });
    let until = until.map(|until| match by_day {
        // The day that holds the last instant counts as a whole.
        true => compare(CompareOp::LessOrEqual, day(until.saturating_sub(1))),
        false => compare(CompareOp::Less, Value::DateTime(until.saturating_sub(offset(at)))),
    });
    match (from, until) {
        (Some(from), Some(until)) => Filter::And(vec![from, until]),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => compare(CompareOp::NotEqual, Value::Null),
    }
}

/// What compares a column with the caller or with rows of a hierarchy.
fn people(
    column: &Column,
    function: QueryFunction,
    table: &Table,
    schema: &Schema,
    at: &Circumstances<'_>,
) -> Result<Filter> {
    let ids: Vec<Uuid> = match function {
        QueryFunction::Caller(CallerColumn::User) => vec![at.user],
        QueryFunction::Caller(CallerColumn::BusinessUnit) => vec![at.business_unit],
        QueryFunction::Caller(CallerColumn::Teams) => at.teams.to_vec(),
        QueryFunction::Caller(CallerColumn::UserOrTeams) => with(at.user, at.teams),
        QueryFunction::Caller(CallerColumn::UserOrHierarchy) => with(at.user, &subordinates(schema, at)?),
        QueryFunction::Caller(CallerColumn::UserOrHierarchyAndTeams) => {
            [with(at.user, at.teams), subordinates(schema, at)?].concat()
        }
        QueryFunction::Caller(CallerColumn::Language) => {
            return Ok(equal(column, Value::Int(LANGUAGE)));
        }
        QueryFunction::Hierarchy(side, id) => {
            let (table, parent) = hierarchy(column, table, schema)?;
            let above = matches!(side, HierarchySide::Above | HierarchySide::AboveOrEqual);
            let (table, parent) = (table.logical_name.clone(), parent.logical_name.clone());
            let others = (at.hierarchy)(&HierarchyQuestion { table, parent, id, above })?;
            match side {
                HierarchySide::Above | HierarchySide::Under => others,
                HierarchySide::AboveOrEqual | HierarchySide::UnderOrEqual => with(id, &others),
            }
        }
        // The calendar answers all others.
        _ => Vec::new(),
    };
    Ok(any_of(ids.into_iter().map(|id| equal(column, Value::Guid(id)))))
}

fn with(id: Uuid, others: &[Uuid]) -> Vec<Uuid> {
    std::iter::once(id).chain(others.iter().copied()).collect()
}

/// Everybody under the caller in the hierarchy of managers; nobody where the schema has none.
fn subordinates(schema: &Schema, at: &Circumstances<'_>) -> Result<Vec<Uuid>> {
    let Some(users) = schema.table("systemuser") else { return Ok(Vec::new()) };
    let Some(parent) = parent_lookup(users) else { return Ok(Vec::new()) };
    let (table, parent) = (users.logical_name.clone(), parent.logical_name.clone());
    (at.hierarchy)(&HierarchyQuestion { table, parent, id: at.user, above: false })
}

/// The table whose rows' ids a column holds, and that table's lookup to itself.
fn hierarchy<'a>(column: &Column, table: &'a Table, schema: &'a Schema) -> Result<(&'a Table, &'a Column)> {
    let held = match &column.kind {
        ColumnKind::Id => Some(table),
        ColumnKind::Lookup { targets } => match targets.as_slice() {
            [target] => schema.table(&target.table),
            _ => None,
        },
        _ => None,
    };
    held.and_then(|held| Some((held, parent_lookup(held)?))).ok_or_else(|| {
        ODataError::bad_request(format!(
            "The column '{}' leads to no hierarchy of rows.",
            column.logical_name
        ))
    })
}

/// A table's lookup to itself alone that makes a hierarchy: the first with `parent` in its name, as all of
/// Dataverse's have. `createdby` of a user is none.
fn parent_lookup(table: &Table) -> Option<&Column> {
    table.columns.iter().find(|column| match &column.kind {
        ColumnKind::Lookup { targets } => {
            column.logical_name.contains("parent")
                && matches!(targets.as_slice(), [target] if target.table == table.logical_name)
        }
        _ => false,
    })
}

fn equal(column: &Column, value: Value) -> Filter {
    Filter::Compare { column: column.logical_name.clone(), op: CompareOp::Equal, value }
}

/// At least one; nothing at all is never met.
fn any_of(filters: impl Iterator<Item = Filter>) -> Filter {
    let mut filters: Vec<Filter> = filters.collect();
    match filters.len() {
        0 => Filter::Always(false),
        1 => filters.remove(0),
        _ => Filter::Or(filters),
    }
}
