//! Rows on their way into an answer.
//!
//! A row of plain columns goes straight from its source into the answer's bytes. Where more rows belong to
//! a row (expanded ones, and those that lookups are named after), the page is held until it is whole, so that
//! they are read at once, not row by row.

use super::expand::Branch;
use super::names::Names;
use super::{Found, Source};
use crate::edm::{Column, Table};
use crate::error::Result;
use crate::filter::Filter;
use crate::prefer::Annotations;
use crate::query::Expand;
use crate::render::{context_collection, write_text, Cell, ContextExpand, Nested, RowShape, FORMATTED};
use crate::stamps::{self, Stamps};
use crate::time::format_datetime;
use crate::value::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// What an answer is made in.
pub struct Press<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) root: &'a str,
    pub(super) annotations: &'a Annotations,
    /// Most rows of one expanded collection.
    pub(super) page_size: u64,
    pub(super) names: Names,
}

impl<'a> Press<'a> {
    /// `page_size`: most rows of one expanded collection.
    pub fn new(
        source: &'a dyn Source,
        root: &'a str,
        annotations: &'a Annotations,
        page_size: u64,
    ) -> Press<'a> {
        Press { source, root, annotations, page_size, names: Names::default() }
    }

    /// A filter with this caller and this moment put into it.
    ///
    /// # Errors
    /// 400 when a query function does not fit its column, or goes over too many rows.
    pub(super) fn resolved(&self, filter: Option<&Filter>, table: &Table) -> Result<Option<Filter>> {
        filter.map(|filter| self.source.resolved(filter, table)).transpose()
    }
}

/// What is read of each row of a table, and how it is written.
pub struct Plan<'a> {
    pub(super) table: &'a Table,
    select: Option<&'a [String]>,
    shape: RowShape<'a>,
    /// Columns to read: those of the answer, then the lookups of expanded rows.
    pub columns: Vec<&'a Column>,
    branches: Vec<Branch<'a>>,
    /// Where the row's id stands among the columns.
    id_at: usize,
    /// Places of lookups that are shown with the names of their targets.
    named: Vec<usize>,
    /// Whether field stamps are asked for by their name.
    stamped: bool,
}

/// A row that waits for what hangs on it.
pub(super) struct Held {
    pub(super) etag: String,
    /// One value per column of the plan.
    pub(super) values: Vec<Value>,
}

impl Held {
    /// A row that was found, with as many values as the plan has columns.
    pub(super) fn of(found: &dyn Found, columns: usize) -> Held {
        let values = (0..columns).map(|at| Value::from(found.cell(at))).collect();
        Held { etag: found.etag().into_owned(), values }
    }
}

impl<'a> Plan<'a> {
    /// A plan for rows of a table.
    ///
    /// # Errors
    /// 400 when a navigation property is not in the schema; what resolving an inner filter gives.
    pub fn new(
        press: &Press<'a>,
        table: &'a Table,
        select: Option<&'a [String]>,
        expand: &'a [Expand],
    ) -> Result<Plan<'a>> {
        let shape = RowShape::new(table, select, press.annotations);
        let mut columns = shape.columns.clone();
        let mut branches = Vec::new();
        for expand in expand {
            branches.push(Branch::new(press, table, expand, &mut columns)?);
        }
        let id_at = columns.iter().position(|column| column.logical_name == table.primary_id);
        let shown = shape.columns.iter().enumerate().filter(|(_, column)| column.is_lookup());
        let named = match press.annotations.includes(FORMATTED) {
            true => shown.map(|(at, _)| at).collect(),
            false => Vec::new(),
        };
        let stamped = press.annotations.names(stamps::ANNOTATION);
        let id_at = id_at.unwrap_or_default();
        Ok(Plan { table, select, shape, columns, branches, id_at, named, stamped })
    }

    /// Whether rows can be written one by one.
    fn is_plain(&self) -> bool {
        self.branches.is_empty() && self.named.is_empty() && !self.stamped
    }

    /// Context URL of a list of such rows.
    pub fn context_list(&self, root: &str) -> String {
        context_collection(root, self.table, self.select, &self.contexts())
    }

    /// How the context URL tells of the expanded properties.
    fn contexts(&self) -> Vec<ContextExpand<'_>> {
        self.branches.iter().filter_map(Branch::context).collect()
    }

    /// The same for this plan below a property.
    pub(super) fn context_below<'s>(&'s self, navigation: &'s str) -> ContextExpand<'s> {
        ContextExpand {
            navigation,
            table: self.table,
            select: self.select,
            expand: self.contexts(),
            reference_only: false,
        }
    }

    /// The row's id.
    pub(super) fn id(&self, row: &Held) -> Uuid {
        match row.values.get(self.id_at) {
            Some(Value::Guid(id)) => *id,
            _ => Uuid::nil(),
        }
    }

    /// Rows as JSON, each with what hangs on it.
    ///
    /// # Errors
    /// 400 when the query asks for too much; what the source gives.
    pub(super) fn write(&self, press: &Press<'a>, rows: &[Held]) -> Result<Vec<Vec<u8>>> {
        let lookups = rows.iter().flat_map(|row| self.named.iter().filter_map(|at| row.values.get(*at)));
        let lookups = lookups.filter_map(|value| match value {
            Value::Lookup(to) => Some((to.table.as_str(), to.id)),
            _ => None,
        });
        press.names.learn(press.source, lookups)?;
        let nests = self.branches.iter().map(|branch| branch.gather(press, self, rows));
        let nests = nests.collect::<Result<Vec<_>>>()?;
        let known = match self.stamped {
            true => {
                let ids: Vec<Uuid> = rows.iter().map(|row| self.id(row)).collect();
                press.source.stamps_of(self.table, &ids)?
            }
            false => HashMap::new(),
        };
        let mut written = Vec::with_capacity(rows.len());
        for row in rows {
            let mut nested = Vec::new();
            for (branch, nest) in self.branches.iter().zip(&nests) {
                branch.hang(nest, self, row, &mut nested);
            }
            let mut out = Vec::new();
            self.write_row(press, &mut out, &row.etag, |at| cell(row, at), &nested);
            if let Some(stamps) = known.get(&self.id(row)) {
                self.add_stamps(press, &mut out, stamps);
            }
            written.push(out);
        }
        Ok(written)
    }

    /// Adds the field stamps to a row that is written.
    fn add_stamps(&self, press: &Press, out: &mut Vec<u8>, stamps: &Stamps) {
        // The brace that ends the row.
        out.pop();
        let mut add = |property: &str, at: i64| {
            out.push(b',');
            write_text(out, &format!("{property}@{}", stamps::ANNOTATION));
            out.push(b':');
            write_text(out, &format_datetime(at));
        };
        if let Some(at) = stamps.row {
            add("", at);
        }
        let shown = self.shape.columns.iter().filter(|column| !press.source.is_masked(self.table, column));
        for column in shown {
            if let Some(at) = stamps.columns.get(&column.logical_name) {
                add(&column.property(), *at);
            }
        }
        out.push(b'}');
    }

    fn write_row<'v>(
        &self,
        press: &Press,
        out: &mut Vec<u8>,
        etag: &str,
        cell: impl Fn(usize) -> Cell<'v>,
        nested: &[Nested],
    ) {
        let names = |_: &str, id: Uuid| press.names.get(id);
        self.shape.write_cells(out, etag, |at, _| cell(at), &names, nested);
    }
}

/// The cell in a place of a held row.
fn cell(row: &Held, at: usize) -> Cell<'_> {
    row.values.get(at).map_or(Cell::Null, Cell::from)
}

/// The rows of an answer so far.
pub struct Sheet<'p, 'a> {
    press: &'p Press<'a>,
    plan: &'p Plan<'a>,
    /// What is written, parted by commas.
    out: Vec<u8>,
    /// What waits, in order.
    waiting: Vec<Waiting>,
}

enum Waiting {
    Row(Held),
    Text(Vec<u8>),
}

impl<'p, 'a> Sheet<'p, 'a> {
    /// Without rows.
    pub fn new(press: &'p Press<'a>, plan: &'p Plan<'a>) -> Sheet<'p, 'a> {
        Sheet { press, plan, out: Vec::new(), waiting: Vec::new() }
    }

    /// Adds a row; `cell` gives the value of the column in a place of the plan.
    pub fn add<'v>(&mut self, etag: &str, cell: impl Fn(usize) -> Cell<'v>) {
        if self.plan.is_plain() {
            part(&mut self.out);
            self.plan.write_row(self.press, &mut self.out, etag, cell, &[]);
        } else {
            let values = (0..self.plan.columns.len()).map(|at| Value::from(cell(at))).collect();
            self.waiting.push(Waiting::Row(Held { etag: etag.to_owned(), values }));
        }
    }

    /// Adds something that is no row.
    pub fn add_text(&mut self, text: &[u8]) {
        if self.plan.is_plain() {
            part(&mut self.out);
            self.out.extend_from_slice(text);
        } else {
            self.waiting.push(Waiting::Text(text.to_vec()));
        }
    }

    /// Everything that was added, parted by commas.
    ///
    /// # Errors
    /// 400 when the query asks for too much; what the source gives.
    pub fn finish(self) -> Result<Vec<u8>> {
        let Sheet { press, plan, mut out, waiting } = self;
        let (mut rows, mut order) = (Vec::new(), Vec::new());
        for waiting in waiting {
            match waiting {
                Waiting::Row(row) => {
                    rows.push(row);
                    order.push(None);
                }
                Waiting::Text(text) => order.push(Some(text)),
            }
        }
        if order.is_empty() {
            return Ok(out);
        }
        let mut written = plan.write(press, &rows)?.into_iter();
        for text in order {
            part(&mut out);
            out.extend_from_slice(&text.or_else(|| written.next()).unwrap_or_default());
        }
        Ok(out)
    }
}

/// A comma, unless nothing stands before it.
pub(super) fn part(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
}
