//! What the answers to a wave leave of it, inside one transaction.

use super::added::NOT_FOUND;
use super::changes::{changes, has_version, named};
use super::held::{self, tell};
use super::outside;
use super::parties::send_anew;
use super::settle::{says, settle};
use super::step::{decide, mirror, park, News, Told};
use super::unclear::representation;
use super::wave::Ready;
use super::Policy;
use crate::error::Result;
use crate::journal::{Entry, EntryState};
use crate::model::{planted, Bug, Change, ETag, Key, Seq, TraceEvent};
use crate::remote::{Outcome, Reply, Resolve, RowAnswer, RowCall};
use crate::replica::Draft;
use flette_odata::edm::{Schema, Table};
use std::borrow::Cow;

/// A request with all that was answered to it.
pub(super) struct Answered {
    pub(super) ready: Ready,
    pub(super) answer: RowAnswer,
    /// What was read after it.
    pub(super) reads: Vec<(RowCall, RowAnswer)>,
}

impl Answered {
    /// Whether a success tells of the row that was asked about, and nothing else.
    pub(super) fn tells_own_row(&self) -> bool {
        !self.ready.is_held() && !matches!(self.ready.request.change, Change::Delete)
    }
}

/// What a transaction over answers came to.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) done: u64,
    pub(super) parked: u64,
    /// Done, but what rows hold by it was not read, or does not fit the schema known here.
    pub(super) unreadable: Vec<Key>,
    /// Done, but told by a version that is not here, or as it does not fit the schema known here: to be read.
    pub(super) unfounded: Vec<Key>,
    /// Entries that were carried out, and of whose rows nothing was told that is of use here.
    carried_out: Vec<Seq>,
    /// Rows with the versions at which they are here by that.
    pub(super) told: Vec<(Key, ETag)>,
}

/// Takes the answers over. `receipts`: the server keeps some.
///
/// # Errors
/// As [`mirror`].
pub(super) fn take_over(
    draft: &mut Draft,
    schema: &Schema,
    answered: &[Answered],
    (policy, receipts): (&Policy, bool),
) -> Result<Sums> {
    let (mut sums, mut told) = (Sums::default(), Vec::new());
    for answered @ Answered { ready, answer, .. } in answered {
        let request = &ready.request;
        let is_new = ready.is_new(receipts);
        if answer.outcome != Outcome::Done && ready.is_create() {
            unsend(draft, &ready.held_seqs());
        }
        match &answer.outcome {
            Outcome::Done => accepted(draft, schema, answered, (policy, &mut told), &mut sums)?,
            // The server gives the id by now: the row is not there, and is made in another way.
            Outcome::Park(reason) if reason.status == NOT_FOUND && is_by_id(schema, &ready.call) => {
                unsend(draft, &request.seqs);
                draft.renew(&request.key);
            }
            Outcome::Park(reason) | Outcome::Resolve(Resolve::TooLarge(reason)) => {
                if ready.is_create() && reason.status == NOT_FOUND {
                    // It may be that rows are made in another way now.
                    draft.record.doubt_schema(&request.key.table);
                }
                sums.parked += park(draft, &ready.seqs(), reason);
            }
            // It goes again with what is read by then: under its operation the server may know it as it was.
            Outcome::Resolve(Resolve::Changed(_)) if ready.is_held() => {
                if !ready.first {
                    ready.held.iter().for_each(|request| send_anew(draft, &request.key));
                }
                unsend(draft, &ready.seqs());
                ready.held.iter().for_each(|request| draft.renew(&request.key));
            }
            Outcome::Resolve(Resolve::Changed(_)) if planted(Bug::ConflictIsSuccess) => {
                request.seqs.iter().for_each(|seq| draft.remove(*seq));
            }
            // What stands under its id was not made by it: a human decides.
            Outcome::Resolve(Resolve::Exists(reason)) if is_new => {
                sums.parked += park(draft, &request.seqs, reason);
            }
            // Another row of its change set has changed: none of the set was applied, and all of it goes again.
            Outcome::Resolve(Resolve::Changed(_)) if ready.is_create() && is_new => {
                unsend(draft, &request.seqs);
            }
            Outcome::Resolve(
                Resolve::Changed(_) | Resolve::Gone(_) | Resolve::Exists(_) | Resolve::Expired,
            )
            | Outcome::Retry(_)
            | Outcome::Hold(_) => {}
        }
    }
    unpark(draft, &sums.carried_out);
    mirror(draft, &told)?;
    Ok(sums)
}

/// What was carried out, and is still to be read, counts as sent until then, though it was parked by the refusal of another request that
/// change sets bind it to: else it would be taken for what was never sent, and its values on the server for somebody else's.
fn unpark(draft: &mut Draft, carried_out: &[Seq]) {
    let parked = carried_out.iter().filter_map(|seq| draft.entry(*seq)).filter(Entry::is_parked);
    for entry in parked.collect::<Vec<_>>() {
        draft.put(Entry { state: EntryState::Sent, ..entry });
    }
}

/// Settles the entries of a request that was carried out.
fn accepted(
    draft: &mut Draft,
    schema: &Schema,
    Answered { ready, answer, reads }: &Answered,
    (policy, told): (&Policy, &mut Vec<Told>),
    sums: &mut Sums,
) -> Result<()> {
    let (request, key) = (&ready.request, &ready.request.key);
    let entries = draft.entries_of(key);
    draft.note(TraceEvent::Accepted {
        op: request.op,
        table: key.table.clone(),
        kind: request.change.kind(),
    });
    if ready.is_held() {
        sums.done += 1;
    } else if matches!(request.change, Change::Delete) {
        entries.iter().for_each(|entry| draft.remove(entry.seq));
        release(draft, key);
        tell(told, key.clone(), None);
        sums.done += 1;
    } else {
        match heard(draft, schema, ready, answer) {
            Heard::News { table, mut news, etag } => {
                let row = match &news {
                    News::Row(row) => Cow::Borrowed(row),
                    News::Changes(changed) => Cow::Owned(named(draft, key, &entries, changed)),
                };
                let decision = settle(table, request, &entries, &row, &etag);
                decide(draft, &entries, decision, false);
                let known = || draft.state().mirror_row(key).map(|(row, _)| row);
                let known = policy.has_up(&key.table).then(known).flatten();
                let (News::Row(row) | News::Changes(row)) = &mut news;
                policy.carry(&key.table, (row, known.as_ref()), &|name, _| says(&request.change, name));
                if !outside::is_told(draft, key, &etag) {
                    outside::until_told(draft, key);
                    if ready.is_create() {
                        outside::until_told_of_others(draft, key, row);
                    }
                }
                let is_there = !is_gone_since(ready, reads);
                sums.told.extend(is_there.then(|| (key.clone(), etag.clone())));
                tell(told, key.clone(), is_there.then_some((news, etag)));
                sums.done += 1;
            }
            Heard::Unfounded => {
                sums.unfounded.push(key.clone());
                sums.carried_out.extend(&request.seqs);
            }
            Heard::Nothing if planted(Bug::LoginPageIsSuccess) => {
                request.seqs.iter().for_each(|seq| draft.remove(*seq));
            }
            Heard::Nothing => sums.carried_out.extend(&request.seqs),
        }
    }
    if !held::settle(draft, ready, reads, (policy, told))? {
        sums.unreadable.extend(ready.held.first().map(|held| held.key.clone()));
    }
    draft.record.pull_due = true;
    Ok(())
}

/// What a success tells of its row.
enum Heard<'s> {
    News {
        table: &'s Table,
        /// Changes only of the version that the mirror has.
        news: News,
        etag: ETag,
    },
    /// Changes of a version that is not here, or what does not fit the schema known here: of a receipt, the one of its time.
    Unfounded,
    Nothing,
}

fn heard<'s>(draft: &Draft, schema: &'s Schema, ready: &Ready, answer: &RowAnswer) -> Heard<'s> {
    let key = &ready.request.key;
    match (answer.tells, &ready.call) {
        // A receipt tells what it was then; and a server may tell no more than the id.
        _ if ready.is_add() && (!ready.first || answer.body.is_empty()) => Heard::Unfounded,
        // All rows are being read, this one perhaps after that.
        _ if !ready.first && draft.cursor(&key.table).shadow.is_some() => Heard::Unfounded,
        // A page may have told of the row as it is since then, or that it is gone.
        _ if !ready.first && may_have_moved_on(draft, ready) => Heard::Unfounded,
        _ if answer.body.is_empty() => Heard::Nothing,
        (Reply::Changes, RowCall::Update { base, .. }) => match changes(schema, key, &answer.body) {
            Some((table, changed, etag)) => match has_version(draft.state().known(key), base, table) {
                true => Heard::News { table, news: News::Changes(changed), etag },
                false => Heard::Unfounded,
            },
            None => Heard::Unfounded,
        },
        // Nobody else was asked like that.
        (Reply::Changes, _) => Heard::Unfounded,
        (Reply::Row, _) => match representation(schema, key, &answer.body) {
            Some((table, row, etag)) => Heard::News { table, news: News::Row(row), etag },
            None => Heard::Unfounded,
        },
    }
}

/// Whether the row is not known to stand at the version that an update builds upon: it is at another one, gone, or not in memory.
fn may_have_moved_on(draft: &Draft, ready: &Ready) -> bool {
    match &ready.call {
        RowCall::Update { key, base, .. } => draft.state().mirror_etag(key).as_ref() != Some(base),
        _ => false,
    }
}

/// Whether a row that a receipt tells of is not there any more: the feed may have told so before, and does not again.
fn is_gone_since(ready: &Ready, reads: &[(RowCall, RowAnswer)]) -> bool {
    let gone = |answer: &RowAnswer| matches!(answer.outcome, Outcome::Resolve(Resolve::Gone(_)));
    let row = |call: &RowCall| matches!(call, RowCall::Read { key } if *key == ready.request.key);
    ready.is_create() && reads.iter().any(|(call, answer)| row(call) && gone(answer))
}

/// Whether a new row was asked for by an id of ours where the server gives them.
fn is_by_id(schema: &Schema, call: &RowCall) -> bool {
    matches!(call, RowCall::Create { key, .. } if schema.table(&key.table).is_some_and(Table::assigns_ids))
}

/// What a row held goes with it.
fn release(draft: &mut Draft, holder: &Key) {
    for held in draft.held_by(holder) {
        draft.entries_of(&held).iter().for_each(|entry| draft.remove(entry.seq));
    }
}

fn unsend(draft: &mut Draft, seqs: &[Seq]) {
    for mut entry in seqs.iter().filter_map(|seq| draft.entry(*seq)).collect::<Vec<_>>() {
        entry.state = EntryState::Waiting;
        draft.put(entry);
    }
}
