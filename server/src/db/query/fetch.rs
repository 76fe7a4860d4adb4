//! FetchXML as SQL: one statement, in which every table is filtered by the caller's sight where it comes in.
//!
//! Aggregates are reckoned from the rows (see `figures`): there are few enough, and so both databases give
//! the same figures, to the last digit.

use super::found::Within;
use super::level::{Level, Scope, BASE};
use super::links::Links;
use super::projection::Projection;
use crate::db::cells::id_value;
use crate::db::layout::is_polymorphic;
use crate::db::rows::{etag, Sight, VERSION};
use crate::db::{name, order, Dialect, Reader, Storage};
use flette_odata::answer::{FetchRow, Groups, Window};
use flette_odata::error::Result;
use flette_odata::fetchxml::{too_many_rows, Fetch, Position};
use flette_odata::{Column, Value};
use sea_query::{Expr, Func, Query, SelectStatement, SimpleExpr};

/// A query and who asks it.
#[derive(Clone, Copy)]
pub struct FetchQuery<'q> {
    /// The query, its conditions resolved.
    pub fetch: &'q Fetch,
    /// Who asks.
    pub sight: &'q Sight,
    /// Only rows of the entity that are in this collection.
    pub within: Option<Within<'q>>,
    /// Minutes that the caller's calendar is ahead of UTC.
    pub utc_offset_minutes: i32,
}

impl Reader<'_> {
    /// The rows of a query.
    ///
    /// # Errors
    /// 400 `0x8004e023` when an aggregate goes over more rows than it may.
    pub fn fetch(&self, asked: &FetchQuery, window: Window) -> Result<Vec<FetchRow>> {
        let fetch = asked.fetch;
        if fetch.aggregate {
            return self.groups_of(asked, window);
        }
        let scope = Scope::new(self.schema, asked.sight, self.dialect());
        let (outputs, positions) = (fetch.outputs(self.schema)?, fetch.positions(self.schema)?);
        let mut build = Build::new(&scope, asked)?;
        let mut query = build.from()?;
        let mut projection = Projection::after(usize::from(!fetch.distinct));
        if !fetch.distinct {
            query.expr(Expr::col((name(build.levels[0].alias(BASE)), name(VERSION))));
        }
        let places = outputs.iter().map(|output| (output.place, output.column));
        for (place, column) in places.chain(positions.iter().map(|at| (at.place, at.column))) {
            build.select(&mut query, &mut projection, place, column);
        }
        build.order(&mut query, &positions, window);
        let mut found = Vec::new();
        self.each(&query, |row| {
            let mut cells: Vec<Value> = (0..projection.cells()).map(|at| projection.value(row, at)).collect();
            let position = cells.split_off(outputs.len());
            let etag = (!fetch.distinct).then(|| etag(row.int(0).unwrap_or_default()));
            found.push(FetchRow { etag, cells, position });
            Ok(true)
        })?;
        Ok(found)
    }

    /// How many rows a query has, counted up to `limit`. For an aggregate that is the number of groups.
    ///
    /// # Errors
    /// As [`Reader::fetch`].
    pub fn fetch_count(&self, asked: &FetchQuery, limit: u64) -> Result<u64> {
        let fetch = asked.fetch;
        if fetch.aggregate {
            let window = Window { after: None, offset: 0, limit };
            return Ok(u64::try_from(self.fetch(asked, window)?.len()).unwrap_or(limit));
        }
        let scope = Scope::new(self.schema, asked.sight, self.dialect());
        let mut build = Build::new(&scope, asked)?;
        let mut rows = build.from()?;
        rows.expr(Expr::val(1i64)).limit(limit);
        if fetch.distinct {
            build.group(&mut rows, &fetch.positions(self.schema)?);
        }
        let mut query = Query::select();
        query.expr(Expr::cust("COUNT(*)")).from_subquery(rows, name("counted"));
        Ok(self.first(&query, |row| row.int(0))?.flatten().unwrap_or_default().unsigned_abs())
    }

    /// The groups of an aggregate.
    fn groups_of(&self, asked: &FetchQuery, window: Window) -> Result<Vec<FetchRow>> {
        let fetch = asked.fetch;
        let scope = Scope::new(self.schema, asked.sight, self.dialect());
        let outputs = fetch.outputs(self.schema)?;
        let mut build = Build::new(&scope, asked)?;
        let mut query = build.from()?;
        let mut projection = Projection::after(0);
        for output in &outputs {
            build.select(&mut query, &mut projection, output.place, output.column);
        }
        query.limit(u64::from(fetch.aggregate_rows_max) + 1);
        let mut groups = Groups::new(&outputs, asked.utc_offset_minutes);
        let mut rows = 0;
        self.each(&query, |row| {
            rows += 1;
            if rows > fetch.aggregate_rows_max {
                return Err(too_many_rows());
            }
            groups.add((0..projection.cells()).map(|at| projection.value(row, at)).collect())?;
            Ok(true)
        })?;
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let sorted = groups.sorted(&fetch.group_order(&outputs)?)?.into_iter();
        let row = |cells| FetchRow { etag: None, cells, position: Vec::new() };
        Ok(sorted.skip(number(window.offset)).take(number(window.limit)).map(row).collect())
    }
}

/// A statement in the making.
struct Build<'s> {
    scope: &'s Scope<'s>,
    fetch: &'s Fetch,
    within: Option<Within<'s>>,
    /// The tables that are joined, by place.
    levels: Vec<Level<'s>>,
}

impl<'s> Build<'s> {
    fn new(scope: &'s Scope<'s>, asked: &FetchQuery<'s>) -> Result<Build<'s>> {
        let FetchQuery { fetch, within, .. } = *asked;
        let levels = fetch.tables(scope.schema)?.into_iter().map(|table| scope.level(table)).collect();
        Ok(Build { scope, fetch, within, levels })
    }

    /// Adds the SQL columns of a column. Of texts that are alike in a distinct query, the spelling that comes
    /// first by code points.
    fn select<'t>(
        &self,
        query: &mut SelectStatement,
        projection: &mut Projection<'t>,
        place: usize,
        column: &'t Column,
    ) where
        's: 't,
    {
        let Some(level) = self.levels.get(place) else { return };
        let target = is_polymorphic(column).then(|| level.target(BASE, column));
        let value = level.column(BASE, column);
        if !self.fetch.distinct {
            return projection.add_as(query, column, value, target);
        }
        let value = match (Storage::of(&column.kind), self.scope.dialect) {
            (Storage::Text, Dialect::Sqlite) => {
                Func::min(Expr::cust_with_exprs("? COLLATE BINARY", [value])).into()
            }
            (Storage::Text, Dialect::Postgres) => Func::min(value).into(),
            (Storage::Id | Storage::Decimal | Storage::Real | Storage::Whole, _) => value,
        };
        projection.add_as(query, column, value, target.map(|target| Func::min(target).into()));
    }

    /// Orders a statement, and begins it where a page begins.
    fn order(&self, query: &mut SelectStatement, positions: &[Position], window: Window) {
        let keys = self.keys(positions);
        if let Some(after) = window.after {
            query.and_where(later(self.scope.dialect, &keys, after));
        }
        if self.fetch.distinct {
            self.group(query, positions);
        }
        for (key, descending) in keys {
            let (direction, nulls) = order(descending);
            query.order_by_expr_with_nulls(key, direction, nulls);
        }
        query.limit(window.limit);
        if window.offset > 0 {
            query.offset(window.offset);
        }
    }

    fn keys(&self, positions: &[Position]) -> Vec<(SimpleExpr, bool)> {
        let key = |at: &Position| Some((self.levels.get(at.place)?.key(BASE, at.column), at.descending));
        positions.iter().filter_map(key).collect()
    }

    /// Rows that are alike in all their positions become one.
    fn group(&self, query: &mut SelectStatement, positions: &[Position]) {
        query.add_group_by(self.keys(positions).into_iter().map(|(key, _)| key));
    }

    /// All rows that are joined and meet the conditions.
    fn from(&mut self) -> Result<SelectStatement> {
        let Build { scope, fetch, within, levels } = self;
        let Some((root, others)) = levels.split_first_mut() else { return Ok(Query::select()) };
        let entity = &fetch.entity;
        let links = Links { scope, fetch };
        let mut query = Query::select();
        // What paths join to the entity is known when its conditions are made.
        let mut conditions = Vec::new();
        for link in entity.links.iter().filter(|link| !link.kind.joins()) {
            conditions.push(links.asked(link, root)?);
        }
        for criteria in &entity.criteria {
            conditions.push(links.criteria(criteria, root, others)?);
        }
        root.add_to(&mut query);
        if let Some(within) = within {
            let tie = root.tie(within.collection, within.holders);
            tie.add_to(&mut query);
            query.and_where(Expr::expr(tie.holder).eq(id_value(within.holder)));
        }
        links.join(&mut query, entity, root, others, false)?;
        conditions.into_iter().for_each(|condition| {
            query.and_where(condition);
        });
        Ok(query)
    }
}

/// Rows after a position: `a > x or (a = x and (b > y or …))`, with nulls first when ascending.
fn later(dialect: Dialect, keys: &[(SimpleExpr, bool)], after: &[Value]) -> SimpleExpr {
    let mut condition = Expr::value(false);
    for ((key, descending), value) in keys.iter().zip(after).rev() {
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
