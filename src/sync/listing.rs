//! Brings what is read to what the server lists: ids and etags of all rows, and after them only the rows that are not here
//! as they are there.
//!
//! The list fills the shadow, page by page, and never takes the place of what is read. Rows that are missing come in
//! beside those that are here, each lot with a note in the shadow that it came; once nothing is missing, whatever is not
//! listed goes in one step. So a compare that is killed goes on where it stood.

use super::cursor::Place;
use super::outside;
use super::page::{Arrived, Taken};
use super::pages::{again, take_over};
use super::reconcile::{reconcile, Incoming, Local};
use super::related;
use super::step::{decide, merged, Run, Stop};
use crate::error::{Error, Result};
use crate::model::{Key, TraceEvent};
use crate::platform::Transport;
use crate::remote::{Lists, Outcome};
use crate::replica::{decode_page, Draft, Item, SegmentBuilder, State, Target};
use crate::store::{Durability, Store};
use flette_odata::edm::Table;
use flette_odata::ordered;
use flette_odata::Row;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The table as a list of ids shows it.
pub(super) fn listed(table: &Table) -> Table {
    let mut listed = table.clone();
    listed.columns.retain(|column| column.logical_name == table.primary_id);
    listed
}

/// What came of a compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// What is read is as listed.
    Whole,
    /// The table does not stand any more where it began.
    Moved,
    /// It cannot be brought to that: whole rows must be read.
    Not,
}

/// Brings what is read to what is listed.
///
/// # Errors
/// Why the round ends. What came in stays.
pub(super) async fn settle<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    filter: Option<&str>,
) -> std::result::Result<Settled, Stop> {
    let name = table.logical_name.as_str();
    let lot = usize::try_from(run.rows_max).unwrap_or(usize::MAX).max(1);
    let mut done = 0;
    loop {
        run.replica.load(&[name]).await?;
        let (missing, place) = {
            let state = run.replica.state();
            let Some(missing) = missing(&state, name) else { return Ok(Settled::Not) };
            (missing, state.tables.get(name).map(|table| Place::of(&table.cursor)).unwrap_or_default())
        };
        if missing.is_empty() {
            return Ok(if finish(run, table).await? { Settled::Whole } else { Settled::Not });
        }
        for ids in missing.chunks(lot) {
            run.in_time()?;
            match bring(run, table, (filter, ids, &place), &mut done).await? {
                Settled::Whole => {}
                not @ (Settled::Moved | Settled::Not) => return Ok(not),
            }
        }
    }
}

/// Rows that are listed and not here, or here in another version. `None` where the list says too little: it was damaged, or
/// replaced by another context, or has no etags.
fn missing(state: &State, name: &str) -> Option<Vec<Uuid>> {
    let table = state.tables.get(name).filter(|t| t.cursor.listing && t.cursor.watermark.is_some())?;
    let (live, shadow) = (table.mirror.as_ref()?, table.shadow.as_ref()?);
    let mut missing = Vec::new();
    for id in shadow.ids() {
        let etag = shadow.etag(id)?;
        if live.etag(id) != Some(etag) {
            missing.push(id);
        }
    }
    Some(missing)
}

/// Reads some of the missing rows. [`Settled::Not`]: the server does not give them so.
async fn bring<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    (filter, ids, place): (Option<&str>, &[Uuid], &Place),
    done: &mut u64,
) -> std::result::Result<Settled, Stop> {
    let columns: Vec<String> = table.columns.iter().map(|column| column.property()).collect();
    let mut overtaken = 0;
    loop {
        let moment = run.progress.moment();
        let lists = match run.remote.rows(table, &columns, filter, ids).await {
            Ok(lists) => lists,
            Err(wait @ (Outcome::Retry(_) | Outcome::Hold(_))) => {
                if run.remote.was_late() {
                    run.shrink_pages().await?;
                }
                return Err(Stop::Outcome(wait));
            }
            Err(Outcome::Done | Outcome::Resolve(_) | Outcome::Park(_)) => return Ok(Settled::Not),
        };
        let arrived = Arrived { body: &lists.body, moment, place, fresh: None };
        match take_over(run, table, Target::Live, arrived, done).await? {
            Taken::Over(_) => {
                note_brought(run, table, ids, &lists).await?;
                return Ok(Settled::Whole);
            }
            Taken::Moved => return Ok(Settled::Moved),
            Taken::Overtaken => {}
        }
        overtaken += 1;
        again(run, table, overtaken)?;
    }
}

/// Notes in the shadow which rows came, in the version in which they came, and which are not there any more.
async fn note_brought<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    ids: &[Uuid],
    lists: &Lists,
) -> std::result::Result<(), Stop> {
    let name = table.logical_name.as_str();
    let listed = listed(table);
    let came: BTreeSet<Uuid> = match decode_page(&lists.body, &listed) {
        Ok(page) => ordered::set(page.items().filter_map(|item| match item {
            Item::Row(id) => Some(id),
            Item::Tombstone(_) => None,
        })),
        Err(error) => return Err(Error::Damaged(format!("lists of {name}: {error}")).into()),
    };
    let tables = [name];
    let noted = run.replica.transact(run.at(), Durability::Relaxed, &tables, |draft| {
        let mut builder = SegmentBuilder::new(&listed);
        for id in ids {
            let now = draft.state().mirror_etag(&Key::new(name, *id));
            match now.filter(|_| came.contains(id)) {
                // A row without columns fits any table.
                Some(etag) => drop(builder.push_row(*id, &etag.0, &Row::new())),
                None if lists.whole => builder.push_tombstone(*id),
                None => {}
            }
        }
        match draft.cursor(name).listing {
            true => draft.add_segment(name, Target::Shadow, builder),
            false => Ok(()),
        }
    });
    Ok(noted.await?)
}

/// What came of the end.
#[derive(Default)]
struct Sums {
    conflicts: u64,
    merged: u64,
    outside: Vec<Key>,
}

/// Everything that is listed is here: whatever else is here goes, but rows of which changes wait.
async fn finish<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
) -> std::result::Result<bool, Stop> {
    let name = table.logical_name.as_str();
    let sums = run
        .replica
        .transact(run.at(), Durability::Strict, &[name], |draft| {
            let state = draft.state();
            // Seen by the newest state: another context may have gone on.
            if !missing(state, name).is_some_and(|missing| missing.is_empty()) {
                return Ok(None);
            }
            outside::retain_told(draft, name);
            let gone = unlisted(state, name);
            draft.note(TraceEvent::Compared { table: name.to_owned(), gone: gone.len() });
            if !gone.is_empty() {
                related::stir(draft, name);
            }
            let sums = remove(draft, table, gone, &run.policy)?;
            draft.drop_shadow(name);
            let mut cursor = draft.cursor(name);
            (cursor.complete, cursor.narrow) = (true, cursor.filter.is_some());
            draft.set_cursor(name, cursor);
            Ok(Some(sums))
        })
        .await?;
    let Some(sums) = sums else { return Ok(false) };
    run.count(|report| {
        report.conflicts += sums.conflicts;
        report.merged += sums.merged;
    });
    outside::read(run, table, sums.outside).await?;
    Ok(true)
}

fn unlisted(state: &State, name: &str) -> Vec<Uuid> {
    let Some(table) = state.tables.get(name) else { return Vec::new() };
    let listed = |id: &Uuid| table.shadow.as_ref().is_some_and(|shadow| shadow.contains(*id));
    table.mirror.iter().flat_map(|live| live.ids()).filter(|id| !listed(id)).collect()
}

fn remove(draft: &mut Draft, table: &Table, gone: Vec<Uuid>, policy: &super::Policy) -> Result<Sums> {
    let name = table.logical_name.as_str();
    let filtered = draft.cursor(name).filter.is_some();
    let (mut sums, mut builder) = (Sums::default(), SegmentBuilder::new(table));
    for id in gone {
        let key = Key::new(name, id);
        let entries = draft.entries_of(&key);
        let waits = !entries.is_empty() || !draft.held_by(&key).is_empty();
        if waits && filtered {
            outside::keep(draft, table, &key, Target::Live)?;
            sums.outside.push(key);
            continue;
        }
        builder.push_tombstone(id);
        if !entries.is_empty() {
            let known = draft.state().mirror_row(&key).map(|(row, _)| row);
            let local = Local { entries: &entries, mirror: known.as_ref() };
            let decision = reconcile(table, local, Incoming::Gone, policy);
            sums.merged += merged(draft, &entries, &decision);
            sums.conflicts += decide(draft, &entries, decision, false);
        }
    }
    draft.add_segment(name, Target::Live, builder)?;
    Ok(sums)
}
