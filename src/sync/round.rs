//! One round: what was made here goes out, what was made there comes in.
//!
//! Push comes first, so that a fresh edit leaves at once, and the pull after it brings everything back as the server
//! has it, but for what the answers have brought already: only then is "synchronised" true. What was sent and not answered is
//! asked for before all else where the server keeps receipts: these tell what became of it. Two cases pull first. After a lost
//! answer on any other server the feed tells that, deletions above all, so that a row deleted since is not made again. After a
//! long time apart it moves the bases of all waiting edits at once, where a push would be refused row by row. Last comes what
//! got no answer though it was sent alone: it keeps nothing else back.

use super::step::{Run, Stop};
use super::{again, horizon, pull, push, schema, Outside, Progress, Report, SyncConfig};
use crate::journal::{plan, Entry, Unit};
use crate::model::{planted, Bug, Millis, TraceEvent};
use crate::platform::Transport;
use crate::remote::{Caller, Outcome};
use crate::replica::{Draft, Replica};
use crate::store::{Durability, Store};

/// How often a round pushes what its own pull left to push.
const PASSES_MAX: u32 = 3;
/// A round pulls first when the last one ended longer ago than this, milliseconds.
const PULL_FIRST_MILLIS: i64 = 5 * 60 * 1000;

/// One round. Never fails: what went wrong is in the report. Call it only as the primary client, and not twice at once.
///
/// Gives way after about 20 s, with `more` set, since a worker may be stopped at any time; it may be dropped at any
/// await, too.
pub async fn round<S: Store, T: Transport>(
    replica: &Replica<S>,
    outside: &Outside<'_, T>,
    config: &SyncConfig,
    progress: &Progress,
) -> Report {
    let run = Run::new(replica, outside, config, progress);
    let began = run.at();
    // Should it not be readable, nothing of the trace is stored in this round: no reason to give the round up.
    let _ = replica.recall_trace().await;
    replica.trace().note(began, &TraceEvent::RoundBegan);
    let ended = steps(&run).await;
    let millis = run.at().0.saturating_sub(began.0);
    let (report, why) = run.end(ended);
    replica.trace().note((outside.now)(), &ended_event(&report, why, millis));
    report
}

fn ended_event(report: &Report, why: &'static str, millis: i64) -> TraceEvent {
    TraceEvent::RoundEnded {
        why,
        more: report.more,
        pushed: report.pushed,
        pulled: report.pulled,
        merged: report.merged,
        conflicts: report.conflicts,
        parked: report.parked,
        millis,
    }
}

async fn steps<S: Store, T: Transport>(run: &Run<'_, S, T>) -> Result<(), Stop> {
    hello(run).await?;
    schema::refresh_if_possible(run).await?;
    let mut whole = false;
    let mut pass = again::ask_again(run).await?;
    if pulls_first(run) {
        whole = pull::pull(run, std::mem::take(&mut pass.asked)).await?;
    }
    loop {
        for _ in 0..PASSES_MAX {
            if to_send(run, &pass) {
                push::push(run, &mut pass).await?;
            } else if whole {
                break;
            }
            whole = pull::pull(run, std::mem::take(&mut pass.asked)).await?;
            if !to_send(run, &pass) {
                break;
            }
        }
        if whole {
            synchronised(run).await?;
        }
        if !again::try_aside(run).await? {
            return Ok(());
        }
        (pass, whole) = (push::Pass::default(), false);
    }
}

/// Whether the journal holds anything that waits neither for a human nor for the next round.
fn to_send<S: Store, T: Transport>(run: &Run<'_, S, T>, pass: &push::Pass) -> bool {
    let units = plan(run.replica.state().journal.iter());
    let waits = |unit: &Unit| unit.requests.iter().any(|request| pass.waiting.contains(&request.key));
    units.iter().any(|unit| !waits(unit))
}

fn pulls_first<S: Store, T: Transport>(run: &Run<'_, S, T>) -> bool {
    let state = run.replica.state();
    let now = state.record.clock.corrected(run.at());
    let recent = |Millis(at): Millis| now.0.saturating_sub(at) < PULL_FIRST_MILLIS;
    again::any_unanswered(state.journal.iter()) || !state.record.last_sync.is_some_and(recent)
}

/// Asks who is calling: tells whether the server can be reached, whether it knows the user as the one who made the
/// journal, what its clock says, and whether its database is still the same one.
pub(super) async fn hello<S: Store, T: Transport>(run: &Run<'_, S, T>) -> Result<(), Stop> {
    let (caller, exchange) = run.remote.who_am_i().await;
    let caller: Caller = match caller {
        Ok(caller) => caller,
        Err(Outcome::Resolve(_) | Outcome::Done) => return Err(Stop::Outcome(Outcome::Done)),
        Err(other) => return Err(Stop::Outcome(other)),
    };
    if caller.user != run.replica.state().record.user && !planted(Bug::OtherUserPushes) {
        return Err(Stop::OtherUser);
    }
    let known = run.replica.state().record.lineage.clone();
    let same = known == caller.lineage || planted(Bug::LineageIgnored);
    let restored = known.is_some() && caller.lineage.is_some() && !same;
    let durability = if restored { Durability::Strict } else { Durability::Relaxed };
    run.replica
        .transact(run.at(), durability, &[], |draft| {
            draft.hear(exchange.heard());
            if let Some(lineage) = &caller.lineage {
                draft.record.lineage = Some(lineage.clone());
            }
            // What is wanted of him is wanted of his new unit: it is found out with the schema.
            if draft.record.business_unit != caller.business_unit {
                draft.record.business_unit = caller.business_unit;
                draft.record.schema_checked = None;
            }
            if restored {
                draft.note(TraceEvent::Lineage);
                begin_anew(draft, &run.config.tables);
            }
            if caller.lineage.is_none() {
                horizon::forget_older(draft, &run.config.tables);
            }
            draft.keep_trace();
            Ok(())
        })
        .await?;
    Ok(())
}

/// Another database: every table is pulled again, and no etag or version known here means anything there.
fn begin_anew(draft: &mut Draft, tables: &[String]) {
    (draft.record.definitions, draft.record.definitions_heard) = (None, None);
    (draft.record.definition_stamp, draft.record.schema_checked) = (None, None);
    for name in tables {
        pull::forget(draft, name, None);
        let mut cursor = draft.cursor(name);
        if cursor.next_segment > 0 {
            cursor.foreign = true;
            draft.set_cursor(name, cursor);
        }
    }
    let stale: Vec<Entry> = draft.state().journal.iter().filter(|e| e.base.is_some()).cloned().collect();
    for mut entry in stale {
        entry.base = None;
        draft.put(entry);
    }
}

/// Everything is in. It counts only if nothing was sent since, which the record knows.
async fn synchronised<S: Store, T: Transport>(run: &Run<'_, S, T>) -> Result<(), Stop> {
    run.replica
        .transact(run.at(), Durability::Relaxed, &[], |draft| {
            draft.record.pull_due = false;
            draft.record.last_sync = Some(draft.corrected_now());
            draft.keep_trace();
            Ok(())
        })
        .await?;
    Ok(())
}
