//! Answers to updates that tell changes only: when they are asked for, and what they make of the row.

use super::wave::Wave;
use super::Policy;
use crate::journal::Entry;
use crate::model::{planted, Bug, Change, ETag, Key, Row};
use crate::remote::{Reply, RowCall};
use crate::replica::{decode_row, Draft, Item, MirrorTable, RowAt};
use flette_odata::edm::{Column, Schema, Table};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Has updates answered with their changes where these are enough to know the row: where what is known of it is the version
/// that the update names, with all columns that are asked for by now. Not where columns only go up, since what is known of
/// those is not what the server has.
pub(super) fn ask_for_changes(draft: &Draft, wave: &mut Wave, policy: &Policy) {
    let schema = draft.schema();
    let mut whole: BTreeMap<String, bool> = BTreeMap::new();
    for call in wave.units.iter_mut().flatten().map(|ready| &mut ready.call) {
        let RowCall::Update { key, base, reply, .. } = call else { continue };
        let is_whole = || {
            let columns = &draft.cursor(&key.table).columns;
            let asked = |column: &Column| columns.contains(&column.property());
            !policy.has_up(&key.table)
                && schema.table(&key.table).is_some_and(|t| t.columns.iter().all(asked))
        };
        if *whole.entry(key.table.clone()).or_insert_with(is_whole)
            && draft.state().mirror_etag(key).as_ref() == Some(base)
        {
            *reply = Reply::Changes;
        }
    }
}

/// What an answer tells that stands for the version which was named: the columns in it, and the etag of the row as it is.
pub(super) fn changes<'s>(schema: &'s Schema, key: &Key, body: &[u8]) -> Option<(&'s Table, Row, ETag)> {
    let table = schema.table(&key.table)?;
    // A decoder for all columns would take longer to make than the few to read.
    let named = named_in(body, table)?;
    let page = decode_row(body, &named).ok()?;
    let first = page.items().next()?;
    match first {
        Item::Row(id) if id == key.id || planted(Bug::PartsByPosition) => {
            Some((table, page.row(0), ETag(page.etag(0)?)))
        }
        Item::Row(_) | Item::Tombstone(_) => None,
    }
}

/// As much of the table as it takes to decode a row that names few columns.
fn named_in(body: &[u8], table: &Table) -> Option<Table> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    let named = members.keys().filter_map(|name| table.column_by_property(name)).cloned();
    Some(Table { primary_id: table.primary_id.clone(), columns: named.collect(), ..Table::default() })
}

/// Whether what is known of a row is the version `base`, with every column that the table has by now: only then is it known
/// what changes of that version make of it.
pub(super) fn has_version(known: Option<(&MirrorTable, RowAt)>, base: &ETag, table: &Table) -> bool {
    known.is_some_and(|(mirror, at)| mirror.etag_at(at) == base.0 && mirror.knows_all(at, &table.columns))
}

/// The row after these changes, as far as its entries name its columns.
pub(super) fn named(draft: &Draft, key: &Key, entries: &[Entry], changed: &Row) -> Row {
    let names = entries.iter().flat_map(|entry| match &entry.change {
        Change::Update(edits) => edits.iter().map(|edit| &edit.name).collect(),
        Change::Create(row) => row.keys().collect(),
        Change::Delete => Vec::new(),
    });
    let others: BTreeSet<&String> = names.filter(|name| !changed.contains_key(*name)).collect();
    let known = draft.state().known(key).filter(|_| !others.is_empty());
    let known = known.map(|(mirror, at)| mirror.part_of_row(at, others.iter().map(|name| name.as_str())));
    let mut row = known.unwrap_or_default();
    row.extend(changed.clone());
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::{Segment, SegmentBuilder};
    use crate::model::Value;

    fn account() -> Table {
        let mut table = flette_server::schema::schema().table("account").cloned().unwrap();
        table.columns.retain(|c| ["accountid", "name", "telephone1"].contains(&c.logical_name.as_str()));
        table
    }

    fn row(values: &[(&str, Value)]) -> Row {
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn changes_are_understood_only_upon_the_version_that_they_are_of() {
        let (table, id) = (account(), flette_odata::Uuid::from_u128(1));
        let whole = [("name", text("A")), ("telephone1", Value::Null)];
        let etag = |version: &str| ETag(version.to_owned());
        for (known, version, expected) in [
            (&whole[..], "1", true),
            (&whole, "2", false),
            // Pulled before a column was added, or widened to.
            (&whole[..1], "1", false),
        ] {
            let mut builder = SegmentBuilder::new(&table);
            builder.push_row(id, version, &row(known)).unwrap();
            let mut mirror = MirrorTable::new(&table);
            mirror.add(0, Segment::open(builder.seal()).unwrap());
            let at = mirror.find(id).unwrap();
            assert_eq!(has_version(Some((&mirror, at)), &etag("1"), &table), expected);
        }
        assert!(!has_version(None, &etag("1"), &table));
    }
}
