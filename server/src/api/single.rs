//! What hangs on one row: its properties, the row behind a navigation property, references.

use super::find::behind;
use super::read::{count, row, Listed, Wanted};
use super::{rights, row_url, table_of, Call};
use crate::db::query::{Collection, Within};
use crate::db::rows::Stored;
use crate::db::Reader;
use flette_odata::condition::Condition;
use flette_odata::error::Result;
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::render::{self, write_text, write_value};
use flette_odata::{ODataError, Response, Table, Uuid, Value};

/// A row that must be there and in sight.
fn existing(reader: &Reader, call: &Call, table: &Table, id: Uuid) -> Result<Stored> {
    let stored = reader.row(table, id, &call.caller.sight())?;
    let stored = stored.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))?;
    Ok(rights::masked(call, table, stored))
}

/// How a property is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{"@odata.context":…,"value":…}`
    Json,
    /// The bare value, as text.
    Bare,
}

/// `GET accounts(id)/name`, or `…/$value`; 204 when there is no value.
pub(super) fn property(
    reader: &Reader,
    call: &Call,
    (table, id): (&Table, Uuid),
    column: &str,
    form: Form,
) -> Result<Response> {
    let column = table.column(column).ok_or_else(|| ODataError::segment_not_found(column))?;
    let stored = existing(reader, call, table, id)?;
    let value = match stored.row.get(&column.logical_name) {
        Some(value) if !value.is_null() => value,
        _ => return Ok(Response::empty(204)),
    };
    if form == Form::Json {
        return Ok(Response::json(200, render::property_body(call.root, table, id, column, value)));
    }
    let mut response = Response::empty(200).header("Content-Type", "text/plain; charset=utf-8");
    match value {
        Value::Text(text) => response.body = text.clone().into_bytes(),
        other => {
            write_value(&mut response.body, column, other);
            response.body.retain(|byte| *byte != b'"');
        }
    }
    Ok(response)
}

/// `GET contacts(id)/parentcustomerid_account`; 204 when it leads nowhere, 404 when the row behind it is gone
/// or out of sight.
pub(super) fn navigation(
    reader: &Reader,
    call: &Call,
    from: (&Table, Uuid),
    navigation: &str,
    (query, prefer, condition): (&Query, &Prefer, &Condition),
) -> Result<Response> {
    match behind(reader, &call.caller.sight(), from, navigation)? {
        Some(to) => row(reader, call, (table_of(reader.schema, &to.table)?, to.id), query, prefer, condition),
        None => Ok(Response::empty(204)),
    }
}

/// `GET contacts(id)/parentcustomerid_account/$ref`; 204 when it leads nowhere.
pub(super) fn reference(
    reader: &Reader,
    call: &Call,
    from: (&Table, Uuid),
    navigation: &str,
) -> Result<Response> {
    let to = behind(reader, &call.caller.sight(), from, navigation)?;
    let Some(to) = to else { return Ok(Response::empty(204)) };
    let mut body = b"{\"@odata.context\":".to_vec();
    write_text(&mut body, &format!("{}$metadata#$ref", call.root));
    body.extend_from_slice(b",\"@odata.id\":");
    write_text(&mut body, &row_url(call.root, table_of(reader.schema, &to.table)?, to.id));
    body.push(b'}');
    Ok(Response::json(200, body))
}

/// `GET accounts(id)/contact_customer_accounts`, or `…/$ref`
pub(super) fn related(
    reader: &Reader,
    call: &Call,
    url: &str,
    (holders, holder): (&Table, Uuid),
    collection: &str,
    (query, prefer, wanted): (&Query, &Prefer, Wanted),
) -> Result<Response> {
    existing(reader, call, holders, holder)?;
    let collection = Collection::find(reader.schema, holders, collection)?;
    let table = collection.table();
    let within = Some(Within { collection: &collection, holders, holder });
    Listed { reader, call, url, table, within, wanted, query, prefer }.respond()
}

/// `GET accounts(id)/contact_customer_accounts/$count`
pub(super) fn count_related(
    reader: &Reader,
    call: &Call,
    (holders, holder): (&Table, Uuid),
    collection: &str,
    query: &Query,
) -> Result<Response> {
    existing(reader, call, holders, holder)?;
    let collection = Collection::find(reader.schema, holders, collection)?;
    let within = Some(Within { collection: &collection, holders, holder });
    count(reader, call, collection.table(), within, query)
}
