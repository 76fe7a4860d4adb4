//! Orders as SQL, and positions in them: where a page ends is remembered by the values of its last row, so
//! that the next page begins right after it, whatever changed meanwhile.

use super::level::{Level, Place, BASE};
use crate::db;
use flette_odata::error::Result;
use flette_odata::query::OrderBy;
use flette_odata::{Column, ODataError, Value};
use sea_query::{Expr, OrderedStatement, SimpleExpr};

/// One key of an order, in its place.
#[derive(Clone, Copy)]
pub(crate) struct Key<'s> {
    pub(crate) place: Place,
    pub(crate) column: &'s Column,
    pub(crate) descending: bool,
}

/// A whole order: its last key is the primary key, which leaves no ties.
pub(crate) struct Order<'s> {
    pub(crate) keys: Vec<Key<'s>>,
}

impl<'s> Order<'s> {
    /// The keys that were asked for, and the primary key. Joins what paths lead to.
    ///
    /// # Errors
    /// 400 when a key names what the schema does not have.
    pub(crate) fn new(level: &mut Level<'s>, by: &'s [OrderBy]) -> Result<Order<'s>> {
        let mut keys = Vec::new();
        for by in by {
            let place = level.along(&by.path)?;
            let column = level.find(place, &by.column).ok_or_else(|| missing(&by.column))?;
            keys.push(Key { place, column, descending: by.descending });
            // Nothing after the key decides anything.
            if place == BASE && by.column == level.table(BASE).primary_id {
                return Ok(Order { keys });
            }
        }
        let table = level.table(BASE);
        let column = table.column(&table.primary_id).ok_or_else(|| missing(&table.primary_id))?;
        keys.push(Key { place: BASE, column, descending: false });
        Ok(Order { keys })
    }

    /// Orders a statement over the level, or a window in one.
    pub(crate) fn apply(&self, level: &Level<'s>, statement: &mut impl OrderedStatement) {
        for key in &self.keys {
            let expression = level.key(key.place, key.column);
            let (direction, nulls) = db::order(key.descending);
            match has_nulls(level, key) {
                true => statement.order_by_expr_with_nulls(expression, direction, nulls),
                false => statement.order_by_expr(expression, direction),
            };
        }
    }

    /// Rows after a position: `a > x or (a = x and (b > y or …))`, with nulls first when ascending. `after`
    /// has one value per key, of the key's kind.
    pub(crate) fn later(&self, level: &Level<'s>, after: &[Value]) -> SimpleExpr {
        let mut condition: Option<SimpleExpr> = None;
        for (key, value) in self.keys.iter().zip(after).rev() {
            let here = || Expr::expr(level.key(key.place, key.column));
            let bound = level.dialect().bound(value);
            let beyond = match (key.descending, value.is_null()) {
                (false, true) => Some(here().is_not_null()),
                (false, false) => Some(here().gt(bound.clone())),
                (true, true) => None,
                (true, false) if has_nulls(level, key) => Some(here().lt(bound.clone()).or(here().is_null())),
                (true, false) => Some(here().lt(bound.clone())),
            };
            let same = || if value.is_null() { here().is_null() } else { here().eq(bound) };
            condition = match (beyond, condition) {
                (Some(beyond), Some(rest)) => Some(beyond.or(same().and(rest))),
                (Some(beyond), None) => Some(beyond),
                (None, Some(rest)) => Some(same().and(rest)),
                (None, None) => None,
            };
        }
        let condition = condition.unwrap_or_else(|| Expr::value(false));
        match self.bound(level, after) {
            Some(bound) => bound.and(condition),
            None => condition,
        }
    }

    /// What [`Order::later`] implies of the first key alone: an index can be entered there.
    fn bound(&self, level: &Level<'s>, after: &[Value]) -> Option<SimpleExpr> {
        let (key, value) = (self.keys.first()?, after.first()?);
        let here = Expr::expr(level.key(key.place, key.column));
        let bound = level.dialect().bound(value);
        match (key.descending, value.is_null()) {
            _ if self.keys.len() == 1 => None,
            (false, false) => Some(here.gte(bound)),
            (true, false) if !has_nulls(level, key) => Some(here.lte(bound)),
            (true, false) | (_, true) => None,
        }
    }
}

/// Only the level's own primary key always has a value. It is told so, since PostgreSQL's index of it has
/// nulls at the other end, and would not be used.
fn has_nulls(level: &Level, key: &Key) -> bool {
    key.place != BASE || key.column.logical_name != level.table(BASE).primary_id
}

fn missing(column: &str) -> ODataError {
    ODataError::bad_request(format!("Could not find a property named '{column}' to order by."))
}
