//! One table as the app sees it.

use crate::mirror::{Alike, Cells, Code, Condition, MirrorTable, RowAt};
use crate::model::Key;
use crate::replica::{SeenRow, State};
use flette_odata::answer::Stored;
use flette_odata::query::OrderBy;
use flette_odata::render::Cell;
use flette_odata::{Column, Table, Uuid};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Where a row stands. Good as long as the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum At {
    /// As the server told it.
    Mirror(RowAt),
    /// Among those that are not as mirror alone says.
    Local(usize),
}

/// See the module.
pub(super) struct SeenTable<'s> {
    pub(super) table: &'s Table,
    state: &'s State,
    mirror: Option<&'s MirrorTable>,
    /// Found out when first needed: whoever asks for a row by its id has no need of the others.
    touched: OnceCell<Touched>,
}

/// Rows that are not as mirror alone says.
#[derive(Default)]
struct Touched {
    /// Their ids, and the places of those that are there.
    places: HashMap<Uuid, Option<usize>>,
    rows: Vec<(Uuid, Rc<SeenRow>)>,
}

impl Touched {
    fn of(state: &State, table: &Table) -> Touched {
        let mut touched = Touched::default();
        for key in state.touched(&table.logical_name) {
            let row = state.seen_row(&key);
            let place = row.as_ref().map(|_| touched.rows.len());
            touched.places.insert(key.id, place);
            touched.rows.extend(row.map(|row| (key.id, row)));
        }
        touched
    }

    fn ids(&self) -> Vec<Uuid> {
        self.places.keys().copied().collect()
    }
}

impl<'s> SeenTable<'s> {
    pub(super) fn of(state: &'s State, table: &'s Table) -> SeenTable<'s> {
        let mirror = state.tables.get(&table.logical_name).and_then(|t| t.mirror.as_ref());
        SeenTable { table, state, mirror, touched: OnceCell::new() }
    }

    fn touched(&self) -> &Touched {
        self.touched.get_or_init(|| Touched::of(self.state, self.table))
    }

    fn local(&self, place: usize) -> &(Uuid, Rc<SeenRow>) {
        &self.touched().rows[place]
    }

    /// The rows that meet a condition, in no order.
    pub(super) fn select(&self, condition: Option<&Condition>) -> Vec<At> {
        let touched = self.touched().ids();
        let told = self.mirror.map(|mirror| mirror.select_where(condition, &touched)).unwrap_or_default();
        let mut rows: Vec<At> = told.into_iter().map(At::Mirror).collect();
        rows.extend(self.local_rows(condition).map(At::Local));
        rows
    }

    /// The first of them in an order by columns: those that are as the mirror says in that order, then the others.
    pub(super) fn first(&self, condition: Option<&Condition>, by: &[OrderBy], limit: usize) -> Vec<At> {
        let touched = self.touched().ids();
        let told = self.mirror.map(|mirror| mirror.first_where(condition, &touched, by, limit));
        let mut rows: Vec<At> = told.unwrap_or_default().into_iter().map(At::Mirror).collect();
        rows.extend(self.local_rows(condition).map(At::Local));
        rows
    }

    /// The rows that meet a condition, counted by what they store in a column, as far as the mirror has codes for it; then
    /// the places of the others.
    pub(super) fn tally(&self, column: &str, condition: Option<&Condition>) -> Option<(Vec<Alike>, Vec<At>)> {
        let touched = self.touched().ids();
        let alike = self.mirror?.tally(column, condition, &touched)?;
        Some((alike, self.local_rows(condition).map(At::Local).collect()))
    }

    /// How many there are.
    pub(super) fn count(&self, condition: Option<&Condition>) -> usize {
        match (condition, self.mirror) {
            (None, Some(mirror)) if self.touched().places.is_empty() => mirror.len(),
            (_, mirror) => {
                let touched = self.touched().ids();
                let told = mirror.map_or(0, |mirror| mirror.count_where(condition, &touched));
                told + self.local_rows(condition).count()
            }
        }
    }

    /// Places of the rows that meet a condition, among those that are not as mirror alone says.
    fn local_rows<'v>(&'v self, condition: Option<&'v Condition>) -> impl Iterator<Item = usize> + 'v {
        let local = self.touched().rows.iter().enumerate();
        let meets = move |id: Uuid, seen: &SeenRow| {
            let cell = |name: &str| seen.row.get(name).map_or(Cell::Null, Cell::from);
            condition.is_none_or(|condition| condition.holds(id, &cell))
        };
        local.filter(move |(_, (id, seen))| meets(*id, seen)).map(|(place, _)| place)
    }

    /// Where a row stands that is there.
    pub(super) fn find(&self, id: Uuid) -> Option<At> {
        match self.touched().places.get(&id) {
            Some(place) => place.map(At::Local),
            None => self.mirror?.find(id).map(At::Mirror),
        }
    }

    /// The same when no other row of the table is wanted: those that have entries are then left as they are.
    pub(super) fn find_alone(&self, id: Uuid) -> Option<At> {
        let key = Key::new(self.table.logical_name.clone(), id);
        match self.touched.get().is_some() || self.state.is_touched(&key) {
            true => self.find(id),
            false => self.mirror?.find(id).map(At::Mirror),
        }
    }

    pub(super) fn id(&self, at: At) -> Uuid {
        match (at, self.mirror) {
            (At::Mirror(at), Some(mirror)) => mirror.id_at(at),
            (At::Mirror(_), None) => Uuid::nil(),
            (At::Local(place), _) => self.local(place).0,
        }
    }

    pub(super) fn etag(&self, at: At) -> Cow<'_, str> {
        match (at, self.mirror) {
            (At::Mirror(at), Some(mirror)) => mirror.etag_at(at).into(),
            (At::Mirror(_), None) => "".into(),
            (At::Local(place), _) => self.local(place).1.etag.as_str().into(),
        }
    }

    /// One value by logical name; of many rows [`SeenTable::columns`] is faster.
    pub(super) fn cell(&self, at: At, column: &str) -> Cell<'_> {
        match (at, self.mirror) {
            (At::Mirror(at), Some(mirror)) => mirror.borrowed(at, column),
            (At::Mirror(_), None) => Cell::Null,
            (At::Local(place), _) => self.local(place).1.row.get(column).map_or(Cell::Null, Cell::from),
        }
    }

    /// A row with some columns at least; none without an etag, by which no row can be told from a later one.
    pub(super) fn stored(&self, at: At, columns: &[&Column]) -> Option<Stored> {
        let etag = self.etag(at);
        if etag.is_empty() {
            return None;
        }
        let names = columns.iter().map(|column| column.logical_name.as_str());
        let row = match (at, self.mirror) {
            (At::Local(place), _) => self.local(place).1.row.clone(),
            (At::Mirror(at), Some(mirror)) => mirror.part_of_row(at, names),
            (At::Mirror(_), None) => return None,
        };
        Some(Stored { row, etag: etag.into_owned() })
    }

    pub(super) fn mirror(&self) -> Option<&'s MirrorTable> {
        self.mirror
    }

    /// A reader of some columns, given by logical name.
    pub(super) fn columns<'n>(self: &Rc<Self>, names: impl IntoIterator<Item = &'n str>) -> Columns<'s> {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let cells = self.mirror.map(|mirror| mirror.cells(names.iter().map(String::as_str)));
        Columns { seen: self.clone(), names, cells }
    }
}

/// Some columns of a table, to be read of many rows.
pub(super) struct Columns<'s> {
    seen: Rc<SeenTable<'s>>,
    names: Vec<String>,
    cells: Option<Cells<'s>>,
}

impl Columns<'_> {
    /// The value of the column in place `column` of those asked for.
    pub(super) fn cell(&self, at: At, column: usize) -> Cell<'_> {
        match (at, &self.cells) {
            (At::Mirror(at), Some(cells)) => cells.cell(at, column),
            (At::Mirror(_), None) => Cell::Null,
            (At::Local(place), _) => {
                let name = self.names.get(column).map_or("", String::as_str);
                self.seen.local(place).1.row.get(name).map_or(Cell::Null, Cell::from)
            }
        }
    }

    /// What tells the value of one row from those of others without reading it, where that is known.
    pub(super) fn code(&self, at: At, column: usize) -> Option<Code> {
        match (at, &self.cells) {
            (At::Mirror(at), Some(cells)) => cells.code(at, column),
            (At::Mirror(_), None) | (At::Local(_), _) => None,
        }
    }

    /// The row that the lookup in place `column` leads to in `target`.
    pub(super) fn follow(&self, at: At, column: usize, target: &SeenTable) -> Option<At> {
        match self.cell(at, column) {
            Cell::Lookup { table, id } if table == target.table.logical_name => target.find(id),
            _ => None,
        }
    }
}
