//! Rows that come along with a row: deep insert, and sets that are replaced as a whole.

use super::links::{pair, set_reference};
use super::rows::{existing, insert, store, Edit};
use super::{delete, reference};
use crate::api::{find, rights, table_for, Call};
use crate::db::rows::Sight;
use crate::db::Writer;
use crate::rights::Verb;
use flette_odata::alike::all_equal;
use flette_odata::condition::Condition;
use flette_odata::error::Result;
use flette_odata::operation::PairChange;
use flette_odata::path::Collection;
use flette_odata::payload::{Related, Write};
use flette_odata::rules::check_open;
use flette_odata::{EntityRef, ODataError, Table, Uuid, Value};

/// Makes a row and everything that comes along with it; its id. What its lookups point to is made first, what points to
/// it afterwards. How deep this can go is limited where bodies are read.
pub(super) fn create(writer: &Writer, call: &Call, table: &Table, write: Write) -> Result<Uuid> {
    let Write { id, mut values, related, stamps } = write;
    let id = id.unwrap_or_else(Uuid::now_v7);
    let mut after = Vec::new();
    for one in related {
        match one {
            Related::Parent { column, table, write } => {
                let parent = table_for(writer, &table)?;
                let parent_id = create(writer, call, parent, write)?;
                values.push((column, Value::Lookup(reference(parent, parent_id))));
            }
            Related::Children { .. } | Related::Links { .. } => after.push(one),
        }
    }
    insert(writer, call, (table, id), Edit { values, stamps })?;
    for one in after {
        match one {
            Related::Parent { .. } => {}
            Related::Children { collection, table: child, writes } => {
                let child = table_for(writer, &child)?;
                add_children(writer, call, (table, id), &collection, (child, writes))?;
            }
            Related::Links { collection, rows } => {
                for row in rows {
                    join(writer, call, (table, id), &collection, row)?;
                }
            }
        }
    }
    Ok(id)
}

fn add_children(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    collection: &str,
    (child, writes): (&Table, Vec<Write>),
) -> Result<()> {
    for mut write in writes {
        match collection_of(writer, table, collection)? {
            Collection::Pointing { lookup, .. } => {
                write.values.retain(|(name, _)| *name != lookup.logical_name);
                write.values.push((lookup.logical_name.clone(), Value::Lookup(reference(table, id))));
                create(writer, call, child, write)?;
            }
            Collection::Paired { .. } => {
                let other = reference(child, create(writer, call, child, write)?);
                pair(writer, call, (table, id), collection, (&other, PairChange::Join))?;
            }
        }
    }
    Ok(())
}

/// Puts a row that is there into a collection.
fn join(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    collection: &str,
    row: EntityRef,
) -> Result<()> {
    match collection_of(writer, table, collection)? {
        Collection::Pointing { holder, target, .. } => {
            let to = Some(reference(table, id));
            set_reference(writer, call, (holder, row.id), &target.navigation, (to, None))
        }
        Collection::Paired { .. } => pair(writer, call, (table, id), collection, (&row, PairChange::Join)),
    }
}

/// Replaces all rows of a collection by new ones. The row that has the collection gets a new version, so that its
/// readers notice.
pub(super) fn replace_set(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    collection: &str,
    (writes, condition): (Vec<Write>, &Condition),
) -> Result<()> {
    let current = existing(writer, call, table, id, condition)?;
    rights::check(call, Verb::Write, table, &current.row)?;
    check_open(table, &current.row)?;
    let Collection::Pointing { holder, lookup, .. } = collection_of(writer, table, collection)? else {
        return Err(ODataError::segment_not_found(collection));
    };
    let here = Value::Lookup(reference(table, id));
    let filter = all_equal([(lookup.logical_name.as_str(), &here)]);
    for old in find::ids(writer, holder, &Sight::Everything, &filter, u64::from(u32::MAX))? {
        delete(writer, call, reference(holder, old))?;
    }
    add_children(writer, call, (table, id), collection, (holder, writes))?;
    store(writer, call, (table, id), &current, Vec::new())
}

fn collection_of<'w>(writer: &'w Writer, table: &Table, name: &str) -> Result<Collection<'w>> {
    Collection::find(writer.schema, table, name).ok_or_else(|| ODataError::segment_not_found(name))
}
