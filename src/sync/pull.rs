//! Brings in what changed on the server, table by table, page by page.
//!
//! A page and the place where the next one begins are committed in one transaction, so a pull that is killed goes on
//! from the last committed page. A table's first pull fills what is read; a later full one fills a shadow that takes
//! its place at the end, so that nobody sees an empty or half table.

use super::cursor::{begin, Begin, Fresh, Kind};
use super::reconcile::{reconcile, Incoming, Local};
use super::step::{decide, words, Run, Stop};
use super::{Phase, Stage};
use crate::error::{Error, Result};
use crate::mirror::{decode_page, next_link_ahead, Item, Page, PageError};
use crate::model::{ETag, Key, Millis};
use crate::platform::Transport;
use crate::remote::{Asked, Outcome, PageCall, Read, Resolve};
use crate::replica::{Cursor, Draft, Feed, Target};
use crate::store::{Durability, Store};
use flette_odata::edm::Table;
use futures_util::future::join;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How often one table's pull begins anew within a round.
const RESTARTS_MAX: u32 = 3;
/// A sweep looks back this much further than it must, milliseconds: commits may overtake each other.
const OVERLAP_MILLIS: i64 = 2_000;
/// No page is asked for ahead when less time than this is left, milliseconds.
const AHEAD_MILLIS_MIN: i64 = 2_000;

/// Pulls every table in scope.
///
/// # Errors
/// Why it ended early. A table that the server refuses is told as a problem and does not stop the others.
pub(super) async fn pull<S: Store, T: Transport>(run: &Run<'_, S, T>) -> std::result::Result<bool, Stop> {
    let mut whole = true;
    for name in &run.config.tables {
        let schema = run.schema();
        let Some(table) = schema.table(name) else {
            whole = false;
            continue;
        };
        let mut ended = End::Again;
        for _ in 0..RESTARTS_MAX {
            run.in_time()?;
            ended = from_where_it_stands(run, table).await?;
            if ended != End::Again {
                break;
            }
        }
        whole &= ended == End::Whole;
    }
    Ok(whole)
}

/// How a table's pull ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// All is in.
    Whole,
    /// There is more to do, from another beginning.
    Again,
    /// The server refuses this table.
    Refused,
}

async fn from_where_it_stands<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
) -> std::result::Result<End, Stop> {
    let name = &table.logical_name;
    let cursor = run.replica.state().tables.get(name).map(|t| t.cursor.clone()).unwrap_or_default();
    match begin(&cursor, table, run.remote.root()) {
        Begin::Swap => {
            swap(run, table).await?;
            Ok(End::Whole)
        }
        Begin::DropShadow => {
            run.replica
                .transact(run.now(), Durability::Relaxed, &[], |draft| {
                    draft.drop_shadow(name);
                    Ok(())
                })
                .await?;
            Ok(End::Again)
        }
        Begin::Page { url, kind, target, fresh } => {
            let call = PageCall {
                url,
                asked: if fresh.is_some() { Asked::Read } else { Asked::Link },
                track_changes: kind == Kind::All && cursor.feed == Feed::Delta && table.change_tracking,
                rows_max: run.config.page_size,
            };
            let fresh = fresh.map(|columns| Fresh { columns, kind, at: Millis(0) });
            let tracked = call.track_changes;
            match pages(run, table, call, target, fresh).await? {
                None if target == Target::Shadow => Ok(End::Again),
                None => Ok(End::Whole),
                Some(outcome) => refused(run, table, outcome, tracked).await,
            }
        }
    }
}

/// Reads pages until there is no next link. `Some` is an answer that was no page.
async fn pages<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    first: PageCall,
    target: Target,
    mut fresh: Option<Fresh>,
) -> std::result::Result<Option<Outcome>, Stop> {
    let follow = |url: String| PageCall { url, asked: Asked::Link, track_changes: false, ..first.clone() };
    let (mut read, date) = run.remote.page(&first).await;
    let now = run.now();
    let corrected = || run.replica.state().record.clock.corrected(now);
    if let Some(fresh) = &mut fresh {
        fresh.at = Millis(date.unwrap_or_else(corrected).0.saturating_sub(OVERLAP_MILLIS));
    }
    let mut done = 0;
    loop {
        let body = match read {
            Read::Body(body) => body,
            Read::Not(outcome) => return Ok(Some(outcome)),
        };
        let time_left = run.deadline.0.saturating_sub(run.now().0);
        let ahead = next_link_ahead(&body).filter(|_| time_left > AHEAD_MILLIS_MIN);
        let next = async {
            match &ahead {
                Some(link) => Some(run.remote.page(&follow(link.clone())).await.0),
                None => None,
            }
        };
        let (asked_ahead, committed) = join(next, commit(run, table, target, &body, fresh.take())).await;
        let committed = committed?;
        done += committed.items;
        run.count(|report| {
            report.pulled += committed.items;
            report.conflicts += committed.conflicts;
        });
        run.progress.set(Some(Stage {
            phase: Phase::Pull,
            table: table.logical_name.clone(),
            done,
            total: None,
        }));
        let Some(link) = committed.next_link else { return Ok(None) };
        run.in_time()?;
        read = match asked_ahead {
            Some(page) if ahead.as_ref() == Some(&link) => page,
            Some(_) | None => run.remote.page(&follow(link)).await.0,
        };
    }
}

/// What a committed page came to.
#[derive(Debug, Default)]
struct Committed {
    next_link: Option<String>,
    items: u64,
    conflicts: u64,
}

/// Takes one page over: rows into a segment, their entries reconciled, the cursor moved, all at once.
async fn commit<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    target: Target,
    body: &[u8],
    fresh: Option<Fresh>,
) -> std::result::Result<Committed, Stop> {
    let name = table.logical_name.as_str();
    let page = match decode_page(body, table) {
        Ok(page) => page,
        Err(error) => return Err(unreadable(run, name, &error).await),
    };
    let edited = edited_rows(&run.replica.state().journal, name);
    let touched = target == Target::Live && page.items().any(|item| edited.contains(&id_of(item)));
    let mut decoded = Some(page);
    let mut strict = touched;
    loop {
        // A shadow is only right in memory when it was read whole before it is added to.
        let tables: &[&str] = if strict || target == Target::Shadow { &[name] } else { &[] };
        let durability = if strict { Durability::Strict } else { Durability::Relaxed };
        let committed = run
            .replica
            .transact(run.now(), durability, tables, |draft| {
                let page = match decoded.take() {
                    Some(page) => page,
                    None => decode_page(body, table)
                        .map_err(|e| Error::Damaged(format!("page of {name}: {e:?}")))?,
                };
                let part = Part { table, target, fresh: fresh.as_ref(), strict };
                take_over(draft, &part, page, &run.config.policy)
            })
            .await?;
        match committed {
            Some(committed) => return Ok(committed),
            None => strict = true,
        }
    }
}

/// A page that does not fit: by the schema, which then is read again, or by being no page at all.
async fn unreadable<S: Store, T: Transport>(run: &Run<'_, S, T>, name: &str, error: &PageError) -> Stop {
    let what = match error {
        PageError::WrongType { column } | PageError::UnknownTarget { column } => {
            let forget = run.replica.transact(run.now(), Durability::Relaxed, &[], |draft| {
                draft.record.schema_checked = None;
                Ok(())
            });
            if let Err(error) = forget.await {
                return Stop::Replica(error);
            }
            format!("column {column} of {name} does not fit the schema known here")
        }
        PageError::Malformed(_) | PageError::NoId => format!("a page of {name} could not be read"),
    };
    Stop::Outcome(Outcome::Retry(what))
}

fn edited_rows(journal: &crate::journal::Journal, name: &str) -> BTreeSet<Uuid> {
    journal.keys_of(name).map(|key| key.id).collect()
}

fn id_of(item: Item) -> Uuid {
    match item {
        Item::Row(id) | Item::Tombstone(id) => id,
    }
}

/// A page's place in the pull.
struct Part<'a> {
    table: &'a Table,
    target: Target,
    fresh: Option<&'a Fresh>,
    strict: bool,
}

/// `None`: rows with entries came up that were not there before, and the transaction must be a strict one.
fn take_over(draft: &mut Draft, part: &Part, page: Page, policy: &super::Policy) -> Result<Option<Committed>> {
    let name = part.table.logical_name.as_str();
    let edited = match part.target {
        Target::Live => edited_rows(&draft.state().journal, name),
        // Entries are reconciled with a shadow when it is swapped in, not before: until then they show upon the old rows.
        Target::Shadow => BTreeSet::new(),
    };
    // Of an id that comes twice, the last item counts.
    let mut met: BTreeMap<Uuid, (usize, Item)> = BTreeMap::new();
    for (at, item) in page.items().enumerate().filter(|(_, item)| edited.contains(&id_of(*item))) {
        met.insert(id_of(item), (at, item));
    }
    if !met.is_empty() && !part.strict {
        return Ok(None);
    }
    let mut committed = Committed {
        next_link: page.next_link.clone(),
        items: u64::from(page.rows) + u64::from(page.tombstones),
        conflicts: 0,
    };
    for (id, (at, item)) in met {
        committed.conflicts += reconcile_item(draft, part.table, &page, (id, at, item), policy);
    }
    let mut cursor = draft.cursor(name);
    if let Some(fresh) = part.fresh {
        fresh.open(&mut cursor, part.target);
    }
    draft.set_cursor(name, cursor);
    let (next_link, delta_link) = (page.next_link, page.delta_link);
    draft.add_segment(name, part.target, page.segment)?;
    let mut cursor = draft.cursor(name);
    if next_link.is_some() {
        draft.record.pull_due = true;
    } else {
        close(&mut cursor, part.target, delta_link);
    }
    cursor.next_link = next_link;
    if cursor != draft.cursor(name) {
        draft.set_cursor(name, cursor);
    }
    Ok(Some(committed))
}

fn reconcile_item(
    draft: &mut Draft,
    table: &Table,
    page: &Page,
    (id, at, item): (Uuid, usize, Item),
    policy: &super::Policy,
) -> u64 {
    let key = Key::new(table.logical_name.clone(), id);
    let entries = draft.entries_of(&key);
    let known = draft.state().mirror_row(&key).map(|(row, _)| row);
    let local = Local { entries: &entries, mirror: known.as_ref() };
    let decision = match item {
        Item::Tombstone(_) => reconcile(table, local, Incoming::Gone, policy),
        Item::Row(_) => {
            let (row, etag) = (page.row(at), ETag(page.etag(at).unwrap_or_default()));
            reconcile(table, local, Incoming::Row { row: &row, etag: &etag }, policy)
        }
    };
    decide(draft, &entries, decision, false)
}

/// The last page is in.
fn close(cursor: &mut Cursor, target: Target, delta_link: Option<String>) {
    match delta_link {
        Some(link) => (cursor.delta_link, cursor.feed) = (Some(link), Feed::Delta),
        // An answer without one leaves the old one good; where there never was one, the server does not track.
        None if cursor.delta_link.is_some() => {}
        None => cursor.feed = Feed::Sweep,
    }
    if let Some(next) = cursor.watermark_next.take() {
        cursor.watermark = Some(next);
    }
    if target == Target::Live {
        cursor.complete = true;
    }
}

/// An answer that was no page: another way to ask, a new beginning, or the end for this table.
async fn refused<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    outcome: Outcome,
    tracked: bool,
) -> std::result::Result<End, Stop> {
    let name = &table.logical_name;
    let begins_anew = match &outcome {
        Outcome::Resolve(Resolve::Expired) => Some(None),
        // Change tracking needs the right to read the whole organisation, which most users lack.
        Outcome::Park(_) if tracked => Some(Some(Feed::Sweep)),
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
        return Ok(End::Refused);
    };
    run.replica
        .transact(run.now(), Durability::Relaxed, &[], |draft| {
            forget(draft, name, feed);
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
    cursor.feed = feed.unwrap_or(cursor.feed);
    if cursor != draft.cursor(name) {
        draft.set_cursor(name, cursor);
    }
    draft.record.pull_due = true;
}

/// The shadow takes the place of what is read. Entries meet the rows as they are now; rows that the server no longer
/// gave are gone, but those that were never there.
async fn swap<S: Store, T: Transport>(run: &Run<'_, S, T>, table: &Table) -> std::result::Result<(), Stop> {
    let name = table.logical_name.as_str();
    let policy = &run.config.policy;
    let conflicts = run
        .replica
        .transact(run.now(), Durability::Strict, &[name], |draft| {
            let state = draft.state();
            let keys: Vec<Key> = state.journal.keys_of(name).cloned().collect();
            let mut conflicts = 0;
            for key in keys {
                let entries = draft.entries_of(&key);
                let known = state.mirror_row(&key).map(|(row, _)| row);
                let local = Local { entries: &entries, mirror: known.as_ref() };
                let shadow = state.tables.get(name).and_then(|t| t.shadow.as_ref());
                let now = shadow.and_then(|s| Some((s.row(key.id)?, ETag(s.etag(key.id)?))));
                let decision = match (&now, &known) {
                    (Some((row, etag)), _) => reconcile(table, local, Incoming::Row { row, etag }, policy),
                    (None, Some(_)) => reconcile(table, local, Incoming::Gone, policy),
                    (None, None) => continue,
                };
                conflicts += decide(draft, &entries, decision, false);
            }
            draft.swap(name);
            let mut cursor = draft.cursor(name);
            (cursor.complete, cursor.sweeps) = (true, 0);
            draft.set_cursor(name, cursor);
            Ok(conflicts)
        })
        .await?;
    run.count(|report| report.conflicts += conflicts);
    Ok(())
}
