//! Rows of one table as a statement finds them: filtered, ordered, from a position on.

use super::collection::Collection;
use super::level::{Level, Scope, BASE};
use super::order::Order;
use super::projection::{sql_column, Projection};
use crate::db::cells::id_value;
use crate::db::layout::XACT;
use crate::db::position::{self, Place};
use crate::db::rows::{Sight, VERSION};
use crate::db::{name, Dialect, Reader, SqlRow};
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::query::OrderBy;
use flette_odata::render::Cell;
use flette_odata::{Column, Table, Uuid, Value};
use sea_query::{Expr, Query, SelectStatement, SimpleExpr};

/// Which rows, in which order.
pub struct Listing<'q> {
    /// The table.
    pub table: &'q Table,
    /// Who asks.
    pub sight: &'q Sight,
    /// Only those in a collection of a row.
    pub within: Option<Within<'q>>,
    /// Which rows; without query functions.
    pub filter: Option<&'q Filter>,
    /// Order; the primary key always follows last, so that pages are stable.
    pub order: &'q [OrderBy],
    /// Values of the order's keys of the last row before this page: see [`Found::position`].
    pub after: Option<&'q [Value]>,
    /// Most rows.
    pub limit: u64,
}

/// A collection of one row.
#[derive(Clone, Copy)]
pub struct Within<'q> {
    /// The collection.
    pub collection: &'q Collection<'q>,
    /// The table of the row that has it.
    pub holders: &'q Table,
    /// That row.
    pub holder: Uuid,
}

/// SQL columns in front of a row's cells: its version, the transaction that wrote it where that is asked for,
/// and an id.
pub(super) const FRONT: usize = 3;
/// Place of the id among them.
pub(super) const ID_AT: usize = 2;

/// One row of an answer, borrowed.
pub struct Found<'r> {
    row: &'r SqlRow<'r>,
    projection: &'r Projection<'r>,
    /// Cells before those of the position, and all.
    cells: (usize, usize),
}

impl<'r> Found<'r> {
    pub(super) fn new(
        row: &'r SqlRow<'r>,
        projection: &'r Projection<'r>,
        cells: (usize, usize),
    ) -> Found<'r> {
        Found { row, projection, cells }
    }

    /// The cell of the column in place `at` of the columns asked for.
    pub fn cell(&self, at: usize) -> Cell<'r> {
        self.projection.cell(self.row, at)
    }

    /// The same, owned.
    pub fn value(&self, at: usize) -> Value {
        self.projection.value(self.row, at)
    }

    /// The row's version.
    pub fn version(&self) -> i64 {
        self.row.int(0).unwrap_or_default()
    }

    /// Where the row's last change stands among others; in a feed of changes only.
    pub fn place(&self) -> Place {
        position::place(self.row, 0)
    }

    /// The row's id; of rows of a collection, the id of the row that has it.
    pub fn id(&self) -> Uuid {
        self.row.id(ID_AT).unwrap_or_default()
    }

    /// Values of the order's keys: where the row stands.
    pub fn position(&self) -> Vec<Value> {
        (self.cells.0..self.cells.1).map(|at| self.value(at)).collect()
    }
}

/// How the rows of a statement are ordered, and so what tells where one stands.
pub(super) enum Ordered<'o, 't> {
    /// By keys.
    By(&'o Order<'t>),
    /// By their last changes.
    ByChange,
    /// In any order.
    Not,
}

/// A statement that reads rows of a level.
pub(super) struct Selection<'t> {
    pub(super) statement: SelectStatement,
    pub(super) projection: Projection<'t>,
    pub(super) cells: (usize, usize),
}

impl<'t> Selection<'t> {
    /// Version, id, the columns, and the keys of an order. Conditions and `FROM` are the caller's.
    pub(super) fn new(
        level: &Level<'t>,
        id: SimpleExpr,
        columns: &[&'t Column],
        order: Ordered<'_, 't>,
    ) -> Selection<'t> {
        let mut statement = Query::select();
        let version = Expr::col((name(level.alias(BASE)), name(VERSION)));
        let written = match level.dialect() {
            Dialect::Postgres if matches!(order, Ordered::ByChange) => {
                Expr::col((name(level.alias(BASE)), name(XACT))).into()
            }
            Dialect::Postgres | Dialect::Sqlite => Expr::cust("0"),
        };
        for (at, value) in [version.into(), written, id].into_iter().enumerate() {
            statement.expr_as(value, name(&sql_column(at)));
        }
        let mut projection = Projection::after(FRONT);
        for column in columns {
            projection.add(&mut statement, level, BASE, column);
        }
        let keys = match order {
            Ordered::By(order) => order.keys.as_slice(),
            Ordered::ByChange | Ordered::Not => &[],
        };
        for key in keys {
            projection.add(&mut statement, level, key.place, key.column);
        }
        Selection { statement, projection, cells: (columns.len(), columns.len() + keys.len()) }
    }
}

/// The statement of a listing.
fn selection<'t>(
    scope: &'t Scope<'t>,
    listing: &Listing<'t>,
    columns: &[&'t Column],
) -> Result<Selection<'t>> {
    let mut level = scope.level(listing.table);
    let filter = listing.filter.map(|filter| level.condition(filter)).transpose()?;
    let order = Order::new(&mut level, listing.order)?;
    let mut selection = Selection::new(&level, level.id(BASE), columns, Ordered::By(&order));
    let statement = &mut selection.statement;
    level.add_to(statement);
    if let Some(within) = &listing.within {
        let tie = level.tie(within.collection, within.holders);
        tie.add_to(statement);
        statement.and_where(Expr::expr(tie.holder).eq(id_value(within.holder)));
    }
    statement.and_where_option(filter);
    if let Some(after) = listing.after {
        statement.and_where(order.later(&level, after));
    }
    order.apply(&level, statement);
    statement.limit(listing.limit);
    Ok(selection)
}

impl Reader<'_> {
    /// Calls `each` for every row of a listing, until it says `false`.
    ///
    /// # Errors
    /// 400 when the query asks for what the schema does not have, or too much of it.
    pub fn list(
        &self,
        listing: &Listing,
        columns: &[&Column],
        mut each: impl FnMut(Found) -> Result<bool>,
    ) -> Result<()> {
        let scope = Scope::new(self.schema, listing.sight, self.dialect());
        let selection = selection(&scope, listing, columns)?;
        self.each(&selection.statement, |row| each(Found::new(row, &selection.projection, selection.cells)))
    }

    /// The columns whose values make up a position in an order, one for each of its keys.
    ///
    /// # Errors
    /// 400 when a key names what the schema does not have.
    pub fn position_columns<'s>(
        &'s self,
        table: &'s Table,
        sight: &Sight,
        order: &[OrderBy],
    ) -> Result<Vec<&'s Column>> {
        let scope = Scope::new(self.schema, sight, self.dialect());
        let mut level = scope.level(table);
        let order = Order::new(&mut level, order)?;
        let column = |key: &super::order::Key| {
            let table = self.schema.table(&level.table(key.place).logical_name)?;
            table.column(&key.column.logical_name)
        };
        Ok(order.keys.iter().filter_map(column).collect())
    }

    /// How many rows of a listing there are, whatever its order and position, counted up to its limit.
    ///
    /// # Errors
    /// As [`Reader::list`].
    pub fn count(&self, listing: &Listing) -> Result<u64> {
        let scope = Scope::new(self.schema, listing.sight, self.dialect());
        let mut level = scope.level(listing.table);
        let filter = listing.filter.map(|filter| level.condition(filter)).transpose()?;
        let mut rows = Query::select();
        rows.expr(Expr::cust("1"));
        level.add_to(&mut rows);
        if let Some(within) = &listing.within {
            let tie = level.tie(within.collection, within.holders);
            tie.add_to(&mut rows);
            rows.and_where(Expr::expr(tie.holder).eq(id_value(within.holder)));
        }
        rows.and_where_option(filter).limit(listing.limit);
        let mut query = Query::select();
        query.expr(Expr::cust("COUNT(*)")).from_subquery(rows, name("counted"));
        Ok(self.first(&query, |row| row.int(0))?.flatten().unwrap_or_default().unsigned_abs())
    }
}
