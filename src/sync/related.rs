//! Tables of which rows come or go when rows of other tables change: their filters look at those.
//!
//! No feed tells of such a row, since it has not been changed itself. So whatever changes rows of a table that others look
//! at notes in their cursors, in the same transaction, that ids and etags of all of their rows are to be compared.

use crate::model::Key;
use crate::replica::{Draft, Item, Page, State};
use uuid::Uuid;

/// Whether any table's rows depend on those of this one.
pub(super) fn is_looked_at(state: &State, table: &str) -> bool {
    state.record.lookers_at(table).next().is_some()
}

/// Rows of a table have changed.
pub(super) fn stir(draft: &mut Draft, table: &str) {
    let lookers: Vec<String> = draft.record.lookers_at(table).cloned().collect();
    for name in lookers {
        let mut cursor = draft.cursor(&name);
        if !cursor.stirred {
            cursor.stirred = true;
            draft.set_cursor(&name, cursor);
        }
    }
}

/// The same by what was told of some of them, ids with etags (`None`: gone), if it is any news: an echo is not. Of a table
/// that is not loaded everything is.
pub(super) fn stir_by(draft: &mut Draft, table: &str, told: Vec<(Uuid, Option<String>)>) {
    let state = draft.state();
    let known = |id: Uuid| state.mirror_etag(&Key::new(table, id)).map(|etag| etag.0);
    if is_looked_at(state, table) && told.into_iter().any(|(id, etag)| known(id) != etag) {
        stir(draft, table);
    }
}

/// What a page tells of rows.
pub(super) fn told_by(page: &Page) -> Vec<(Uuid, Option<String>)> {
    let told = page.items().enumerate().map(|(at, item)| match item {
        Item::Row(id) => (id, Some(page.etag(at).unwrap_or_default())),
        Item::Tombstone(id) => (id, None),
    });
    told.collect()
}
