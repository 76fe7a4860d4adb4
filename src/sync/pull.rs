//! Brings in what changed on the server, table by table, page by page.
//!
//! A page and the place where the next one begins are committed in one transaction, so a pull that is killed goes on
//! from the last committed page. A table's first pull fills what is read; a later full one fills a shadow that takes
//! its place at the end, so that nobody sees an empty or half table.

use super::ahead::{is_told, page_call, pull_tables};
use super::cursor::{asks_again, begin, Begin, Fresh, Kind, Place};
use super::listing::{self, Settled};
use super::outside;
use super::pages::{pages, Ended, Replies, Reply};
use super::pairs;
use super::push::Pass;
use super::reconcile::{reconcile, Incoming, Local};
use super::related;
use super::step::{carry_out, words, Run, Stop};
use super::unclear::{resolve, Unclear};
use crate::journal::Reason;
use crate::model::{code_shown, ETag, Key, Millis, TraceEvent, Wanted};
use crate::platform::Transport;
use crate::remote::{Outcome, PageCall, Resolve};
use crate::replica::{is_held, Cursor, Draft, Feed, State, Target};
use crate::store::{Durability, Store};
use flette_odata::edm::Table;
use flette_odata::path::PARTY_TABLE;
use flette_odata::stamps::Stamps;

/// How often one table's pull begins anew within a round: a shadow that is no good goes, all rows are read, then what
/// was changed meanwhile, and the shadow takes its place; one more for a delta that came in pages, and one for what an
/// earlier round left to finish.
const RESTARTS_MAX: u32 = 6;
/// How often tables that others have stirred are compared at the end of a pull; two that look at each other take turns.
const STIRS_MAX: u32 = 3;

/// Pulls every table in scope. `asked`: what [`super::ahead::ask_first`] has asked.
///
/// # Errors
/// Why it ended early. A table that the server refuses is told as a problem and does not stop the others.
pub(super) async fn pull<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    mut asked: Replies,
) -> std::result::Result<bool, Stop> {
    let (parties, mut others) = parties_and_others(run);
    let (mut whole, failed) = match pull_tables(run, &parties, &mut asked).await {
        Err(stop @ Stop::Outcome(Outcome::Retry(_))) => (false, Some(stop)),
        pulled => (pulled?, None),
    };
    // No activity gets a newer version here than its set; all other tables can do without.
    let schema = run.schema();
    let waits = |name: &str| failed.is_some() && schema.table(name).is_some_and(|table| table.activity);
    others.retain(|name| !waits(name));
    let before = run.pulled();
    whole &= pull_tables(run, &others, &mut asked).await?;
    // An activity may have changed after its parties were read. Where these are always read whole that must do until the next
    // round: no set is replaced before it is read.
    if failed.is_none() && run.pulled() > before && is_told(run, PARTY_TABLE) {
        whole &= pull_tables(run, &parties, &mut Replies::new()).await?;
    }
    // Rows that came in may have stirred tables that were pulled before them.
    for _ in 0..STIRS_MAX {
        let tables = self::order(run).into_iter();
        let stirred: Vec<String> = tables.filter(|name| is_stirred(run, name) && !waits(name)).collect();
        whole &= pull_tables(run, &stirred, &mut Replies::new()).await?;
    }
    let stirred = run.config.tables.iter().any(|name| is_stirred(run, name));
    failed.map_or(Ok(whole && !stirred), Err)
}

/// Parties are read before activities, so that most often no activity has a newer version here than its set.
pub(super) fn parties_and_others<S: Store, T: Transport>(run: &Run<'_, S, T>) -> (Vec<String>, Vec<String>) {
    order(run).into_iter().partition(|name| name == PARTY_TABLE)
}

/// Whether a table that was pulled is to be compared since others have changed.
fn is_stirred<S: Store, T: Transport>(run: &Run<'_, S, T>, name: &str) -> bool {
    let state = run.replica.state();
    let cursor = state.tables.get(name).map(|table| &table.cursor);
    cursor.is_some_and(|c| c.stirred && c.complete && c.feed == Feed::Sweep)
        && matches!(state.record.wanted(name), Some(Wanted::Rows { .. }))
}

/// Pulls one table; tells whether all of it is in. `asked`: what may be its first page.
pub(super) async fn pull_table<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    name: &str,
    mut asked: Option<Reply>,
) -> std::result::Result<bool, Stop> {
    let schema = run.schema();
    let Some(table) = schema.table(name) else { return Ok(false) };
    let mut ended = End::Again;
    for nth in 0..RESTARTS_MAX {
        run.in_time()?;
        ended = match from_where_it_stands(run, table, asked.take()).await? {
            // Filled by an earlier round: what was pushed since need not be in it, nor what others did since.
            End::Swapped if nth == 0 => End::Again,
            End::Swapped => End::Whole,
            ended => ended,
        };
        if ended != End::Again {
            break;
        }
    }
    Ok(ended == End::Whole)
}

/// Tables whose pull is unfinished come first: a worker that never lives long still gets through them all.
fn order<S: Store, T: Transport>(run: &Run<'_, S, T>) -> Vec<String> {
    let state = run.replica.state();
    let finished = |name: &&String| {
        let cursor = state.tables.get(*name).map(|table| &table.cursor);
        cursor.is_some_and(|c| c.complete && c.next_link.is_none() && c.shadow.is_none())
    };
    let (finished, unfinished): (Vec<&String>, Vec<&String>) = run.config.tables.iter().partition(finished);
    let order: Vec<String> = unfinished.into_iter().chain(finished).cloned().collect();
    // Those last whose rows depend on others.
    let looks = |name: &String| match state.record.wanted(name) {
        Some(Wanted::Rows { looks_at, .. }) => !looks_at.is_empty(),
        Some(Wanted::Unknown { .. }) | None => false,
    };
    let (last, mut order): (Vec<String>, Vec<String>) = order.into_iter().partition(looks);
    order.extend(last);
    // Parties before activities.
    let (mut parties, others): (Vec<String>, Vec<String>) =
        order.into_iter().partition(|name| name == PARTY_TABLE);
    parties.extend(others);
    parties
}

/// How a table's pull ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// All is in.
    Whole,
    /// There is more to do, from another beginning.
    Again,
    /// A shadow took the place of what was read; nothing was asked.
    Swapped,
    /// The server refuses this table.
    Refused,
}

async fn from_where_it_stands<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    asked: Option<Reply>,
) -> std::result::Result<End, Stop> {
    let name = &table.logical_name;
    let cursor = run.replica.state().tables.get(name).map(|t| t.cursor.clone()).unwrap_or_default();
    let (filter, looks_beyond) = match wanted_rows(run.replica.state().record.wanted(name), &cursor) {
        Ok(rows) => rows,
        Err(why) => {
            run.problem(why);
            return Ok(End::Refused);
        }
    };
    let place = Place::of(&cursor);
    match begin(&cursor, table, filter.as_deref(), run.remote.root()) {
        Begin::Swap => Ok(if swap(run, table, &place).await? { End::Swapped } else { End::Again }),
        Begin::Settle => match listing::settle(run, table, filter.as_deref()).await? {
            Settled::Whole => Ok(End::Swapped),
            Settled::Moved => Ok(End::Again),
            Settled::Not => {
                begin_anew(run, name, None).await?;
                Ok(End::Again)
            }
        },
        Begin::DropShadow => {
            run.replica
                .transact(run.at(), Durability::Relaxed, &[], |draft| {
                    if Place::of(&draft.cursor(name)) != place {
                        return Ok(());
                    }
                    draft.drop_shadow(name);
                    // Where its pull stood is no place for what is read.
                    let mut cursor = draft.cursor(name);
                    (cursor.next_link, cursor.delta_link, cursor.behind) = (None, None, false);
                    (cursor.watermark, cursor.watermark_next) = (None, None);
                    draft.set_cursor(name, cursor);
                    Ok(())
                })
                .await?;
            Ok(End::Again)
        }
        Begin::Page { url, kind, target, fresh } => {
            let call = page_call(run, table, &cursor, ((url, kind, target), fresh.is_some()), looks_beyond);
            let fresh = fresh.map(|columns| Fresh { columns, filter, kind, at: Millis(0) });
            read_on(run, table, (&cursor, kind, target), (call, fresh, asked)).await
        }
    }
}

/// Which rows of a table are asked for, and whether rows of others decide about them; `Err` says why that is not known.
pub(super) fn wanted_rows(
    wanted: Option<&Wanted>,
    cursor: &Cursor,
) -> std::result::Result<(Option<String>, bool), String> {
    match wanted {
        None => Ok((None, false)),
        Some(Wanted::Rows { filter, looks_at }) => Ok((Some(filter.clone()), !looks_at.is_empty())),
        // It goes on as it was pulled; whole tables are not what was meant.
        Some(Wanted::Unknown { .. }) if cursor.complete => Ok((cursor.filter.clone(), false)),
        Some(Wanted::Unknown { why }) => Err(why.clone()),
    }
}

/// Reads pages to their end, and tells how far that is.
async fn read_on<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    (cursor, kind, target): (&Cursor, Kind, Target),
    (call, fresh, asked): (PageCall, Option<Fresh>, Option<Reply>),
) -> std::result::Result<End, Stop> {
    let tracked = call.track_changes;
    let listed = (kind == Kind::Listing).then(|| listing::listed(table));
    let from = (Place::of(cursor), fresh, asked);
    match pages(run, listed.as_ref().unwrap_or(table), call, target, from).await? {
        Ended::Moved => Ok(End::Again),
        Ended::Whole { .. } if target == Target::Shadow => Ok(End::Again),
        Ended::Whole { since } => {
            // A read that went on was begun before what was sent last: it need not have told of that.
            let went_on = cursor.next_link.is_some();
            if !went_on {
                outside::release(run, table, since).await?;
            }
            let state = run.replica.state();
            let now = state.tables.get(&table.logical_name).map(|table| &table.cursor);
            let again = now.is_some_and(|now| now.behind || went_on && now.delta_link.is_some());
            Ok(if again { End::Again } else { End::Whole })
        }
        Ended::Not(outcome) => refused(run, table, outcome, tracked).await,
    }
}

/// How often a row is asked for before a shadow takes its place, when no answer is of use.
const READS_MAX: u32 = 5;

/// "Entity {0} isn't enabled for change tracking", and the same of the tables behind a table of pairs: `dataverse.md`.
const NOT_TRACKED: [&str; 2] = ["0x80072491", "0x80072492"];

/// Whether a refusal may be that of a column which the request names and the server does not know any more. Another way
/// of asking would name it, too.
fn is_about_columns(reason: &Reason) -> bool {
    reason.status == 400 && !NOT_TRACKED.contains(&reason.code.as_str())
}

/// An answer that was no page: another way to ask, a new beginning, or the end for this table.
async fn refused<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    outcome: Outcome,
    tracked: bool,
) -> std::result::Result<End, Stop> {
    let name = &table.logical_name;
    if let Outcome::Park(reason) = &outcome {
        // Dataverse refuses to track changes under a filter in the same words.
        let tracked_in_scope = tracked && run.replica.state().record.wanted(name).is_some();
        if is_about_columns(reason) && !tracked_in_scope && !run.has_read_schema() {
            run.problem(format!("table {name}: {}; its columns are read anew", words(reason)));
            run.replica
                .transact(run.at(), Durability::Relaxed, &[], |draft| {
                    draft.record.doubt_schema(name);
                    Ok(())
                })
                .await?;
            return Ok(End::Refused);
        }
    }
    if let (Outcome::Park(reason), true) = (&outcome, tracked) {
        return denied(run, name, reason).await;
    }
    let begins_anew = match &outcome {
        Outcome::Resolve(Resolve::Expired) => Some(None),
        Outcome::Park(_) => {
            let state = run.replica.state();
            let cursor = state.tables.get(name).map(|t| &t.cursor);
            match cursor.map(|c| (c.delta_link.is_some(), c.next_link.is_some())) {
                Some((true, _)) => Some(Some(Feed::Sweep)),
                Some((false, true)) => Some(None),
                Some((false, false)) | None => None,
            }
        }
        Outcome::Retry(_) | Outcome::Hold(_) => return Err(Stop::Outcome(outcome)),
        Outcome::Resolve(_) | Outcome::Done => None,
    };
    let Some(feed) = begins_anew else {
        let what = match &outcome {
            Outcome::Park(reason) => words(reason),
            _ => "the server does not know it".to_owned(),
        };
        run.problem(format!("table {name}: {what}"));
        let (status, code) = match outcome {
            Outcome::Park(reason) => (reason.status, code_shown(&reason.code)),
            _ => (404, String::new()),
        };
        run.replica.trace().note(run.at(), &TraceEvent::Refused { table: name.clone(), status, code });
        return Ok(End::Refused);
    };
    begin_anew(run, name, feed).await?;
    Ok(End::Again)
}

/// The table is pulled in full. By sweeps where change tracking, which it had, is refused: that may come back.
async fn begin_anew<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    name: &str,
    feed: Option<Feed>,
) -> std::result::Result<(), Stop> {
    let forgotten = run.replica.transact(run.at(), Durability::Relaxed, &[], |draft| {
        forget(draft, name, feed);
        if feed == Some(Feed::Sweep) {
            let mut cursor = draft.cursor(name);
            cursor.denied = true;
            draft.set_cursor(name, cursor);
        }
        Ok(())
    });
    Ok(forgotten.await?)
}

/// Change tracking was refused. It needs the right to read the whole organisation, which most users lack.
async fn denied<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    name: &str,
    reason: &Reason,
) -> std::result::Result<End, Stop> {
    run.replica
        .transact(run.at(), Durability::Relaxed, &[], |draft| {
            let mut cursor = draft.cursor(name);
            if asks_again(&cursor) {
                // What is here is as good as before: the sweep that was due goes on.
                cursor.sweeps = cursor.sweeps.saturating_add(1);
                draft.set_cursor(name, cursor);
                return Ok(());
            }
            // Rows that are here were told by another filter's feed up to now: their etags are as good as before.
            let known = cursor.complete && cursor.delta_link.is_some();
            forget(draft, name, Some(Feed::Sweep));
            let mut cursor = draft.cursor(name);
            cursor.watermark = known.then_some(Millis(0));
            cursor.denied = !NOT_TRACKED.contains(&reason.code.as_str());
            draft.set_cursor(name, cursor);
            Ok(())
        })
        .await?;
    Ok(End::Again)
}

/// Drops a table's place in the feed, so that it is pulled in full; rows and entries stay.
pub(super) fn forget(draft: &mut Draft, name: &str, feed: Option<Feed>) {
    draft.drop_shadow(name);
    let mut cursor = draft.cursor(name);
    (cursor.next_link, cursor.delta_link) = (None, None);
    (cursor.watermark, cursor.watermark_next) = (None, None);
    (cursor.feed, cursor.sweeps, cursor.behind) = (feed.unwrap_or(cursor.feed), 0, false);
    if cursor != draft.cursor(name) {
        draft.note(TraceEvent::FeedLost { table: name.to_owned() });
        draft.set_cursor(name, cursor);
    }
    draft.record.pull_due = true;
}

/// The shadow takes the place of what is read. Entries meet the rows as they are now; rows that the server no longer
/// gave are gone, but those that were never there. `false`: nothing was done, since the table does not stand at `place` any more.
async fn swap<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    place: &Place,
) -> std::result::Result<bool, Stop> {
    let name = table.logical_name.as_str();
    let (policy, receipts) = (&run.policy, run.remote.keeps_receipts());
    read_moved(run, name).await?;
    let swapped = run
        .replica
        .transact(run.at(), Durability::Strict, &[name], |draft| {
            // The shadow may turn out to be damaged, or another context may have gone on.
            if Place::of(&draft.cursor(name)) != *place {
                return Ok(None);
            }
            let state = draft.state();
            let keys = pairs::in_order(draft, name);
            let (mut conflicts, mut merges, mut outside) = (0, 0, Vec::new());
            let filtered = draft.cursor(name).filter.is_some();
            outside::retain_told(draft, name);
            let filled = pairs::filled(draft, name);
            for key in keys {
                let entries = draft.entries_of(&key);
                let known = state.mirror_row(&key).map(|(row, _)| row);
                let local = Local { entries: &entries, mirror: known.as_ref() };
                let shadow = state.tables.get(name).and_then(|t| t.shadow.as_ref());
                let now = shadow.and_then(|s| Some((s.row(key.id)?, ETag(s.etag(key.id)?))));
                let decision = match (&now, &known) {
                    (Some((row, etag)), _) => {
                        let stamps = Stamps::default();
                        reconcile(table, local, Incoming::Row { row, etag, stamps: &stamps }, policy)
                    }
                    (None, Some(_)) if filtered => {
                        outside::keep(draft, table, &key, Target::Shadow)?;
                        outside.push(key);
                        continue;
                    }
                    (None, Some(_)) => reconcile(table, local, Incoming::Gone, policy),
                    (None, None) => {
                        if let Some(there) = pairs::twin_of(draft, &filled, &key) {
                            pairs::adopt(draft, &key, &there);
                        }
                        continue;
                    }
                };
                let (logged, merged) = carry_out(draft, &entries, decision, receipts);
                (conflicts, merges) = (conflicts + logged, merges + merged);
            }
            if lacks_rows(state, name) {
                related::stir(draft, name);
            }
            draft.note(TraceEvent::Swapped { table: name.to_owned() });
            draft.swap(name);
            let mut cursor = draft.cursor(name);
            (cursor.complete, cursor.sweeps, cursor.narrow) = (true, 0, filtered);
            draft.set_cursor(name, cursor);
            Ok(Some((conflicts, merges, outside)))
        })
        .await?;
    let Some((conflicts, merges, outside)) = swapped else { return Ok(false) };
    run.count(|report| {
        report.conflicts += conflicts;
        report.merged += merges;
    });
    outside::read(run, table, outside).await?;
    Ok(true)
}

/// Whether rows that are read are not in the shadow.
fn lacks_rows(state: &State, name: &str) -> bool {
    let (Some(live), Some(shadow)) =
        state.tables.get(name).map_or((None, None), |t| (t.mirror.as_ref(), t.shadow.as_ref()))
    else {
        return true;
    };
    related::is_looked_at(state, name) && live.ids().any(|id| !shadow.contains(id))
}

/// Reads the rows with entries that have moved on in the shadow, or of which it is not known whether they have, one by one,
/// where the server tells when each field was edited: a shadow does not keep that. They are merged at once, so that the
/// swap finds them as they are.
async fn read_moved<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    name: &str,
) -> std::result::Result<(), Stop> {
    if !run.remote.keeps_stamps() {
        return Ok(());
    }
    run.replica.load(&[name]).await?;
    let moved: Vec<Key> = {
        let state = run.replica.state();
        let shadow = state.tables.get(name).and_then(|table| table.shadow.as_ref());
        let held = is_held(&state.schema, name);
        let moved = |key: &&Key| {
            let base = state.journal.of(key).next().and_then(|first| first.base.as_ref());
            let now = shadow.and_then(|shadow| shadow.etag(key.id));
            // What others hold is read with them, and has no version of its own.
            now.is_some_and(|now| base.map_or(!held, |base| base.0 != now))
        };
        state.journal.keys_of(name).filter(moved).cloned().collect()
    };
    let (mut pass, mut left) = (Pass::default(), moved);
    // A row that still cannot be read goes by its own time: one answer that never comes must not hold up the table.
    for _ in 0..READS_MAX {
        resolve(run, &mut pass, left.into_iter().map(Unclear::from).collect()).await?;
        left = std::mem::take(&mut pass.waiting).into_iter().collect();
        if left.is_empty() {
            break;
        }
    }
    Ok(())
}
