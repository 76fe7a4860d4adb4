//! `$expand`: what hangs on the rows of a page, read level by level.

use super::page::{options_link, Page};
use super::sheet::{part, Held, Plan, Press};
use super::{collection_table, row_url, Related, COUNT_MAX};
use crate::edm::{Column, Table};
use crate::error::{ODataError, Result};
use crate::filter::Filter;
use crate::query::Expand;
use crate::render::{write_text, ContextExpand, Nested};
use crate::value::Value;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Most rows that one expanded collection brings into one page, those of all rows taken together. The more
/// rows a page has, the fewer come with each of them before a next link.
pub const EXPANDED_ROWS_MAX: u64 = 50_000;

/// One navigation property that is expanded.
pub(super) struct Branch<'a> {
    expand: &'a Expand,
    to: To<'a>,
}

enum To<'a> {
    /// The row behind a lookup, by the table it is of: a lookup may lead to several.
    Row { lookup: Lookup<'a>, plans: Vec<Plan<'a>> },
    /// Only where a lookup leads.
    Reference { lookup: Lookup<'a>, first: &'a Table, tables: Vec<&'a Table> },
    /// The rows of a collection.
    Rows(Box<List<'a>>),
}

struct Lookup<'a> {
    /// Its place among the columns.
    at: usize,
    /// Tables that it may lead to by this property and that the schema does not have.
    unknown: Vec<&'a str>,
}

struct List<'a> {
    plan: Plan<'a>,
    filter: Option<Filter>,
    /// Names of what stands beside the rows.
    count: String,
    next: String,
}

/// What hangs on the rows of one page.
pub(super) enum Nest {
    /// Rows or references by their own id.
    Single(HashMap<Uuid, Vec<u8>>),
    /// Collections by the id of the row that has them.
    Lists(HashMap<Uuid, Collected>),
}

/// One row's collection.
#[derive(Default)]
pub(super) struct Collected {
    rows: Vec<u8>,
    count: Option<Vec<u8>>,
    next: Option<Vec<u8>>,
}

impl<'a> Branch<'a> {
    /// Makes a property of a table ready; the lookup it needs is added to the columns.
    pub(super) fn new(
        press: &Press<'a>,
        table: &'a Table,
        expand: &'a Expand,
        columns: &mut Vec<&'a Column>,
    ) -> Result<Branch<'a>> {
        let schema = press.source.schema();
        let plan = |table| Plan::new(press, table, expand.select.as_deref(), &expand.expand);
        let to = if expand.collection {
            let rows = collection_table(schema, table, &expand.navigation)?;
            let filter = press.resolved(expand.filter.as_ref(), rows)?;
            let plan = plan(rows)?;
            let beside = |what: &str| format!("{}@odata.{what}", expand.navigation);
            To::Rows(Box::new(List { plan, filter, count: beside("count"), next: beside("nextLink") }))
        } else {
            let (lookup, targets) =
                table.navigation(&expand.navigation).ok_or_else(|| missing(&expand.navigation))?;
            let names = targets.iter().map(|to| to.table.as_str());
            let unknown = names.filter(|name| schema.table(name).is_none()).collect();
            let at = columns.len();
            columns.push(lookup);
            let lookup = Lookup { at, unknown };
            let tables: Vec<&Table> = targets.iter().filter_map(|to| schema.table(&to.table)).collect();
            let first = *tables.first().ok_or_else(|| missing(&expand.navigation))?;
            match expand.reference_only {
                true => To::Reference { lookup, first, tables },
                false => To::Row { lookup, plans: tables.into_iter().map(plan).collect::<Result<_>>()? },
            }
        };
        Ok(Branch { expand, to })
    }

    /// How the context URL tells of it.
    pub(super) fn context(&self) -> Option<ContextExpand<'_>> {
        let navigation = &self.expand.navigation;
        match &self.to {
            To::Rows(list) => Some(list.plan.context_below(navigation)),
            To::Row { plans, .. } => plans.first().map(|plan| plan.context_below(navigation)),
            To::Reference { first, .. } => Some(ContextExpand {
                navigation,
                table: first,
                select: None,
                expand: Vec::new(),
                reference_only: true,
            }),
        }
    }

    /// Reads what hangs on the rows of a page.
    ///
    /// # Errors
    /// 400 when the query asks for too much, 501 when a lookup leads to a table that the schema does not have; what the
    /// source gives.
    pub(super) fn gather(&self, press: &Press<'a>, holders: &Plan<'a>, rows: &[Held]) -> Result<Nest> {
        match &self.to {
            To::Row { lookup, plans } => {
                lookup.check(rows)?;
                let mut found = HashMap::new();
                for plan in plans {
                    found.extend(behind(press, plan, targets(rows, lookup.at, plan.table))?);
                }
                Ok(Nest::Single(found))
            }
            To::Reference { lookup, tables, .. } => {
                lookup.check(rows)?;
                let mut found = HashMap::new();
                for table in tables {
                    let ids = targets(rows, lookup.at, table);
                    found.extend(ids.into_iter().map(|id| (id, reference(press.root, table, id))));
                }
                Ok(Nest::Single(found))
            }
            To::Rows(list) => {
                let ids: Vec<Uuid> = rows.iter().map(|row| holders.id(row)).collect();
                list.gather(press, self.expand, holders.table, &ids).map(Nest::Lists)
            }
        }
    }

    /// Adds to a row's members what hangs on it.
    pub(super) fn hang<'n>(
        &'n self,
        nest: &'n Nest,
        holders: &Plan,
        row: &Held,
        members: &mut Vec<Nested<'n>>,
    ) {
        let navigation = self.expand.navigation.as_str();
        match (&self.to, nest) {
            (To::Row { lookup, .. } | To::Reference { lookup, .. }, Nest::Single(found)) => {
                let row = match row.values.get(lookup.at) {
                    Some(Value::Lookup(to)) => found.get(&to.id).map(Vec::as_slice),
                    _ => None,
                };
                members.push(Nested { navigation, row });
            }
            (To::Rows(list), Nest::Lists(found)) => {
                let Some(collected) = found.get(&holders.id(row)) else { return };
                if let Some(count) = &collected.count {
                    members.push(Nested { navigation: &list.count, row: Some(count) });
                }
                members.push(Nested { navigation, row: Some(&collected.rows) });
                if let Some(next) = &collected.next {
                    members.push(Nested { navigation: &list.next, row: Some(next) });
                }
            }
            (To::Row { .. } | To::Reference { .. } | To::Rows(_), Nest::Single(_) | Nest::Lists(_)) => {}
        }
    }
}

impl Lookup<'_> {
    /// What is behind it in these rows is not nothing, and cannot be told, where its table is not known.
    fn check(&self, rows: &[Held]) -> Result<()> {
        let mut leads = rows.iter().filter_map(|row| match row.values.get(self.at) {
            Some(Value::Lookup(to)) => Some(to.table.as_str()),
            _ => None,
        });
        match leads.find(|table| self.unknown.contains(table)) {
            Some(table) => {
                Err(ODataError::not_implemented(format!("The table '{table}' is not known here.")))
            }
            None => Ok(()),
        }
    }
}

/// Ids of the rows of a table that lookups in a place of the rows point to, each once.
fn targets(rows: &[Held], lookup_at: usize, table: &Table) -> Vec<Uuid> {
    let targets = rows.iter().filter_map(|row| match row.values.get(lookup_at) {
        Some(Value::Lookup(to)) if to.table == table.logical_name => Some(to.id),
        _ => None,
    });
    targets.collect::<HashSet<Uuid>>().into_iter().collect()
}

/// Rows of a table by id, written.
fn behind<'a>(press: &Press<'a>, plan: &Plan<'a>, ids: Vec<Uuid>) -> Result<Vec<(Uuid, Vec<u8>)>> {
    let mut rows = Vec::new();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    press.source.rows_of(plan.table, &ids, &plan.columns, &mut |found| {
        rows.push(Held::of(found, plan.columns.len()));
        Ok(true)
    })?;
    let written = plan.write(press, &rows)?;
    Ok(rows.iter().map(|row| plan.id(row)).zip(written).collect())
}

/// `{"@odata.id":"…"}`
pub(super) fn reference(root: &str, table: &Table, id: Uuid) -> Vec<u8> {
    let mut out = b"{\"@odata.id\":".to_vec();
    write_text(&mut out, &row_url(root, table, id));
    out.push(b'}');
    out
}

/// The rows of one holder's collection as far as they are read.
struct Run {
    holder: Uuid,
    rows: u64,
    /// Where it goes on, when there is more.
    next: Option<Vec<Value>>,
}

impl<'a> List<'a> {
    fn gather(
        &self,
        press: &Press<'a>,
        expand: &Expand,
        holders: &Table,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Collected>> {
        let limit = limit(press.page_size, ids.len());
        let wanted = expand.top.map_or(limit, |top| u64::from(top).min(limit));
        let related = Related {
            holders,
            collection: &expand.navigation,
            table: self.plan.table,
            filter: self.filter.as_ref(),
            order: &expand.orderby,
            // One more tells that there is more.
            limit: if expand.top.is_some_and(|top| u64::from(top) <= limit) { wanted } else { limit + 1 },
        };
        let mut collected: HashMap<Uuid, Collected> =
            ids.iter().map(|id| (*id, Collected::default())).collect();
        let (mut rows, mut runs, mut last) = (Vec::new(), Vec::<Run>::new(), Vec::new());
        press.source.related(&related, ids, &self.plan.columns, &mut |found| {
            if runs.last().is_none_or(|run| run.holder != found.id()) {
                runs.push(Run { holder: found.id(), rows: 0, next: None });
            }
            let Some(run) = runs.last_mut() else { return Ok(true) };
            if run.rows == limit {
                run.next = Some(std::mem::take(&mut last));
                return Ok(true);
            }
            run.rows += 1;
            if run.rows == limit {
                last = found.position();
            }
            rows.push(Held::of(found, self.plan.columns.len()));
            Ok(true)
        })?;
        let mut written = self.plan.write(press, &rows)?.into_iter();
        for run in runs {
            let Some(into) = collected.get_mut(&run.holder) else { continue };
            for _ in 0..run.rows {
                part(&mut into.rows);
                into.rows.extend_from_slice(&written.next().unwrap_or_default());
            }
            if let Some(after) = run.next {
                let url = format!("{}/{}", row_url(press.root, holders, run.holder), expand.navigation);
                let link = options_link(&url, &expand.options, &Page::Rows { after, taken: run.rows });
                let mut text = Vec::new();
                write_text(&mut text, &link);
                into.next = Some(text);
            }
        }
        if expand.count {
            let counts = press.source.related_counts(&related, ids)?;
            for (id, into) in &mut collected {
                let count = counts.get(id).copied().unwrap_or_default().min(COUNT_MAX);
                into.count = Some(count.to_string().into_bytes());
            }
        }
        for into in collected.values_mut() {
            into.rows.insert(0, b'[');
            into.rows.push(b']');
        }
        Ok(collected)
    }
}

/// Most rows of each collection, when so many rows have one.
fn limit(page_size: u64, holders: usize) -> u64 {
    let holders = u64::try_from(holders).unwrap_or(u64::MAX).max(1);
    page_size.min(EXPANDED_ROWS_MAX / holders).max(1)
}

fn missing(navigation: &str) -> ODataError {
    ODataError::bad_request(format!("Could not find a property named '{navigation}'."))
}
