//! Answers to updates that tell changes only: when they are asked for, and what they make of the row.

use super::wave::Wave;
use super::Policy;
use crate::model::{planted, Bug, ETag, Key, Row};
use crate::remote::{Reply, RowCall};
use crate::replica::{decode_row, Draft, Item};
use flette_odata::edm::{Column, Schema, Table};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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

/// The row after changes of the version `base`, if what is known of it is that version, with every column that the table
/// has by now.
pub(super) fn upon(known: Option<(Row, ETag)>, base: &ETag, table: &Table, changed: Row) -> Option<Row> {
    let (mut row, _) = known.filter(|(_, etag)| etag == base)?;
    let whole = table.columns.iter().all(|column| row.contains_key(&column.logical_name));
    whole.then(|| {
        row.extend(changed);
        row
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn changes_make_a_row_only_of_the_version_that_they_are_of() {
        let (table, id) = (account(), Value::Guid(flette_odata::Uuid::from_u128(1)));
        let whole = [("accountid", id.clone()), ("name", text("A")), ("telephone1", Value::Null)];
        let etag = |version: &str| ETag(version.to_owned());
        let changed = || row(&[("telephone1", text("1"))]);
        let after = row(&[("accountid", id), ("name", text("A")), ("telephone1", text("1"))]);
        let known = |values: &[_], version| Some((row(values), etag(version)));
        for (known, expected) in [
            (known(&whole, "1"), Some(after)),
            (known(&whole, "2"), None),
            // Pulled before a column was added, or widened to.
            (known(&whole[..2], "1"), None),
            (None, None),
        ] {
            assert_eq!(upon(known, &etag("1"), &table, changed()), expected);
        }
    }
}
