//! Which requests can go to the server now, together. Run inside the transaction that marks them as sent.

use super::added::{is_made, unknown_id, Names};
use super::held::{self, Split};
use super::limits::Limits;
use super::parties;
use super::sets::Sets;
use super::step::park;
use super::turns::{links, Busy, Turns};
use crate::error::Result;
use crate::journal::{plan, Entry, EntryState, Reason, RowRequest, Unit};
use crate::model::{planted, Bug};
use crate::model::{Change, ETag, EntityRef, FieldEdit, Hlc, Key, Millis, OpId, Seq, Value, OPEN, STATE};
use crate::remote::{request_bytes, BodyWriter, Reply, RowCall};
use crate::replica::{is_held, Draft};
use flette_odata::ordered;
use flette_odata::path::PARTY_TABLE;
use flette_odata::stamps::Stamps;
use std::collections::{BTreeMap, BTreeSet};

/// A request with its body.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    /// What is told; of a request that speaks for held rows only, the first of these.
    pub(super) request: RowRequest,
    pub(super) call: RowCall,
    /// Whether nothing of it was sent before.
    pub(super) first: bool,
    /// Rows that others hold and that it speaks for.
    pub(super) held: Vec<RowRequest>,
}

impl Ready {
    /// A request that speaks for held rows only.
    pub(super) fn of_held(draft: &Draft, call: RowCall, requests: &[&RowRequest]) -> Option<Ready> {
        let held: Vec<RowRequest> = requests.iter().map(|request| (*request).clone()).collect();
        let request = held.first()?.clone();
        let first = !held.iter().any(|request| was_sent(draft, request));
        Some(Ready { request, call, first, held })
    }

    /// Whether nothing of it can have been carried out before: something on the way may send a request twice, and where the
    /// server keeps no receipts the answer is that to the second one.
    pub(super) fn is_new(&self, receipts: bool) -> bool {
        self.first && receipts
    }

    pub(super) fn is_create(&self) -> bool {
        matches!(self.call, RowCall::Create { .. }) || self.is_add()
    }

    /// Whether the server gives the row its id.
    pub(super) fn is_add(&self) -> bool {
        matches!(self.call, RowCall::Add { .. })
    }

    /// Whether it is about no row of its own.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.call, RowCall::Replace { .. } | RowCall::Join { .. } | RowCall::Part { .. })
    }

    /// Entries that a refusal parks: those of the row, else all of those that it speaks for.
    pub(super) fn seqs(&self) -> Vec<Seq> {
        match self.is_held() {
            true => self.held_seqs(),
            false => self.request.seqs.clone(),
        }
    }

    /// Those it speaks for, and those that hold them.
    fn rows(&self) -> impl Iterator<Item = &Key> {
        let spoken_for = self.held.iter().chain([&self.request]);
        spoken_for.flat_map(|request| request.holders.iter().chain([&request.key])).chain([self.call.key()])
    }

    /// Entries of the held rows that it speaks for.
    pub(super) fn held_seqs(&self) -> Vec<Seq> {
        self.held.iter().flat_map(|request| request.seqs.clone()).collect()
    }
}

pub(super) fn was_sent(draft: &Draft, request: &RowRequest) -> bool {
    let sent = |seq: &Seq| draft.entry_at(*seq).is_some_and(|e| e.state == EntryState::Sent);
    request.seqs.iter().any(sent)
}

/// When what one request tells was sent for the first time under its operation: now, if it was not yet. Servers that keep
/// receipts forget them after a while, and refuse what they may have carried out before that.
pub(super) fn first_sent<'r>(draft: &Draft, requests: impl IntoIterator<Item = &'r RowRequest>) -> Millis {
    let seqs = requests.into_iter().flat_map(|request| &request.seqs);
    let sent = seqs.filter_map(|seq| draft.entry_at(*seq)).filter(|entry| entry.state == EntryState::Sent);
    let earliest = sent.map(|entry| entry.first_sent.unwrap_or(entry.at.wall)).min();
    earliest.unwrap_or_else(|| draft.corrected_now())
}

/// What goes now.
#[derive(Debug, Clone, Default)]
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

    /// Rows of which nothing else can be said before it is settled.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Key> {
        self.units.iter().flatten().flat_map(Ready::rows).chain(&self.unknown)
    }
}

/// Chooses what goes now and marks it as sent. Drops what amounts to nothing. `sets`: those that were read.
///
/// # Errors
/// Never; fallible as all that runs in a transaction.
pub(super) fn take(draft: &mut Draft, waiting: &BTreeSet<Key>, limits: Limits, sets: &Sets) -> Result<Wave> {
    let dated = dated(draft);
    let units = plan(draft.state().journal.iter().map(|entry| dated.get(&entry.seq).unwrap_or(entry)));
    let turns = Turns::of(draft, &units);
    let mut busy = Busy::default();
    let requests = units.iter().map(|unit| unit.requests.len()).sum::<usize>();
    let mut wave = Wave { left: u64::try_from(requests).unwrap_or(u64::MAX), ..Wave::default() };
    let (mut bytes, mut requests) = (0, 0);
    for (at, unit) in units.iter().enumerate() {
        unit.nothing.iter().for_each(|seq| draft.remove(*seq));
        let rests = |r: &RowRequest| {
            waiting.contains(&r.key) || r.holders.iter().any(|holder| waiting.contains(holder))
        };
        let free = !unit.requests.iter().any(rests)
            && turns.has_come(unit, at)
            && busy.leaves(unit)
            && !closes_early(draft, unit);
        if !free || unit.requests.is_empty() || requests >= limits.requests_max {
            continue;
        }
        let unknown: Vec<Key> =
            unit.requests.iter().filter(|r| is_unknown(draft, r)).map(|r| r.key.clone()).collect();
        if !unknown.is_empty() {
            wave.unknown.extend(unknown);
            continue;
        }
        let unknown = wave.unknown.len();
        let Some(ready) = ready(draft, unit, (limits, sets), &mut wave) else {
            // Of an activity that is to be read first nothing else is said meanwhile.
            if wave.unknown.len() > unknown {
                busy.take(unit);
            }
            continue;
        };
        busy.take(unit);
        let size: usize = ready.iter().map(|r| request_bytes(&r.call)).sum();
        let full = requests + ready.len() > limits.requests_max || bytes + size > limits.bytes_max;
        if full && !wave.units.is_empty() {
            break;
        }
        (bytes, requests) = (bytes + size, requests + ready.len());
        wave.units.push(ready);
    }
    if planted(Bug::ChildBeforeParent) {
        wave.units.reverse();
    }
    if planted(Bug::ChangeSetTorn) {
        wave.units = std::mem::take(&mut wave.units).into_iter().flatten().map(|ready| vec![ready]).collect();
    }
    if planted(Bug::NewIdOnRetry) {
        let again = wave.units.iter_mut().flatten().filter(|ready| !ready.first);
        again.for_each(|ready| ready.call.set_op(OpId(draft.new_id())));
    }
    for ready in wave.units.iter().flatten() {
        let first_sent = Some(first_sent(draft, ready.held.iter().chain([&ready.request])));
        for seq in [ready.seqs(), ready.held_seqs()].concat() {
            if let Some(entry) = draft.entry(seq).filter(|e| e.state == EntryState::Waiting) {
                draft.put(entry.sent(ready.is_add(), first_sent));
            }
        }
    }
    // Whatever becomes of it: it may be found out without an answer, too.
    draft.record.pull_due |= !wave.units.is_empty();
    Ok(wave)
}

/// Entries stamped with what is still to come, by a clock that was wrong then, get the present time before they are sent for
/// the first time. The server would do the same; here, an edit whose answer is lost could otherwise count as newer than
/// what somebody made of it since, and go out once more.
fn dated(draft: &mut Draft) -> BTreeMap<Seq, Entry> {
    let Some(reached) = draft.reached().filter(|_| !planted(Bug::FutureStamp)) else {
        return BTreeMap::new();
    };
    let journal = draft.state().journal.iter();
    let ahead = journal.filter(|entry| entry.state == EntryState::Waiting && entry.at.wall > reached);
    let ahead = ahead.zip(0..).map(|(entry, counter)| {
        let at = Hlc { wall: reached, counter, ..entry.at };
        (entry.seq, Entry { at, ..entry.clone() })
    });
    let dated: BTreeMap<Seq, Entry> = ordered::map(ahead);
    dated.values().cloned().for_each(|entry| draft.put(entry));
    dated
}

fn is_unknown(draft: &Draft, request: &RowRequest) -> bool {
    let schema = draft.schema();
    let in_scope = schema.table(&request.key.table).is_some() && !is_held(&schema, &request.key.table);
    let is_new = || matches!(request.change, Change::Create(_));
    in_scope && (is_made(draft.state(), &request.key) || request.base.is_none() && !is_new())
}

/// A unit's requests with their bodies. `None` when nothing of it is left to send.
fn ready(
    draft: &mut Draft,
    unit: &Unit,
    (limits, sets): (Limits, &Sets),
    wave: &mut Wave,
) -> Option<Vec<Ready>> {
    let split = held::split(draft, unit);
    split.needless.iter().for_each(|seq| draft.remove(*seq));
    let unknown: Vec<Key> =
        split.sets.keys().filter(|activity| sets.is_unseen(draft, activity, &split)).cloned().collect();
    if !unknown.is_empty() {
        wave.unknown.extend(unknown);
        return None;
    }
    match written(draft, &split, limits) {
        Ok((ready, nothing)) => {
            nothing.iter().for_each(|seq| draft.remove(*seq));
            (!ready.is_empty()).then_some(ready)
        }
        Err(reason) => {
            let seqs: Vec<Seq> = unit.requests.iter().flat_map(|r| r.seqs.clone()).collect();
            wave.parked += park(draft, &seqs, &reason);
            None
        }
    }
}

/// Requests, and entries of which there is nothing to tell.
type Written = (Vec<Ready>, Vec<Seq>);

/// Rows of their own first, then what they hold. A set goes into the body of its new activity, unless it names rows that
/// are new like it; it is replaced before its activity is closed, since closed activities keep theirs.
fn written(draft: &Draft, split: &Split, limits: Limits) -> std::result::Result<Written, Reason> {
    let (mut ready, mut last, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
    let names = Names::of(draft, &split.own);
    let (needless, mut sets): (BTreeMap<_, _>, BTreeMap<_, _>) =
        split.sets.clone().into_iter().partition(|(_, set)| parties::is_needless(draft, set));
    nothing.extend(needless.values().flatten().flat_map(|request| &request.seqs));
    for request in &split.own {
        let set = sets.get(&request.key).cloned();
        let set = set.filter(|set| !names_new_rows(set, split));
        let nested = set.filter(|_| matches!(request.change, Change::Create(_)));
        let nested = nested.as_deref();
        let Some(call) = call(&names, request, nested, limits)? else {
            // Only columns that follow from others: there is nothing to tell.
            nothing.extend(&request.seqs);
            continue;
        };
        let own = own(draft, request, call, nested.unwrap_or_default());
        match (nested, sets.remove(&request.key)) {
            (Some(_), _) | (None, None) => ready.push(own),
            (None, Some(set)) if closes(&request.change) => {
                let (named, own) = without_version(own);
                last.extend(held::replace(&names, &request.key, &set, named)?);
                last.push(own);
            }
            (None, Some(set)) => {
                ready.push(own);
                last.extend(held::replace(&names, &request.key, &set, None)?);
            }
        }
    }
    for (activity, set) in &sets {
        let base = draft.state().mirror_row(&draft.resolve(activity)).map(|(_, etag)| etag);
        last.extend(held::replace(&names, activity, set, base)?);
    }
    for pair in &split.pairs {
        last.extend(held::link(draft, pair)?);
    }
    let ready: Vec<Ready> = ready.into_iter().chain(last).collect();
    match ready.iter().any(|ready| ready.is_add() && !ready.first) && !limits.receipts {
        true => Err(unknown_id()),
        false => Ok((ready, nothing)),
    }
}

/// Whether parties point to rows that come to be in the same unit.
fn names_new_rows(set: &[&RowRequest], split: &Split) -> bool {
    let created = split.own.iter().filter(|request| matches!(request.change, Change::Create(_)));
    let new = ordered::set(created.map(|request| (request.key.table.as_str(), request.key.id)));
    let points_to_new = |request: &&RowRequest| {
        let held = |to: &EntityRef| request.holders.iter().any(|holder| holder.id == to.id);
        links(&request.change)
            .into_iter()
            .filter_map(|(_, to)| to)
            .any(|to| !held(to) && new.contains(&(to.table.as_str(), to.id)))
    };
    set.iter().any(points_to_new)
}

fn own(draft: &Draft, request: &RowRequest, call: RowCall, set: &[&RowRequest]) -> Ready {
    let first = !was_sent(draft, request);
    let held = set.iter().map(|request| (*request).clone()).collect();
    Ready { request: request.clone(), call, first, held }
}

/// Whether a unit closes an activity of which the set is yet to be replaced: a closed one keeps its set. What closes it among others may
/// be waited for, and goes.
fn closes_early(draft: &Draft, unit: &Unit) -> bool {
    let [request] = unit.requests.as_slice() else { return false };
    let held = draft.state().journal.held_by(&request.key);
    let earlier = held.filter(|entry| Some(&entry.seq) < request.seqs.first() && !entry.is_parked());
    let mut sets = earlier.filter(|entry| entry.key.table == PARTY_TABLE);
    closes(&request.change) && sets.any(|entry| draft.entry(entry.seq).is_some())
}

fn closes(change: &Change) -> bool {
    let closing = |name: &str, new: &Value| name == STATE[0] && !new.is_null() && *new != OPEN;
    matches!(change, Change::Update(edits) if edits.iter().any(|edit| closing(&edit.name, &edit.new)))
}

/// Takes the version out of a request that follows another one of the same change set, which names it.
fn without_version(mut ready: Ready) -> (Option<ETag>, Ready) {
    let named = match &mut ready.call {
        RowCall::Update { base, .. } => Some(std::mem::replace(base, ETag(held::ANY_VERSION.to_owned()))),
        _ => None,
    };
    (named, ready)
}

fn call(
    names: &Names,
    request: &RowRequest,
    set: Option<&[&RowRequest]>,
    limits: Limits,
) -> std::result::Result<Option<RowCall>, Reason> {
    let draft = names.draft;
    let schema = draft.schema();
    let (key, op) = (request.key.clone(), request.op);
    let first_sent = first_sent(draft, [request]);
    let Some(table) = schema.table(&key.table) else {
        return Err(Reason::out_of_scope(&format!("Table '{}'", key.table)));
    };
    let refer = |to: &EntityRef| names.refer(to);
    let edited = if limits.stamped { edited(draft, request) } else { Stamps::default() };
    let writer = BodyWriter { schema: &schema, table, refer: &refer, edited };
    Ok(match (&request.change, request.base.clone()) {
        (Change::Create(row), _) => {
            let body = match set {
                None => writer.create(row)?,
                Some(set) => {
                    let (collection, parties) = held::new_parties(names, &key, set)?;
                    writer.create_with(row, &collection, &parties)?
                }
            };
            Some(match names.is_added(&key) {
                true => RowCall::Add { key, op, first_sent, body },
                false => RowCall::Create { key, op, first_sent, body },
            })
        }
        (Change::Update(edits), Some(base)) => {
            let edits = match planted(Bug::WholeRowSent) {
                true => &whole_row(draft, &key, edits),
                false => edits,
            };
            let update = |body| RowCall::Update { key, op, first_sent, base, body, reply: Reply::Row };
            writer.update(edits)?.map(update)
        }
        (Change::Delete, Some(base)) => Some(RowCall::Delete { key, op, first_sent, base }),
        (Change::Update(_) | Change::Delete, None) => None,
    })
}

/// When the user made the row, and edited each of its columns last. Entries that were sent are not changed, so this is the
/// same each time the request is sent.
fn edited(draft: &Draft, request: &RowRequest) -> Stamps {
    let mut stamps = Stamps::default();
    for entry in request.seqs.iter().filter_map(|seq| draft.entry(*seq)) {
        let at = entry.at.wall.0;
        match entry.change {
            Change::Create(_) => stamps.row = Some(at),
            Change::Update(edits) => stamps.columns.extend(edits.into_iter().map(|edit| (edit.name, at))),
            Change::Delete => {}
        }
    }
    stamps
}

/// For [`Bug::WholeRowSent`]: all columns of the row as edits.
fn whole_row(draft: &Draft, key: &Key, edits: &[FieldEdit]) -> Vec<FieldEdit> {
    let known = draft.state().mirror_row(key).map(|(row, _)| row).unwrap_or_default();
    let unedited = |name: &String| edits.iter().all(|edit| edit.name != *name);
    let others = known.into_iter().filter(|(name, new)| unedited(name) && new.as_text().is_some());
    let others = others.map(|(name, new)| FieldEdit { name, old: Value::Null, new });
    edits.iter().cloned().chain(others).collect()
}
