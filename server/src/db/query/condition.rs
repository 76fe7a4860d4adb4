//! A filter as SQL, with the two-valued logic of `flette_odata::filter::matches`: no condition is ever
//! unknown, so `NOT` is plain negation.

use super::collection::Collection;
use super::compare;
use super::level::{Level, Place, BASE};
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::ODataError;
use sea_query::{Expr, Query, SimpleExpr};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

impl<'s> Level<'s> {
    /// The condition that holds for the rows of the level's own table that the filter lets through.
    ///
    /// # Errors
    /// 400 when the filter names what the schema does not have, or too many related tables.
    pub(crate) fn condition(&mut self, filter: &'s Filter) -> Result<SimpleExpr> {
        Ok(self.condition_at(BASE, filter)?.expression)
    }

    fn condition_at(&mut self, place: Place, filter: &'s Filter) -> Result<Condition> {
        let leaf = |expression| Ok(Condition { expression, depth: LEAF_DEPTH });
        // A column that is not there meets nothing; the parser has refused it.
        let never = || Expr::value(false);
        match filter {
            Filter::And(parts) => self.joined(place, parts, Join::All),
            Filter::Or(parts) => self.joined(place, parts, Join::Any),
            Filter::Not(part) => {
                let Condition { expression, depth } = self.condition_at(place, part)?;
                Ok(Condition { expression: expression.not(), depth: depth + 1 })
            }
            Filter::Always(value) => leaf(Expr::value(*value)),
            Filter::Compare { column, op, value } => leaf(match self.find(place, column) {
                Some(column) => compare::with_value(self, place, column, *op, value),
                None => never(),
            }),
            Filter::CompareColumns { left, op, right } => {
                leaf(match (self.find(place, left), self.find(place, right)) {
                    (Some(left), Some(right)) => compare::columns(self, place, left, *op, right),
                    _ => never(),
                })
            }
            Filter::Text { column, op, pattern } => leaf(match self.find(place, column) {
                Some(column) => self.dialect().matches(*op, self.column(place, column), pattern),
                None => never(),
            }),
            Filter::HasValues { column, values } => match self.find(place, column) {
                Some(column) => {
                    let parts = values.iter().map(|value| compare::has_value(self, place, column, *value));
                    let parts = parts.map(|expression| Condition { expression, depth: LEAF_DEPTH });
                    Ok(balanced(parts.collect(), Join::Any))
                }
                None => leaf(never()),
            },
            Filter::Through { navigation, filter } => {
                let place = self.through(place, navigation)?;
                self.condition_at(place, filter)
            }
            Filter::Any { collection, filter } => self.any(place, collection, filter),
            Filter::Function { column, .. } => {
                // `resolve` has put in its place what it means for this caller.
                Err(ODataError::bad_request(format!("The function on '{column}' cannot be used here.")))
            }
        }
    }

    fn joined(&mut self, place: Place, parts: &'s [Filter], join: Join) -> Result<Condition> {
        let parts = parts.iter().map(|part| self.condition_at(place, part)).collect::<Result<Vec<_>>>()?;
        Ok(balanced(parts, join))
    }

    fn any(&mut self, place: Place, navigation: &str, filter: &'s Filter) -> Result<Condition> {
        let scope = self.scope();
        scope.relate()?;
        let holders = self.table(place);
        let collection = Collection::find(scope.schema, holders, navigation)?;
        let mut inner = scope.level(collection.table());
        let Condition { expression, depth } = inner.condition_at(BASE, filter)?;
        let mut rows = Query::select();
        rows.expr(Expr::cust("1"));
        inner.add_to(&mut rows);
        let tie = inner.tie(&collection, holders);
        tie.add_to(&mut rows);
        rows.and_where(Expr::expr(tie.holder).eq(self.id(place))).and_where(expression);
        Ok(Condition { expression: Expr::exists(rows), depth: depth + LEAF_DEPTH })
    }
}

/// A condition, and how deep its expression is, reckoned generously.
struct Condition {
    expression: SimpleExpr,
    depth: usize,
}

/// How deep the expression of one comparison is at most.
const LEAF_DEPTH: usize = 8;

#[derive(Clone, Copy)]
enum Join {
    All,
    Any,
}

/// Joins conditions in a tree that is hardly deeper than the deepest of them: the two shallowest first. A
/// chain of hundreds would pass SQLite's limit on the depth of an expression (1000).
fn balanced(parts: Vec<Condition>, join: Join) -> Condition {
    let mut queue: BinaryHeap<Reverse<(usize, usize)>> =
        parts.iter().enumerate().map(|(at, part)| Reverse((part.depth, at))).collect();
    let mut parts: Vec<Option<SimpleExpr>> = parts.into_iter().map(|part| Some(part.expression)).collect();
    loop {
        let (first, second) = (queue.pop(), queue.pop());
        let mut take = |at: usize| parts.get_mut(at).and_then(Option::take);
        match (first, second) {
            (Some(Reverse((a, left))), Some(Reverse((b, right)))) => {
                let joined = match (take(left), take(right), join) {
                    (Some(left), Some(right), Join::All) => left.and(right),
                    (Some(left), Some(right), Join::Any) => left.or(right),
                    (left, right, _) => left.or(right).unwrap_or_else(|| Expr::value(false)),
                };
                queue.push(Reverse((a.max(b) + 1, parts.len())));
                parts.push(Some(joined));
            }
            (only, _) => {
                let expression = only.and_then(|Reverse((depth, at))| Some((take(at)?, depth)));
                let (expression, depth) =
                    expression.unwrap_or_else(|| (Expr::value(matches!(join, Join::All)), LEAF_DEPTH));
                return Condition { expression, depth };
            }
        }
    }
}
