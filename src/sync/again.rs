//! What was sent and not answered: asked for once more before all else, or set aside until all else is through.

use super::push::{push, Pass};
use super::sets::Sets;
use super::step::{Run, Stop};
use super::wave::Wave;
use crate::journal::{bound, Entry, EntryState, Journal};
use crate::model::{Batch, Key};
use crate::platform::Transport;
use crate::remote::Outcome;
use crate::replica::Draft;
use crate::store::Store;
use flette_odata::ordered;
use std::collections::BTreeSet;

/// Asks once more for what was sent and not answered, before anything is heard of these rows: a server with receipts says what
/// became of it, whatever was written over it since. Nothing else is sent yet, but what follows of the same rows. Gives what
/// the pushes of the round remember from then on. Without an answer again, the feed may tell.
///
/// # Errors
/// As of [`push`], but for that one.
pub(super) async fn ask_again<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
) -> std::result::Result<Pass, Stop> {
    let mut pass = Pass { asks_again: true, sets: Sets::as_sent(), ..Pass::default() };
    if !run.remote.keeps_receipts() || !any_unanswered(run.replica.state().journal.iter()) {
        return Ok(Pass::default());
    }
    let others = answered_rows(&run.replica.state().journal);
    pass.waiting.clone_from(&others);
    match push(run, &mut pass).await {
        Err(Stop::Outcome(Outcome::Retry(what))) => run.problem(what),
        ended => ended?,
    }
    // What was in the way of some is tried once more after the pull.
    Ok(Pass { limits: pass.limits, resolved: pass.resolved, asked: pass.asked, ..Pass::default() })
}

/// Tries once more what was set aside, what belongs together at once, until something gets no answer again. Tells whether
/// all of it was answered, and there was something.
///
/// # Errors
/// As of [`push`], but for that one.
pub(super) async fn try_aside<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
) -> std::result::Result<bool, Stop> {
    let mut answered = false;
    let aside = run.replica.state().record.unanswered.aside().to_vec();
    for key in aside {
        let mut pass = alone(&run.replica.state().journal, key.clone());
        match push(run, &mut pass).await {
            Err(Stop::Outcome(Outcome::Retry(what))) => {
                run.problem(what);
                run.count(|report| report.more |= answered);
                return Ok(false);
            }
            ended => ended?,
        }
        answered |= pass.sent > 0 || !run.replica.state().record.unanswered.aside().contains(&key);
    }
    Ok(answered)
}

/// A pass that sends this row, with what shares change sets with it, and nothing else.
fn alone(journal: &Journal, key: Key) -> Pass {
    let tried = bound(journal.iter(), BTreeSet::from([key]));
    let waiting = rows_but(journal, &tried);
    Pass { tried, waiting, ..Pass::default() }
}

/// Rows with entries none of which awaits an answer, nor shares a change set with one that does.
fn answered_rows(journal: &Journal) -> BTreeSet<Key> {
    let awaited = ordered::set(journal.iter().filter(|entry| is_sent(entry)).map(|entry| entry.key.clone()));
    rows_but(journal, &bound(journal.iter(), awaited))
}

/// Rows with entries, but for these.
fn rows_but(journal: &Journal, rows: &BTreeSet<Key>) -> BTreeSet<Key> {
    ordered::set(journal.iter().map(|entry| entry.key.clone()).filter(|key| !rows.contains(key)))
}

fn is_sent(entry: &Entry) -> bool {
    entry.state == EntryState::Sent
}

/// Whether an entry was sent in an earlier round and never answered.
pub(super) fn any_unanswered<'a>(mut entries: impl Iterator<Item = &'a Entry>) -> bool {
    entries.any(is_sent)
}

/// Rows that wait since they got no answer by themselves, but for those that are tried. `behind`: a wave
/// is under way, which may be answered yet.
pub(super) fn set_aside(draft: &mut Draft, tried: &BTreeSet<Key>, behind: bool) -> Vec<Key> {
    let journal = &draft.state().journal;
    let unanswered = &mut draft.record.unanswered;
    if !behind {
        unanswered.before_next();
    }
    unanswered.retain(|key| journal.of(key).next().is_some());
    unanswered.tried(tried);
    unanswered.aside().iter().filter(|key| !tried.contains(key)).cloned().collect()
}

/// A wave is about to be sent.
pub(super) fn note_sent(draft: &mut Draft, wave: &Wave, behind: bool) {
    let alone = match wave.units.as_slice() {
        [_] => ordered::set(wave.units.iter().flatten().map(|ready| ready.request.key.clone())),
        _ => BTreeSet::new(),
    };
    let requests = wave.units.iter().map(Vec::len).sum();
    if requests > 0 {
        draft.record.unanswered.sent(Batch { requests, alone: alone.into_iter().collect() }, behind);
    }
}
