//! `$apply`: groups of rows and what is reckoned of each, over columns.

use super::order::Place;
use super::seen::{At, SeenTable};
use super::View;
use crate::mirror::{Alike, Code, Condition, Mixer};
use flette_odata::answer::Running;
use flette_odata::collate::{cell_order, hash_cell, value_order};
use flette_odata::error::Result;
use flette_odata::fetchxml::{too_many_rows, Figure, AGGREGATE_ROWS_MAX};
use flette_odata::ordered;
use flette_odata::query::{AggregateOp, Apply};
use flette_odata::render::Cell;
use flette_odata::{ColumnKind, Table, Uuid, Value};
use hashbrown::HashTable;
use std::cmp::Ordering;
use std::hash::Hasher;

/// What rows have in common, and what is reckoned of them.
struct Group {
    /// The smallest id of its rows. Of texts and numbers that are equal and look different this row's are shown.
    first: Uuid,
    keys: Vec<Value>,
    figures: Vec<Running>,
}

impl View<'_> {
    /// The groups in the order of their keys; of each the keys and the figures.
    pub(super) fn grouped(&self, table: &Table, apply: &Apply) -> Result<Vec<Vec<Value>>> {
        let seen = self.seen(table)?;
        let condition = self.all_of(&seen, apply.filter.as_ref(), None)?;
        let place = |path: &[String], column: &str| Place::find(self, &seen, path, column);
        let keys = apply.group.iter().map(|key| place(&key.path, &key.column));
        let keys = keys.collect::<Result<Vec<Place>>>()?;
        let mut figures = Vec::new();
        for aggregate in &apply.aggregates {
            let of = aggregate.column.as_ref().map(|(path, column)| place(path, column)).transpose()?;
            figures.push((figure(aggregate.op), of));
        }
        let mut groups =
            Groups { all: Vec::new(), known: HashTable::new(), coded: Vec::new(), keys, figures };
        if let Some((alike, others)) = groups.tally(&seen, apply, condition.as_ref()) {
            check_number(alike.iter().map(|alike| alike.rows).sum::<usize>() + others.len())?;
            for Alike { at, rows } in alike {
                groups.add_alike(At::Mirror(at), seen.id(At::Mirror(at)), rows);
            }
            groups.add_all(&seen, others)?;
            return groups.finish();
        }
        let mut rows = seen.select(condition.as_ref());
        check_number(rows.len())?;
        if groups.figures.iter().any(|(figure, of)| depends_on_order(*figure, of.as_ref())) {
            rows = ordered::list_by_key(rows, |at| seen.id(*at));
        }
        if apply.group.is_empty() {
            groups.begin(Vec::new(), Uuid::nil());
        }
        groups.add_all(&seen, rows)?;
        groups.finish()
    }
}

fn check_number(rows: usize) -> Result<()> {
    match rows > usize::try_from(AGGREGATE_ROWS_MAX).unwrap_or(usize::MAX) {
        true => Err(too_many_rows()),
        false => Ok(()),
    }
}

struct Groups<'s> {
    all: Vec<Group>,
    /// Places in `all` by keys.
    known: HashTable<usize>,
    /// The same by segment and code, where there is one key and its column has codes.
    coded: Vec<Vec<Option<usize>>>,
    keys: Vec<Place<'s>>,
    figures: Vec<(Figure, Option<Place<'s>>)>,
}

impl Groups<'_> {
    /// Where rows are only counted, by one column of their own: how many share a value.
    fn tally(
        &self,
        seen: &SeenTable,
        apply: &Apply,
        condition: Option<&Condition>,
    ) -> Option<(Vec<Alike>, Vec<At>)> {
        let counted = self.figures.iter().all(|(figure, of)| *figure == Figure::Rows && of.is_none());
        match apply.group.as_slice() {
            [key] if key.path.is_empty() && counted => seen.tally(&key.column, condition),
            _ => None,
        }
    }

    fn begin(&mut self, keys: Vec<Value>, first: Uuid) -> usize {
        let figures = self.figures.iter().map(|_| Running::default()).collect();
        self.all.push(Group { first, keys, figures });
        self.all.len() - 1
    }

    /// The group that a row belongs to.
    fn group_of(&mut self, at: At, id: Uuid) -> usize {
        let code = match self.keys.as_slice() {
            [] => return 0,
            [key] => key.code(at),
            [_, _, ..] => None,
        };
        let Some(Code { slot, code, codes }) = code else { return self.group_by_values(at, id) };
        if self.coded.len() <= slot {
            self.coded.resize_with(slot + 1, Vec::new);
        }
        if self.coded[slot].is_empty() {
            self.coded[slot].resize(codes, None);
        }
        if let Some(group) = self.coded[slot][code] {
            return group;
        }
        let group = self.group_by_values(at, id);
        self.coded[slot][code] = Some(group);
        group
    }

    fn group_by_values(&mut self, at: At, id: Uuid) -> usize {
        let hash = hash_of(self.keys.iter().map(|key| key.cell(at)));
        let alike = |group: &usize| {
            let pairs = self.all[*group].keys.iter().zip(&self.keys);
            pairs.into_iter().all(|(known, key)| cell_order(Cell::from(known), key.cell(at)).is_eq())
        };
        if let Some(group) = self.known.find(hash, alike) {
            return *group;
        }
        let keys = self.keys.iter().map(|key| key.cell(at).into()).collect();
        let group = self.begin(keys, id);
        let all = &self.all;
        self.known.insert_unique(hash, group, |group| hash_of(all[*group].keys.iter().map(Cell::from)));
        group
    }

    fn add_all(&mut self, seen: &SeenTable, rows: Vec<At>) -> Result<()> {
        rows.into_iter().try_for_each(|at| self.add(at, seen.id(at)))
    }

    fn add(&mut self, at: At, id: Uuid) -> Result<()> {
        let group = self.group_of(at, id);
        self.show_first(group, at, id);
        for ((figure, of), running) in self.figures.iter().zip(&mut self.all[group].figures) {
            running.add(*figure, of.as_ref().map_or(Cell::Null, |place| place.cell(at)))?;
        }
        Ok(())
    }

    /// Takes rows in that share a value and are only counted. The row is the one with the smallest id.
    fn add_alike(&mut self, at: At, id: Uuid, rows: usize) {
        let group = self.group_by_values(at, id);
        self.show_first(group, at, id);
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.all[group].figures.iter_mut().for_each(|running| running.count(rows));
    }

    fn show_first(&mut self, group: usize, at: At, id: Uuid) {
        if id < self.all[group].first {
            self.all[group].first = id;
            self.all[group].keys = self.keys.iter().map(|key| key.cell(at).into()).collect();
        }
    }

    fn finish(self) -> Result<Vec<Vec<Value>>> {
        let all = ordered::list(self.all, |a, b| {
            let pairs = a.keys.iter().zip(&b.keys).map(|(a, b)| value_order(a, b));
            pairs.fold(Ordering::Equal, Ordering::then)
        });
        let figures = self.figures;
        let shown = |group: Group| {
            let reckoned =
                group.figures.into_iter().zip(&figures).map(|(running, (of, _))| running.value(*of));
            group.keys.into_iter().map(Ok).chain(reckoned).collect()
        };
        all.into_iter().map(shown).collect()
    }
}

fn hash_of<'c>(cells: impl Iterator<Item = Cell<'c>>) -> u64 {
    let mut hasher = Mixer::default();
    cells.for_each(|cell| hash_cell(cell, &mut hasher));
    hasher.finish()
}

/// Whether a figure may come out differently when the rows come in another order: sums of floating point numbers, and
/// least and greatest values that are equal and look different.
fn depends_on_order(figure: Figure, of: Option<&Place>) -> bool {
    let Some(kind) = of.map(Place::kind) else { return false };
    match figure {
        Figure::Rows | Figure::Values | Figure::DistinctValues => false,
        Figure::Sum | Figure::Average => matches!(kind, ColumnKind::Double { .. }),
        Figure::Min | Figure::Max => !matches!(
            kind,
            ColumnKind::Integer { .. } | ColumnKind::BigInt | ColumnKind::DateTime | ColumnKind::Date
        ),
    }
}

fn figure(op: AggregateOp) -> Figure {
    match op {
        AggregateOp::Sum => Figure::Sum,
        AggregateOp::Average => Figure::Average,
        AggregateOp::Min => Figure::Min,
        AggregateOp::Max => Figure::Max,
        AggregateOp::Count => Figure::Rows,
        AggregateOp::CountDistinct => Figure::DistinctValues,
    }
}
