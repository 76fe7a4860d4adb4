//! Queries over mirror (+) journal: columns for the many rows as the server said them, row by row for the few that
//! have entries.

use super::{SeenRow, State};
use crate::model::{Key, Row, Value};
use flette_odata::collate::value_order;
use flette_odata::filter::{matches, Filter};
use flette_odata::ordered;
use flette_odata::query::OrderBy;
use std::cmp::Ordering;
use std::collections::HashMap;
use uuid::Uuid;

/// What is asked of one table.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// Logical name.
    pub table: &'a str,
    /// Rows that pass.
    pub filter: Option<&'a Filter>,
    /// Most significant first; the id comes last by itself, so that the order is total.
    pub orderby: &'a [OrderBy],
    /// Only rows after this place in the order.
    pub after: Option<Position>,
    /// Most rows to give.
    pub limit: Option<usize>,
}

/// A place in an order: the values of its columns, and the id.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub struct Position {
    pub values: Vec<Value>,
    pub id: Uuid,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// In order, at most `limit`.
    pub rows: Vec<(Uuid, SeenRow)>,
    /// How many rows pass the filter, whatever `after` and `limit`.
    pub total: usize,
    /// Whether rows follow after the last one given.
    pub more: bool,
}

impl State {
    /// Answers from memory; the table must be loaded. A table that is not there has no rows.
    pub fn find(&self, ask: &Ask) -> Found {
        let local: HashMap<Uuid, Option<SeenRow>> =
            self.touched(ask.table).iter().map(|key| (key.id, self.row(key))).collect();
        let mut seen: Vec<(Position, SeenRow)> = Vec::new();
        for (id, row) in &local {
            if let Some(row) = row.as_ref().filter(|r| passes(ask.filter, &r.row)) {
                seen.push((position(*id, &row.row, ask.orderby), row.clone()));
            }
        }
        let mut total = seen.len();
        let compare = |a: &Position, b: &Position| order(a, b, ask.orderby);
        let after =
            |place: &Position| ask.after.as_ref().is_none_or(|a| compare(place, a) == Ordering::Greater);
        let limit = ask.limit.unwrap_or(usize::MAX);
        let mut found: Vec<(Position, Option<SeenRow>)> =
            seen.into_iter().map(|(p, r)| (p, Some(r))).filter(|(p, _)| after(p)).collect();
        if let Some(mirror) = self.tables.get(ask.table).and_then(|t| t.mirror.as_ref()) {
            let mut selection = mirror.select(ask.filter, &local.keys().copied().collect::<Vec<_>>());
            total += selection.len();
            let place = |at| Position {
                values: ask.orderby.iter().map(|o| mirror.cell(at, &o.column)).collect(),
                id: mirror.id_at(at),
            };
            if ask.after.is_some() {
                selection.retain(|at| after(&place(*at)));
            }
            let ordered = mirror.order(selection, ask.orderby, ask.limit.map(|n| n.saturating_add(1)));
            found.extend(ordered.into_iter().map(|at| (place(at), None)));
        }
        found = ordered::list(found, |(a, _), (b, _)| compare(a, b));
        let more = found.len() > limit;
        found.truncate(limit);
        let rows = found
            .into_iter()
            .filter_map(|(place, row)| Some((place.id, row.or_else(|| self.plain(ask, place.id))?)));
        Found { rows: rows.collect(), total, more }
    }

    fn plain(&self, ask: &Ask, id: Uuid) -> Option<SeenRow> {
        let (row, etag) = self.mirror_row(&Key::new(ask.table, id))?;
        Some(SeenRow { row, etag: etag.0, pending: false })
    }
}

fn passes(filter: Option<&Filter>, row: &Row) -> bool {
    filter.is_none_or(|f| matches(f, &|column| row.get(column).cloned().unwrap_or_default()))
}

/// A row's place.
pub fn position(id: Uuid, row: &Row, orderby: &[OrderBy]) -> Position {
    let values = orderby.iter().map(|o| row.get(&o.column).cloned().unwrap_or_default()).collect();
    Position { values, id }
}

fn order(a: &Position, b: &Position, orderby: &[OrderBy]) -> Ordering {
    let columns = a.values.iter().zip(&b.values).zip(orderby).map(|((a, b), by)| {
        let order = value_order(a, b);
        if by.descending {
            order.reverse()
        } else {
            order
        }
    });
    columns.fold(Ordering::Equal, Ordering::then).then_with(|| a.id.cmp(&b.id))
}
