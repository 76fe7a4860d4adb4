//! Which rows of each table a profile wants, in the words of `$filter`. Pure.
//!
//! A relationship is followed from the rows that the other table's own `rows` keep, and no further: a row that only came
//! because it is related brings no others. So what a table wants never depends on what is here.

use super::view;
use crate::model::{Profile, RowsOf, TableProfile, Wanted};
use crate::replica::is_held;
use flette_odata::edm::{Schema, Table};
use flette_odata::filter::{parse_filter, print_filter, CompareOp, Filter};
use flette_odata::navigation::{navigation, Navigation};
use flette_odata::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Whom macros mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Me {
    pub(super) user: Uuid,
    pub(super) business_unit: Uuid,
}

/// FetchXML of views by the table whose rows they choose, or why there is none.
pub(super) type Views = BTreeMap<String, std::result::Result<String, String>>;

/// What is wanted of tables that are not wanted whole. `schema` is the server's, with all columns.
pub(super) fn wanted(
    schema: &Schema,
    (profile, views): (&Profile, &Views),
    me: Me,
) -> BTreeMap<String, Wanted> {
    let reader = Reader { schema, profile, views, me };
    let tables = profile.tables.iter().filter_map(|(name, set)| Some((schema.table(name)?, set)));
    let mut wanted = BTreeMap::new();
    // Rows that others hold always come whole.
    for (table, set) in tables.filter(|(table, _)| !is_held(schema, &table.logical_name)) {
        let name = table.logical_name.clone();
        match reader.wanted(table, set) {
            Ok(None) => {}
            Ok(Some(rows)) => drop(wanted.insert(name, rows)),
            Err(why) => drop(wanted.insert(name, Wanted::Unknown { why: format!("The profile: {why}.") })),
        }
    }
    wanted
}

/// The `rows` of one table.
enum Own {
    All,
    /// None are set, as it only has related ones.
    None,
    Some {
        text: String,
        filter: Option<Filter>,
    },
}

type Result<T> = std::result::Result<T, String>;

struct Reader<'a> {
    schema: &'a Schema,
    profile: &'a Profile,
    views: &'a Views,
    me: Me,
}

impl Reader<'_> {
    fn wanted(&self, table: &Table, set: &TableProfile) -> Result<Option<Wanted>> {
        let own = self.own(table, set)?;
        let mut filters: Vec<Filter> = Vec::new();
        for name in &set.related {
            filters.push(self.related(table, name)?);
        }
        let (text, own) = match own {
            Own::All => return Ok(None),
            Own::None => (None, None),
            Own::Some { text, filter } => (Some(text), filter),
        };
        let related = (!filters.is_empty()).then_some(Filter::Or(filters));
        let looks_at = own.iter().chain(&related).fold(BTreeSet::new(), |mut tables, filter| {
            look(self.schema, table, filter, &mut tables);
            tables
        });
        let related = related.map(|related| self.print(table, &related)).transpose()?;
        let filter = match (text, related) {
            (Some(text), None) => text,
            (Some(text), Some(related)) => format!("({text}) or {related}"),
            (None, related) => related.unwrap_or_default(),
        };
        Ok(Some(Wanted::Rows { filter, looks_at }))
    }

    fn own(&self, table: &Table, set: &TableProfile) -> Result<Own> {
        let name = &table.logical_name;
        Ok(match &set.rows {
            // What makes no sense here may make sense to the server.
            Some(RowsOf::Filter(text)) => {
                let text = RowsOf::filter(text, self.me.user, self.me.business_unit);
                let filter = parse_filter(&text, table, self.schema).ok();
                Own::Some { text, filter }
            }
            Some(RowsOf::View(_)) => {
                let of_view = |why: String| format!("the view for the rows of '{name}': {why}");
                let fetch_xml = match self.views.get(name) {
                    Some(found) => found.clone().map_err(of_view)?,
                    None => return Err(of_view("it was not read".to_owned())),
                };
                match view::filter(&fetch_xml, table, self.schema, self.me).map_err(of_view)? {
                    Filter::Always(true) => Own::All,
                    filter => Own::Some { text: self.print(table, &filter)?, filter: Some(filter) },
                }
            }
            None if set.related.is_empty() => Own::All,
            None => Own::None,
        })
    }

    /// Rows from which a navigation property leads to a row that the other table's `rows` keep.
    fn related(&self, table: &Table, name: &str) -> Result<Filter> {
        let own = &table.logical_name;
        let found = navigation(self.schema, table, name).ok_or_else(|| {
            format!("the table '{own}' has no navigation property '{name}' to a table that goes offline")
        })?;
        let (other, collection) = match found {
            Navigation::ToOne { targets, .. } => match targets.as_slice() {
                [target] => (*target, false),
                [] => return Err(format!("'{name}' of '{own}' leads to a table that does not go offline")),
                _ => return Err(format!("'{name}' of '{own}' leads to several tables")),
            },
            Navigation::ToMany { table, .. } | Navigation::ManyToMany { table, .. } => (table, true),
        };
        let kept = self.kept(other, name)?;
        match collection {
            false => Ok(to_one(name, other, kept)),
            true if has_any(&kept) => Err(format!(
                "'{name}' of '{own}' cannot be followed, since the rows of '{}' go by a collection",
                other.logical_name
            )),
            true => Ok(Filter::Any { collection: name.to_owned(), filter: Box::new(kept) }),
        }
    }

    /// What the `rows` of a table that is followed keep.
    fn kept(&self, other: &Table, name: &str) -> Result<Filter> {
        let to = &other.logical_name;
        let Some(set) = self.profile.tables.get(to) else { return Ok(Filter::Always(true)) };
        match self.own(other, set)? {
            Own::All => Ok(Filter::Always(true)),
            Own::Some { filter: Some(filter), .. } => Ok(filter),
            Own::None => Err(format!("'{name}' leads to '{to}', of which only related rows are kept")),
            Own::Some { filter: None, .. } => {
                Err(format!("'{name}' leads to '{to}', whose rows are not understood here"))
            }
        }
    }

    /// The text of a filter, which must mean the same again.
    fn print(&self, table: &Table, filter: &Filter) -> Result<String> {
        let text = print_filter(filter, table, self.schema);
        match parse_filter(&text, table, self.schema) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("the rows of '{}': {}", table.logical_name, error.message)),
        }
    }
}

/// The row that a single-valued property leads to exists, and passes.
pub(super) fn to_one(navigation: &str, other: &Table, filter: Filter) -> Filter {
    let exists =
        Filter::Compare { column: other.primary_id.clone(), op: CompareOp::NotEqual, value: Value::Null };
    let exists = through(navigation, exists);
    match filter {
        Filter::Always(true) => exists,
        filter => Filter::And(vec![exists, through(navigation, filter)]),
    }
}

/// A condition on the row that a single-valued property leads to, as a text can say it: one path to each column.
pub(super) fn through(navigation: &str, filter: Filter) -> Filter {
    let each = |items: Vec<Filter>| items.into_iter().map(|item| through(navigation, item)).collect();
    match filter {
        Filter::And(items) => Filter::And(each(items)),
        Filter::Or(items) => Filter::Or(each(items)),
        Filter::Not(inner) => Filter::Not(Box::new(through(navigation, *inner))),
        Filter::Always(value) => Filter::Always(value),
        leaf @ (Filter::Compare { .. }
        | Filter::CompareColumns { .. }
        | Filter::Text { .. }
        | Filter::HasValues { .. }
        | Filter::Through { .. }
        | Filter::Any { .. }
        | Filter::Function { .. }) => {
            Filter::Through { navigation: navigation.to_owned(), filter: Box::new(leaf) }
        }
    }
}

/// Whether a filter asks about rows of a collection: no other may stand around it.
pub(super) fn has_any(filter: &Filter) -> bool {
    match filter {
        Filter::And(items) | Filter::Or(items) => items.iter().any(has_any),
        Filter::Not(inner) | Filter::Through { filter: inner, .. } => has_any(inner),
        Filter::Any { .. } => true,
        Filter::Compare { .. }
        | Filter::CompareColumns { .. }
        | Filter::Text { .. }
        | Filter::HasValues { .. }
        | Filter::Function { .. }
        | Filter::Always(_) => false,
    }
}

/// The tables whose rows a filter asks about, besides the row itself.
fn look(schema: &Schema, table: &Table, filter: &Filter, tables: &mut BTreeSet<String>) {
    match filter {
        Filter::And(items) | Filter::Or(items) => {
            items.iter().for_each(|item| look(schema, table, item, tables));
        }
        Filter::Not(inner) => look(schema, table, inner, tables),
        Filter::Through { navigation: name, filter } | Filter::Any { collection: name, filter } => {
            let others = match navigation(schema, table, name) {
                Some(Navigation::ToOne { targets, .. }) => targets,
                Some(Navigation::ToMany { table, .. }) => vec![table],
                Some(Navigation::ManyToMany { table, intersect, .. }) => {
                    tables.insert(intersect.logical_name.clone());
                    vec![table]
                }
                None => Vec::new(),
            };
            for other in others {
                tables.insert(other.logical_name.clone());
                look(schema, other, filter, tables);
            }
        }
        Filter::Compare { .. }
        | Filter::CompareColumns { .. }
        | Filter::Text { .. }
        | Filter::HasValues { .. }
        | Filter::Function { .. }
        | Filter::Always(_) => {}
    }
}

#[cfg(test)]
mod tests;
