//! In which order entries go to the server: by `Seq`, parents before children, change sets whole.

mod closed;

use self::closed::{closed_again, note_set, Replaced};
use super::{squash, Entry, EntryState, RowRequest, Squashed};
use crate::model::{ordered, planted, Bug, Change, ChangeSetId, Key, Seq, Value, BATCH_PARTS_MAX};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is sent together.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// One request a row; more than one only in a change set.
    pub requests: Vec<RowRequest>,
    /// Whether the server must apply all or none.
    pub atomic: bool,
    /// Entries that amount to nothing and can be dropped without telling the server.
    pub nothing: Vec<Seq>,
    /// Entries that wait until what is told here has been answered.
    pub deferred: Vec<Seq>,
}

/// Orders all entries that may be sent into units.
///
/// Left out: rows with a parked entry, and rows that point to a row whose creation is parked (their dependents, to any
/// depth). A lookup to a row created later in the journal puts that row first; a circle of lookups among new rows is
/// broken by creating one of them without the lookup; its entry keeps it for the next plan.
pub fn plan<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Unit> {
    let mut rows: BTreeMap<Key, Vec<&Entry>> = BTreeMap::new();
    let mut replaced = Replaced::new();
    for entry in entries {
        note_set(&mut replaced, entry);
        rows.entry(entry.key.clone()).or_default().push(entry);
    }
    let mut blocked = blocked(&rows);
    if planted(Bug::RefusalStopsQueue) && !blocked.is_empty() {
        blocked.extend(rows.keys().cloned());
    }
    rows.retain(|key, _| !blocked.contains(key));
    order(group(rows, &replaced))
}

/// Rows that cannot be sent now.
fn blocked(rows: &BTreeMap<Key, Vec<&Entry>>) -> BTreeSet<Key> {
    // A deletion made after a refused edit says what the user wants: it goes.
    let deleted =
        |es: &[&Entry]| es.last().is_some_and(|e| matches!(e.change, Change::Delete) && !e.is_parked());
    let parked = |es: &[&Entry]| es.iter().any(|e| e.is_parked()) && !deleted(es);
    let mut blocked = ordered::set(rows.iter().filter(|(_, es)| parked(es)).map(|(k, _)| k.clone()));
    loop {
        let missing = |key: &Key| blocked.contains(key) && creates(&rows[key]);
        let blocked_rows = rows.iter().filter(|(key, _)| blocked.contains(*key));
        let sets = ordered::set(blocked_rows.flat_map(|(_, es)| es.iter().filter_map(|e| e.change_set)));
        let more: Vec<Key> = rows
            .iter()
            .filter(|(key, _)| !blocked.contains(*key))
            .filter(|(_, es)| {
                let is_missing = |target: Key| rows.contains_key(&target) && missing(&target);
                es.iter().any(|e| e.change_set.is_some_and(|set| sets.contains(&set)))
                    || es.iter().any(|e| targets(&e.change, &e.holders).any(is_missing))
                        && targets_told(es).into_iter().any(is_missing)
            })
            .map(|(key, _)| key.clone())
            .collect();
        if more.is_empty() {
            return blocked;
        }
        blocked.extend(more);
    }
}

/// Rows that share change sets with these, to any depth, and these: they are sent together, or wait together.
pub fn bound<'a>(
    entries: impl IntoIterator<Item = &'a Entry> + Clone,
    mut rows: BTreeSet<Key>,
) -> BTreeSet<Key> {
    loop {
        let known = rows.len();
        let of_rows = entries.clone().into_iter().filter(|entry| rows.contains(&entry.key));
        let sets: BTreeSet<ChangeSetId> = of_rows.filter_map(|entry| entry.change_set).collect();
        let shares = |entry: &&Entry| entry.change_set.is_some_and(|set| sets.contains(&set));
        rows.extend(entries.clone().into_iter().filter(shares).map(|entry| entry.key.clone()));
        if rows.len() == known {
            return rows;
        }
    }
}

fn creates(entries: &[&Entry]) -> bool {
    entries.first().is_some_and(|e| matches!(e.change, Change::Create(_)))
}

/// Rows that must stand before a change: those that it points to, and those that hold its row.
fn targets<'a>(change: &'a Change, holders: &'a [Key]) -> impl Iterator<Item = Key> + 'a {
    lookups(change).chain(holders.iter().cloned())
}

/// Rows that must stand before what is told of a row: an edit that was written over is not told, unless it was sent.
fn targets_told(entries: &[&Entry]) -> Vec<Key> {
    let all = || entries.iter().flat_map(|e| targets(&e.change, &e.holders)).collect();
    match squash(entries) {
        Some(Squashed::Request(request)) if !entries.iter().any(|e| is_sent(e)) => {
            targets(&request.change, &request.holders).collect()
        }
        Some(Squashed::Nothing) if !entries.iter().any(|e| is_sent(e)) => Vec::new(),
        Some(_) | None => all(),
    }
}

/// Rows that a change points to.
fn lookups(change: &Change) -> Box<dyn Iterator<Item = Key> + '_> {
    let key = |value: &Value| match value {
        Value::Lookup(target) => Some(Key::new(target.table.clone(), target.id)),
        _ => None,
    };
    match change {
        Change::Create(row) => Box::new(row.values().filter_map(key)),
        Change::Update(edits) => Box::new(edits.iter().filter_map(move |edit| key(&edit.new))),
        Change::Delete => Box::new(std::iter::empty()),
    }
}

/// One unit a row; rows that share a change set share a unit.
fn group(rows: BTreeMap<Key, Vec<&Entry>>, replaced: &Replaced) -> Vec<Unit> {
    let rows = rows.into_values().map(|entries| (sets_of(&entries), entries)).collect();
    let units = sharing(rows).into_iter().flat_map(|rows| units(rows, replaced)).collect();
    ordered::list_by_key(units, first_seq)
}

fn sets_of(entries: &[&Entry]) -> BTreeSet<ChangeSetId> {
    ordered::set(entries.iter().filter_map(|e| e.change_set))
}

/// Puts together what shares change sets, to any depth.
fn sharing<T>(rows: Vec<(BTreeSet<ChangeSetId>, T)>) -> Vec<Vec<T>> {
    let mut home_of_set: HashMap<ChangeSetId, usize> = HashMap::new();
    let mut groups: Vec<Vec<T>> = Vec::new();
    for (sets, row) in rows {
        let found = ordered::set(sets.iter().filter_map(|s| home_of_set.get(s).copied()));
        let home = found.first().copied().unwrap_or(groups.len());
        if home == groups.len() {
            groups.push(Vec::new());
        }
        groups[home].push(row);
        for other in found.into_iter().skip(1) {
            let moved = std::mem::take(&mut groups[other]);
            groups[home].extend(moved);
            home_of_set.values_mut().filter(|at| **at == other).for_each(|at| *at = home);
        }
        home_of_set.extend(sets.into_iter().map(|set| (set, home)));
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The entries of a row.
#[derive(Clone)]
struct OfRow<'a> {
    /// Those that go now.
    going: Vec<&'a Entry>,
    all: Vec<&'a Entry>,
}

/// What is told of rows that share change sets: one unit. But what went apart and was not answered goes apart again, though a
/// later change set holds the rows together: in a set, which is refused as a whole, no receipt would tell what became of it.
fn units(rows: Vec<Vec<&Entry>>, replaced: &Replaced) -> Vec<Unit> {
    let several = rows.len() > 1;
    let sent = rows.iter().flatten().filter(|e| several && is_sent(e));
    let any = sent.clone().next().is_some();
    let mut unheard = Unheard { any, sets: sent.filter_map(|e| e.change_set).collect(), replaced };
    while unheard.extend(&rows) {}
    let rows = rows.into_iter().map(|all| OfRow { going: to_send(all.clone(), &unheard), all });
    let rows: Vec<OfRow> = rows.collect();
    let (rows, waits) =
        if several && !unheard.any { within_a_batch(with_whole_sets(rows)) } else { (rows, false) };
    let parts = match unheard.any || waits {
        true => sharing(rows.into_iter().map(|row| (sets_of(&row.going), row)).collect()),
        false => vec![rows],
    };
    parts.into_iter().map(unit).collect()
}

/// A change set of which a part has to wait (what closes a row again) waits as a whole, and with it what came to its rows after it.
/// Tells whether any does. Where nothing could go then, or what is made by it might be waited for, all goes as it is. Of rows of which
/// nothing was sent.
fn with_whole_sets(rows: Vec<OfRow>) -> (Vec<OfRow>, bool) {
    let (mut cut, mut waiting) = (rows.clone(), BTreeSet::new());
    hold(&mut cut, &mut waiting);
    let makes_later = cut.iter().any(|row| row.going.is_empty() && creates(&row.all));
    match !waiting.is_empty() && can_go(&cut) && !makes_later {
        true => (cut, true),
        false => (rows, false),
    }
}

/// Of sets that hang together by their rows, and are more than a batch takes, the later ones wait.
fn within_a_batch((rows, waits): (Vec<OfRow>, bool)) -> (Vec<OfRow>, bool) {
    if rows.iter().filter(|row| !row.going.is_empty()).count() <= BATCH_PARTS_MAX {
        return (rows, waits);
    }
    let seqs = rows.iter().filter_map(|row| row.going.first().map(|first| first.seq));
    let firsts = ordered::list(seqs.collect(), Ord::cmp);
    let Some(end) = firsts.get(BATCH_PARTS_MAX) else { return (rows, waits) };
    let later = rows.iter().flat_map(|row| &row.going).filter(|entry| entry.seq >= *end);
    let mut waiting = ordered::set(later.filter_map(|entry| entry.change_set));
    let mut cut = rows.clone();
    hold(&mut cut, &mut waiting);
    match can_go(&cut) {
        true => (cut, true),
        false => (rows, waits),
    }
}

/// Takes out of what goes these sets, and those of which a part does not go; of each row with what follows.
fn hold(rows: &mut [OfRow], waiting: &mut BTreeSet<ChangeSetId>) {
    loop {
        let known = waiting.len();
        waiting.extend(rows.iter().flat_map(|row| sets_of(&row.all[row.going.len()..])));
        let mut is_cut = false;
        for row in rows.iter_mut() {
            let waits = |entry: &&Entry| entry.change_set.is_some_and(|set| waiting.contains(&set));
            if let Some(end) = row.going.iter().position(waits) {
                row.going.truncate(end);
                is_cut = true;
            }
        }
        if !is_cut && waiting.len() == known {
            return;
        }
    }
}

/// Whether anything goes, and no row is made of which it is known that it is to be deleted.
fn can_go(rows: &[OfRow]) -> bool {
    let is_cut = |row: &OfRow| !row.going.is_empty() && row.going.len() < row.all.len();
    let is_deleted = |row: &OfRow| row.all.last().is_some_and(|entry| matches!(entry.change, Change::Delete));
    rows.iter().any(|row| !row.going.is_empty())
        && !rows.iter().any(|row| is_cut(row) && creates(&row.all) && is_deleted(row))
}

fn unit(rows: Vec<OfRow>) -> Unit {
    let (requests, nothing, deferred) = (Vec::new(), Vec::new(), Vec::new());
    let mut unit = Unit { requests, atomic: rows.len() > 1, nothing, deferred };
    for OfRow { going: entries, all } in rows {
        let goes = |entry: &&&Entry| entries.iter().any(|going| going.seq == entry.seq);
        unit.deferred.extend(all.iter().filter(|entry| !goes(entry)).map(|entry| entry.seq));
        match squash(&entries) {
            Some(Squashed::Request(request)) if is_empty(&request.change) => {
                unit.nothing.extend(request.seqs)
            }
            Some(Squashed::Request(request)) => unit.requests.push(request),
            // A create whose answer was lost may stand on the server: its deletion must be told.
            Some(Squashed::Nothing) if entries.iter().any(|e| is_sent(e)) => {
                unit.requests.extend(delete_of_lost_create(&entries));
            }
            Some(Squashed::Nothing) => unit.nothing.extend(entries.iter().map(|e| e.seq)),
            None => {}
        }
    }
    unit.requests = ordered::list_by_key(unit.requests, place);
    unit
}

/// Where a request comes: when its row was first changed. A deletion comes when it was made, whatever was edited before: the server may
/// delete what still points to the row.
fn place(request: &RowRequest) -> Option<Seq> {
    match request.change {
        Change::Delete => request.seqs.last().copied(),
        Change::Create(_) | Change::Update(_) => request.seqs.first().copied(),
    }
}

/// What a unit of several rows has sent without an answer.
struct Unheard<'a> {
    any: bool,
    sets: BTreeSet<ChangeSetId>,
    replaced: &'a Replaced<'a>,
}

impl Unheard<'_> {
    /// Adds the sets of which a part goes along with those that are known. Tells whether there were any.
    fn extend(&mut self, rows: &[Vec<&Entry>]) -> bool {
        let known = self.sets.len();
        let going = rows.iter().flat_map(|all| to_send(all.clone(), self));
        let sets: Vec<ChangeSetId> = going.filter_map(|entry| entry.change_set).collect();
        self.sets.extend(sets);
        self.any && self.sets.len() > known
    }
}

/// Which of a row's entries go into one request.
///
/// What was sent without an answer goes again exactly as it was, alone: under its operation's id the server may hold
/// a receipt, and would give the old answer to anything else. Entries made since wait until it is settled. Only a
/// deletion makes an unanswered update needless: it is an operation of its own. An unanswered create goes again even
/// then: it may still be on its way, and must find its receipt when it arrives after the deletion.
///
/// A row of a change set that was sent, but whose own part was merged since with what others did, goes with the rest of the
/// set: that may not have been applied, and must not be without it. What came to the row before goes along, with what shares change
/// sets with that, and what was edited by itself after it: nobody wants what it took the place of to be seen.
fn to_send<'a>(mut entries: Vec<&'a Entry>, unheard: &Unheard) -> Vec<&'a Entry> {
    let deleted = entries.last().is_some_and(|e| matches!(e.change, Change::Delete));
    let created = entries.first().is_some_and(|e| matches!(e.change, Change::Create(_)) && is_sent(e));
    if (!deleted || created || unheard.any) && entries.iter().any(|e| is_sent(e)) {
        return entries.into_iter().filter(|e| is_sent(e)).collect();
    }
    if unheard.any {
        let of_sets = |e: &&Entry| e.change_set.is_some_and(|set| unheard.sets.contains(&set));
        let end = entries.iter().rposition(of_sets).map_or(0, |last| last + 1);
        let own = |e: &&&Entry| end > 0 && e.change_set.is_none() && matches!(e.change, Change::Update(_));
        let further = entries[end..].iter().take_while(own).count();
        entries.truncate(end + further);
    }
    let end = closed_again(&entries, unheard.replaced).unwrap_or(entries.len());
    entries.into_iter().take(end).collect()
}

fn is_sent(entry: &Entry) -> bool {
    entry.state == EntryState::Sent
}

fn is_empty(change: &Change) -> bool {
    matches!(change, Change::Update(edits) if edits.is_empty())
}

fn delete_of_lost_create(entries: &[&Entry]) -> Option<RowRequest> {
    let last = entries.last()?;
    Some(RowRequest {
        key: last.key.clone(),
        change: Change::Delete,
        base: None,
        op: last.op,
        seqs: entries.iter().map(|e| e.seq).collect(),
        holders: last.holders.clone(),
    })
}

fn first_seq(unit: &Unit) -> Seq {
    let sent = unit.requests.iter().filter_map(place);
    sent.chain(unit.nothing.first().copied()).min().unwrap_or_default()
}

/// Parents first: depth-first along the lookups to rows that are created in this plan.
fn order(units: Vec<Unit>) -> Vec<Unit> {
    let home: HashMap<Key, usize> = units
        .iter()
        .enumerate()
        .flat_map(|(i, u)| {
            u.requests
                .iter()
                .filter(|r| matches!(r.change, Change::Create(_)))
                .map(move |r| (r.key.clone(), i))
        })
        .collect();
    let (state, sorted, later) = (vec![Mark::New; units.len()], Vec::new(), BTreeSet::new());
    let mut walk = Walk { home, state, sorted, units, later };
    for index in 0..walk.units.len() {
        walk.visit(index);
    }
    for unit in &mut walk.sorted {
        inner_order(unit);
    }
    walk.sorted
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

struct Walk {
    units: Vec<Unit>,
    home: HashMap<Key, usize>,
    state: Vec<Mark>,
    sorted: Vec<Unit>,
    /// Requests that close a circle since a row of another unit holds theirs, by unit and place: they wait for the next plan.
    later: BTreeSet<(usize, usize)>,
}

impl Walk {
    /// Depth-first without recursion: a chain of new rows may be long.
    fn visit(&mut self, start: usize) {
        if self.state[start] != Mark::New {
            return;
        }
        self.state[start] = Mark::Open;
        let mut stack = vec![(start, self.targets(start))];
        while let Some((index, targets)) = stack.last_mut() {
            let index = *index;
            let Some((request, target)) = targets.pop() else {
                self.state[index] = Mark::Done;
                let unit = self.without_later(index);
                self.sorted.push(unit);
                stack.pop();
                continue;
            };
            let Some(&parent) = self.home.get(&target).filter(|parent| **parent != index) else { continue };
            match self.state[parent] {
                Mark::New => {
                    self.state[parent] = Mark::Open;
                    stack.push((parent, self.targets(parent)));
                }
                Mark::Open => {
                    let closing = &mut self.units[index].requests[request];
                    match closing.holders.is_empty() {
                        true => postpone(&mut closing.change, &target),
                        false => drop(self.later.insert((index, request))),
                    }
                }
                Mark::Done => {}
            }
        }
    }

    /// A unit without what waits for the next plan.
    fn without_later(&self, index: usize) -> Unit {
        let mut unit = self.units[index].clone();
        let (later, now): (Vec<_>, Vec<_>) =
            unit.requests.into_iter().enumerate().partition(|(at, _)| self.later.contains(&(index, *at)));
        unit.deferred.extend(later.into_iter().flat_map(|(_, request)| request.seqs));
        unit.requests = now.into_iter().map(|(_, request)| request).collect();
        unit
    }

    /// What a unit's requests point to, last first.
    fn targets(&self, index: usize) -> Vec<(usize, Key)> {
        let requests = self.units[index].requests.iter().enumerate();
        let all = requests
            .flat_map(|(at, request)| targets(&request.change, &request.holders).map(move |key| (at, key)));
        let mut all: Vec<(usize, Key)> = all.collect();
        all.reverse();
        all
    }
}

/// Takes a lookup that would close a circle out of a request. The entry keeps it, so it is sent by the next plan, when
/// both rows stand.
fn postpone(change: &mut Change, target: &Key) {
    let points =
        |value: &Value| matches!(value, Value::Lookup(to) if to.id == target.id && to.table == target.table);
    match change {
        Change::Create(row) => row.values_mut().filter(|v| points(v)).for_each(|v| *v = Value::Null),
        Change::Update(edits) => edits.retain(|edit| !points(&edit.new)),
        Change::Delete => {}
    }
}

/// Within a change set, rows that others point to come first; ties keep their order. A circle is broken as between
/// units. A request that has nothing left to say waits for the next plan.
fn inner_order(unit: &mut Unit) {
    let mut rest = std::mem::take(&mut unit.requests);
    let awaited = |request: &RowRequest, rest: &[RowRequest]| -> Vec<Key> {
        let created = |key: &Key| rest.iter().any(|r| r.key == *key && matches!(r.change, Change::Create(_)));
        targets(&request.change, &request.holders).filter(|t| *t != request.key && created(t)).collect()
    };
    while !rest.is_empty() {
        let free = rest.iter().position(|request| awaited(request, &rest).is_empty());
        let mut next = match free {
            Some(at) => rest.remove(at),
            None => {
                let targets = awaited(&rest[0], &rest);
                let mut next = rest.remove(0);
                targets.iter().for_each(|target| postpone(&mut next.change, target));
                next
            }
        };
        // A row that points to itself can do so only once it stands.
        if matches!(next.change, Change::Create(_)) {
            let own = next.key.clone();
            postpone(&mut next.change, &own);
        }
        if !is_empty(&next.change) {
            unit.requests.push(next);
        }
    }
}

#[cfg(test)]
mod tests;
