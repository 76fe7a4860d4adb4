//! Rows around many rows at once: what `$expand` and names of lookups need is read by one statement per level
//! and page, never row by row.

use super::collection::Collection;
use super::found::{Found, Ordered, Selection, ID_AT};
use super::level::{Scope, BASE};
use super::order::Order;
use super::projection::{select_all, sql_column};
use crate::db::cells::id_value;
use crate::db::rows::Sight;
use crate::db::{name, Reader};
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::query::OrderBy;
use flette_odata::{Column, Table, Uuid};
use sea_query::{Expr, OverStatement, Query, SimpleExpr, WindowStatement};
use std::collections::HashMap;

/// Most ids in one statement: SQLite binds 32,766 values, PostgreSQL 65,535.
pub const IDS_MAX: usize = 4096;

/// Rows of one collection of many rows.
pub struct Related<'q> {
    /// The collection.
    pub collection: &'q Collection<'q>,
    /// The table of the rows that have it.
    pub holders: &'q Table,
    /// Who asks.
    pub sight: &'q Sight,
    /// Which rows of it; without query functions.
    pub filter: Option<&'q Filter>,
    /// In which order.
    pub order: &'q [OrderBy],
    /// Most rows of each holder.
    pub limit: u64,
}

impl Reader<'_> {
    /// Calls `each` for the rows of a collection of many holders, holder by holder, each holder's in order;
    /// [`Found::id`] is the holder's.
    ///
    /// # Errors
    /// 400 when the query asks for what the schema does not have, or too much of it.
    pub fn related(
        &self,
        related: &Related,
        holders: &[Uuid],
        columns: &[&Column],
        mut each: impl FnMut(Found) -> Result<()>,
    ) -> Result<()> {
        for ids in holders.chunks(IDS_MAX) {
            let scope = Scope::new(self.schema, related.sight, self.dialect());
            let selection = numbered(&scope, related, ids, columns)?;
            self.each(&selection.statement, |row| {
                each(Found::new(row, &selection.projection, selection.cells))?;
                Ok(true)
            })?;
        }
        Ok(())
    }

    /// How many rows the collection of each holder has; holders without any are left out.
    ///
    /// # Errors
    /// As [`Reader::related`].
    pub fn related_counts(&self, related: &Related, holders: &[Uuid]) -> Result<HashMap<Uuid, u64>> {
        let mut counts = HashMap::new();
        for ids in holders.chunks(IDS_MAX) {
            let scope = Scope::new(self.schema, related.sight, self.dialect());
            let mut level = scope.level(related.collection.table());
            let filter = related.filter.map(|filter| level.condition(filter)).transpose()?;
            let tie = level.tie(related.collection, related.holders);
            let mut rows = Query::select();
            rows.expr(tie.holder.clone()).expr(Expr::cust("COUNT(*)"));
            level.add_to(&mut rows);
            tie.add_to(&mut rows);
            rows.and_where(among(tie.holder.clone(), ids)).and_where_option(filter);
            rows.add_group_by([tie.holder]);
            for (id, count) in self.all(&rows, |row| (row.id(0), row.int(1)))? {
                counts.insert(id.unwrap_or_default(), count.unwrap_or_default().unsigned_abs());
            }
        }
        Ok(counts)
    }

    /// Calls `each` for the rows of a table that have one of these ids and are seen, in any order.
    ///
    /// # Errors
    /// 500 or 503 when the database fails.
    pub fn rows_of(
        &self,
        (table, sight): (&Table, &Sight),
        ids: &[Uuid],
        columns: &[&Column],
        mut each: impl FnMut(Found) -> Result<()>,
    ) -> Result<()> {
        for ids in ids.chunks(IDS_MAX) {
            let scope = Scope::new(self.schema, sight, self.dialect());
            let level = scope.level(table);
            let Selection { mut statement, projection, cells } =
                Selection::new(&level, level.id(BASE), columns, Ordered::Not);
            level.add_to(&mut statement);
            statement.and_where(among(level.id(BASE), ids));
            self.each(&statement, |row| {
                each(Found::new(row, &projection, cells))?;
                Ok(true)
            })?;
        }
        Ok(())
    }

    /// The names of rows of a table, where they have one and are seen.
    ///
    /// # Errors
    /// 500 or 503 when the database fails.
    pub fn names_of(&self, table: &Table, sight: &Sight, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>> {
        let Some(column) = table.column(&table.primary_name) else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        self.rows_of((table, sight), ids, &[column], |found| {
            if let flette_odata::Value::Text(name) = found.value(0) {
                names.push((found.id(), name));
            }
            Ok(())
        })?;
        Ok(names)
    }
}

/// The first rows of each holder's collection: numbered within it, since a limit of the statement would cut
/// all of them together.
fn numbered<'t>(
    scope: &'t Scope<'t>,
    related: &Related<'t>,
    ids: &[Uuid],
    columns: &[&'t Column],
) -> Result<Selection<'t>> {
    let mut level = scope.level(related.collection.table());
    let filter = related.filter.map(|filter| level.condition(filter)).transpose()?;
    let order = Order::new(&mut level, related.order)?;
    let tie = level.tie(related.collection, related.holders);
    let holder = tie.holder.clone();
    let Selection { statement: mut inner, projection, cells } =
        Selection::new(&level, holder.clone(), columns, Ordered::By(&order));
    level.add_to(&mut inner);
    tie.add_to(&mut inner);
    let mut window = WindowStatement::new();
    window.add_partition_by(holder.clone());
    order.apply(&level, &mut window);
    inner.expr_window_as(Expr::cust("ROW_NUMBER()"), window, name(NUMBER));
    inner.and_where(among(holder, ids)).and_where_option(filter);
    let mut statement = Query::select();
    select_all(&mut statement, NUMBERED, projection.width());
    let column = |column: &str| Expr::col((name(NUMBERED), name(column)));
    statement
        .from_subquery(inner, name(NUMBERED))
        .and_where(column(NUMBER).lte(related.limit))
        .order_by_expr(column(&sql_column(ID_AT)).into(), sea_query::Order::Asc)
        .order_by_expr(column(NUMBER).into(), sea_query::Order::Asc);
    Ok(Selection { statement, projection, cells })
}

const NUMBERED: &str = "numbered";
const NUMBER: &str = "number";

/// Whether an id is one of these. Their number is rounded up to a power of two by repeating the last, so that
/// few different statements are prepared.
pub(super) fn among(id: SimpleExpr, ids: &[Uuid]) -> SimpleExpr {
    let Some(last) = ids.last() else { return Expr::value(false) };
    let repeated = std::iter::repeat_n(last, ids.len().next_power_of_two() - ids.len());
    Expr::expr(id).is_in(ids.iter().chain(repeated).map(|id| id_value(*id)))
}
