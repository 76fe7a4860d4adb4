//! Links between rows that are there.

use super::rows::{change, existing};
use super::{table_for, Call};
use crate::error::Result;
use crate::model::{EntityRef, Key, Value};
use crate::replica::Draft;
use flette_odata::alike::all_equal;
use flette_odata::condition::Condition;
use flette_odata::operation::PairChange;
use flette_odata::ordered;
use flette_odata::path::Collection;
use flette_odata::payload::{check_writable, WriteKind};
use flette_odata::{ODataError, Table, Uuid};

/// Sets or clears a lookup. `taken_from`: the link is taken out of that row's collection.
pub(super) fn set_reference(
    draft: &mut Draft,
    call: Call<'_>,
    (table, id): (&Table, Uuid),
    navigation: &str,
    (target, taken_from): (Option<&EntityRef>, Option<&EntityRef>),
) -> Result<Key> {
    let unknown = || ODataError::segment_not_found(navigation);
    let (column, targets) = table.navigation(navigation).ok_or_else(unknown)?;
    let (key, seen) = existing(draft, &table.logical_name, id, &Condition::None)?;
    let present = match seen.row.get(&column.logical_name) {
        Some(Value::Lookup(to)) => Some(to),
        Some(_) | None => None,
    };
    // The lookup points to another target of the same column: this link is not there to be removed.
    let elsewhere = |to: &EntityRef| targets.iter().all(|t| t.table != to.table);
    if target.is_none() && present.is_some_and(elsewhere) {
        return Ok(key);
    }
    if let Some(from) = taken_from {
        let from = draft.resolve(&Key::new(from.table.clone(), from.id));
        let here = |to: &EntityRef| draft.resolve(&Key::new(to.table.clone(), to.id)) == from;
        if !present.is_some_and(here) {
            return Ok(key);
        }
    }
    let value = target.cloned().map_or(Value::Null, Value::Lookup);
    let values = vec![(column.logical_name.clone(), value)];
    check_writable(table, &values, WriteKind::Update)?;
    change(draft, call, (table, &key), &seen, values)?;
    Ok(key)
}

/// Makes or removes a pair of rows, both of which must be there. Done twice, it is done once.
pub(super) fn pair(
    draft: &mut Draft,
    (table, id): (&Table, Uuid),
    collection: &str,
    (other, change): (&EntityRef, PairChange),
) -> Result<()> {
    let schema = draft.schema();
    let Some(Collection::Paired { relationship, end, other: other_end }) =
        Collection::find(&schema, table, collection)
    else {
        return Err(ODataError::segment_not_found(collection).into());
    };
    let (near, _) = existing(draft, &table.logical_name, id, &Condition::None)?;
    let (far, _) = existing(draft, &other.table, other.id, &Condition::None)?;
    let pairs = table_for(&schema, &relationship.intersect)?;
    let ends =
        [(end.column.as_str(), Value::Guid(near.id)), (other_end.column.as_str(), Value::Guid(far.id))];
    let filter = all_equal(ends.iter().map(|(name, value)| (*name, value)));
    let present = draft.ids_where(&pairs.logical_name, &filter);
    match change {
        PairChange::Join if present.is_empty() => {
            let pair = draft.new_id();
            let columns = pairs.columns.iter();
            let mut row = ordered::map(columns.map(|column| (column.logical_name.clone(), Value::Null)));
            row.insert(pairs.primary_id.clone(), Value::Guid(pair));
            row.extend(ends.map(|(name, value)| (name.to_owned(), value)));
            draft.create(Key::new(pairs.logical_name.clone(), pair), row);
        }
        PairChange::Part => {
            present.into_iter().for_each(|id| draft.delete(&Key::new(pairs.logical_name.clone(), id)));
        }
        PairChange::Join => {}
    }
    Ok(())
}
