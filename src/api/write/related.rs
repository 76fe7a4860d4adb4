//! Rows that come along with a row: deep insert, and sets that are replaced as a whole.

use super::links::{pair, set_reference};
use super::rows::{existing, insert};
use super::{table_for, Call};
use crate::error::Result;
use crate::model::{EntityRef, Key, Value};
use crate::replica::Draft;
use flette_odata::alike::all_equal;
use flette_odata::condition::Condition;
use flette_odata::operation::PairChange;
use flette_odata::path::Collection;
use flette_odata::payload::{Related, Write};
use flette_odata::rules::check_open;
use flette_odata::{ODataError, Schema, Table, Uuid};

/// Makes a row and everything that comes along with it; its key. What its lookups point to is made first, what points
/// to it afterwards. How deep this can go is limited where bodies are read.
pub(super) fn create(draft: &mut Draft, call: Call<'_>, table: &Table, write: Write) -> Result<Key> {
    match write.related.is_empty() {
        true => create_all(draft, call, table, write),
        false => draft.whole(|draft| create_all(draft, call, table, write)),
    }
}

fn create_all(draft: &mut Draft, call: Call<'_>, table: &Table, write: Write) -> Result<Key> {
    let Write { id, mut values, related, stamps: _ } = write;
    let id = id.unwrap_or_else(|| draft.new_id());
    let schema = draft.schema();
    let key = Key::new(table.logical_name.clone(), id);
    let mut after = Vec::new();
    for one in related {
        match one {
            Related::Parent { column, table, write } => {
                let parent = create(draft, call, table_for(&schema, &table)?, write)?;
                values.push((column, Value::Lookup(EntityRef { table: parent.table, id: parent.id })));
            }
            Related::Children { .. } | Related::Links { .. } => after.push(one),
        }
    }
    insert(draft, call, (table, &key), values)?;
    for one in after {
        match one {
            Related::Parent { .. } => {}
            Related::Children { collection, table: child, writes } => {
                let child = table_for(&schema, &child)?;
                add_children(draft, call, (table, id), &collection, (child, writes))?;
            }
            Related::Links { collection, rows } => {
                for row in rows {
                    join(draft, call, (table, id), &collection, row)?;
                }
            }
        }
    }
    Ok(key)
}

fn add_children(
    draft: &mut Draft,
    call: Call<'_>,
    (table, id): (&Table, Uuid),
    collection: &str,
    (child, writes): (&Table, Vec<Write>),
) -> Result<()> {
    let schema = draft.schema();
    for mut write in writes {
        match collection_of(&schema, table, collection)? {
            Collection::Pointing { lookup, .. } => {
                write.values.retain(|(name, _)| *name != lookup.logical_name);
                let here = EntityRef { table: table.logical_name.clone(), id };
                write.values.push((lookup.logical_name.clone(), Value::Lookup(here)));
                create(draft, call, child, write)?;
            }
            Collection::Paired { .. } => {
                let other = create(draft, call, child, write)?;
                let other = EntityRef { table: other.table, id: other.id };
                pair(draft, (table, id), collection, (&other, PairChange::Join))?;
            }
        }
    }
    Ok(())
}

/// Puts a row that is there into a collection.
fn join(
    draft: &mut Draft,
    call: Call<'_>,
    (table, id): (&Table, Uuid),
    collection: &str,
    row: EntityRef,
) -> Result<()> {
    let schema = draft.schema();
    match collection_of(&schema, table, collection)? {
        Collection::Pointing { holder, target, .. } => {
            let to = Some(EntityRef { table: table.logical_name.clone(), id });
            set_reference(draft, call, (holder, row.id), &target.navigation, (to.as_ref(), None)).map(drop)
        }
        Collection::Paired { .. } => pair(draft, (table, id), collection, (&row, PairChange::Join)),
    }
}

/// Replaces all rows of a collection by new ones.
pub(super) fn replace_set(
    draft: &mut Draft,
    call: Call<'_>,
    (table, id): (&Table, Uuid),
    collection: &str,
    (writes, condition): (Vec<Write>, &Condition),
) -> Result<Key> {
    let schema = draft.schema();
    let (key, seen) = existing(draft, &table.logical_name, id, condition)?;
    check_open(table, &seen.row)?;
    let Collection::Pointing { holder, lookup, .. } = collection_of(&schema, table, collection)? else {
        return Err(ODataError::segment_not_found(collection).into());
    };
    let here = Value::Lookup(EntityRef { table: key.table.clone(), id: key.id });
    let filter = all_equal([(lookup.logical_name.as_str(), &here)]);
    for old in draft.ids_where(&holder.logical_name, &filter) {
        draft.delete(&Key::new(holder.logical_name.clone(), old));
    }
    add_children(draft, call, (table, key.id), collection, (holder, writes))?;
    Ok(key)
}

fn collection_of<'s>(schema: &'s Schema, table: &Table, name: &str) -> Result<Collection<'s>> {
    Ok(Collection::find(schema, table, name).ok_or_else(|| ODataError::segment_not_found(name))?)
}
