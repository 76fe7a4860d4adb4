//! Many rows: filtered, ordered, in pages; the feed of changes; counts.

use super::cells::Projection;
use super::changes::Stretch;
use super::filter::condition;
use super::position::{self, Place};
use super::rows::{Sight, VERSION};
use super::{name, Dialect, Reader, SqlRow, Storage};
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::query::OrderBy;
use flette_odata::render::Cell;
use flette_odata::{Column, Table, Value};
use sea_query::{Expr, Query, SelectStatement, SimpleExpr};

/// Which rows, in which order.
#[derive(Debug)]
pub struct Listing<'q> {
    /// The table.
    pub table: &'q Table,
    /// Who asks.
    pub sight: &'q Sight,
    /// Which rows.
    pub filter: Option<&'q Filter>,
    /// Order; the primary key always follows last, so that pages are stable.
    pub order: &'q [OrderBy],
    /// Values of the order columns and of the key of the last row before this page.
    pub after: Option<&'q [Value]>,
    /// Most rows.
    pub limit: u64,
}

/// One row of an answer, borrowed.
pub struct Found<'r> {
    row: SqlRow<'r>,
    projection: &'r Projection<'r>,
}

impl<'r> Found<'r> {
    /// The cell of the column in place `at` of the columns asked for.
    pub fn cell(&self, at: usize) -> Cell<'r> {
        self.projection.cell(&self.row, at)
    }

    /// The same, owned.
    pub fn value(&self, at: usize) -> Value {
        self.projection.value(&self.row, at)
    }

    /// The row's version.
    pub fn version(&self) -> i64 {
        self.row.int(self.projection.width()).unwrap_or_default()
    }

    /// Where the row's last change stands among others.
    pub fn place(&self) -> Place {
        position::place(&self.row, self.projection.width())
    }
}

impl Reader<'_> {
    /// Calls `each` for every row of a listing, until it says `false`.
    pub fn list(
        &self,
        listing: &Listing,
        columns: &[&Column],
        mut each: impl FnMut(Found) -> Result<bool>,
    ) -> Result<()> {
        let projection = Projection::new(columns.iter().copied());
        let mut query = self.select(listing.table, &projection, listing.sight);
        if let Some(filter) = listing.filter {
            query.and_where(condition(self.dialect(), listing.table, filter));
        }
        let order = full_order(listing);
        let dialect = self.dialect();
        let order: Vec<(SimpleExpr, bool)> = order
            .into_iter()
            .map(|(column, descending)| {
                let storage = listing.table.column(column).map_or(Storage::Whole, |c| Storage::of(&c.kind));
                (dialect.key_at(storage, name(column)), descending)
            })
            .collect();
        if let Some(after) = listing.after {
            query.and_where(later(dialect, &order, after));
        }
        for (key, descending) in order {
            let (direction, nulls) = super::order(descending);
            query.order_by_expr_with_nulls(key, direction, nulls);
        }
        query.limit(listing.limit);
        self.each(&query, |row| each(Found { row: *row, projection: &projection }))
    }

    /// Calls `each` for rows that changed within a stretch, in the order of their places, at most `limit`.
    pub fn changed(
        &self,
        table: &Table,
        sight: &Sight,
        stretch: &Stretch,
        limit: u64,
        columns: &[&Column],
        mut each: impl FnMut(Found) -> Result<bool>,
    ) -> Result<()> {
        let projection = Projection::new(columns.iter().copied());
        let mut query = self.select(table, &projection, sight);
        let dialect = self.dialect();
        query.and_where(stretch.condition(dialect, &table.logical_name, VERSION)).limit(limit);
        position::order(&mut query, dialect, VERSION);
        self.each(&query, |row| each(Found { row: *row, projection: &projection }))
    }

    fn select(&self, table: &Table, projection: &Projection, sight: &Sight) -> SelectStatement {
        let mut query = Query::select();
        projection.select(&mut query);
        query.column(name(VERSION)).from(name(&table.logical_name));
        position::select(&mut query, self.dialect());
        if let Some(condition) = sight.condition(table) {
            query.and_where(condition);
        }
        query
    }

    /// How many rows a filter leaves, counted up to `limit`.
    pub fn count(&self, table: &Table, sight: &Sight, filter: Option<&Filter>, limit: u64) -> Result<u64> {
        let mut rows = Query::select();
        rows.expr(Expr::val(1i64)).from(name(&table.logical_name)).limit(limit);
        if let Some(condition) = sight.condition(table) {
            rows.and_where(condition);
        }
        if let Some(filter) = filter {
            rows.and_where(condition(self.dialect(), table, filter));
        }
        let mut query = Query::select();
        query.expr(Expr::cust("COUNT(*)")).from_subquery(rows, name("counted"));
        let count = self.first(&query, |row| row.int(0))?.flatten().unwrap_or_default();
        Ok(count.unsigned_abs())
    }
}

/// Order columns with the key last; a key among them ends the list, since nothing after it decides anything.
fn full_order<'q>(listing: &Listing<'q>) -> Vec<(&'q str, bool)> {
    let mut order = Vec::new();
    for by in listing.order {
        order.push((by.column.as_str(), by.descending));
        if by.column == listing.table.primary_id {
            return order;
        }
    }
    order.push((&listing.table.primary_id, false));
    order
}

/// Names of the columns whose values a page's end is remembered by, in order.
pub fn position_columns<'q>(listing: &Listing<'q>) -> Vec<&'q str> {
    full_order(listing).into_iter().map(|(column, _)| column).collect()
}

/// Rows after a position: `a > x or (a = x and (b > y or …))`, with nulls first when ascending.
fn later(dialect: Dialect, order: &[(SimpleExpr, bool)], after: &[Value]) -> SimpleExpr {
    let mut condition = Expr::value(false);
    for ((key, descending), value) in order.iter().zip(after).rev() {
        let here = || Expr::expr(key.clone());
        let bound = dialect.bound(value);
        let beyond = match (descending, value.is_null()) {
            (false, true) => here().is_not_null(),
            (false, false) => here().gt(bound.clone()),
            (true, true) => Expr::value(false),
            (true, false) => here().lt(bound.clone()).or(here().is_null()),
        };
        let same = if value.is_null() { here().is_null() } else { here().eq(bound) };
        condition = beyond.or(same.and(condition));
    }
    condition
}
