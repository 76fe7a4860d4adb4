//! Pairs that both sides made: one of them is the server's, and what was made here is settled by it.

use super::held::relationship;
use crate::journal::Entry;
use crate::model::{Change, Key, Row, Value};
use crate::replica::{Draft, Item, Page};
use flette_odata::edm::{ManyToMany, Table};
use flette_odata::ordered;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Ids of pairs by their two ends.
pub(super) type ByEnds = BTreeMap<[Uuid; 2], Uuid>;

/// The ends of a pair that was made here.
fn made_here(draft: &Draft, pairs: &ManyToMany, here: &Key) -> Option<[Uuid; 2]> {
    match draft.entries_of(here).first().map(|first| &first.change) {
        Some(Change::Create(row)) => ends(pairs, |column| row.get(column).cloned()),
        Some(Change::Update(_) | Change::Delete) | None => None,
    }
}

fn ends(pairs: &ManyToMany, value: impl Fn(&str) -> Option<Value>) -> Option<[Uuid; 2]> {
    let id = |column: &str| match value(column) {
        Some(Value::Guid(id)) => Some(id),
        Some(_) | None => None,
    };
    Some([id(&pairs.first.column)?, id(&pairs.second.column)?])
}

/// The pair that stands on the server where one was made here. Not the one that is being taken away there: it was before.
fn twin(draft: &Draft, there: &ByEnds, (here, ends): (&Key, [Uuid; 2])) -> Option<Key> {
    let there = Key::new(here.table.clone(), *there.get(&ends)?);
    (there != *here && !goes(draft, &there)).then_some(there)
}

/// Whether a pair is being taken away.
fn goes(draft: &Draft, pair: &Key) -> bool {
    draft.entries_of(pair).last().is_some_and(|last| last.change == Change::Delete)
}

/// Rows of a pair's table with entries, in the order in which their entries came: of those that were made one after the other and
/// taken away again, the first is the one that stands.
pub(super) fn in_order(draft: &Draft, table: &str) -> Vec<Key> {
    let journal = &draft.state().journal;
    let keys = journal.keys_of(table).cloned().collect();
    ordered::list_by_key(keys, |key| journal.of(key).next().map(|first| first.seq))
}

/// Pairs that were made here and are on a page, under the ids that they have there; in the order in which they were made.
pub(super) fn made_there(draft: &Draft, table: &Table, page: &Page) -> Vec<(Key, Key)> {
    let schema = draft.schema();
    let Some(pairs) = relationship(&schema, &table.logical_name) else { return Vec::new() };
    let keys = in_order(draft, &table.logical_name);
    let made: Vec<(&Key, [Uuid; 2])> =
        keys.iter().filter_map(|key| Some((key, made_here(draft, pairs, key)?))).collect();
    if made.is_empty() {
        return Vec::new();
    }
    let told = page.items().enumerate().filter_map(|(at, item)| match item {
        Item::Row(id) => {
            let row: Row = page.row(at);
            Some((ends(pairs, |column| row.get(column).cloned())?, id))
        }
        Item::Tombstone(_) => None,
    });
    let there: ByEnds = told.collect();
    let known = made.into_iter().filter_map(|made| Some((made.0.clone(), twin(draft, &there, made)?)));
    known.collect()
}

/// The pairs of a full resync under way, where any was made here.
pub(super) fn filled(draft: &Draft, table: &str) -> ByEnds {
    let schema = draft.schema();
    let state = draft.state();
    let Some(pairs) = relationship(&schema, table) else { return ByEnds::new() };
    let any = state.journal.keys_of(table).any(|key| made_here(draft, pairs, key).is_some());
    let shadow = state.tables.get(table).and_then(|table| table.shadow.as_ref()).filter(|_| any);
    let rows = shadow.into_iter().flat_map(|shadow| {
        shadow.ids().filter_map(|id| {
            let at = shadow.find(id)?;
            Some((ends(pairs, |column| Some(shadow.cell(at, column)))?, id))
        })
    });
    rows.collect()
}

/// The one among these that a pair which was made here is.
pub(super) fn twin_of(draft: &Draft, filled: &ByEnds, here: &Key) -> Option<Key> {
    let schema = draft.schema();
    let ends = made_here(draft, relationship(&schema, &here.table)?, here)?;
    twin(draft, filled, (here, ends))
}

/// Settles pairs that were made here and stand there, one after the other: where one is taken away again, the next one is yet to be
/// made.
pub(super) fn adopt_all(draft: &mut Draft, made_there: &[(Key, Key)]) {
    for (here, there) in made_there {
        if !goes(draft, there) {
            adopt(draft, here, there);
        }
    }
}

/// A pair is there: making it is settled. Taking it away again, if that was done here since, is about the one there.
pub(super) fn adopt(draft: &mut Draft, here: &Key, there: &Key) {
    let entries = draft.entries_of(here);
    let goes = entries.last().filter(|last| last.change == Change::Delete).cloned();
    entries.iter().for_each(|entry| draft.remove(entry.seq));
    if let Some(last) = goes {
        draft.put(Entry { key: there.clone(), ..last });
    }
}
