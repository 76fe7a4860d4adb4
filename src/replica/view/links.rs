//! The links of FetchXML: which rows stand side by side, and which are only asked after.

use super::seen::{At, SeenTable};
use super::View;
use crate::mirror::{Condition, IdSet};
use flette_odata::answer::FetchQuery;
use flette_odata::collate::{compare_cells, Key};
use flette_odata::error::Result;
use flette_odata::fetchxml::{self, Criteria, Entity, Link, LinkKind, Test};
use flette_odata::filter::{holds, CompareOp, Filter};
use flette_odata::ordered;
use flette_odata::render::Cell;
use flette_odata::{ODataError, Table};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Rows side by side: for each place as many as there are rows; none where an outer join found nothing.
pub(super) struct Side {
    places: Vec<Vec<Option<At>>>,
}

impl Side {
    /// The row in a place.
    pub(super) fn at(&self, place: usize, row: usize) -> Option<At> {
        *self.places.get(place)?.get(row)?
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.places.first().map_or(0, Vec::len)
    }

    fn keep(&mut self, rows: &[usize]) {
        for place in &mut self.places {
            *place = rows.iter().map(|row| place[*row]).collect();
        }
    }
}

/// A query's joined tables.
pub(super) struct Joins<'q, 's> {
    asked: &'q FetchQuery<'q>,
    /// By place.
    tables: Vec<Rc<SeenTable<'s>>>,
    /// Place above and link, by place less one: what stands above comes before.
    links: Vec<(usize, &'q Link)>,
}

/// Rows by the value that they are joined by.
type Index = HashMap<Key, Vec<At>>;

impl<'q, 's> Joins<'q, 's> {
    /// # Errors
    /// 501 for a table that is not here.
    pub(super) fn new(view: &View<'s>, asked: &'q FetchQuery<'q>) -> Result<Joins<'q, 's>> {
        let tables = asked.fetch.tables(&view.state.schema)?;
        let tables = tables.into_iter().map(|table| view.seen(table)).collect::<Result<_>>()?;
        let mut links = Vec::new();
        collect(&asked.fetch.entity, 0, &mut links);
        Ok(Joins { asked, tables, links })
    }

    /// Tables by place.
    pub(super) fn tables(&self) -> &[Rc<SeenTable<'s>>] {
        &self.tables
    }

    /// All rows that are joined and meet the conditions, in no order.
    pub(super) fn rows(&self, view: &View<'s>) -> Result<Side> {
        let entity = &self.asked.fetch.entity;
        let root = &self.tables[0];
        let own = view.entity_condition(entity, root.table)?;
        let within = view.all_of(root, None, self.asked.within)?;
        let condition = Condition::And(own.into_iter().chain(within).collect());
        let first = root.select(Some(&condition)).into_iter().map(Some).collect();
        let mut side = Side { places: vec![first] };
        let indexes = self.indexes(view)?;
        for ((above, link), index) in self.links.iter().zip(&indexes) {
            self.join(&mut side, *above, link, index);
        }
        for criteria in &entity.criteria {
            if names_others(criteria) {
                let test = self.beside(view, criteria)?;
                let rows: Vec<usize> = (0..side.len()).filter(|row| self.holds(&test, &side, *row)).collect();
                side.keep(&rows);
            }
        }
        Ok(side)
    }

    /// Of each joined table the rows that can be joined, by the value that they are joined by. What is joined below
    /// decides with.
    fn indexes(&self, view: &View<'s>) -> Result<Vec<Index>> {
        let mut indexes: Vec<Index> = Vec::new();
        for (at, (_, link)) in self.links.iter().enumerate().rev() {
            let seen = &self.tables[at + 1];
            let condition = Condition::And(view.entity_condition(&link.entity, seen.table)?);
            let mut rows = seen.select(Some(&condition));
            let below = self.links.iter().enumerate().skip(at + 1).filter(|(_, (above, _))| *above == at + 1);
            for (place, (_, link)) in below.filter(|(_, (_, link))| link.kind != LinkKind::Outer) {
                // The tables further down were done first.
                let Some(index) = indexes.get(self.links.len() - 1 - place) else { continue };
                let to = seen.columns([link.to.as_str()]);
                rows.retain(|at| index.contains_key(&Key::of(to.cell(*at, 0))));
            }
            if link.kind == LinkKind::First {
                rows = ordered::list_by_key(rows, |at| seen.id(*at));
            }
            let from = seen.columns([link.from.as_str()]);
            let mut index = Index::new();
            for at in rows {
                match from.cell(at, 0) {
                    Cell::Null => {}
                    value => index.entry(Key::of(value)).or_default().push(at),
                }
            }
            indexes.push(index);
        }
        indexes.reverse();
        Ok(indexes)
    }

    fn join(&self, side: &mut Side, above: usize, link: &Link, index: &Index) {
        let to = self.tables[above].columns([link.to.as_str()]);
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        let mut add = |row: usize, at: Option<At>| {
            rows.push(row);
            found.push(at);
        };
        for row in 0..side.len() {
            // Below an outer join that found nothing there is nothing.
            let Some(at) = side.at(above, row) else {
                add(row, None);
                continue;
            };
            let matches = match to.cell(at, 0) {
                Cell::Null => None,
                value => index.get(&Key::of(value)),
            };
            match (matches, link.kind) {
                (Some(matches), LinkKind::First) => add(row, matches.first().copied()),
                (Some(matches), _) => matches.iter().for_each(|at| add(row, Some(*at))),
                (None, LinkKind::Outer) => add(row, None),
                (None, _) => {}
            }
        }
        side.keep(&rows);
        side.places.push(found);
    }
}

fn collect<'q>(entity: &'q Entity, place: usize, links: &mut Vec<(usize, &'q Link)>) {
    for link in entity.links.iter().filter(|link| link.kind.joins()) {
        links.push((place, link));
        let here = links.len();
        collect(&link.entity, here, links);
    }
}

/// Whether a condition speaks of a joined row.
fn names_others(criteria: &Criteria) -> bool {
    match criteria {
        Criteria::And(parts) | Criteria::Or(parts) => parts.iter().any(names_others),
        Criteria::Link(_) => false,
        Criteria::Condition(condition) => {
            let other = match &condition.test {
                Test::Values { .. } => false,
                Test::Column { entity, .. } => entity.is_some(),
            };
            other || condition.entity.is_some()
        }
    }
}

impl View<'_> {
    /// What an entity demands of its own row alone: one condition for each of its own, and one for each link that is
    /// only asked after.
    fn entity_condition<'f>(&self, entity: &'f Entity, table: &'f Table) -> Result<Vec<Condition<'f>>> {
        let mut all = Vec::new();
        for link in entity.links.iter().filter(|link| !link.kind.joins()) {
            all.push(self.asked_after(link, table)?);
        }
        for criteria in entity.criteria.iter().filter(|criteria| !names_others(criteria)) {
            all.push(self.criterion(criteria, table)?);
        }
        Ok(all)
    }

    fn criterion<'f>(&self, criteria: &'f Criteria, table: &'f Table) -> Result<Condition<'f>> {
        let all = |parts: &'f [Criteria]| -> Result<Vec<Condition<'f>>> {
            parts.iter().map(|part| self.criterion(part, table)).collect()
        };
        match criteria {
            Criteria::And(parts) => Ok(Condition::And(all(parts)?)),
            // As in SQL, one without conditions is left out and holds.
            Criteria::Or(parts) if parts.is_empty() => Ok(Condition::Plain(Cow::Owned(Filter::Always(true)))),
            Criteria::Or(parts) => Ok(Condition::Or(all(parts)?)),
            Criteria::Link(link) => self.asked_after(link, table),
            Criteria::Condition(condition) => match &condition.test {
                Test::Values { filter, .. } => self.condition(filter, table),
                Test::Column { op, column, .. } => {
                    let (left, right) = (condition.column.clone(), column.clone());
                    Ok(Condition::Plain(Cow::Owned(Filter::CompareColumns { left, op: *op, right })))
                }
            },
        }
    }

    /// Whether a row lets a link be fulfilled that is not joined.
    fn asked_after<'f>(&self, link: &'f Link, above: &'f Table) -> Result<Condition<'f>> {
        let table = self.state.schema.table(&link.entity.table);
        let seen = self.seen(table.ok_or_else(|| ODataError::segment_not_found(&link.entity.table))?)?;
        let mut demands = Vec::new();
        for criteria in &link.entity.criteria {
            demands.push(self.criterion(criteria, seen.table)?);
        }
        for below in link.entity.links.iter().filter(|below| below.kind != LinkKind::Outer) {
            demands.push(self.asked_after(below, seen.table)?);
        }
        let meeting = seen.select(Some(&Condition::And(demands)));
        let met = values(&seen, &link.from, meeting);
        Ok(match link.kind {
            LinkKind::NotAny => Condition::Not(Box::new(one_of(above, &link.to, met))),
            LinkKind::All => {
                let behind = values(&seen, &link.from, seen.select(None));
                let none_met = Condition::Not(Box::new(one_of(above, &link.to, met)));
                Condition::And(vec![one_of(above, &link.to, behind), none_met])
            }
            LinkKind::Inner
            | LinkKind::Outer
            | LinkKind::First
            | LinkKind::Exists
            | LinkKind::In
            | LinkKind::Any
            | LinkKind::NotAll => one_of(above, &link.to, met),
        })
    }
}

fn values(seen: &Rc<SeenTable>, column: &str, rows: Vec<At>) -> HashSet<Key> {
    let cells = seen.columns([column]);
    rows.into_iter().map(|at| Key::of(cells.cell(at, 0))).filter(|key| *key != Key::Null).collect()
}

/// A row's column has one of these values.
fn one_of<'f>(table: &Table, column: &'f str, values: HashSet<Key>) -> Condition<'f> {
    let ids = |values: HashSet<Key>| -> IdSet {
        let id = |key| match key {
            Key::Id(id) => Some(id),
            _ => None,
        };
        values.into_iter().filter_map(id).collect()
    };
    if column == table.primary_id {
        return Condition::Among(ids(values));
    }
    match table.column(column).is_some_and(flette_odata::Column::is_lookup) {
        true => Condition::Leads { column: Cow::Borrowed(column), table: None, ids: ids(values) },
        false => Condition::OneOf { column: Cow::Borrowed(column), values },
    }
}

/// A condition on rows side by side.
enum Beside<'f> {
    And(Vec<Beside<'f>>),
    Or(Vec<Beside<'f>>),
    /// On the entity's own row.
    Own(Condition<'f>),
    /// On the row in a place.
    Values(usize, &'f Filter),
    Columns((usize, &'f str), CompareOp, (usize, &'f str)),
}

impl<'s> Joins<'_, 's> {
    fn beside<'f>(&self, view: &View<'s>, criteria: &'f Criteria) -> Result<Beside<'f>>
    where
        's: 'f,
    {
        let all = |parts: &'f [Criteria]| -> Result<Vec<Beside<'f>>> {
            parts.iter().map(|part| self.beside(view, part)).collect()
        };
        if !names_others(criteria) {
            return Ok(Beside::Own(view.criterion(criteria, self.tables[0].table)?));
        }
        match criteria {
            Criteria::And(parts) => Ok(Beside::And(all(parts)?)),
            Criteria::Or(parts) => Ok(Beside::Or(all(parts)?)),
            Criteria::Link(_) => Ok(Beside::And(Vec::new())),
            Criteria::Condition(condition) => Ok(self.condition(condition)),
        }
    }

    fn condition<'f>(&self, condition: &'f fetchxml::Condition) -> Beside<'f> {
        let place = |alias: &Option<String>| self.asked.fetch.place(alias.as_deref());
        match &condition.test {
            Test::Values { filter, .. } => Beside::Values(place(&condition.entity), filter),
            Test::Column { op, entity, column } => {
                let left = (place(&condition.entity), condition.column.as_str());
                Beside::Columns(left, *op, (place(entity), column.as_str()))
            }
        }
    }

    fn holds(&self, test: &Beside, side: &Side, row: usize) -> bool {
        let cell = |place: usize, column: &str| match side.at(place, row) {
            Some(at) => self.tables[place].cell(at, column),
            None => Cell::Null,
        };
        match test {
            Beside::And(parts) => parts.iter().all(|part| self.holds(part, side, row)),
            Beside::Or(parts) => parts.iter().any(|part| self.holds(part, side, row)),
            Beside::Own(condition) => side
                .at(0, row)
                .is_some_and(|at| condition.holds(self.tables[0].id(at), &|column| cell(0, column))),
            Beside::Values(place, filter) => holds(filter, &|column| cell(*place, column)),
            Beside::Columns(left, op, right) => {
                let order = compare_cells(cell(left.0, left.1), cell(right.0, right.1));
                order.is_some_and(|order| op.holds(order))
            }
        }
    }
}
