//! Links and conditions of FetchXML as SQL.

use super::compare;
use super::level::{Level, Scope, BASE};
use crate::db::name;
use flette_odata::error::Result;
use flette_odata::fetchxml::{Condition, Criteria, Entity, Fetch, Link, LinkKind, Test};
use flette_odata::filter::CompareOp;
use flette_odata::{Column, ODataError};
use sea_query::{Expr, JoinType, Order, Query, SelectStatement, SimpleExpr};

/// Links and conditions as SQL.
pub(super) struct Links<'s> {
    pub(super) scope: &'s Scope<'s>,
    pub(super) fetch: &'s Fetch,
}

impl<'s> Links<'s> {
    /// Joins everything below an entity; `below` are the tables of its joined links, in order. Below an outer
    /// join all joins are outer ones; that inner ones find something is made a condition of the outer one.
    pub(super) fn join(
        &self,
        query: &mut SelectStatement,
        entity: &'s Entity,
        above: &Level<'s>,
        mut below: &mut [Level<'s>],
        below_outer: bool,
    ) -> Result<()> {
        for link in entity.links.iter().filter(|link| link.kind.joins()) {
            let width = 1 + link.entity.joined().len();
            let (own, rest) = std::mem::take(&mut below).split_at_mut(width);
            below = rest;
            let Some((level, further)) = own.split_first_mut() else { continue };
            let outer = below_outer || link.kind == LinkKind::Outer;
            let mut on = self.behind(link, level, above)?.and(self.own(&link.entity, level)?);
            if outer {
                on = on.and(self.nested(&link.entity, level)?);
            }
            if link.kind == LinkKind::First {
                on = on.and(self.is_first(link, level, above)?);
            }
            let kind = if outer { JoinType::LeftJoin } else { JoinType::InnerJoin };
            query.join_as(kind, name(&level.table(BASE).logical_name), name(level.alias(BASE)), on);
            self.join(query, &link.entity, level, further, outer)?;
        }
        Ok(())
    }

    /// Rows behind a link that the caller sees.
    fn behind(&self, link: &Link, level: &Level<'s>, above: &Level<'s>) -> Result<SimpleExpr> {
        let from = column(level, &link.from)?;
        let to = column(above, &link.to)?;
        let equal = compare::across((level, BASE, from), CompareOp::Equal, (above, BASE, to));
        Ok(match self.scope.sight.condition(level.table(BASE), level.alias(BASE)) {
            Some(seen) => equal.and(seen),
            None => equal,
        })
    }

    /// The conditions of a linked entity on its own row, and on rows it only asks after.
    fn own(&self, entity: &'s Entity, level: &mut Level<'s>) -> Result<SimpleExpr> {
        let mut all = Vec::new();
        for criteria in &entity.criteria {
            all.push(self.criteria(criteria, level, &mut [])?);
        }
        for link in entity.links.iter().filter(|link| !link.kind.joins()) {
            all.push(self.asked(link, level)?);
        }
        Ok(joined(all, true))
    }

    /// That the links joined below an entity find something, where they have to.
    fn nested(&self, entity: &'s Entity, level: &Level<'s>) -> Result<SimpleExpr> {
        let needed = entity.links.iter().filter(|link| link.kind.joins() && link.kind != LinkKind::Outer);
        Ok(joined(needed.map(|link| self.asked(link, level)).collect::<Result<_>>()?, true))
    }

    /// A statement over the rows behind a link; with `whole`, over those that meet everything the link says.
    fn matching(
        &self,
        link: &'s Link,
        above: &Level<'s>,
        whole: bool,
    ) -> Result<(SelectStatement, Level<'s>)> {
        let table = self.scope.schema.table(&link.entity.table).ok_or_else(|| unknown(&link.entity.table))?;
        let mut level = self.scope.level(table);
        let mut query = Query::select();
        query.from_as(name(&table.logical_name), name(level.alias(BASE)));
        query.and_where(self.behind(link, &level, above)?);
        if whole {
            query.and_where(self.own(&link.entity, &mut level)?);
            query.and_where(self.nested(&link.entity, &level)?);
        }
        Ok((query, level))
    }

    /// Whether a link that shows nothing is fulfilled.
    pub(super) fn asked(&self, link: &'s Link, above: &Level<'s>) -> Result<SimpleExpr> {
        let exists = |whole| -> Result<SimpleExpr> {
            let (mut query, _) = self.matching(link, above, whole)?;
            query.expr(Expr::cust("1"));
            Ok(Expr::exists(query))
        };
        Ok(match link.kind {
            LinkKind::NotAny => exists(true)?.not(),
            LinkKind::All => exists(false)?.and(exists(true)?.not()),
            LinkKind::Inner
            | LinkKind::Outer
            | LinkKind::First
            | LinkKind::Exists
            | LinkKind::In
            | LinkKind::Any
            | LinkKind::NotAll => exists(true)?,
        })
    }

    /// That a row is the one with the smallest key among those behind a link.
    fn is_first(&self, link: &'s Link, level: &Level<'s>, above: &Level<'s>) -> Result<SimpleExpr> {
        let (mut query, here) = self.matching(link, above, true)?;
        query.expr(here.id(BASE)).order_by_expr(here.id(BASE), Order::Asc).limit(1);
        let first = SimpleExpr::SubQuery(None, Box::new(query.into_sub_query_statement()));
        Ok(Expr::expr(level.id(BASE)).eq(first))
    }

    /// `others` are the tables that conditions may name by alias.
    pub(super) fn criteria(
        &self,
        criteria: &'s Criteria,
        level: &mut Level<'s>,
        others: &mut [Level<'s>],
    ) -> Result<SimpleExpr> {
        let (parts, all) = match criteria {
            Criteria::And(parts) => (parts, true),
            Criteria::Or(parts) => (parts, parts.is_empty()),
            Criteria::Link(link) => return self.asked(link, level),
            Criteria::Condition(condition) => return self.condition(condition, level, others),
        };
        let parts =
            parts.iter().map(|part| self.criteria(part, level, others)).collect::<Result<Vec<_>>>()?;
        Ok(joined(parts, all))
    }

    fn condition(
        &self,
        condition: &'s Condition,
        level: &mut Level<'s>,
        others: &mut [Level<'s>],
    ) -> Result<SimpleExpr> {
        let place = |entity: &Option<String>| entity.as_deref().map(|alias| self.fetch.place(Some(alias)));
        let unnamed = || unknown(condition.entity.as_deref().unwrap_or_default());
        match &condition.test {
            Test::Values { filter, .. } => match place(&condition.entity) {
                None => level.condition(filter),
                Some(place) => {
                    let other = place.checked_sub(1).and_then(|at| others.get_mut(at));
                    other.ok_or_else(unnamed)?.condition(filter)
                }
            },
            Test::Column { op, entity, column: other } => {
                let named = |entity| match place(entity) {
                    None => Ok(&*level),
                    Some(place) => place.checked_sub(1).and_then(|at| others.get(at)).ok_or_else(unnamed),
                };
                let (left, right) = (named(&condition.entity)?, named(entity)?);
                let (a, b) = (column(left, &condition.column)?, column(right, other)?);
                Ok(compare::across((left, BASE, a), *op, (right, BASE, b)))
            }
        }
    }
}

/// Joins parts as a balanced tree, since SQLite limits the depth of an expression; none of them at all hold.
fn joined(mut parts: Vec<SimpleExpr>, all: bool) -> SimpleExpr {
    if parts.len() < 2 {
        return parts.pop().unwrap_or_else(|| Expr::value(true));
    }
    let right = parts.split_off(parts.len() / 2);
    let (left, right) = (joined(parts, all), joined(right, all));
    match all {
        true => left.and(right),
        false => left.or(right),
    }
}

fn column<'s>(level: &Level<'s>, name: &str) -> Result<&'s Column> {
    level.find(BASE, name).ok_or_else(|| unknown(name))
}

/// What the parser has found in the schema is there.
fn unknown(name: &str) -> ODataError {
    ODataError::bad_request(format!("The schema does not have '{name}'."))
}
