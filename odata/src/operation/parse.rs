//! From a request to the operation it asks for: the resource of the URL decides who reads the rest.

use super::read::Reader;
use super::Operation;
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::http::{Method, Request};
use crate::names::RowNames;
use crate::path::{parse_url, Resource};

/// Reads a request. `names` tells what `$1` means in a body, and which rows have the alternate keys that URL and body
/// name, as of now; `$1` in the URL itself must have been resolved already (see [`crate::batch::resolve_url`]).
///
/// # Errors
/// 405 for a verb that does not fit the resource, a write along a path through other rows, or a table that is
/// read-only; else what the parts refuse: see [`parse_url`], [`crate::query::parse_query`],
/// [`crate::condition::Condition::parse`], [`crate::payload`], [`crate::batch::parse_batch`]; 404 `0x80060891` for an alternate key that no row has.
pub fn parse(request: &Request, root: &str, schema: &Schema, names: &dyn RowNames) -> Result<Operation> {
    let target = parse_url(&request.url, root, schema)?;
    let reader = Reader { request, root, schema, names, options: &target.options };
    // What lies behind other rows is read by the path to it, and written by its own address.
    if request.method != Method::Get && target.resource.key().is_some_and(|key| key.steps() > 0) {
        return Err(reader.wrong_verb("a path through other rows"));
    }
    match target.resource {
        Resource::Service => reader.only_get("the service document", Operation::Service),
        Resource::Metadata => reader.only_get("$metadata", Operation::Metadata),
        Resource::WhoAmI => reader.only_get("WhoAmI", Operation::WhoAmI),
        Resource::Definitions(path) if request.method == Method::Get => {
            Ok(Operation::Definitions { path, options: target.options.clone() })
        }
        Resource::Definitions(path) => {
            Ok(Operation::Define { path, method: request.method, body: request.body.clone() })
        }
        Resource::Action { name } if request.method == Method::Post => {
            Ok(Operation::Action { name, body: request.body.clone() })
        }
        Resource::Action { name } => Err(reader.wrong_verb(&name)),
        Resource::Function { name, parameters } => {
            reader.only_get("a function", Operation::Function { name, parameters })
        }
        Resource::Batch => reader.batch(),
        Resource::Collection { table } => reader.collection(find(schema, &table)?),
        Resource::Count { table } => reader.count(find(schema, &table)?),
        Resource::CollectionAction { table, name } => reader.collection_action(find(schema, &table)?, &name),
        Resource::Row { table, key } => reader.row(find(schema, &table)?, &key),
        Resource::Property { table, key, column } => reader.property(find(schema, &table)?, &key, &column),
        Resource::Reference { table, key, navigation } => {
            reader.reference(find(schema, &table)?, &key, navigation)
        }
        Resource::PropertyValue { table, key, column } => {
            reader.property_value(find(schema, &table)?, &key, &column)
        }
        Resource::Navigation { table, key, navigation } => {
            reader.navigation(find(schema, &table)?, &key, navigation)
        }
        Resource::RelatedCount { table, key, collection } => {
            reader.related_count(find(schema, &table)?, &key, collection)
        }
        Resource::Related { table, key, collection } => {
            reader.related(find(schema, &table)?, &key, &collection)
        }
        Resource::CollectionReference { table, key, collection, child } => {
            reader.collection_reference(find(schema, &table)?, &key, &collection, child.as_ref())
        }
    }
}

fn find<'a>(schema: &'a Schema, table: &str) -> Result<&'a Table> {
    schema.table(table).ok_or_else(|| ODataError::segment_not_found(table))
}
