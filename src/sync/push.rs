//! Sends what the journal holds, in waves: what depends on a new row goes only after that row stands.
//!
//! Each wave is one batch: entries are marked as sent, durably, before the first byte leaves; one transaction takes
//! over all its answers. While a wave is under way the answers to the one before are taken over, and then the next one is
//! chosen, which sets out at once where the server may carry them out in any order (`super::flight`): so no more than two are
//! marked and not settled. A row that is refused or that fails is set aside; nothing else waits for it but what depends on it.

use super::added::{given, is_made, rename};
use super::again::{note_sent, set_aside};
use super::ahead::ask_first;
use super::answered::{take_over, Answered};
use super::changes::ask_for_changes;
use super::flight::{may_go_beside, Flight, Sent};
use super::limits::{Limits, BATCH_REQUESTS_MAX};
use super::pages::Replies;
use super::parties::{follow, Follow};
use super::sets::Sets;
use super::step::{park, words, Run, Stop};
use super::unclear::{resolve, Refused, Unclear};
use super::wave::{take, Ready, Wave};
use super::{Phase, Stage};
use crate::journal::{Entry, EntryState, Reason};
use crate::model::{planted, Bug, Change, Key, Seq};
use crate::platform::Transport;
use crate::remote::{Hold, Outcome, Reply, Resolve, RowCall};
use crate::replica::{Draft, State};
use crate::store::{Durability, Store};
use flette_odata::ordered;
use futures_util::future::join;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What the pushes of one round remember.
#[derive(Default)]
pub(super) struct Pass {
    pub(super) limits: Limits,
    /// Rows not to be tried again in this round.
    pub(super) waiting: BTreeSet<Key>,
    pub(super) resolved: BTreeMap<Key, u32>,
    /// Sets of parties that were read.
    pub(super) sets: Sets,
    /// What the pull asks first, asked when all that was sent had been answered.
    pub(super) asked: Replies,
    pub(super) sent: u64,
    /// Only what was sent before is asked for once more: it may have been carried out, so what is in the way now refuses
    /// nothing.
    pub(super) asks_again: bool,
    /// Rows that are tried though they were set aside, and nothing else with them.
    pub(super) tried: BTreeSet<Key>,
}

/// Sends all that can be sent.
///
/// # Errors
/// Why it ended early. What was not answered then stays marked as sent.
pub(super) async fn push<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
) -> std::result::Result<(), Stop> {
    let mut line = Line::default();
    loop {
        match step(run, pass, &mut line).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(stop) => {
                // What was answered is taken over, whatever stops the rest. The first reason counts.
                let overtook = line.answered.is_none();
                drop(settle(run, pass, line.answered).await);
                if let Some(flight) = line.flight {
                    let sent = flight.ended().await.unwrap_or_default();
                    drop(settle(run, pass, sent.map(|sent| Sent { overtook, ..sent })).await);
                }
                return Err(stop);
            }
        }
    }
}

/// Whether anything was not sent yet and is not parked.
fn waits<S: Store, T: Transport>(run: &Run<'_, S, T>) -> bool {
    run.replica.state().journal.iter().any(|entry| entry.state == EntryState::Waiting)
}

/// Where a push stands between two steps.
#[derive(Default)]
struct Line<'f> {
    /// Answered, and not taken over.
    answered: Option<Sent>,
    /// Set out already; then nothing is next.
    flight: Option<Flight<'f>>,
    /// Chosen, and not sent.
    next: Wave,
}

/// Sends the next wave, unless it has set out, and waits for its answer. While it is under way the answers to the one before are
/// taken over, whose place it takes then, and the next one is chosen. `false`: nothing is left.
async fn step<'f, S: Store, T: Transport>(
    run: &'f Run<'_, S, T>,
    pass: &mut Pass,
    line: &mut Line<'f>,
) -> std::result::Result<bool, Stop> {
    run.in_time()?;
    let earlier = line.answered.take();
    pass.asked.clear();
    let mut flight = match line.flight.take() {
        Some(flight) => flight,
        None => Flight::of(run, std::mem::take(&mut line.next)),
    };
    let wave = Rc::clone(&flight.wave);
    // The last wave is answered, as far as can be seen. Rows that are read or sent after it would be newer than what is asked now.
    let is_last = wave.is_empty() && earlier.is_some() && !waits(run);
    run.known.expect(earlier.as_ref().filter(|_| is_last));
    let prepared = prepare(run, pass, earlier, &wave);
    let (asked, prepared) = match is_last {
        true => join(ask_first(run), prepared).await,
        false => (Replies::new(), flight.beside(prepared).await),
    };
    run.known.expect(None);
    // Rows all over a large mirror may have been read.
    run.replica.rest();
    // Who was just told to wait, or to sign in, sends nothing more.
    let goes_on = !flight.is_refused() && run.in_time().is_ok();
    let may_set_out = |unclear: &[Unclear], next: &Wave| {
        goes_on && unclear.is_empty() && may_go_beside(&run.schema(), &wave, next)
    };
    let prepared = prepared.map(|(unclear, next)| match may_set_out(&unclear, &next) {
        true => {
            line.flight = Some(Flight::of(run, next));
            (unclear, Wave::default())
        }
        false => (unclear, next),
    });
    let ended = match &mut line.flight {
        Some(ahead) => ahead.beside(flight.ended()).await,
        None => flight.ended().await,
    };
    let refused = match ended {
        Ok(sent) => {
            line.answered = sent;
            None
        }
        Err(outcome) => Some(outcome),
    };
    let (mut unclear, mut next) = prepared?;
    if unclear.is_empty() && next.is_empty() {
        pass.asked = asked;
    }
    if let Some(outcome) = refused {
        give_way(run, pass, &wave, outcome).await?;
        // It may be too much, too. It stays marked, and is chosen anew, unless it has set out.
        next = Wave::default();
    }
    unclear.extend(wave.unknown.iter().map(|key| unknown(run, key.clone())));
    resolve(run, pass, unclear).await?;
    run.replica.rest();
    if line.flight.is_some() {
        return Ok(true);
    }
    if next.is_empty() && line.answered.is_none() {
        next = choose(run, pass, &BTreeSet::new(), false).await?;
        if next.is_empty() {
            return Ok(false);
        }
    }
    line.next = next;
    Ok(true)
}

/// A row whose version is not known.
fn unknown<S: Store, T: Transport>(run: &Run<'_, S, T>, key: Key) -> Unclear {
    match is_made(&run.replica.state(), &key) {
        true => Unclear::done(key),
        false => Unclear::from(key),
    }
}

/// Takes the answers to a wave over and chooses the one after `under_way`; gives the rows that have to be read.
async fn prepare<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    sent: Option<Sent>,
    under_way: &Wave,
) -> std::result::Result<(Vec<Unclear>, Wave), Stop> {
    let unclear = settle(run, pass, sent).await?;
    let mut waiting: BTreeSet<Key> = ordered::set(unclear.iter().map(|row| row.key.clone()));
    waiting.extend(under_way.rows().cloned());
    let next = choose(run, pass, &waiting, !under_way.is_empty()).await?;
    Ok((unclear, next))
}

/// Chooses what goes next and marks it as sent, durably. Rows of which an answer is awaited wait, and so does what depends on
/// them. `behind`: a wave is under way.
async fn choose<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    awaited: &BTreeSet<Key>,
    behind: bool,
) -> std::result::Result<Wave, Stop> {
    (pass.limits.stamped, pass.limits.receipts) = (run.remote.keeps_stamps(), run.remote.keeps_receipts());
    // What hung on such a row may be one itself.
    while has_unmade(&run.replica.state()) {
        // Rows of any table may hang on it.
        let tables: Vec<&str> = run.config.tables.iter().map(String::as_str).collect();
        let drop = |draft: &mut Draft| Ok(draft.drop_unmade());
        if !run.replica.transact(run.at(), Durability::Strict, &tables, drop).await? {
            break;
        }
    }
    follow(run, Follow { settles: false, sends_anew: !behind && !pass.asks_again }).await?;
    let batch_size = usize::try_from(run.config.batch_size.max(1)).unwrap_or(usize::MAX);
    let (wave, aside) = run
        .replica
        .transact(run.at(), Durability::Strict, &held_tables(run), |draft| {
            let aside = set_aside(draft, &pass.tried, behind);
            let waiting = ordered::set(awaited.iter().chain(&pass.waiting).chain(&aside).cloned());
            let most = pass.limits.requests_max.min(batch_size);
            let requests_max = draft.record.unanswered.requests_max(most);
            let mut wave = take(draft, &waiting, Limits { requests_max, ..pass.limits }, &pass.sets)?;
            if run.remote.tells_changes() {
                ask_for_changes(draft, &mut wave, &run.policy);
            }
            note_sent(draft, &wave, behind);
            Ok((wave, aside))
        })
        .await?;
    pass.waiting.extend(aside);
    run.count(|report| report.parked += wave.parked);
    if !wave.is_empty() {
        run.progress.set(Some(Stage {
            phase: Phase::Push,
            table: String::new(),
            done: pass.sent,
            total: Some(pass.sent + wave.left),
        }));
    }
    Ok(wave)
}

/// Whether a row that was made here is deleted here.
fn has_unmade(state: &State) -> bool {
    let is_made = |entry: &Entry| matches!(entry.change, Change::Create(_));
    state.journal.deletions().any(|entry| state.journal.of(&entry.key).next().is_some_and(is_made))
}

/// Takes the answers to a wave over; gives the rows that have to be read. Where the server keeps receipts it may be lost with the
/// power: nothing that is written later outlives it, and the receipts tell once more what came of the wave. Of a table under a filter
/// it counts whether a page told of a row, so its rows have to be in memory.
async fn settle<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    sent: Option<Sent>,
) -> std::result::Result<Vec<Unclear>, Stop> {
    let Some(Sent { schema, mut answered, overtook }) = sent else { return Ok(Vec::new()) };
    let given = given(&run.replica.state(), &schema, &mut answered);
    let (policy, receipts) = (&run.policy, run.remote.keeps_receipts());
    let durability = if receipts { Durability::Relaxed } else { Durability::Strict };
    let filtered = |name: &&str| {
        run.replica.state().tables.get(*name).is_some_and(|table| table.cursor.filter.is_some())
    };
    let pages = answered.iter().map(|answered| answered.ready.request.key.table.as_str()).filter(filtered);
    let tables = held_tables(run).into_iter().chain(tables_of_changes(&answered)).chain(pages);
    let tables = ordered::set(tables);
    let tables: Vec<&str> = tables.into_iter().collect();
    let sums = run
        .replica
        .transact(run.at(), durability, &tables, |draft| {
            let rows = answered.iter().map(|answered| &answered.ready.request.key);
            match overtook {
                true => draft.record.unanswered.next_answered(rows),
                false => draft.record.unanswered.answered(rows, BATCH_REQUESTS_MAX),
            }
            rename(draft, &schema, &given)?;
            take_over(draft, &schema, &answered, (policy, receipts))
        })
        .await?;
    run.known.taken_over(sums.told.iter().map(|(key, etag)| (key.table.as_str(), etag)));
    pass.sent += sums.done + u64::try_from(sums.unfounded.len()).unwrap_or_default();
    run.count(|report| {
        report.pushed += sums.done;
        report.parked += sums.parked;
    });
    for key in sums.unreadable {
        run.problem(format!("an answer about a row of {} could not be read", key.table));
        pass.waiting.insert(key);
    }
    let mut unclear = after(run, pass, answered)?;
    unclear.extend(sums.unfounded.into_iter().map(Unclear::done));
    Ok(unclear)
}

/// What the answers say beyond what was taken over: rows to read, rows to leave alone, and reasons to stop.
fn after<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    answered: Vec<Answered>,
) -> std::result::Result<Vec<Unclear>, Stop> {
    let (mut unclear, mut refused, mut hold) = (Vec::new(), Vec::new(), None);
    let receipts = run.remote.keeps_receipts();
    for Answered { ready, answer, .. } in answered {
        let key = ready.request.key.clone();
        match answer.outcome {
            Outcome::Done
                if answer.body.is_empty()
                    && !ready.is_held()
                    && !ready.is_add()
                    && !matches!(ready.call, RowCall::Delete { .. }) =>
            {
                unclear.push(Unclear::from(key));
            }
            // The row that holds it is read, and its set beside it.
            Outcome::Resolve(Resolve::Changed(_)) if ready.is_held() => {
                unclear.push(Unclear::from(ready.call.key().clone()));
            }
            // One of the rows that are spoken of is gone, or another row of its change set.
            Outcome::Resolve(Resolve::Gone(reason) | Resolve::Exists(reason)) if ready.is_held() => {
                refused.push((ready.call.key().clone(), Refused { seqs: ready.seqs(), reason }));
            }
            Outcome::Done | Outcome::Park(_) | Outcome::Resolve(Resolve::TooLarge(_)) => {}
            Outcome::Resolve(Resolve::Exists(_)) if ready.is_new(receipts) => {}
            Outcome::Resolve(Resolve::Changed(_)) if ready.is_create() => {}
            Outcome::Resolve(Resolve::Exists(reason)) => {
                unclear.push(Unclear { exists: Some(reason), refused: true, ..Unclear::from(key) });
            }
            Outcome::Resolve(Resolve::Gone(reason)) => {
                unclear.push(Unclear { missing: Some(reason), refused: true, ..Unclear::from(key) });
            }
            Outcome::Resolve(Resolve::Changed(_) | Resolve::Expired) => {
                unclear.push(Unclear { refused: true, ..Unclear::from(key) });
            }
            Outcome::Retry(what) => {
                pass.waiting.insert(key);
                run.problem(what);
            }
            Outcome::Hold(what) => hold = Some(what),
        }
    }
    for (key, what) in refused {
        match unclear.iter_mut().find(|row: &&mut Unclear| row.key == key) {
            Some(row) => row.held.push(what),
            None => unclear.push(Unclear { held: vec![what], ..Unclear::from(key) }),
        }
    }
    match hold {
        Some(what) => Err(Stop::Outcome(Outcome::Hold(what))),
        None => Ok(unclear),
    }
}

/// The batch was not done as a whole.
async fn give_way<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    wave: &Wave,
    outcome: Outcome,
) -> std::result::Result<(), Stop> {
    if !matches!(outcome, Outcome::Retry(_)) {
        let refused = |draft: &mut Draft| {
            draft.record.unanswered.refused();
            Ok(())
        };
        run.replica.transact(run.at(), Durability::Relaxed, &[], refused).await?;
    }
    match outcome {
        Outcome::Resolve(Resolve::TooLarge(reason)) => smaller(run, pass, wave, reason).await,
        // One request that breaks the batch must not hold up the others: it is found by halving.
        Outcome::Park(reason) if reason.status == 400 => smaller(run, pass, wave, reason).await,
        Outcome::Hold(Hold::SignedOut) if planted(Bug::SignInUsesUpAttempts) => give_up(run, wave).await,
        other => Err(Stop::Outcome(other)),
    }
}

/// Half of it next time; a single one that is refused is parked.
async fn smaller<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    pass: &mut Pass,
    wave: &Wave,
    reason: Reason,
) -> std::result::Result<(), Stop> {
    if pass.asks_again {
        pass.waiting.extend(wave.rows().cloned());
    } else if let [single] = wave.units.as_slice() {
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
fn tables_of_changes(answered: &[Answered]) -> impl Iterator<Item = &str> {
    let told = answered.iter().filter(|answered| answered.answer.tells == Reply::Changes);
    told.map(|answered| answered.ready.request.key.table.as_str())
}
