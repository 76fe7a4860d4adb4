//! What has to wait for what among all that is to be told: a unit's turn comes when nothing of the plan has to be settled before it.

use super::deferred::Deferred;
use crate::journal::{RowRequest, Unit};
use crate::model::{planted, Bug, Change, EntityRef, Key, Value};
use crate::replica::Draft;
use flette_odata::path::PARTY_TABLE;
use std::collections::{BTreeMap, BTreeSet};

/// Whose turn it is, by the units of one plan.
pub(super) struct Turns<'u> {
    creators: BTreeMap<&'u Key, usize>,
    deleters: BTreeMap<&'u Key, usize>,
    joiners: BTreeMap<Ends<'u>, usize>,
    unlinked: BTreeMap<Key, usize>,
    deferred: Deferred,
}

impl<'u> Turns<'u> {
    pub(super) fn of(draft: &Draft, units: &'u [Unit]) -> Turns<'u> {
        Turns {
            creators: creators(units),
            deleters: deleters(units),
            joiners: joiners(units),
            unlinked: unlinked(units),
            deferred: Deferred::of(draft, units),
        }
    }

    /// Whether the turn has come of the unit at this place of the plan.
    pub(super) fn has_come(&self, unit: &Unit, at: usize) -> bool {
        let early = planted(Bug::ChildBeforeParent);
        (!waits_for_create(unit, at, &self.creators) || early)
            && !waits_for_unlink(unit, at, &self.unlinked)
            && (!self.deferred.holds_up(unit, at) || early)
            && !waits_for_deletion(unit, at, &self.deleters)
            && !waits_for_pair(unit, at, &self.joiners)
    }
}

/// Rows that come to be in this plan, and by which unit.
fn creators(units: &[Unit]) -> BTreeMap<&Key, usize> {
    let creates = |r: &&RowRequest| matches!(r.change, Change::Create(_));
    let mut creators = BTreeMap::new();
    for (at, unit) in units.iter().enumerate() {
        creators.extend(unit.requests.iter().filter(creates).map(|r| (&r.key, at)));
    }
    creators
}

/// A row that points to a new row waits until that one stands.
fn waits_for_create(unit: &Unit, at: usize, creators: &BTreeMap<&Key, usize>) -> bool {
    let to_come = |key: &Key| creators.get(key).is_some_and(|creator| *creator != at);
    unit.requests.iter().flat_map(|r| &r.holders).any(to_come)
        || unit
            .requests
            .iter()
            .flat_map(|r| links(&r.change))
            .any(|(_, new)| new.is_some_and(|to| to_come(&Key::new(to.table.clone(), to.id))))
}

/// Rows that are deleted in this plan, and by which unit.
fn deleters(units: &[Unit]) -> BTreeMap<&Key, usize> {
    let deletes = |r: &&RowRequest| r.change == Change::Delete;
    let mut deleters = BTreeMap::new();
    for (at, unit) in units.iter().enumerate() {
        deleters.extend(unit.requests.iter().filter(deletes).map(|r| (&r.key, at)));
    }
    deleters
}

/// What a row holds goes with it: nothing is told of that while the row's own deletion is on its way. If it is given up,
/// the held rows' entries are still there.
fn waits_for_deletion(unit: &Unit, at: usize, deleters: &BTreeMap<&Key, usize>) -> bool {
    let goes = |holder: &Key| deleters.get(holder).is_some_and(|by| *by != at);
    unit.requests.iter().flat_map(|r| &r.holders).any(goes)
}

/// A pair by what the server knows it by: its table and its two ends.
type Ends<'u> = (&'u str, &'u [Key]);

fn pair(request: &RowRequest) -> Option<Ends<'_>> {
    let is_pair = !request.holders.is_empty() && !is_party(request);
    is_pair.then_some((request.key.table.as_str(), request.holders.as_slice()))
}

fn is_party(request: &RowRequest) -> bool {
    request.key.table == PARTY_TABLE
}

/// The first unit that makes or takes away each pair.
fn joiners(units: &[Unit]) -> BTreeMap<Ends<'_>, usize> {
    let mut joiners = BTreeMap::new();
    for (at, unit) in units.iter().enumerate() {
        for pair in unit.requests.iter().filter_map(pair) {
            joiners.entry(pair).or_insert(at);
        }
    }
    joiners
}

/// A pair that is made again waits until the one before is gone: the server knows both by their ends only.
fn waits_for_pair(unit: &Unit, at: usize, joiners: &BTreeMap<Ends<'_>, usize>) -> bool {
    unit.requests.iter().filter_map(pair).any(|pair| joiners.get(&pair).is_some_and(|first| *first < at))
}

/// Rows spoken for in a wave. A set that is replaced gives its activity a new version, so that nothing else can be said of
/// the activity in the same wave. A pair leaves its ends as they are.
#[derive(Default)]
pub(super) struct Busy {
    rows: BTreeSet<Key>,
    sets: BTreeSet<Key>,
}

impl Busy {
    pub(super) fn leaves(&self, unit: &Unit) -> bool {
        unit.requests.iter().all(|request| {
            !self.sets.contains(&request.key)
                && !activities(request).any(|key| self.rows.contains(key) || self.sets.contains(key))
        })
    }

    pub(super) fn take(&mut self, unit: &Unit) {
        for request in &unit.requests {
            self.rows.insert(request.key.clone());
            self.sets.extend(activities(request).cloned());
        }
    }
}

/// Whose set a party belongs to.
fn activities(request: &RowRequest) -> impl Iterator<Item = &Key> {
    request.holders.iter().filter(|_| is_party(request))
}

/// Rows that a unit takes a link away from, and the first unit that does.
fn unlinked(units: &[Unit]) -> BTreeMap<Key, usize> {
    let mut unlinked = BTreeMap::new();
    for (at, unit) in units.iter().enumerate() {
        for from in unit.requests.iter().flat_map(|r| links(&r.change)).filter_map(|(old, _)| old) {
            unlinked.entry(Key::new(from.table.clone(), from.id)).or_insert(at);
        }
    }
    unlinked
}

/// A deletion waits until earlier edits that take a link to its row away have been settled: the server may delete what
/// still points to it.
fn waits_for_unlink(unit: &Unit, at: usize, unlinked: &BTreeMap<Key, usize>) -> bool {
    let deletions = unit.requests.iter().filter(|r| matches!(r.change, Change::Delete));
    deletions.into_iter().any(|r| unlinked.get(&r.key).is_some_and(|earlier| *earlier < at))
}

/// Rows that a change ceases to point to, and those it points to.
pub(super) fn links(change: &Change) -> Vec<(Option<&EntityRef>, Option<&EntityRef>)> {
    fn lookup(value: &Value) -> Option<&EntityRef> {
        match value {
            Value::Lookup(to) => Some(to),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Decimal(_)
            | Value::Double(_)
            | Value::Text(_)
            | Value::Guid(_)
            | Value::DateTime(_)
            | Value::Date(_) => None,
        }
    }
    match change {
        Change::Create(row) => row.values().map(|value| (None, lookup(value))).collect(),
        Change::Update(edits) => edits.iter().map(|e| (lookup(&e.old), lookup(&e.new))).collect(),
        Change::Delete => Vec::new(),
    }
}
