//! Sends what the journal holds, in waves: what depends on a new row goes only after that row stands.
//!
//! Each wave is one batch: entries are marked as sent, durably, before the first byte leaves; one transaction takes
//! over all its answers. A row that is refused or that fails is set aside; nothing else waits for it but what depends
//! on it.

use super::answered::{take_over, Answered};
use super::changes::ask_for_changes;
use super::held;
use super::step::{park, words, Run, Stop};
use super::unclear::{boundary, resolve, Unclear};
use super::wave::{take, Limits, Ready, Wave};
use super::{Phase, Stage};
use crate::journal::{EntryState, Reason};
use crate::model::{planted, Bug, Key, Seq};
use crate::platform::Transport;
use crate::remote::{Hold, Outcome, Reply, Resolve, RowAnswer, RowCall};
use crate::store::{Durability, Store};
use flette_odata::edm::{Schema, Table};
use flette_odata::ordered;
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
                let mut wave = take(draft, &pass.waiting, pass.limits)?;
                if run.remote.tells_changes() {
                    ask_for_changes(draft, &mut wave, &run.policy);
                }
                Ok(wave)
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
            ready: ready.clone(),
            answer,
            reads: reads.into_iter().zip(read.by_ref()).collect(),
        })
        .collect();
    let policy = &run.policy;
    let tables = ordered::set(held_tables(run).into_iter().chain(tables_of_changes(&answered)));
    let tables: Vec<&str> = tables.into_iter().collect();
    let sums = run
        .replica
        .transact(run.at(), Durability::Strict, &tables, |draft| take_over(draft, &schema, &answered, policy))
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
    let mut unclear = after(run, pass, answered)?;
    unclear.extend(sums.unfounded.into_iter().map(Unclear::from));
    Ok(unclear)
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

/// Tables of which rows are needed to make sense of the answers.
fn tables_of_changes<'w>(answered: &'w [Answered]) -> impl Iterator<Item = &'w str> {
    let told = answered.iter().filter(|answered| answered.answer.tells == Reply::Changes);
    told.map(|answered| answered.ready.request.key.table.as_str())
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
