//! Reads the pages of one pull, each next one while the one before is taken over; the first one may have been asked for
//! before.

use super::cursor::{Fresh, Place};
use super::outside;
use super::page::{commit, Arrived, Taken};
use super::step::{Run, Stop};
use super::{Phase, Stage};
use crate::model::{planted, Bug, Heard, Millis};
use crate::platform::Transport;
use crate::remote::{Asked, Outcome, PageCall, Read};
use crate::replica::{next_link_ahead, Target};
use crate::store::Store;
use flette_odata::edm::Table;
use futures_util::future::{join, join_all};
use std::collections::BTreeMap;

/// How often a page is asked for once more because users' writes were passed on to the server meanwhile.
const OVERTAKEN_MAX: u32 = 5;
/// A sweep looks back this much further than it must, milliseconds: commits may overtake each other.
const OVERLAP_MILLIS: i64 = 2_000;
/// No page is asked for ahead when less time than this is left, milliseconds.
const AHEAD_MILLIS_MIN: i64 = 2_000;

/// How far pages were read.
#[derive(Debug)]
pub(super) enum Ended {
    /// To the last one.
    Whole {
        /// When the first one was asked for, as writes count that are passed on.
        since: u64,
    },
    /// The table does not stand any more where the next one was asked for.
    Moved,
    /// To an answer that was no page.
    Not(Outcome),
}

/// Reads pages until there is no next link, the first one from a `place`.
pub(super) async fn pages<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    first: PageCall,
    target: Target,
    (mut place, mut fresh, asked): (Place, Option<Fresh>, Option<Reply>),
) -> std::result::Result<Ended, Stop> {
    let now = run.at();
    let Reply { mut call, mut moment, mut read, mut was_late, heard } =
        match asked.filter(|reply| reply.call == first) {
            Some(reply) => reply,
            None => ask(run, first).await,
        };
    let corrected = || run.replica.state().record.clock.corrected(now);
    if let Some(fresh) = &mut fresh {
        let asked_at = heard.map_or_else(corrected, |heard| heard.when_sent());
        fresh.at = Millis(asked_at.0.saturating_sub(OVERLAP_MILLIS));
    }
    let (mut done, mut overtaken, mut since) = (0, 0, None);
    loop {
        let body = match read {
            Read::Body(body) => body,
            Read::Not(outcome) => {
                if was_late {
                    run.shrink_pages().await?;
                }
                return Ok(Ended::Not(outcome));
            }
        };
        let time_left = run.deadline.0.saturating_sub(run.at().0);
        let ahead = next_link_ahead(&body).filter(|_| time_left > AHEAD_MILLIS_MIN);
        let next = async {
            match &ahead {
                Some(link) => Some(ask(run, follow(&call, link.clone())).await),
                None => None,
            }
        };
        let arrived = Arrived { body: &body, moment, place: &place, fresh: fresh.clone() };
        let this = take_over(run, table, target, arrived, &mut done);
        let (asked_ahead, taken) = join(next, this).await;
        let mut taken = taken?;
        if let Taken::Over(committed) = &mut taken {
            outside::read(run, table, std::mem::take(&mut committed.outside)).await?;
        }
        run.replica.rest();
        let reply = match taken {
            Taken::Moved => return Ok(Ended::Moved),
            Taken::Over(committed) => {
                let since = *since.get_or_insert(moment);
                let shown = planted(Bug::ShadowShown) && target == Target::Shadow;
                let Some(link) = committed.next_link.filter(|_| !shown) else {
                    return Ok(Ended::Whole { since });
                };
                (place, fresh, overtaken) = (committed.place, None, 0);
                run.in_time()?;
                match asked_ahead {
                    Some(reply) if ahead.as_ref() == Some(&link) => reply,
                    Some(_) | None => ask(run, follow(&call, link)).await,
                }
            }
            Taken::Overtaken => {
                overtaken += 1;
                again(run, table, overtaken)?;
                ask(run, call).await
            }
        };
        Reply { call, moment, read, was_late, .. } = reply;
    }
}

/// A page that was asked for.
pub(super) struct Reply {
    pub(super) call: PageCall,
    /// When it was asked for, as writes count that are passed on.
    pub(super) moment: u64,
    pub(super) read: Read,
    /// Whether it did not come as a whole in time.
    was_late: bool,
    /// What the answer says of the server's clock.
    heard: Option<Heard>,
}

/// First pages by their tables.
pub(super) type Replies = BTreeMap<String, Reply>;

/// The first pages of several tables at once.
pub(super) async fn ask_all<S: Store, T: Transport>(run: &Run<'_, S, T>, calls: Vec<PageCall>) -> Replies {
    let replies = join_all(calls.into_iter().map(|call| ask(run, call))).await;
    replies.into_iter().map(|reply| (reply.call.table.clone(), reply)).collect()
}

async fn ask<S: Store, T: Transport>(run: &Run<'_, S, T>, call: PageCall) -> Reply {
    let moment = run.progress.moment();
    let (read, heard) = run.remote.page(&call).await;
    Reply { call, moment, read, was_late: run.remote.was_late(), heard }
}

/// The page behind a link.
fn follow(call: &PageCall, url: String) -> PageCall {
    PageCall { url, asked: Asked::Link, track_changes: false, ..call.clone() }
}

/// Whether a page that is out of date may be asked for once more.
pub(super) fn again<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    overtaken: u32,
) -> std::result::Result<(), Stop> {
    match overtaken > OVERTAKEN_MAX {
        true => {
            let what = format!("rows of {} are changed faster than they can be read", table.logical_name);
            Err(Stop::Outcome(Outcome::Retry(what)))
        }
        false => run.in_time(),
    }
}

/// Takes a page over, and tells how far the pull is.
pub(super) async fn take_over<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    target: Target,
    arrived: Arrived<'_>,
    done: &mut u64,
) -> std::result::Result<Taken, Stop> {
    let committed = match commit(run, table, target, arrived).await? {
        Taken::Over(committed) => committed,
        nothing @ (Taken::Overtaken | Taken::Moved) => return Ok(nothing),
    };
    *done += committed.items;
    run.count(|report| {
        report.pulled += committed.items;
        report.conflicts += committed.conflicts;
        report.merged += committed.merged;
    });
    // Told at once, not when the next page is there.
    run.progress.set(Some(Stage {
        phase: Phase::Pull,
        table: table.logical_name.clone(),
        done: *done,
        total: None,
    }));
    Ok(Taken::Over(committed))
}
