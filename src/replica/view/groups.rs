//! `$apply`: groups of rows and what is reckoned of each, over columns.

use super::order::Place;
use super::seen::At;
use super::View;
use flette_odata::answer::Running;
use flette_odata::collate::{cell_order, hash_cell, value_order};
use flette_odata::error::Result;
use flette_odata::fetchxml::{too_many_rows, Figure, AGGREGATE_ROWS_MAX};
use flette_odata::query::{AggregateOp, Apply};
use flette_odata::render::Cell;
use flette_odata::{Table, Value};
use hashbrown::HashTable;
use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

/// What rows have in common, and what is reckoned of them.
struct Group {
    keys: Vec<Value>,
    figures: Vec<Running>,
}

impl View<'_> {
    /// The groups in the order of their keys; of each the keys and the figures.
    pub(super) fn grouped(&self, table: &Table, apply: &Apply) -> Result<Vec<Vec<Value>>> {
        let seen = self.seen(table)?;
        let condition = self.all_of(&seen, apply.filter.as_ref(), None)?;
        let mut rows = seen.select(condition.as_ref());
        if rows.len() > usize::try_from(AGGREGATE_ROWS_MAX).unwrap_or(usize::MAX) {
            return Err(too_many_rows());
        }
        // Of texts and numbers that are equal and look different the one of the smallest id is shown.
        rows.sort_unstable_by_key(|at| seen.id(*at));
        let place = |path: &[String], column: &str| Place::find(self, &seen, path, column);
        let keys = apply.group.iter().map(|key| place(&key.path, &key.column));
        let keys = keys.collect::<Result<Vec<Place>>>()?;
        let mut figures = Vec::new();
        for aggregate in &apply.aggregates {
            let of = aggregate.column.as_ref().map(|(path, column)| place(path, column)).transpose()?;
            figures.push((figure(aggregate.op), of));
        }
        let mut groups = Groups { all: Vec::new(), known: HashTable::new(), keys, figures };
        if apply.group.is_empty() {
            groups.begin(Vec::new());
        }
        for at in rows {
            groups.add(at)?;
        }
        groups.finish()
    }
}

struct Groups<'s> {
    all: Vec<Group>,
    /// Places in `all` by keys.
    known: HashTable<usize>,
    keys: Vec<Place<'s>>,
    figures: Vec<(Figure, Option<Place<'s>>)>,
}

impl Groups<'_> {
    fn begin(&mut self, keys: Vec<Value>) -> usize {
        let figures = self.figures.iter().map(|_| Running::default()).collect();
        self.all.push(Group { keys, figures });
        self.all.len() - 1
    }

    /// The group that a row belongs to.
    fn group_of(&mut self, at: At) -> usize {
        if self.keys.is_empty() {
            return 0;
        }
        let hash = hash_of(self.keys.iter().map(|key| key.cell(at)));
        let alike = |group: &usize| {
            let pairs = self.all[*group].keys.iter().zip(&self.keys);
            pairs.into_iter().all(|(known, key)| cell_order(Cell::from(known), key.cell(at)).is_eq())
        };
        if let Some(group) = self.known.find(hash, alike) {
            return *group;
        }
        let keys = self.keys.iter().map(|key| key.cell(at).into()).collect();
        let group = self.begin(keys);
        let all = &self.all;
        self.known.insert_unique(hash, group, |group| hash_of(all[*group].keys.iter().map(Cell::from)));
        group
    }

    fn add(&mut self, at: At) -> Result<()> {
        let group = self.group_of(at);
        for ((figure, of), running) in self.figures.iter().zip(&mut self.all[group].figures) {
            running.add(*figure, of.as_ref().map_or(Cell::Null, |place| place.cell(at)))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Vec<Value>>> {
        self.all.sort_by(|a, b| {
            let pairs = a.keys.iter().zip(&b.keys).map(|(a, b)| value_order(a, b));
            pairs.fold(Ordering::Equal, Ordering::then)
        });
        let figures = self.figures;
        let shown = |group: Group| {
            let reckoned =
                group.figures.into_iter().zip(&figures).map(|(running, (of, _))| running.value(*of));
            group.keys.into_iter().map(Ok).chain(reckoned).collect()
        };
        self.all.into_iter().map(shown).collect()
    }
}

fn hash_of<'c>(cells: impl Iterator<Item = Cell<'c>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    cells.for_each(|cell| hash_cell(cell, &mut hasher));
    hasher.finish()
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
