//! Sends what the journal holds, in waves: what depends on a new row goes only after that row stands.
//!
//! Each wave is one batch: entries are marked as sent, durably, before the first byte leaves; one transaction takes
//! over all its answers. A row that is refused or that fails is set aside; nothing else waits for it but what depends
//! on it.

use super::reconcile::{is_foreign, reconcile, Incoming, Local};
use super::settle::settle;
use super::step::{decide, mirror, park, words, Run, Stop, Told};
use super::wave::{take, Limits, Ready, Wave};
use super::{Phase, Stage};
use crate::error::Result;
use crate::journal::{EntryState, Reason};
use crate::model::{Change, ETag, Key, Row, Seq};
use crate::platform::Transport;
use crate::remote::{Outcome, Resolve, RowAnswer, RowCall};
use crate::replica::{decode_row, Draft, Item};
use crate::store::{Durability, Store};
use flette_odata::edm::{Schema, Table};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How often a row is read and merged again in one round because the server has moved on.
pub(super) const RESOLVE_ATTEMPTS_MAX: u32 = 5;

/// What the pushes of one round remember.
#[derive(Default)]
pub(super) struct Pass {
    limits: Limits,
    /// Rows not to be tried again in this round.
    pub(super) waiting: BTreeSet<Key>,
    resolved: BTreeMap<Key, u32>,
    sent: u64,
}

/// Sends all that can be sent.
///
/// # Errors
/// Why it ended early. What was not answered then stays marked as sent.
pub(super) async fn push<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
) -> std::result::Result<(), Stop> {
    loop {
        run.in_time()?;
        let wave = run
            .replica
            .transact(run.at(), Durability::Strict, &[], |draft| take(draft, &pass.waiting, pass.limits))
            .await?;
        run.count(|report| report.parked += wave.parked);
        if wave.is_empty() {
            return Ok(());
        }
        run.progress.set(Some(Stage {
            phase: Phase::Push,
            table: String::new(),
            done: pass.sent,
            total: Some(pass.sent + wave.left),
        }));
        let mut unclear: Vec<Unclear> = wave.unknown.iter().cloned().map(Unclear::from).collect();
        unclear.extend(send(run, pass, &wave).await?);
        resolve(run, pass, unclear).await?;
    }
}

/// A row to be read before it can be sent (again), and what the server said of it, if anything.
struct Unclear {
    key: Key,
    /// It was a create, and the server says that the id is taken.
    exists: Option<Reason>,
    /// It was an update, and the server did not find the row, or one that it points to.
    missing: Option<Reason>,
    refused: bool,
}

impl From<Key> for Unclear {
    fn from(key: Key) -> Unclear {
        Unclear { key, exists: None, missing: None, refused: false }
    }
}

/// Sends a wave and takes over its answers; gives the rows that have to be read.
async fn send<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    wave: &Wave,
) -> std::result::Result<Vec<Unclear>, Stop> {
    if wave.units.is_empty() {
        return Ok(Vec::new());
    }
    let schema = run.schema();
    let groups = wave.units.iter().map(|unit| unit.iter().filter_map(|r| with_table(&schema, r)).collect());
    let groups: Vec<Vec<(&RowCall, &Table)>> = groups.collect();
    let answers = match run.remote.batch(&groups, boundary(run)).await {
        Ok(answers) => answers,
        Err(Outcome::Resolve(Resolve::TooLarge(reason))) => {
            return smaller(run, pass, wave, reason).await.map(|()| Vec::new());
        }
        // One request that breaks the batch must not hold up the others: it is found by halving.
        Err(Outcome::Park(reason)) if reason.status == 400 => {
            return smaller(run, pass, wave, reason).await.map(|()| Vec::new());
        }
        Err(other) => return Err(Stop::Outcome(other)),
    };
    let answered: Vec<(&Ready, RowAnswer)> =
        wave.units.iter().flatten().zip(answers.into_iter().flatten()).collect();
    let sums = run
        .replica
        .transact(run.at(), Durability::Strict, &[], |draft| take_over(draft, &schema, &answered))
        .await?;
    pass.sent += sums.done;
    run.count(|report| {
        report.pushed += sums.done;
        report.parked += sums.parked;
    });
    for key in &sums.unreadable {
        run.problem(format!("an answer about a row of {} could not be read", key.table));
        pass.waiting.insert(key.clone());
    }
    after(run, pass, answered)
}

/// What the answers say beyond what was taken over: rows to read, rows to leave alone, and reasons to stop.
fn after<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    answered: Vec<(&Ready, RowAnswer)>,
) -> std::result::Result<Vec<Unclear>, Stop> {
    let mut unclear = Vec::new();
    let mut hold = None;
    for (ready, answer) in answered {
        let key = ready.request.key.clone();
        match answer.outcome {
            Outcome::Done if answer.body.is_empty() && !matches!(ready.call, RowCall::Delete { .. }) => {
                unclear.push(Unclear::from(key));
            }
            Outcome::Done | Outcome::Park(_) | Outcome::Resolve(Resolve::TooLarge(_)) => {}
            Outcome::Resolve(Resolve::Exists(_)) if ready.first => {}
            Outcome::Resolve(Resolve::Changed(_)) if ready.is_create() => {}
            Outcome::Resolve(Resolve::Exists(reason)) => {
                unclear.push(Unclear { key, exists: Some(reason), missing: None, refused: true });
            }
            Outcome::Resolve(Resolve::Gone(reason)) => {
                unclear.push(Unclear { key, exists: None, missing: Some(reason), refused: true });
            }
            Outcome::Resolve(Resolve::Changed(_) | Resolve::Expired) => {
                unclear.push(Unclear { key, exists: None, missing: None, refused: true });
            }
            Outcome::Retry(what) => {
                pass.waiting.insert(key);
                run.problem(what);
            }
            Outcome::Hold(what) => hold = Some(what),
        }
    }
    match hold {
        Some(what) => Err(Stop::Outcome(Outcome::Hold(what))),
        None => Ok(unclear),
    }
}

/// The batch was refused as a whole: half of it next time; a single one that is refused is parked.
async fn smaller<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    wave: &Wave,
    reason: Reason,
) -> std::result::Result<(), Stop> {
    if let [single] = wave.units.as_slice() {
        let seqs: Vec<Seq> = single.iter().flat_map(|ready| ready.request.seqs.clone()).collect();
        let parked = run
            .replica
            .transact(run.at(), Durability::Strict, &[], |draft| Ok(park(draft, &seqs, &reason)))
            .await?;
        run.count(|report| report.parked += parked);
        run.problem(words(&reason));
    }
    pass.limits = pass.limits.halved(wave.units.len());
    Ok(())
}

/// What a transaction over answers came to.
#[derive(Debug, Default)]
struct Sums {
    done: u64,
    parked: u64,
    /// Done, but the row in the answer does not fit the schema known here.
    unreadable: Vec<Key>,
}

fn take_over(draft: &mut Draft, schema: &Schema, answered: &[(&Ready, RowAnswer)]) -> Result<Sums> {
    let (mut sums, mut told) = (Sums::default(), Vec::new());
    for (ready, answer) in answered {
        let (request, key) = (&ready.request, &ready.request.key);
        match &answer.outcome {
            Outcome::Done => {
                let entries = draft.entries_of(key);
                if matches!(request.change, Change::Delete) {
                    entries.iter().for_each(|entry| draft.remove(entry.seq));
                    told.push((key.clone(), None));
                    sums.done += 1;
                } else if let Some((table, row, etag)) = representation(schema, key, &answer.body) {
                    let decision = settle(table, request, &entries, &row, &etag);
                    decide(draft, &entries, decision, false);
                    told.push((key.clone(), Some((row, etag))));
                    sums.done += 1;
                } else if !answer.body.is_empty() {
                    sums.unreadable.push(key.clone());
                }
                draft.record.pull_due = true;
            }
            Outcome::Park(reason) | Outcome::Resolve(Resolve::TooLarge(reason)) => {
                sums.parked += park(draft, &request.seqs, reason);
            }
            // Sent for the first time, so what stands under its id was not made by it: a human decides.
            Outcome::Resolve(Resolve::Exists(reason)) if ready.first => {
                sums.parked += park(draft, &request.seqs, reason);
            }
            // Another row of its change set has changed: none of the set was applied, and all of it goes again.
            Outcome::Resolve(Resolve::Changed(_)) if ready.is_create() && ready.first => {
                unsend(draft, &request.seqs);
            }
            Outcome::Resolve(
                Resolve::Changed(_) | Resolve::Gone(_) | Resolve::Exists(_) | Resolve::Expired,
            )
            | Outcome::Retry(_)
            | Outcome::Hold(_) => {}
        }
    }
    mirror(draft, &told)?;
    Ok(sums)
}

fn unsend(draft: &mut Draft, seqs: &[Seq]) {
    for mut entry in seqs.iter().filter_map(|seq| draft.entry(*seq)).collect::<Vec<_>>() {
        entry.state = EntryState::Waiting;
        draft.put(entry);
    }
}

fn representation<'s>(schema: &'s Schema, key: &Key, body: &[u8]) -> Option<(&'s Table, Row, ETag)> {
    let table = schema.table(&key.table)?;
    let page = decode_row(body, table).ok()?;
    let first = page.items().next()?;
    match first {
        Item::Row(id) if id == key.id => Some((table, page.row(0), ETag(page.etag(0)?))),
        Item::Row(_) | Item::Tombstone(_) => None,
    }
}

/// Reads rows that the server knows otherwise than we thought, and reconciles them.
async fn resolve<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    unclear: Vec<Unclear>,
) -> std::result::Result<(), Stop> {
    let schema = run.schema();
    let mut rows = Vec::new();
    for row in unclear {
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
        let groups: Vec<Vec<(&RowCall, &Table)>> = chunk
            .iter()
            .zip(&calls)
            .filter_map(|(row, call)| Some(vec![(call, schema.table(&row.key.table)?)]))
            .collect();
        let answers = run.remote.batch(&groups, boundary(run)).await.map_err(Stop::Outcome)?;
        let answered: Vec<(&Unclear, RowAnswer)> = chunk.iter().zip(answers.into_iter().flatten()).collect();
        let tables: BTreeSet<&str> = chunk.iter().map(|row| row.key.table.as_str()).collect();
        let tables: Vec<&str> = tables.into_iter().collect();
        let sums = run
            .replica
            .transact(run.at(), Durability::Strict, &tables, |draft| {
                learn(draft, &schema, &answered, &run.config.policy)
            })
            .await?;
        run.count(|report| {
            report.conflicts += sums.conflicts;
            report.parked += sums.parked;
        });
        for (row, answer) in answered {
            match answer.outcome {
                Outcome::Retry(what) => {
                    pass.waiting.insert(row.key.clone());
                    run.problem(what);
                }
                Outcome::Hold(what) => return Err(Stop::Outcome(Outcome::Hold(what))),
                Outcome::Done | Outcome::Resolve(_) | Outcome::Park(_) => {}
            }
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Learnt {
    conflicts: u64,
    parked: u64,
}

fn learn(
    draft: &mut Draft,
    schema: &Schema,
    answered: &[(&Unclear, RowAnswer)],
    policy: &super::Policy,
) -> Result<Learnt> {
    let (mut sums, mut told): (Learnt, Vec<Told>) = (Learnt::default(), Vec::new());
    for (unclear, answer) in answered {
        let key = &unclear.key;
        let entries = draft.entries_of(key);
        let (Some(table), false) = (schema.table(&key.table), entries.is_empty()) else { continue };
        let known = draft.state().mirror_row(key).map(|(row, _)| row);
        let local = Local { entries: &entries, mirror: known.as_ref() };
        let seqs: Vec<Seq> = entries.iter().map(|entry| entry.seq).collect();
        match &answer.outcome {
            Outcome::Done => {
                let Some((_, row, etag)) = representation(schema, key, &answer.body) else { continue };
                let unchanged = entries.first().is_some_and(|entry| entry.base.as_ref() == Some(&etag));
                let foreign = entries.first().is_some_and(|first| is_foreign(first, &row));
                match unclear.missing.as_ref().or(unclear.exists.as_ref()) {
                    Some(reason) if foreign => sums.parked += park(draft, &seqs, reason),
                    // The row stands as it was: what is missing is a row that the edit points to.
                    Some(reason) if unchanged => sums.parked += park(draft, &seqs, reason),
                    Some(_) | None => {
                        let incoming = Incoming::Row { row: &row, etag: &etag };
                        let decision = reconcile(table, local, incoming, policy);
                        sums.conflicts += decide(draft, &entries, decision, unclear.refused);
                    }
                }
                told.push((key.clone(), Some((row, etag))));
            }
            Outcome::Resolve(Resolve::Gone(_)) => match &unclear.exists {
                // Its id is taken, yet nothing is to be seen under it: that is not ours to settle.
                Some(reason) => sums.parked += park(draft, &seqs, reason),
                None => {
                    let decision = reconcile(table, local, Incoming::Gone, policy);
                    sums.conflicts += decide(draft, &entries, decision, unclear.refused);
                    told.push((key.clone(), None));
                }
            },
            Outcome::Park(reason) => sums.parked += park(draft, &seqs, reason),
            Outcome::Resolve(_) | Outcome::Retry(_) | Outcome::Hold(_) => {}
        }
    }
    mirror(draft, &told)?;
    Ok(sums)
}

fn with_table<'a>(schema: &'a Schema, ready: &'a Ready) -> Option<(&'a RowCall, &'a Table)> {
    Some((&ready.call, schema.table(&ready.request.key.table)?))
}

fn boundary<S: Store, T: Transport>(run: &Run<'_, S, T>) -> Uuid {
    let mut bytes = [0; 16];
    (run.outside.random)(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Whether an entry was sent in an earlier round and never answered.
pub(super) fn any_unanswered<'a>(mut entries: impl Iterator<Item = &'a crate::journal::Entry>) -> bool {
    entries.any(|entry| entry.state == EntryState::Sent)
}
