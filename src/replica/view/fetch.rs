//! FetchXML: rows of several tables side by side. Links are followed by indexes made for the request, a table at a time.

use super::links::{Joins, Side};
use super::seen::{Columns, SeenTable};
use super::View;
use flette_odata::answer::{FetchQuery, FetchRow, Groups, Window};
use flette_odata::collate::cell_order;
use flette_odata::error::Result;
use flette_odata::fetchxml::{too_many_rows, Output, Position};
use flette_odata::ordered;
use flette_odata::render::Cell;
use flette_odata::Value;
use std::cmp::Ordering;
use std::rc::Rc;

/// Columns of rows that stand side by side.
struct Shown<'s> {
    places: Vec<usize>,
    columns: Vec<Columns<'s>>,
}

impl<'s> Shown<'s> {
    fn new<'n>(tables: &[Rc<SeenTable<'s>>], of: impl Iterator<Item = (usize, &'n str)>) -> Shown<'s> {
        let (mut places, mut columns) = (Vec::new(), Vec::new());
        for (place, column) in of {
            if let Some(table) = tables.get(place) {
                places.push(place);
                columns.push(table.columns([column]));
            }
        }
        Shown { places, columns }
    }

    fn cell(&self, side: &Side, row: usize, at: usize) -> Cell<'_> {
        match side.at(self.places[at], row) {
            Some(found) => self.columns[at].cell(found, 0),
            None => Cell::Null,
        }
    }

    fn values(&self, side: &Side, row: usize) -> Vec<Value> {
        (0..self.places.len()).map(|at| self.cell(side, row, at).into()).collect()
    }
}

fn shown<'s>(tables: &[Rc<SeenTable<'s>>], outputs: &[Output]) -> Shown<'s> {
    Shown::new(tables, outputs.iter().map(|o| (o.place, o.column.logical_name.as_str())))
}

impl View<'_> {
    /// The rows of a query whose conditions are resolved.
    pub(super) fn fetched(&self, asked: &FetchQuery, window: Window) -> Result<Vec<FetchRow>> {
        let fetch = asked.fetch;
        let (offset, limit) = (number(window.offset), number(window.limit));
        if fetch.aggregate {
            let row = |cells| FetchRow { etag: None, cells, position: Vec::new() };
            return Ok(self.aggregated(asked)?.into_iter().skip(offset).take(limit).map(row).collect());
        }
        let joins = Joins::new(self, asked)?;
        let side = joins.rows(self)?;
        let positions = fetch.positions(&self.state.schema)?;
        let keys = Shown::new(
            joins.tables(),
            positions.iter().map(|position| (position.place, position.column.logical_name.as_str())),
        );
        let mut rows: Vec<usize> = (0..side.len()).collect();
        if let Some(after) = window.after {
            let cell = |key: usize| after.get(key).map_or(Cell::Null, Cell::from);
            rows.retain(|row| compare(&positions, |key| keys.cell(&side, *row, key), cell).is_gt());
        }
        let in_order = |a: usize, b: usize| {
            compare(&positions, |key| keys.cell(&side, a, key), |key| keys.cell(&side, b, key))
        };
        let outputs = shown(joins.tables(), &fetch.outputs(&self.state.schema)?);
        if fetch.distinct {
            ordered::places_by(&mut rows, &in_order);
            let row = |row: &usize| (outputs.values(&side, *row), keys.values(&side, *row));
            let alike = |a: &usize, b: &usize| in_order(*a, *b).is_eq();
            return Ok(distinct(&rows, alike, row).skip(offset).take(limit).collect());
        }
        ordered::first_by(&mut rows, offset.saturating_add(limit), &in_order);
        let row = |row: usize| FetchRow {
            etag: side.at(0, row).map(|at| joins.tables()[0].etag(at).into_owned()),
            cells: outputs.values(&side, row),
            position: keys.values(&side, row),
        };
        Ok(rows.into_iter().skip(offset).map(row).collect())
    }

    /// How many rows a query has; of an aggregate groups.
    pub(super) fn fetched_count(&self, asked: &FetchQuery) -> Result<usize> {
        if asked.fetch.aggregate {
            return Ok(self.aggregated(asked)?.len());
        }
        if asked.fetch.distinct {
            let all = Window { after: None, offset: 0, limit: u64::MAX };
            return Ok(self.fetched(asked, all)?.len());
        }
        Ok(Joins::new(self, asked)?.rows(self)?.len())
    }

    fn aggregated(&self, asked: &FetchQuery) -> Result<Vec<Vec<Value>>> {
        let fetch = asked.fetch;
        let joins = Joins::new(self, asked)?;
        let side = joins.rows(self)?;
        if side.len() > usize::try_from(fetch.aggregate_rows_max).unwrap_or(usize::MAX) {
            return Err(too_many_rows());
        }
        let outputs = fetch.outputs(&self.state.schema)?;
        let cells = shown(joins.tables(), &outputs);
        let mut groups = Groups::new(&outputs, asked.utc_offset_minutes);
        for row in 0..side.len() {
            groups.add(cells.values(&side, row))?;
        }
        groups.sorted(&fetch.group_order(&outputs)?)
    }
}

fn number(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn compare<'c>(
    positions: &[Position],
    left: impl Fn(usize) -> Cell<'c>,
    right: impl Fn(usize) -> Cell<'c>,
) -> Ordering {
    for (key, position) in positions.iter().enumerate() {
        let order = cell_order(left(key), right(key));
        match (order, position.descending) {
            (Ordering::Equal, _) => {}
            (order, true) => return order.reverse(),
            (order, false) => return order,
        }
    }
    Ordering::Equal
}

/// Rows that are alike become one, which shows of each text the spelling that comes first by code points.
fn distinct<'r>(
    sorted: &'r [usize],
    alike: impl Fn(&usize, &usize) -> bool + 'r,
    row: impl Fn(&usize) -> (Vec<Value>, Vec<Value>) + 'r,
) -> impl Iterator<Item = FetchRow> + 'r {
    sorted.chunk_by(alike).filter_map(move |rows| {
        let mut rows = rows.iter().map(&row);
        let (mut cells, mut position) = rows.next()?;
        for (other_cells, other_position) in rows {
            cells.iter_mut().zip(other_cells).for_each(|(known, other)| smaller_text(known, other));
            position.iter_mut().zip(other_position).for_each(|(known, other)| smaller_text(known, other));
        }
        Some(FetchRow { etag: None, cells, position })
    })
}

fn smaller_text(known: &mut Value, other: Value) {
    if let (Value::Text(known), Value::Text(other)) = (known, other) {
        if other < *known {
            *known = other;
        }
    }
}
