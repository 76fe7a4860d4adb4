//! Which requests can go to the server now, together. Run inside the transaction that marks them as sent.

use super::step::park;
use crate::error::Result;
use crate::journal::{plan, EntryState, Reason, RowRequest, Unit};
use crate::model::{Change, EntityRef, Key, Seq, Value};
use crate::remote::{request_bytes, BodyWriter, RowCall};
use crate::replica::Draft;
use std::collections::{BTreeMap, BTreeSet};

/// Most requests of one batch.
pub(super) const BATCH_REQUESTS_MAX: usize = 100;
/// Most bytes of one batch.
pub(super) const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// How much may go at once; halved when the server says that it was too much.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub(super) struct Limits {
    pub(super) requests_max: usize,
    pub(super) bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { requests_max: BATCH_REQUESTS_MAX, bytes_max: BATCH_BYTES_MAX }
    }
}

impl Limits {
    /// Half of what was sent, so that it goes in two; never less than one.
    pub(super) fn halved(self, sent: usize) -> Limits {
        Limits {
            requests_max: (sent.min(self.requests_max) / 2).max(1),
            bytes_max: (self.bytes_max / 2).max(1),
        }
    }
}

/// A request with its body.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) request: RowRequest,
    pub(super) call: RowCall,
    /// Whether nothing of it was sent before.
    pub(super) first: bool,
}

impl Ready {
    pub(super) fn is_create(&self) -> bool {
        matches!(self.call, RowCall::Create { .. })
    }
}

/// What goes now.
#[derive(Debug, Default)]
pub(super) struct Wave {
    /// Requests that belong together, in order.
    pub(super) units: Vec<Vec<Ready>>,
    /// Rows whose server version is not known: to be read first.
    pub(super) unknown: Vec<Key>,
    /// Entries parked because no request can be made of them.
    pub(super) parked: u64,
    /// Requests that could be sent, these included.
    pub(super) left: u64,
}

impl Wave {
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty() && self.unknown.is_empty()
    }
}

/// Chooses what goes now and marks it as sent. Drops what amounts to nothing.
///
/// # Errors
/// Never; fallible as all that runs in a transaction.
pub(super) fn take(draft: &mut Draft, waiting: &BTreeSet<Key>, limits: Limits) -> Result<Wave> {
    let units = plan(draft.state().journal.iter());
    let (creators, unlinked) = (creators(&units), unlinked(&units));
    let requests = units.iter().map(|unit| unit.requests.len()).sum::<usize>();
    let mut wave = Wave { left: u64::try_from(requests).unwrap_or(u64::MAX), ..Wave::default() };
    let (mut bytes, mut requests) = (0, 0);
    for (at, unit) in units.iter().enumerate() {
        unit.nothing.iter().for_each(|seq| draft.remove(*seq));
        let free = unit.requests.iter().all(|r| !waiting.contains(&r.key))
            && !waits_for_create(unit, at, &creators)
            && !waits_for_unlink(unit, at, &unlinked);
        if !free || unit.requests.is_empty() || requests >= limits.requests_max {
            continue;
        }
        let unknown: Vec<Key> =
            unit.requests.iter().filter(|r| is_unknown(draft, r)).map(|r| r.key.clone()).collect();
        if !unknown.is_empty() {
            wave.unknown.extend(unknown);
            continue;
        }
        let Some(ready) = ready(draft, unit, &mut wave) else { continue };
        let size: usize = ready.iter().map(|r| request_bytes(&r.call)).sum();
        let full = requests + ready.len() > limits.requests_max || bytes + size > limits.bytes_max;
        if full && !wave.units.is_empty() {
            break;
        }
        (bytes, requests) = (bytes + size, requests + ready.len());
        wave.units.push(ready);
    }
    for seq in wave.units.iter().flatten().flat_map(|ready| &ready.request.seqs) {
        if let Some(mut entry) = draft.entry(*seq).filter(|e| e.state == EntryState::Waiting) {
            entry.state = EntryState::Sent;
            draft.put(entry);
        }
    }
    Ok(wave)
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
    unit.requests.iter().flat_map(|r| links(&r.change)).any(|(_, new)| {
        new.is_some_and(|to| {
            creators.get(&Key::new(to.table.clone(), to.id)).is_some_and(|creator| *creator != at)
        })
    })
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
fn links(change: &Change) -> Vec<(Option<&EntityRef>, Option<&EntityRef>)> {
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

fn is_unknown(draft: &Draft, request: &RowRequest) -> bool {
    let in_scope = draft.schema().table(&request.key.table).is_some();
    in_scope && request.base.is_none() && !matches!(request.change, Change::Create(_))
}

/// A unit's requests with their bodies. `None` when nothing of it is left to send.
fn ready(draft: &mut Draft, unit: &Unit, wave: &mut Wave) -> Option<Vec<Ready>> {
    let mut ready = Vec::new();
    for request in &unit.requests {
        match call(draft, request) {
            Ok(Some(call)) => {
                let sent = |seq: &Seq| draft.entry(*seq).is_some_and(|e| e.state == EntryState::Sent);
                let first = !request.seqs.iter().any(sent);
                ready.push(Ready { request: request.clone(), call, first });
            }
            // Only columns that follow from others: there is nothing to tell.
            Ok(None) => request.seqs.iter().for_each(|seq| draft.remove(*seq)),
            Err(reason) => {
                let seqs: Vec<Seq> = unit.requests.iter().flat_map(|r| r.seqs.clone()).collect();
                wave.parked += park(draft, &seqs, &reason);
                return None;
            }
        }
    }
    (!ready.is_empty()).then_some(ready)
}

fn call(draft: &Draft, request: &RowRequest) -> std::result::Result<Option<RowCall>, Reason> {
    let schema = draft.schema();
    let (key, op, at) = (request.key.clone(), request.op, request.at);
    let Some(table) = schema.table(&key.table) else {
        return Err(Reason {
            status: 0,
            code: String::new(),
            message: format!("Table '{}' is not in the offline scope.", key.table),
        });
    };
    let resolve = |to: &EntityRef| draft.resolve(&Key::new(to.table.clone(), to.id)).id;
    let writer = BodyWriter { schema: &schema, table, resolve: &resolve };
    Ok(match (&request.change, request.base.clone()) {
        (Change::Create(row), _) => Some(RowCall::Create { key, op, at, body: writer.create(row)? }),
        (Change::Update(edits), Some(base)) => {
            writer.update(edits)?.map(|body| RowCall::Update { key, op, at, base, body })
        }
        (Change::Delete, Some(base)) => Some(RowCall::Delete { key, op, at, base }),
        (Change::Update(_) | Change::Delete, None) => None,
    })
}
