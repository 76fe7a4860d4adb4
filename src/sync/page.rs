//! Takes one page over: rows into a segment, their entries reconciled, the cursor moved, all in one transaction.

use super::cursor::{may_track, Fresh, Kind, Place};
use super::horizon;
use super::outside;
use super::pairs;
use super::reconcile::Incoming;
use super::related;
use super::spoil;
use super::step::{meet, Run, Stop};
use crate::error::{Error, Result};
use crate::journal::{was_sent_for, Entry};
use crate::model::{planted, Bug, ETag, Key, TraceEvent};
use crate::platform::Transport;
use crate::remote::{stamps_of_rows, Outcome};
use crate::replica::{Cursor, Draft, Feed, Item, Page, PageError, SegmentBuilder, Target};
use crate::store::{Durability, Store};
use flette_odata::edm::Table;
use flette_odata::ordered;
use flette_odata::stamps::Stamps;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a committed page came to.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) next_link: Option<String>,
    pub(super) items: u64,
    pub(super) conflicts: u64,
    pub(super) merged: u64,
    /// Rows with entries that a filtered feed took away: to be read.
    pub(super) outside: Vec<Key>,
    /// Where the table stands since then.
    pub(super) place: Place,
}

/// A page as it came.
#[derive(Debug, Clone)]
pub(super) struct Arrived<'a> {
    pub(super) body: &'a [u8],
    /// When it was asked for, as writes count that are passed on.
    pub(super) moment: u64,
    /// From where it was asked for.
    pub(super) place: &'a Place,
    /// Of the first page of a first call.
    pub(super) fresh: Option<Fresh>,
}

/// What was made of a page.
#[derive(Debug)]
pub(super) enum Taken {
    Over(Committed),
    /// Nothing: a user's write was passed on to the server since it was asked for, so that it may show what was before that.
    Overtaken,
    /// Nothing: the table does not stand any more where it was asked for.
    Moved,
}

/// Takes one page over: rows into a segment, their entries reconciled, the cursor moved, all at once.
pub(super) async fn commit<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    target: Target,
    Arrived { body, moment, place, fresh }: Arrived<'_>,
) -> std::result::Result<Taken, Stop> {
    let name = table.logical_name.as_str();
    let mut place = place.clone();
    let page = match spoil::read(body, table) {
        Ok(page) => page,
        Err(error) => return Err(unreadable(run, name, &error).await),
    };
    // A table would be taken for an empty one, or for one that ends here.
    if !page.has_list && (fresh.is_some() || !place.is_at_delta()) {
        return Err(Stop::Outcome(Outcome::Retry(format!("an answer about {name} holds no list of rows"))));
    }
    if planted(Bug::TokenBeforeRows) && target == Target::Live && fresh.is_none() {
        place = token_first(run, name, &page).await?;
    }
    let edited = edited_rows(&run.replica.state().journal, name);
    let touched = target == Target::Live && page.items().any(|item| edited.contains(&id_of(item)));
    let items = u64::from(page.rows) + u64::from(page.tombstones);
    let mut decoded = Some(page);
    let mut strict = touched;
    loop {
        // A shadow is only right in memory when it was read whole before it is added to.
        let looked_at = related::is_looked_at(&run.replica.state(), name);
        let whole = strict || target == Target::Shadow || run.policy.has_up(name) || looked_at;
        let tables: &[&str] = if whole { &[name] } else { &[] };
        let durability = if strict { Durability::Strict } else { Durability::Relaxed };
        let committed = run
            .replica
            .transact(run.at(), durability, tables, |draft| {
                if run.progress.is_overtaken(moment) {
                    return Ok(Some(Taken::Overtaken));
                }
                // The rows of the table may have been read just now, or another context may have written.
                if Place::of(&draft.cursor(name)) != place {
                    return Ok(Some(Taken::Moved));
                }
                draft.hear(run.remote.heard());
                let page = match decoded.take() {
                    Some(page) => page,
                    None => spoil::read(body, table)
                        .map_err(|e| Error::Damaged(format!("page of {name}: {e:?}")))?,
                };
                let part = Part { table, target, fresh: fresh.as_ref(), strict, body };
                let rules = (&run.policy, run.remote.keeps_receipts());
                let committed = take_over(draft, &part, spoil::lose(draft, table, page), rules)?;
                if committed.is_some() {
                    draft.record.page_rows.came(items, run.rows_max, run.config.page_size);
                }
                Ok(committed.map(Taken::Over))
            })
            .await?;
        match committed {
            Some(taken) => return Ok(taken),
            None => strict = true,
        }
    }
}

/// For [`Bug::TokenBeforeRows`].
async fn token_first<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    name: &str,
    page: &Page,
) -> std::result::Result<Place, Stop> {
    let moved = run.replica.transact(run.at(), Durability::Relaxed, &[], |draft| {
        let mut cursor = draft.cursor(name);
        if page.next_link.is_none() {
            close(&mut cursor, Target::Live, page.delta_link.clone(), Came::AtOnce);
        }
        cursor.next_link.clone_from(&page.next_link);
        let place = Place::of(&cursor);
        draft.set_cursor(name, cursor);
        Ok(place)
    });
    Ok(moved.await?)
}

/// A page that does not fit: by the schema, which then is read again, or by being no page at all.
async fn unreadable<S: Store, T: Transport>(run: &Run<'_, S, T>, name: &str, error: &PageError) -> Stop {
    let what = match error {
        PageError::WrongType { column } | PageError::UnknownTarget { column } => {
            let forget = run.replica.transact(run.at(), Durability::Relaxed, &[], |draft| {
                draft.record.doubt_schema(name);
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
    ordered::set(journal.keys_of(name).map(|key| key.id))
}

/// Of a row that is told, its id.
fn told_id(item: Item) -> Option<Uuid> {
    match item {
        Item::Row(id) => Some(id),
        Item::Tombstone(_) => None,
    }
}

fn id_of(item: Item) -> Uuid {
    match item {
        Item::Row(id) | Item::Tombstone(id) => id,
    }
}

/// A page's place in the pull.
pub(super) struct Part<'a> {
    pub(super) table: &'a Table,
    pub(super) target: Target,
    pub(super) fresh: Option<&'a Fresh>,
    pub(super) strict: bool,
    /// As it came.
    pub(super) body: &'a [u8],
}

/// Makes a page part of a transaction; `receipts`: the server keeps some. `None`: nothing was, since rows with entries came up that
/// were not there before, and the transaction must be a strict one.
///
/// # Errors
/// [`Error::Damaged`] when what was decoded does not fit, which would be a defect.
pub(super) fn take_over(
    draft: &mut Draft,
    part: &Part,
    page: Page,
    (policy, receipts): (&super::Policy, bool),
) -> Result<Option<Committed>> {
    let name = part.table.logical_name.as_str();
    let edited = match part.target {
        Target::Live => edited_rows(&draft.state().journal, name),
        // Entries meet a shadow when it is swapped in, not before: until then they show upon the old rows.
        Target::Shadow => BTreeSet::new(),
    };
    // Of an id that comes twice, the last item counts.
    let mut met: BTreeMap<Uuid, (usize, Item)> = BTreeMap::new();
    for (at, item) in page.items().enumerate().filter(|(_, item)| edited.contains(&id_of(*item))) {
        met.insert(id_of(item), (at, item));
    }
    let made_there = match part.target {
        Target::Live => pairs::made_there(draft, part.table, &page),
        Target::Shadow => Vec::new(),
    };
    if (!met.is_empty() || !made_there.is_empty()) && !part.strict {
        return Ok(None);
    }
    let mut committed = Committed {
        next_link: page.next_link.clone(),
        items: u64::from(page.rows) + u64::from(page.tombstones),
        ..Committed::default()
    };
    draft.hear_definitions(page.definitions.as_ref());
    let filtered = draft.cursor(name).filter.is_some();
    let ids = ordered::set(met.keys().copied());
    let stamps = match ids.is_empty() {
        true => BTreeMap::new(),
        false => stamps_of_rows(part.body, part.table, &ids),
    };
    for (id, (at, item)) in met {
        if filtered && matches!(item, Item::Tombstone(_)) {
            committed.outside.push(Key::new(name, id));
            continue;
        }
        let stamps = stamps.get(&id).cloned().unwrap_or_default();
        let (conflicts, merged) =
            reconcile_item(draft, part.table, (&page, &stamps), (id, at, item), (policy, receipts));
        committed.conflicts += conflicts;
        committed.merged += merged;
    }
    pairs::adopt_all(draft, &made_there);
    let mut cursor = draft.cursor(name);
    draft.note(TraceEvent::Page {
        table: name.to_owned(),
        rows: page.rows,
        gone: page.tombstones,
        shadow: part.target == Target::Shadow,
    });
    if let Some(fresh) = part.fresh {
        if part.target == Target::Shadow && fresh.kind == Kind::All {
            draft.note(TraceEvent::Resync { table: name.to_owned() });
        }
        fresh.open(&mut cursor, part.target);
    }
    draft.set_cursor(name, cursor);
    let page = carried(draft, part.table, page, policy);
    let mut cursor = draft.cursor(name);
    if !cursor.outside.is_empty() {
        for id in page.items().filter_map(told_id) {
            cursor.outside.remove(&id);
        }
        draft.set_cursor(name, cursor);
    }
    // Of rows that are only listed those come in themselves that are news.
    let only_listed = part.target == Target::Shadow && draft.cursor(name).listing;
    if !only_listed && related::is_looked_at(draft.state(), name) {
        related::stir_by(draft, name, related::told_by(&page));
    }
    let (next_link, delta_link) = (page.next_link, page.delta_link);
    draft.add_segment(name, part.target, page.segment)?;
    for key in &committed.outside {
        outside::keep(draft, part.table, key, part.target)?;
    }
    let mut cursor = draft.cursor(name);
    let alone = part.fresh.is_some() || cursor.next_link.is_none();
    if alone {
        horizon::begin(&mut cursor, draft.corrected_now());
    }
    if next_link.is_some() {
        draft.record.pull_due = true;
    } else {
        close(&mut cursor, part.target, delta_link, if alone { Came::AtOnce } else { Came::InPages });
    }
    cursor.next_link = next_link;
    committed.place = Place::of(&cursor);
    if cursor != draft.cursor(name) {
        draft.set_cursor(name, cursor);
    }
    Ok(Some(committed))
}

/// Gives how many conflicts were logged and how many rows were merged without one.
fn reconcile_item(
    draft: &mut Draft,
    table: &Table,
    (page, stamps): (&Page, &Stamps),
    (id, at, item): (Uuid, usize, Item),
    rules: (&super::Policy, bool),
) -> (u64, u64) {
    let key = Key::new(table.logical_name.clone(), id);
    match item {
        Item::Tombstone(_) => meet(draft, table, &key, Incoming::Gone, rules),
        Item::Row(_) => {
            let (row, etag) = (page.row(at), ETag(page.etag(at).unwrap_or_default()));
            meet(draft, table, &key, Incoming::Row { row: &row, etag: &etag, stamps }, rules)
        }
    }
}

/// The page with the values that columns which only go up have here. What was sent and is told stands.
fn carried(draft: &Draft, table: &Table, page: Page, policy: &super::Policy) -> Page {
    let name = table.logical_name.as_str();
    if !policy.has_up(name) {
        return page;
    }
    let mut segment = SegmentBuilder::new(table);
    for (at, item) in page.items().enumerate() {
        match item {
            Item::Tombstone(id) => segment.push_tombstone(id),
            Item::Row(id) => {
                let (key, mut row) = (Key::new(name, id), page.row(at));
                let known = draft.state().mirror_row(&key).map(|(row, _)| row);
                let entries: Vec<Entry> = draft.state().journal.of(&key).cloned().collect();
                policy.carry(name, (&mut row, known.as_ref()), &|name, told| {
                    was_sent_for(&entries, name, told)
                });
                // The values come from rows of the same table, so they fit.
                let _ = segment.push_row(id, &page.etag(at).unwrap_or_default(), &row);
            }
        }
    }
    Page { segment, ..page }
}

/// How a read came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// In one page: as it stood at one moment.
    AtOnce,
    InPages,
}

/// The last page is in. A row that was changed after the first page of a read of all rows need not be in a later one: the
/// feed tells changes in their order, and it has moved behind the read's end. All is here only after a delta that came
/// at once.
fn close(cursor: &mut Cursor, target: Target, delta_link: Option<String>, came: Came) {
    let fills = target == Target::Shadow || !cursor.complete;
    cursor.behind = fills && came == Came::InPages && delta_link.is_some();
    match delta_link {
        Some(link) => (cursor.delta_link, cursor.feed, cursor.denied) = (Some(link), Feed::Delta, false),
        // An answer without one leaves the old one good; where there never was one, the server does not track.
        None if cursor.delta_link.is_some() => {}
        None => {
            cursor.denied &= !(fills && may_track(cursor) && !cursor.listing);
            cursor.feed = Feed::Sweep;
        }
    }
    if let Some(next) = cursor.watermark_next.take() {
        cursor.watermark = Some(next);
    }
    if target == Target::Live && !cursor.behind {
        cursor.complete = true;
    }
}
