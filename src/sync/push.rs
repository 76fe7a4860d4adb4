//! Sends what the journal holds, in waves: what depends on a new row goes only after that row stands.
//!
//! Each wave is one batch: entries are marked as sent, durably, before the first byte leaves; one transaction takes
//! over all its answers. A row that is refused or that fails is set aside; nothing else waits for it but what depends
//! on it.

use super::held::{self, tell};
use super::outside;
use super::settle::settle;
use super::step::{decide, mirror, park, words, Run, Stop};
use super::unclear::{boundary, representation, resolve, Unclear};
use super::wave::{take, Limits, Ready, Wave};
use super::{Phase, Stage};
use crate::error::Result;
use crate::journal::{EntryState, Reason};
use crate::model::{planted, Bug, Change, Key, Seq, TraceEvent};
use crate::platform::Transport;
use crate::remote::{Hold, Outcome, Resolve, RowAnswer, RowCall};
use crate::replica::Draft;
use crate::store::{Durability, Store};
use flette_odata::edm::{Schema, Table};
use std::collections::{BTreeMap, BTreeSet};

/// What the pushes of one round remember.
#[derive(Default)]
pub(super) struct Pass {
    pub(super) limits: Limits,
    /// Rows not to be tried again in this round.
    pub(super) waiting: BTreeSet<Key>,
    pub(super) resolved: BTreeMap<Key, u32>,
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
        pass.limits.stamped = run.remote.keeps_stamps();
        let wave = run
            .replica
            .transact(run.at(), Durability::Strict, &held_tables(run), |draft| {
                take(draft, &pass.waiting, pass.limits)
            })
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
    let mut groups: Vec<Vec<(&RowCall, &Table)>> = groups.collect();
    let reads: Vec<Vec<RowCall>> =
        wave.units.iter().flatten().map(|ready| held::reads(&schema, ready)).collect();
    let lists = wave.units.iter().flatten().zip(&reads);
    groups.extend(lists.flat_map(|(ready, reads)| {
        reads.iter().filter_map(|read| Some(vec![(read, table_of(&schema, ready, read)?)]))
    }));
    let mut answers = match run.remote.batch(&groups, boundary(run)).await {
        Ok(answers) => answers.into_iter(),
        Err(Outcome::Resolve(Resolve::TooLarge(reason))) => {
            return smaller(run, pass, wave, reason).await.map(|()| Vec::new());
        }
        // One request that breaks the batch must not hold up the others: it is found by halving.
        Err(Outcome::Park(reason)) if reason.status == 400 => {
            return smaller(run, pass, wave, reason).await.map(|()| Vec::new());
        }
        Err(Outcome::Hold(Hold::SignedOut)) if planted(Bug::SignInUsesUpAttempts) => {
            return give_up(run, wave).await.map(|()| Vec::new());
        }
        Err(other) => return Err(Stop::Outcome(other)),
    };
    let own: Vec<RowAnswer> = answers.by_ref().take(wave.units.len()).flatten().collect();
    let mut read = answers.flatten();
    let answered: Vec<Answered> = wave
        .units
        .iter()
        .flatten()
        .zip(own)
        .zip(reads)
        .map(|((ready, answer), reads)| Answered {
            ready,
            answer,
            reads: reads.into_iter().zip(read.by_ref()).collect(),
        })
        .collect();
    let policy = &run.policy;
    let sums = run
        .replica
        .transact(run.at(), Durability::Strict, &held_tables(run), |draft| {
            take_over(draft, &schema, &answered, policy)
        })
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
    answered: Vec<Answered>,
) -> std::result::Result<Vec<Unclear>, Stop> {
    let mut unclear = Vec::new();
    let mut hold = None;
    for Answered { ready, answer, .. } in answered {
        let key = ready.request.key.clone();
        match answer.outcome {
            Outcome::Done
                if answer.body.is_empty()
                    && !ready.is_held()
                    && !matches!(ready.call, RowCall::Delete { .. }) =>
            {
                unclear.push(Unclear::from(key));
            }
            // The row that holds it is read, and its set beside it.
            Outcome::Resolve(Resolve::Changed(_)) if ready.is_held() => {
                unclear.push(Unclear::from(ready.call.key().clone()));
            }
            Outcome::Resolve(Resolve::Gone(_) | Resolve::Exists(_)) if ready.is_held() => {}
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
        let seqs: Vec<Seq> = single.iter().flat_map(Ready::seqs).collect();
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

/// For [`Bug::SignInUsesUpAttempts`].
async fn give_up<S: Store, T: Transport>(run: &Run<'_, S, T>, wave: &Wave) -> std::result::Result<(), Stop> {
    let reason = Reason { status: 401, code: String::new(), message: String::new() };
    let seqs: Vec<Seq> = wave.units.iter().flatten().flat_map(Ready::seqs).collect();
    run.replica.transact(run.at(), Durability::Strict, &[], |draft| Ok(park(draft, &seqs, &reason))).await?;
    Ok(())
}

/// A request with all that was answered to it.
struct Answered<'w> {
    ready: &'w Ready,
    answer: RowAnswer,
    /// What was read after it.
    reads: Vec<(RowCall, RowAnswer)>,
}

/// What a transaction over answers came to.
#[derive(Debug, Default)]
struct Sums {
    done: u64,
    parked: u64,
    /// Done, but the row in the answer does not fit the schema known here, or was not read.
    unreadable: Vec<Key>,
}

fn take_over(
    draft: &mut Draft,
    schema: &Schema,
    answered: &[Answered],
    policy: &super::Policy,
) -> Result<Sums> {
    let (mut sums, mut told) = (Sums::default(), Vec::new());
    for Answered { ready, answer, reads } in answered {
        let (request, key) = (&ready.request, &ready.request.key);
        if answer.outcome != Outcome::Done && ready.is_create() {
            unsend(draft, &ready.held_seqs());
        }
        match &answer.outcome {
            Outcome::Done => {
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
                    tell(&mut told, key.clone(), None);
                    sums.done += 1;
                } else if let Some((table, row, etag)) = representation(schema, key, &answer.body) {
                    let decision = settle(table, request, &entries, &row, &etag);
                    decide(draft, &entries, decision, false);
                    let known = draft.state().mirror_row(key).map(|(row, _)| row);
                    let mut row = row;
                    policy.carry(&key.table, (&mut row, known.as_ref()), &|name, _| {
                        says(&request.change, name)
                    });
                    tell(&mut told, key.clone(), (!is_gone_since(ready, reads)).then_some((row, etag)));
                    outside::until_told(draft, key);
                    sums.done += 1;
                } else if !answer.body.is_empty() {
                    sums.unreadable.push(key.clone());
                } else if planted(Bug::LoginPageIsSuccess) {
                    request.seqs.iter().for_each(|seq| draft.remove(*seq));
                }
                if !held::settle(draft, ready, reads, (policy, &mut told))? {
                    sums.unreadable.extend(ready.held.first().map(|held| held.key.clone()));
                }
                draft.record.pull_due = true;
            }
            Outcome::Park(reason) | Outcome::Resolve(Resolve::TooLarge(reason)) => {
                sums.parked += park(draft, &ready.seqs(), reason);
            }
            // One of the rows that are spoken of is gone.
            Outcome::Resolve(Resolve::Gone(reason) | Resolve::Exists(reason)) if ready.is_held() => {
                sums.parked += park(draft, &ready.seqs(), reason);
            }
            Outcome::Resolve(Resolve::Changed(_)) if ready.is_held() => unsend(draft, &ready.seqs()),
            Outcome::Resolve(Resolve::Changed(_)) if planted(Bug::ConflictIsSuccess) => {
                request.seqs.iter().for_each(|seq| draft.remove(*seq));
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

/// Whether a row that a receipt tells of is not there any more: the feed may have told so before, and does not again.
fn is_gone_since(ready: &Ready, reads: &[(RowCall, RowAnswer)]) -> bool {
    let gone = |answer: &RowAnswer| matches!(answer.outcome, Outcome::Resolve(Resolve::Gone(_)));
    let row = |call: &RowCall| matches!(call, RowCall::Read { key } if *key == ready.request.key);
    ready.is_create() && reads.iter().any(|(call, answer)| row(call) && gone(answer))
}

/// Whether a request gave a column a value.
fn says(change: &Change, name: &str) -> bool {
    match change {
        Change::Create(row) => row.contains_key(name),
        Change::Update(edits) => edits.iter().any(|edit| edit.name == name),
        Change::Delete => false,
    }
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

/// Tables that have to be in memory to send and settle what rows hold: theirs, and those of the rows; and tables with
/// columns that only go up.
fn held_tables<'r, S: Store, T: Transport>(run: &'r Run<'_, S, T>) -> Vec<&'r str> {
    let state = run.replica.state();
    let held = |name: &&String| {
        state.journal.iter().any(|entry| {
            !entry.holders.is_empty()
                && (entry.key.table == **name || entry.holders.iter().any(|holder| holder.table == **name))
        })
    };
    let needed = |name: &&String| run.policy.has_up(name) || held(name);
    run.config.tables.iter().filter(needed).map(String::as_str).collect()
}

/// The table whose rows a call reads after a request.
fn table_of<'s>(schema: &'s Schema, ready: &Ready, read: &RowCall) -> Option<&'s Table> {
    match read {
        RowCall::List { .. } => schema.table(&ready.held.first()?.key.table),
        _ => schema.table(&read.key().table),
    }
}

fn with_table<'a>(schema: &'a Schema, ready: &'a Ready) -> Option<(&'a RowCall, &'a Table)> {
    Some((&ready.call, schema.table(&ready.call.key().table)?))
}

/// Whether an entry was sent in an earlier round and never answered.
pub(super) fn any_unanswered<'a>(mut entries: impl Iterator<Item = &'a crate::journal::Entry>) -> bool {
    entries.any(|entry| entry.state == EntryState::Sent)
}
