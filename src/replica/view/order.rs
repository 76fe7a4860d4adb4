//! Orders, by a table's own columns and by those at the end of paths, and places in them.

use super::condition::missing;
use super::seen::{At, Columns, SeenTable};
use super::View;
use crate::mirror::{Code, Condition};
use flette_odata::collate::cell_order;
use flette_odata::error::Result;
use flette_odata::navigation::single_target;
use flette_odata::ordered;
use flette_odata::query::OrderBy;
use flette_odata::render::Cell;
use flette_odata::{ColumnKind, Value};
use std::cmp::Ordering;
use std::rc::Rc;

/// A column of a table, or one at the end of a path from it.
pub(super) struct Place<'s> {
    hops: Vec<Hop<'s>>,
    column: Columns<'s>,
    kind: &'s ColumnKind,
}

/// From table to table by a lookup.
struct Hop<'s> {
    lookup: Columns<'s>,
    target: Rc<SeenTable<'s>>,
}

impl<'s> Place<'s> {
    /// # Errors
    /// 501 when the path leads to a table that is not here; 400 when the schema is another one than it was read with.
    pub(super) fn find(
        view: &View<'s>,
        seen: &Rc<SeenTable<'s>>,
        path: &[String],
        column: &str,
    ) -> Result<Place<'s>> {
        let (mut hops, mut here) = (Vec::new(), seen.clone());
        for name in path {
            let target = view.seen(single_target(&view.state.schema, here.table, name)?)?;
            let (lookup, _) = here.table.navigation(name).ok_or_else(|| missing(name))?;
            let lookup = here.columns([lookup.logical_name.as_str()]);
            hops.push(Hop { lookup, target: target.clone() });
            here = target;
        }
        let kind = &here.table.column(column).ok_or_else(|| missing(column))?.kind;
        Ok(Place { hops, column: here.columns([column]), kind })
    }

    /// Where the path from a row leads; none where it leads nowhere.
    fn end(&self, at: At) -> Option<At> {
        self.hops.iter().try_fold(at, |at, hop| hop.lookup.follow(at, 0, &hop.target))
    }

    fn cell_at(&self, end: Option<At>) -> Cell<'_> {
        end.map_or(Cell::Null, |at| self.column.cell(at, 0))
    }

    /// The type of the values.
    pub(super) fn kind(&self) -> &'s ColumnKind {
        self.kind
    }

    /// What tells the value of a row from those of others of the same segment, where that is known.
    pub(super) fn code(&self, at: At) -> Option<Code> {
        match self.hops.is_empty() {
            true => self.column.code(at, 0),
            // The value stands in a row of another table.
            false => None,
        }
    }

    /// The value that belongs to a row.
    pub(super) fn cell(&self, at: At) -> Cell<'_> {
        self.cell_at(self.end(at))
    }
}

/// An order of the rows of one table: its last key is the primary key, which leaves no ties.
pub(super) struct Order<'s> {
    seen: Rc<SeenTable<'s>>,
    by: Vec<OrderBy>,
    keys: Vec<Place<'s>>,
}

impl<'s> Order<'s> {
    /// # Errors
    /// As [`Place::find`].
    pub(super) fn new(view: &View<'s>, seen: &Rc<SeenTable<'s>>, asked: &[OrderBy]) -> Result<Order<'s>> {
        let is_id = |by: &OrderBy| by.path.is_empty() && by.column == seen.table.primary_id;
        let mut by: Vec<OrderBy> = asked.to_vec();
        // Nothing after the key decides anything.
        match by.iter().position(is_id) {
            Some(at) => by.truncate(at + 1),
            None => by.push(OrderBy { column: seen.table.primary_id.clone(), ..OrderBy::default() }),
        }
        let keys = by.iter().map(|by| Place::find(view, seen, &by.path, &by.column));
        let keys = keys.collect::<Result<_>>()?;
        Ok(Order { seen: seen.clone(), by, keys })
    }

    /// Values of the keys: where a row stands.
    pub(super) fn position(&self, at: At) -> Vec<Value> {
        self.keys.iter().map(|key| key.cell(at).into()).collect()
    }

    /// The first rows that meet a condition, after a position where there is one, in order.
    pub(super) fn first_where(
        &self,
        condition: Option<&Condition>,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Vec<At> {
        match after.is_none() && self.is_by_columns() {
            true => self.put_between(self.seen.first(condition, &self.by, limit), limit),
            false => self.first(self.seen.select(condition), after, limit),
        }
    }

    fn is_by_columns(&self) -> bool {
        self.keys.iter().all(|key| key.hops.is_empty())
    }

    /// The first rows after a position, in order.
    pub(super) fn first(&self, mut rows: Vec<At>, after: Option<&[Value]>, limit: usize) -> Vec<At> {
        if let Some(after) = after {
            rows.retain(|at| self.compare(|key| self.keys[key].cell(*at), |key| value(after, key)).is_gt());
        }
        match self.is_by_columns() {
            true => self.first_by_columns(rows, limit),
            false => self.first_by_paths(&rows, limit),
        }
    }

    /// Columns of the mirror order themselves; the few other rows are put between.
    fn first_by_columns(&self, rows: Vec<At>, limit: usize) -> Vec<At> {
        let (mut told, mut others) = (Vec::new(), Vec::new());
        for at in rows {
            match at {
                At::Mirror(at) => told.push(at),
                At::Local(_) => others.push(at),
            }
        }
        let told = self.seen.mirror().map(|mirror| mirror.order(told, &self.by, Some(limit)));
        let told = told.unwrap_or_default().into_iter().map(At::Mirror);
        self.put_between(told.chain(others).collect(), limit)
    }

    /// The first of rows that are in order but for those at the end that are not as the mirror says.
    fn put_between(&self, mut rows: Vec<At>, limit: usize) -> Vec<At> {
        if let Some(At::Local(_)) = rows.last() {
            let compare =
                |a: &At, b: &At| self.compare(|key| self.keys[key].cell(*a), |key| self.keys[key].cell(*b));
            rows = ordered::list(rows, compare);
        }
        rows.truncate(limit);
        rows
    }

    /// Where the paths lead is found out once for each row.
    fn first_by_paths(&self, rows: &[At], limit: usize) -> Vec<At> {
        let width = self.keys.len();
        let ends: Vec<Option<At>> =
            rows.iter().flat_map(|at| self.keys.iter().map(|key| key.end(*at))).collect();
        let cell = |row: usize, key: usize| self.keys[key].cell_at(ends[row * width + key]);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        ordered::first_by(&mut order, limit, &|a, b| self.compare(|key| cell(a, key), |key| cell(b, key)));
        order.into_iter().map(|row| rows[row]).collect()
    }

    fn compare<'c>(&self, left: impl Fn(usize) -> Cell<'c>, right: impl Fn(usize) -> Cell<'c>) -> Ordering {
        for (key, by) in self.by.iter().enumerate() {
            let order = cell_order(left(key), right(key));
            match (order, by.descending) {
                (Ordering::Equal, _) => {}
                (order, true) => return order.reverse(),
                (order, false) => return order,
            }
        }
        Ordering::Equal
    }
}

fn value(values: &[Value], key: usize) -> Cell<'_> {
    values.get(key).map_or(Cell::Null, Cell::from)
}
