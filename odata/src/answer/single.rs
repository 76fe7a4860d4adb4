//! What hangs on one row: its properties, the row behind a navigation property, references.

use super::list::{count, row, Listed, Wanted};
use super::{collection_table, row_url, table_of, Source, Stored, Within};
use crate::condition::Condition;
use crate::edm::{Column, Table};
use crate::error::{ODataError, Result};
use crate::http::Response;
use crate::prefer::Prefer;
use crate::query::Query;
use crate::render::{self, write_text, write_value};
use crate::value::{EntityRef, Value};
use uuid::Uuid;

/// Some columns of a row that must be there and in sight.
fn existing(source: &dyn Source, table: &Table, id: Uuid, columns: &[&Column]) -> Result<Stored> {
    source.row(table, id, columns)?.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))
}

/// How a property is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"@odata.context":…,"value":…}`
    Json,
    /// The bare value, as text.
    Bare,
}

/// `GET accounts(id)/name`, or `…/$value`; 204 when there is no value.
///
/// # Errors
/// 404 when the row is not there; what the source gives.
pub fn property(
    source: &dyn Source,
    root: &str,
    (table, id): (&Table, Uuid),
    column: &str,
    form: Form,
) -> Result<Response> {
    let column = table.column(column).ok_or_else(|| ODataError::segment_not_found(column))?;
    let stored = existing(source, table, id, &[column])?;
    let value = match stored.row.get(&column.logical_name) {
        Some(value) if !value.is_null() => value,
        _ => return Ok(Response::empty(204)),
    };
    if form == Form::Json {
        return Ok(Response::json(200, render::property_body(root, table, id, column, value)));
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

/// Where a single-valued navigation property of a row leads; `None` when it leads nowhere.
fn behind(source: &dyn Source, (table, id): (&Table, Uuid), navigation: &str) -> Result<Option<EntityRef>> {
    let (column, targets) =
        table.navigation(navigation).ok_or_else(|| ODataError::segment_not_found(navigation))?;
    let stored = existing(source, table, id, &[column])?;
    Ok(match stored.row.get(&column.logical_name) {
        Some(Value::Lookup(to)) if targets.iter().any(|target| target.table == to.table) => Some(to.clone()),
        _ => None,
    })
}

/// `GET contacts(id)/parentcustomerid_account`; 204 when it leads nowhere, 404 when the row behind it is gone
/// or out of sight.
///
/// # Errors
/// As [`row`].
pub fn navigation(
    source: &dyn Source,
    root: &str,
    from: (&Table, Uuid),
    navigation: &str,
    (query, prefer, condition): (&Query, &Prefer, &Condition),
) -> Result<Response> {
    match behind(source, from, navigation)? {
        Some(to) => {
            row(source, root, (table_of(source.schema(), &to.table)?, to.id), query, prefer, condition)
        }
        None => Ok(Response::empty(204)),
    }
}

/// `GET contacts(id)/parentcustomerid_account/$ref`; 204 when it leads nowhere.
///
/// # Errors
/// As [`property`].
pub fn reference(
    source: &dyn Source,
    root: &str,
    from: (&Table, Uuid),
    navigation: &str,
) -> Result<Response> {
    let Some(to) = behind(source, from, navigation)? else { return Ok(Response::empty(204)) };
    let mut body = b"{\"@odata.context\":".to_vec();
    write_text(&mut body, &format!("{root}$metadata#$ref"));
    body.extend_from_slice(b",\"@odata.id\":");
    write_text(&mut body, &row_url(root, table_of(source.schema(), &to.table)?, to.id));
    body.push(b'}');
    Ok(Response::json(200, body))
}

/// `GET accounts(id)/contact_customer_accounts`, or `…/$ref`
///
/// # Errors
/// As [`Listed::respond`]; 404 when the row is not there.
pub fn related(
    source: &dyn Source,
    root: &str,
    url: &str,
    (holders, holder): (&Table, Uuid),
    collection: &str,
    (query, prefer, wanted): (&Query, &Prefer, Wanted),
) -> Result<Response> {
    if prefer.track_changes || query.delta_token.is_some() {
        return Err(ODataError::bad_request("Change tracking is supported on entity sets only."));
    }
    existing(source, holders, holder, &[])?;
    let table = collection_table(source.schema(), holders, collection)?;
    let within = Some(Within { holders, holder, collection });
    Listed { source, root, url, table, within, wanted, query, prefer }.respond()
}

/// `GET accounts(id)/contact_customer_accounts/$count`
///
/// # Errors
/// As [`count`]; 404 when the row is not there.
pub fn count_related(
    source: &dyn Source,
    (holders, holder): (&Table, Uuid),
    collection: &str,
    query: &Query,
) -> Result<Response> {
    existing(source, holders, holder, &[])?;
    let table = collection_table(source.schema(), holders, collection)?;
    count(source, table, Some(Within { holders, holder, collection }), query)
}
