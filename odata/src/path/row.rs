//! What hangs on a collection or a row: properties, links, and the rows behind and below it, in paths of any kind.

use super::{name_and_key, not_found, row_key, Collection, Resource, RowKey, NAMESPACE, PATH_STEPS_MAX};
use crate::edm::{LookupTarget, Schema, Table};
use crate::error::{ODataError, Result};

/// Actions that are bound to the rows of a table.
const COLLECTION_ACTIONS: [&str; 3] = ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"];

/// What the segments behind the name of a set mean.
pub(super) fn collection_resource(table: &Table, rest: &[&str], schema: &Schema) -> Result<Resource> {
    let name = table.logical_name.clone();
    match rest {
        [] => Ok(Resource::Collection { table: name }),
        ["$count"] => Ok(Resource::Count { table: name }),
        [action] if COLLECTION_ACTIONS.iter().any(|name| action.strip_prefix(NAMESPACE) == Some(name)) => {
            Ok(Resource::CollectionAction { table: name, name: action.replacen(NAMESPACE, "", 1) })
        }
        [other, ..] => Err(cast_or_not_found(other, schema)),
    }
}

/// What the segments behind a row mean.
pub(super) fn row_resource(table: &Table, key: RowKey, rest: &[&str], schema: &Schema) -> Result<Resource> {
    let owner = table.logical_name.clone();
    let Some((first, below)) = rest.split_first() else { return Ok(Resource::Row { table: owner, key }) };
    let (name, inner) = name_and_key(first)?;
    if let (Some(column), None) = (table.column_by_property(name), inner) {
        let column = column.logical_name.clone();
        return match below {
            [] => Ok(Resource::Property { table: owner, key, column }),
            ["$value"] => Ok(Resource::PropertyValue { table: owner, key, column }),
            [other, ..] => Err(not_found(other)),
        };
    }
    if let (Some((_, targets)), None) = (table.navigation(name), inner) {
        let navigation = name.to_owned();
        return match below {
            [] => Ok(Resource::Navigation { table: owner, key, navigation }),
            ["$ref"] => Ok(Resource::Reference { table: owner, key, navigation }),
            [next, ..] => {
                let behind = only(&targets, schema).ok_or_else(|| cast_or_not_found(next, schema))?;
                let key = RowKey::Behind { table: owner, key: step(key)?, navigation };
                row_resource(behind, key, below, schema)
            }
        };
    }
    match Collection::find(schema, table, name) {
        Some(found) => collection_below((owner, key), (name, found), (inner, below), schema),
        None => Err(cast_or_not_found(name, schema)),
    }
}

/// What `collection…` below a row means; `inner` stands between its parentheses.
fn collection_below(
    (table, key): (String, RowKey),
    (name, found): (&str, Collection),
    (inner, below): (Option<&str>, &[&str]),
    schema: &Schema,
) -> Result<Resource> {
    let collection = name.to_owned();
    let child = |inner: &str| row_key(inner, found.other(schema)?);
    match (inner, below) {
        (None, []) => Ok(Resource::Related { table, key, collection }),
        (None, ["$count"]) => Ok(Resource::RelatedCount { table, key, collection }),
        (inner, ["$ref"]) => {
            let child = inner.map(child).transpose()?;
            Ok(Resource::CollectionReference { table, key, collection, child })
        }
        (None, [other, ..]) => Err(cast_or_not_found(other, schema)),
        (Some(inner), below) => {
            let child = Box::new(child(inner)?);
            let key = RowKey::Within { table, key: step(key)?, collection, child };
            row_resource(found.other(schema)?, key, below, schema)
        }
    }
}

/// The table that every target is of. Behind `ownerid` stands a `principal`, which has no properties.
fn only<'s>(targets: &[&LookupTarget], schema: &'s Schema) -> Option<&'s Table> {
    let (first, rest) = targets.split_first()?;
    let one = rest.iter().all(|target| target.table == first.table);
    schema.table(&first.table).filter(|_| one)
}

/// One step further.
fn step(key: RowKey) -> Result<Box<RowKey>> {
    match key.steps() < PATH_STEPS_MAX {
        true => Ok(Box::new(key)),
        false => Err(ODataError::bad_request(format!("A path goes through {PATH_STEPS_MAX} rows at most."))),
    }
}

/// A cast to a table exists in Dataverse and is not understood here. Every other bound name, of a function or an
/// action, is not there.
fn cast_or_not_found(segment: &str, schema: &Schema) -> ODataError {
    let name = segment.split('(').next().unwrap_or_default();
    match name.strip_prefix(NAMESPACE).and_then(|name| schema.table(name)) {
        Some(table) => {
            ODataError::not_implemented(format!("A cast to '{}' is not supported.", table.logical_name))
        }
        None => not_found(name),
    }
}
