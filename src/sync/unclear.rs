//! Rows that the server knows otherwise than was thought when they were sent: read, reconciled, and sent again by the
//! next wave.

use super::held::{self, tell};
use super::outside;
use super::parties::puts_nobody_in;
use super::push::Pass;
use super::reconcile::{is_foreign, reconcile, Incoming, Local};
use super::settle::left_unsaid;
use super::step::{decide, merged, mirror, park, News, Run, Stop, Told};
use crate::error::Result;
use crate::journal::{fold, was_sent_for, Entry, EntryState, Reason};
use crate::model::{planted, Bug, ChangeSetId, ETag, Key, OpId, Row, Seq};
use crate::platform::Transport;
use crate::remote::{stamps_of_row, Outcome, Resolve, RowAnswer, RowCall};
use crate::replica::{decode_row, Draft, Item};
use crate::store::{Durability, Store};
use flette_odata::edm::{Schema, Table};
use flette_odata::ordered;
use flette_odata::path::PARTY_TABLE;
use std::collections::BTreeSet;
use uuid::Uuid;

/// How often a row is read and merged again in one round because the server has moved on.
const RESOLVE_ATTEMPTS_MAX: u32 = 5;

/// A row to be read before it can be sent (again), and what the server said of it, if anything.
pub(super) struct Unclear {
    pub(super) key: Key,
    /// It was a create, and the server says that the id is taken.
    pub(super) exists: Option<Reason>,
    /// It was an update, and the server did not find the row, or one that it points to.
    pub(super) missing: Option<Reason>,
    pub(super) refused: bool,
    /// It is known to have been carried out, and not what the row was then: what was sent is settled when the row is read.
    pub(super) done: bool,
    /// Requests that were refused about rows that it holds.
    pub(super) held: Vec<Refused>,
}

/// A refused request about held rows.
pub(super) struct Refused {
    pub(super) seqs: Vec<Seq>,
    pub(super) reason: Reason,
}

impl From<Key> for Unclear {
    fn from(key: Key) -> Unclear {
        Unclear { key, exists: None, missing: None, refused: false, done: false, held: Vec::new() }
    }
}

impl Unclear {
    /// See [`Unclear::done`].
    pub(super) fn done(key: Key) -> Unclear {
        Unclear { done: true, ..Unclear::from(key) }
    }
}

/// Reads rows that the server knows otherwise than we thought, and reconciles them.
pub(super) async fn resolve<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    unclear: Vec<Unclear>,
) -> std::result::Result<(), Stop> {
    let schema = run.schema();
    let mut rows = Vec::new();
    // Answers are told by their places: a row that cannot be asked for has none.
    for row in unclear.into_iter().filter(|row| schema.table(&row.key.table).is_some()) {
        let attempts = pass.resolved.entry(row.key.clone()).or_default();
        *attempts += 1;
        if *attempts > RESOLVE_ATTEMPTS_MAX {
            run.problem(format!("a row of {} changes faster than it can be sent", row.key.table));
            pass.waiting.insert(row.key);
        } else {
            rows.push(row);
        }
    }
    for chunk in rows.chunks(pass.limits.requests_max.max(1)) {
        run.in_time()?;
        let calls: Vec<RowCall> = chunk.iter().map(|row| RowCall::Read { key: row.key.clone() }).collect();
        let mut groups: Vec<Vec<(&RowCall, &Table)>> = chunk
            .iter()
            .zip(&calls)
            .filter_map(|(row, call)| Some(vec![(call, schema.table(&row.key.table)?)]))
            .collect();
        // An activity never gets a newer version here than its parties.
        let lists: Vec<RowCall> = chunk.iter().filter_map(|row| held::set_list(&schema, &row.key)).collect();
        let parties = schema.table(PARTY_TABLE);
        groups.extend(lists.iter().filter_map(|list| Some(vec![(list, parties?)])));
        let answers = run.remote.batch(&groups, boundary(run)).await.map_err(Stop::Outcome)?;
        let mut answers = answers.into_iter().flatten();
        let answered: Vec<(&Unclear, RowAnswer)> = chunk.iter().zip(answers.by_ref()).collect();
        let sets: Vec<(RowCall, RowAnswer)> = lists.into_iter().zip(answers).collect();
        let mut tables = ordered::set(chunk.iter().map(|row| row.key.table.as_str()));
        tables.extend(parties.map(|_| PARTY_TABLE));
        let tables: Vec<&str> = tables.into_iter().collect();
        let sums = run
            .replica
            .transact(run.at(), Durability::Strict, &tables, |draft| {
                draft.hear(run.remote.heard());
                learn(draft, &schema, &answered, &sets, &run.policy)
            })
            .await?;
        run.count(|report| {
            report.conflicts += sums.conflicts;
            report.merged += sums.merged;
            report.parked += sums.parked;
        });
        let unread = unread_sets(run, &sums.sets, sets.iter().map(|(call, _)| call.key()));
        pass.sets.extend(sums.sets);
        for (row, answer) in answered {
            match answer.outcome {
                Outcome::Retry(what) => {
                    pass.waiting.insert(row.key.clone());
                    run.problem(what);
                }
                // It does not fit the schema known here: what is pulled will not, either, and has the schema read again.
                Outcome::Done if !is_told(&schema, &row.key, &answer) => {
                    run.problem(format!("a row of {} could not be read", row.key.table));
                    pass.waiting.insert(row.key.clone());
                }
                // To be replaced, it has to be known.
                Outcome::Done if unread.contains(&row.key) => {
                    run.problem(format!("the parties of a row of {} could not be read", row.key.table));
                    pass.waiting.insert(row.key.clone());
                }
                Outcome::Hold(what) => return Err(Stop::Outcome(Outcome::Hold(what))),
                Outcome::Done | Outcome::Resolve(_) | Outcome::Park(_) => {}
            }
        }
    }
    Ok(())
}

/// Activities of which parties wait, among those whose sets were `asked` for and not `read`.
fn unread_sets<'k, S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    read: &[(Key, ETag)],
    asked: impl Iterator<Item = &'k Key>,
) -> BTreeSet<Key> {
    let state = run.replica.state();
    let waits = |key: &&Key| state.journal.held_by(key).any(|entry| entry.key.table == PARTY_TABLE);
    let unread = asked.filter(|key| read.iter().all(|(known, _)| known != *key));
    ordered::set(unread.filter(waits).cloned())
}

#[derive(Debug, Default)]
struct Learnt {
    conflicts: u64,
    merged: u64,
    parked: u64,
    /// Activities whose sets were read after them, at these versions.
    sets: Vec<(Key, ETag)>,
}

/// Entries upon what is settled by now, and the row that they know: that is known to have been carried out, and no edit of others.
fn upon(draft: &Draft, entries: Vec<Entry>, settled: &[Entry]) -> (Vec<Entry>, Option<Row>) {
    let Some(first) = settled.first() else { return (entries, None) };
    let after = |row: &Row| fold(Some(row.clone()), settled);
    let entries = entries.into_iter().map(|entry| {
        let row = entry.row_before().and_then(after);
        let before = row.and_then(|row| Some(Box::new((entry.base.clone()?, row))));
        Entry { before, ..entry }
    });
    let mirror = draft.state().mirror_row(&first.key).filter(|(_, etag)| first.base.as_ref() == Some(etag));
    (entries.collect(), mirror.and_then(|(row, _)| after(&row)))
}

fn learn(
    draft: &mut Draft,
    schema: &Schema,
    answered: &[(&Unclear, RowAnswer)],
    sets: &[(RowCall, RowAnswer)],
    policy: &super::Policy,
) -> Result<Learnt> {
    let (mut sums, mut told): (Learnt, Vec<Told>) = (Learnt::default(), Vec::new());
    let learnt = sets.iter().filter(|(call, answer)| held::learn_set(draft, call, answer, &mut told));
    let learnt: BTreeSet<&Key> = ordered::set(learnt.map(|(call, _)| call.key()));
    let with_sets = answered
        .iter()
        .filter(|(unclear, answer)| answer.outcome == Outcome::Done && learnt.contains(&unclear.key));
    let version = |(unclear, answer): &(&Unclear, RowAnswer)| {
        let (_, _, etag) = representation(schema, &unclear.key, &answer.body)?;
        Some((unclear.key.clone(), etag))
    };
    sums.sets = with_sets.filter_map(version).collect();
    let moved = moved_sets(draft, schema, answered);
    for (unclear, answer) in answered {
        let key = &unclear.key;
        sums.parked += refused(draft, &unclear.held, (answer, &moved));
        let settles = unclear.done && is_told(schema, key, answer);
        let settled = if settles { take_sent(draft, key) } else { Vec::new() };
        let entries = draft.entries_of(key);
        let Some(table) = schema.table(&key.table) else { continue };
        if entries.is_empty() && settled.is_empty() {
            sums.parked += holder(draft, schema, key, answer, &mut told);
            continue;
        }
        let known = draft.state().mirror_row(key).map(|(row, _)| row);
        let (entries, before) = upon(draft, entries, &settled);
        let local = Local { entries: &entries, mirror: before.as_ref().or(known.as_ref()) };
        let seqs: Vec<Seq> = entries.iter().map(|entry| entry.seq).collect();
        match &answer.outcome {
            Outcome::Done => {
                let Some((_, mut row, etag)) = representation(schema, key, &answer.body) else { continue };
                let rest = left_unsaid(table, &settled, &row, &etag);
                let rest = rest.map(|entry| Entry { op: OpId(draft.new_id()), ..entry });
                rest.iter().for_each(|entry| draft.put(entry.clone()));
                // What was written since comes after it, and both meet with what stands there by now.
                let met = rest.map(|entry| Entry { base: None, ..entry }).into_iter().chain(entries.clone());
                let met: Vec<Entry> = met.collect();
                let unchanged = entries.first().is_some_and(|entry| entry.base.as_ref() == Some(&etag));
                let foreign = entries.first().is_some_and(|first| is_foreign(first, &row));
                let elsewhere = entries.iter().any(|e| e.change_set.is_some_and(|set| moved.contains(&set)));
                match unclear.missing.as_ref().or(unclear.exists.as_ref()) {
                    Some(reason) if foreign => sums.parked += park(draft, &seqs, reason),
                    // The row stands as it was: what is missing is a row that the edit points to.
                    Some(reason) if unchanged && !elsewhere => sums.parked += park(draft, &seqs, reason),
                    Some(_) | None => {
                        let stamps = stamps_of_row(&answer.body, table);
                        let incoming = Incoming::Row { row: &row, etag: &etag, stamps: &stamps };
                        let local = Local { entries: &met, ..local };
                        let decision = reconcile(table, local, incoming, policy);
                        sums.merged += merged(draft, &met, &decision);
                        sums.conflicts += decide(draft, &met, decision, unclear.refused);
                        // It was refused though the row stands at the version that it named: under its operation the server knows
                        // another request, or it was for a row of its change set.
                        if unclear.refused && unchanged {
                            draft.renew(key);
                        }
                    }
                }
                policy.carry(&key.table, (&mut row, known.as_ref()), &|name, told| {
                    was_sent_for(&entries, name, told) || was_sent_for(&settled, name, told)
                });
                told.push((key.clone(), Some((News::Row(row), etag))));
            }
            Outcome::Resolve(Resolve::Gone(_)) => match &unclear.exists {
                // Its id is taken, yet nothing is to be seen under it: that is not ours to settle.
                Some(reason) => sums.parked += park(draft, &seqs, reason),
                None if planted(Bug::GoneIsMadeAgain) => make_again(draft, key, &entries, &mut told),
                None => {
                    let decision = reconcile(table, local, Incoming::Gone, policy);
                    sums.merged += merged(draft, &entries, &decision);
                    sums.conflicts += decide(draft, &entries, decision, unclear.refused);
                    if !outside::feed_tells(draft, key) {
                        told.push((key.clone(), None));
                    }
                }
            },
            Outcome::Park(reason) => sums.parked += park(draft, &seqs, reason),
            Outcome::Resolve(_) | Outcome::Retry(_) | Outcome::Hold(_) => {}
        }
    }
    let unheard_of: Vec<&Told> = told.iter().filter(|told| outside::is_unheard_of(draft, told)).collect();
    mirror(draft, &told)?;
    for (key, news) in unheard_of {
        outside::until_told(draft, key);
        if let Some((News::Row(row), _)) = news {
            outside::until_told_of_others(draft, key, row);
        }
    }
    Ok(sums)
}

/// Whether an answer tells of a row, or that there is none.
fn is_told(schema: &Schema, key: &Key, answer: &RowAnswer) -> bool {
    match &answer.outcome {
        Outcome::Done => representation(schema, key, &answer.body).is_some(),
        Outcome::Resolve(Resolve::Gone(_)) => true,
        Outcome::Resolve(_) | Outcome::Retry(_) | Outcome::Hold(_) | Outcome::Park(_) => false,
    }
}

/// Takes what was sent of a row out of the journal.
fn take_sent(draft: &mut Draft, key: &Key) -> Vec<Entry> {
    let sent = |entry: &Entry| entry.state == EntryState::Sent;
    let taken: Vec<Entry> = draft.entries_of(key).into_iter().filter(sent).collect();
    taken.iter().for_each(|entry| draft.remove(entry.seq));
    taken
}

/// Change sets of which a row has changed or is gone. That is why they were refused: what is left of them goes again.
fn moved_sets(draft: &Draft, schema: &Schema, answered: &[(&Unclear, RowAnswer)]) -> BTreeSet<ChangeSetId> {
    let has_moved = |(unclear, answer): &&(&Unclear, RowAnswer)| match &answer.outcome {
        Outcome::Done => representation(schema, &unclear.key, &answer.body).is_some_and(|(_, _, etag)| {
            draft.entries_of(&unclear.key).first().is_some_and(|entry| entry.base.as_ref() != Some(&etag))
        }),
        Outcome::Resolve(Resolve::Gone(_)) => unclear.exists.is_none(),
        Outcome::Resolve(_) | Outcome::Retry(_) | Outcome::Hold(_) | Outcome::Park(_) => false,
    };
    let moved = answered.iter().filter(has_moved).flat_map(|(unclear, _)| draft.entries_of(&unclear.key));
    ordered::set(moved.filter_map(|entry| entry.change_set))
}

/// What becomes of refused requests about rows that a row holds, which was read. Where another row of their change set has moved on, that
/// was why, and they go again with what is left of it. Gives how many entries were parked.
fn refused(
    draft: &mut Draft,
    refused: &[Refused],
    (answer, moved): (&RowAnswer, &BTreeSet<ChangeSetId>),
) -> u64 {
    if !matches!(answer.outcome, Outcome::Done | Outcome::Park(_) | Outcome::Resolve(Resolve::Gone(_))) {
        return 0;
    }
    let mut parked = 0;
    for Refused { seqs, reason } in refused {
        let entries: Vec<Entry> = seqs.iter().filter_map(|seq| draft.entry(*seq)).collect();
        let elsewhere = entries.iter().any(|e| e.change_set.is_some_and(|set| moved.contains(&set)));
        match elsewhere {
            true => again(draft, entries),
            false => parked += park(draft, seqs, reason),
        }
    }
    parked
}

/// What was refused, and not carried out, waits again under another operation.
fn again(draft: &mut Draft, entries: Vec<Entry>) {
    let keys = ordered::set(entries.iter().map(|entry| entry.key.clone()));
    for entry in entries.into_iter().filter(|entry| entry.state == EntryState::Sent) {
        draft.put(Entry { state: EntryState::Waiting, ..entry });
    }
    keys.iter().for_each(|key| draft.renew(key));
}

/// For [`Bug::GoneIsMadeAgain`].
fn make_again(draft: &mut Draft, key: &Key, entries: &[Entry], told: &mut Vec<Told>) {
    let mirror = draft.state().mirror_row(key).map(|(row, _)| row);
    let seen = crate::journal::fold(mirror, entries);
    entries.iter().for_each(|entry| draft.remove(entry.seq));
    told.push((key.clone(), None));
    if let Some(row) = seen {
        draft.create(key.clone(), row);
    }
}

/// A row without entries of its own, read for what it holds.
fn holder(draft: &mut Draft, schema: &Schema, key: &Key, answer: &RowAnswer, told: &mut Vec<Told>) -> u64 {
    match &answer.outcome {
        Outcome::Done => {
            let row = representation(schema, key, &answer.body);
            row.into_iter().for_each(|(_, row, etag)| tell(told, key.clone(), Some((News::Row(row), etag))));
            0
        }
        Outcome::Resolve(Resolve::Gone(reason)) | Outcome::Park(reason) => {
            let held: Vec<Key> = draft.held_by(key);
            let entries: Vec<Entry> = held.iter().flat_map(|held| draft.entries_of(held)).collect();
            // What is taken away of a row that is gone is gone with it.
            let (parties, pairs): (Vec<Entry>, Vec<Entry>) =
                entries.iter().cloned().partition(|entry| entry.key.table == PARTY_TABLE);
            let is_done = !matches!(answer.outcome, Outcome::Park(_))
                && pairs.iter().all(|entry| entry.change.is_delete())
                && (parties.is_empty() || puts_nobody_in(draft, &parties));
            if is_done {
                entries.iter().for_each(|entry| draft.remove(entry.seq));
                return 0;
            }
            let seqs: Vec<Seq> = entries.iter().map(|entry| entry.seq).collect();
            park(draft, &seqs, reason)
        }
        Outcome::Resolve(_) | Outcome::Retry(_) | Outcome::Hold(_) => 0,
    }
}

pub(super) fn representation<'s>(
    schema: &'s Schema,
    key: &Key,
    body: &[u8],
) -> Option<(&'s Table, Row, ETag)> {
    let table = schema.table(&key.table)?;
    let page = decode_row(body, table).ok()?;
    let first = page.items().next()?;
    match first {
        Item::Row(id) if id == key.id || planted(Bug::PartsByPosition) => {
            Some((table, page.row(0), ETag(page.etag(0)?)))
        }
        Item::Row(_) | Item::Tombstone(_) => None,
    }
}

pub(super) fn boundary<S: Store, T: Transport>(run: &Run<'_, S, T>) -> Uuid {
    let mut bytes = [0; 16];
    (run.outside.random)(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
