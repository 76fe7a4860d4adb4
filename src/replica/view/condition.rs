//! Filters that speak of other tables, as conditions on one.

use super::seen::At;
use super::View;
use crate::mirror::{Condition, IdSet};
use flette_odata::error::Result;
use flette_odata::filter::{matches, Filter};
use flette_odata::navigation::{navigation, single_target, Navigation};
use flette_odata::render::Cell;
use flette_odata::{ODataError, Table, Uuid, Value};
use std::borrow::Cow;

impl View<'_> {
    /// A resolved filter as a condition on a table's rows.
    ///
    /// # Errors
    /// 501 when it speaks of a table that is not here; 400 when the schema is another one than it was read with.
    pub(super) fn condition<'f>(&self, filter: &'f Filter, table: &'f Table) -> Result<Condition<'f>> {
        if filter.is_of_one_row() {
            return Ok(Condition::Plain(Cow::Borrowed(filter)));
        }
        let all = |items: &'f [Filter]| -> Result<Vec<Condition<'f>>> {
            items.iter().map(|item| self.condition(item, table)).collect()
        };
        match filter {
            Filter::And(items) => Ok(Condition::And(all(items)?)),
            Filter::Or(items) => Ok(Condition::Or(all(items)?)),
            Filter::Not(inner) => Ok(Condition::Not(Box::new(self.condition(inner, table)?))),
            Filter::Through { navigation, filter } => self.through(table, navigation, filter),
            Filter::Any { collection, filter } => self.any(table, collection, filter),
            Filter::Function { .. } => {
                Err(ODataError::new(500, "0x80040216", "A query function was not resolved before."))
            }
            Filter::Compare { .. }
            | Filter::CompareColumns { .. }
            | Filter::Text { .. }
            | Filter::HasValues { .. }
            | Filter::Always(_) => Ok(Condition::Plain(Cow::Borrowed(filter))),
        }
    }

    /// A condition on the row behind a lookup. Where there is none it is judged on nulls: when those pass, all rows pass
    /// but those that lead to a row that does not.
    fn through<'f>(
        &self,
        table: &'f Table,
        navigation: &'f str,
        filter: &'f Filter,
    ) -> Result<Condition<'f>> {
        let target = single_target(&self.state.schema, table, navigation)?;
        let (lookup, _) = table.navigation(navigation).ok_or_else(|| missing(navigation))?;
        let seen = self.seen(target)?;
        let inner = self.condition(filter, seen.table)?;
        let nothing_passes = passes_without_row(filter);
        let wanted = if nothing_passes { Condition::Not(Box::new(inner)) } else { inner };
        let ids = seen.select(Some(&wanted)).into_iter().map(|at| seen.id(at)).collect();
        let leads = Condition::Leads {
            column: Cow::Borrowed(&lookup.logical_name),
            table: Some(Cow::Owned(target.logical_name.clone())),
            ids,
        };
        Ok(if nothing_passes { Condition::Not(Box::new(leads)) } else { leads })
    }

    fn any<'f>(&self, table: &Table, collection: &str, filter: &Filter) -> Result<Condition<'f>> {
        let ids = match navigation(&self.state.schema, table, collection) {
            Some(Navigation::ToMany { table: rows, column }) => {
                let seen = self.seen(rows)?;
                let condition = self.condition(filter, seen.table)?;
                let passing = seen.select(Some(&condition));
                let lookups = seen.columns([column.logical_name.as_str()]);
                let holder = |at: At| match lookups.cell(at, 0) {
                    Cell::Lookup { table: to, id } if to == table.logical_name => Some(id),
                    _ => None,
                };
                passing.into_iter().filter_map(holder).collect()
            }
            Some(Navigation::ManyToMany { table: rows, intersect, near, far }) => {
                let seen = self.seen(rows)?;
                let condition = self.condition(filter, seen.table)?;
                let passing: IdSet =
                    seen.select(Some(&condition)).into_iter().map(|at| seen.id(at)).collect();
                let pairs = self.pairs(intersect, near, far)?;
                pairs.into_iter().filter(|(_, far)| passing.contains(*far)).map(|(near, _)| near).collect()
            }
            Some(Navigation::ToOne { .. }) | None => return Err(missing(collection)),
        };
        Ok(Condition::Among(ids))
    }

    /// The pairs of an intersect table: ids of this end and of the other.
    pub(super) fn pairs(&self, intersect: &Table, near: &str, far: &str) -> Result<Vec<(Uuid, Uuid)>> {
        let seen = self.seen(intersect)?;
        let ends = seen.columns([near, far]);
        let end = |at: At, column: usize| match ends.cell(at, column) {
            Cell::Guid(id) | Cell::Lookup { id, .. } => Some(id),
            _ => None,
        };
        Ok(seen.select(None).into_iter().filter_map(|at| end(at, 0).zip(end(at, 1))).collect())
    }
}

/// Whether a condition holds for a row whose every column is null.
fn passes_without_row(filter: &Filter) -> bool {
    match filter {
        Filter::And(items) => items.iter().all(passes_without_row),
        Filter::Or(items) => items.iter().any(passes_without_row),
        Filter::Not(inner) => !passes_without_row(inner),
        Filter::Through { filter, .. } => passes_without_row(filter),
        Filter::Any { .. } | Filter::Function { .. } => false,
        Filter::Compare { .. }
        | Filter::CompareColumns { .. }
        | Filter::Text { .. }
        | Filter::HasValues { .. }
        | Filter::Always(_) => matches(filter, &|_| Value::Null),
    }
}

pub(super) fn missing(name: &str) -> ODataError {
    ODataError::bad_request(format!("Could not find a property named '{name}'."))
}
