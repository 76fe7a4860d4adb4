//! Rows that a table's filter leaves out, and that are kept as long as changes of them wait.
//!
//! That a filtered feed takes a row away may mean that it is gone, or that it only left the filter. Without changes that is
//! the same here. With changes it is not: the row stays as it was, and is read by its id; what is found is merged
//! like any other answer, and the changes are sent or logged. After that it goes.

use super::push::Pass;
use super::step::{Run, Stop, Told};
use super::unclear::{resolve, Unclear};
use crate::error::{Error, Result};
use crate::model::{ETag, Key, Row, Value, OWNER};
use crate::platform::Transport;
use crate::replica::{Draft, MirrorTable, SegmentBuilder, Target};
use crate::store::{Durability, Store};
use flette_odata::edm::Table;
use flette_odata::ordered;
use uuid::Uuid;

/// Keeps a row with entries that the feed took away, at the version that they build upon: if it still stands at that one,
/// they are asked for as they were asked for before.
///
/// # Errors
/// [`Error::Damaged`] when a value does not fit its column, which decoding should have found.
pub(super) fn keep(draft: &mut Draft, table: &Table, key: &Key, target: Target) -> Result<()> {
    if let Some((row, etag)) = draft.state().mirror_row(key) {
        let mut builder = SegmentBuilder::new(table);
        let wrong = |column: &str| Error::Damaged(format!("column {column} of {}", key.table));
        builder.push_row(key.id, &etag.0, &row).map_err(|wrong_type| wrong(&wrong_type.column))?;
        draft.add_segment(&key.table, target, builder)?;
    }
    let mut cursor = draft.cursor(&key.table);
    cursor.outside.insert(key.id);
    draft.set_cursor(&key.table, cursor);
    Ok(())
}

/// A row that was sent is outside of its table's filter, as far as is known, until the feed tells of it. The change is newer
/// than what the feed has told, so the next pull does, if it is not.
pub(super) fn until_told(draft: &mut Draft, key: &Key) {
    let mut cursor = draft.cursor(&key.table);
    if cursor.filter.is_some() && cursor.outside.insert(key.id) {
        draft.set_cursor(&key.table, cursor);
    }
}

/// A row that no page told of was written past the replica, and read. That its user may see it, the feed need not know: where he might
/// not at the last page and may not at the next one, that one tells nothing of the row. It counts as outside until a page tells of it.
pub(super) fn until_told_of_new(draft: &mut Draft, key: &Key) {
    let mut cursor = draft.cursor(&key.table);
    if cursor.delta_link.is_some() && cursor.outside.insert(key.id) {
        draft.set_cursor(&key.table, cursor);
    }
}

/// The same of a row that was made here, or was read by its id, if it is somebody else's: of the user's own the feed tells whatever
/// becomes of them.
pub(super) fn until_told_of_others(draft: &mut Draft, key: &Key, row: &Row) {
    let user = draft.state().record.user;
    if matches!(row.get(OWNER), Some(Value::Lookup(owner)) if owner.id != user) {
        until_told_of_new(draft, key);
    }
}

/// Whether this very version is here already: a page told of it, to this context or another one, or it was noted when it was
/// read. An answer that was lost once may be heard after that. No later page tells of it again.
pub(super) fn is_told(draft: &Draft, key: &Key, etag: &ETag) -> bool {
    let known = lasting(draft, &key.table).and_then(|known| known.etag(key.id));
    known.as_deref() == Some(etag.0.as_str())
}

/// A table's rows that will be read: those that are about to take the place of the others, where there are such. What these
/// were told under another filter says nothing of that.
fn lasting<'d>(draft: &'d Draft, table: &str) -> Option<&'d MirrorTable> {
    let table = draft.state().tables.get(table)?;
    table.shadow.as_ref().or(table.mirror.as_ref())
}

/// Whether a row that was read by its id is in no page so far: it was made here, and need not pass its table's filter.
pub(super) fn is_unheard_of(draft: &Draft, (key, told): &Told) -> bool {
    let is_known = |rows: &MirrorTable| rows.contains(key.id);
    told.is_some()
        && draft.state().tables.contains_key(&key.table)
        && !lasting(draft, &key.table).is_some_and(is_known)
}

/// Whether a row that is not to be found by its id is left to the feed. It has told of the row, so it tells when that is gone. Should
/// it be back by then, since its user may see it again, nothing will be told: the row was there at both ends of the delta.
pub(super) fn feed_tells(draft: &Draft, key: &Key) -> bool {
    let cursor = draft.cursor(&key.table);
    cursor.delta_link.is_some() && !cursor.outside.contains(&key.id)
}

/// The shadow is about to take its place. What is in it and was not told by its pages was sent meanwhile: such a row is outside
/// until the next pull tells of it; all others are looked at anew.
pub(super) fn retain_told(draft: &mut Draft, table: &str) {
    let mut cursor = draft.cursor(table);
    let shadow = draft.state().tables.get(table).and_then(|table| table.shadow.as_ref());
    cursor.outside.retain(|id| shadow.is_some_and(|shadow| shadow.contains(*id)));
    draft.set_cursor(table, cursor);
}

/// Reads rows of a table that the feed took away, to find out what became of them. Those of which nothing waits any more then go.
///
/// # Errors
/// Why the round ends. What was not read then is read before it is sent.
pub(super) async fn read<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    keys: Vec<Key>,
) -> std::result::Result<(), Stop> {
    if keys.is_empty() {
        return Ok(());
    }
    let since = run.progress.moment();
    let ids = ordered::set(keys.iter().map(|key| key.id));
    resolve(run, &mut Pass::default(), keys.into_iter().map(Unclear::from).collect()).await?;
    release_among(run, table, since, |id| ids.contains(&id)).await
}

/// Rows outside of the filter of which nothing waits any more go, in one step; all of them stay until the next pull where a
/// user's write was passed on `since` the first page of this one was asked for: its pages need not have told of that.
///
/// # Errors
/// When the replica cannot be written.
pub(super) async fn release<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    since: u64,
) -> std::result::Result<(), Stop> {
    release_among(run, table, since, |_| true).await
}

async fn release_among<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    since: u64,
    is_among: impl Fn(Uuid) -> bool,
) -> std::result::Result<(), Stop> {
    let name = table.logical_name.as_str();
    let any = run.replica.state().tables.get(name).is_some_and(|table| !table.cursor.outside.is_empty());
    if !any {
        return Ok(());
    }
    let tables = [name];
    let released = run.replica.transact(run.at(), Durability::Relaxed, &tables, |draft| {
        if run.progress.is_overtaken(since) {
            return Ok(());
        }
        let mut cursor = draft.cursor(name);
        let (waits, settled): (Vec<_>, Vec<_>) = cursor.outside.iter().copied().partition(|id| {
            let key = Key::new(name, *id);
            !is_among(*id) || !draft.entries_of(&key).is_empty() || !draft.held_by(&key).is_empty()
        });
        if settled.is_empty() {
            return Ok(());
        }
        cursor.outside = waits.into_iter().collect();
        draft.set_cursor(name, cursor);
        let mut builder = SegmentBuilder::new(table);
        settled.into_iter().for_each(|id| builder.push_tombstone(id));
        draft.add_segment(name, Target::Live, builder)
    });
    Ok(released.await?)
}
