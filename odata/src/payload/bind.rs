//! Lookups in bodies: `"primarycontactid@odata.bind":"/contacts(id)"`.

use super::value::text;
use super::{wrong_type, Scope};
use crate::batch::{content_reference, unknown_reference};
use crate::edm::{Column, Table};
use crate::error::{ODataError, Result};
use crate::names::id_of;
use crate::path::{percent_decode, row_key, Plus, RowKey};
use crate::value::{EntityRef, Value};
use serde_json::value::RawValue;

/// Reads a bind of a single-valued navigation property: the column and its new value, `Null` or a lookup of one of the
/// property's targets. `None` when the table has no such property.
pub(super) fn single<'t>(
    navigation: &str,
    raw: &RawValue,
    table: &'t Table,
    scope: &Scope<'_>,
) -> Result<Option<(&'t Column, Value)>> {
    let Some((column, targets)) = table.navigation(navigation) else { return Ok(None) };
    if raw.get() == "null" {
        return Ok(Some((column, Value::Null)));
    }
    let url = text(raw).ok_or_else(|| wrong_type(table, navigation, "a URL"))?;
    let to = resolve_bind(&url, scope)?;
    match targets.iter().any(|target| target.table == to.table) {
        true => Ok(Some((column, Value::Lookup(to)))),
        false => Err(wrong_table(table, navigation, &to.table)),
    }
}

/// 400: a navigation property cannot refer to a row of that table.
pub(super) fn wrong_table(table: &Table, navigation: &str, other: &str) -> ODataError {
    ODataError::bad_payload(format!(
        "'{navigation}' of '{}' cannot refer to a row of '{other}'.",
        table.logical_name
    ))
}

/// Reads what a bind or `@odata.id` points to: `/accounts(id)`, `accounts(id)`, `accounts(accountid=id)`,
/// `accounts(accountnumber='A1')`, the same under the root as a path or absolute URL, or `$1`. Scheme and host are not
/// compared: behind a proxy they differ.
///
/// # Errors
/// 400 `0x80060888`: an unknown entity set, an undeclared `$n`, columns that are no key; 400 `0x80048d19`: no URL of
/// one row; 404 `0x80060891`: no row has the alternate key.
pub fn resolve_bind(url: &str, scope: &Scope) -> Result<EntityRef> {
    if let Some((reference, "")) = content_reference(url) {
        return scope.names.content(reference).ok_or_else(|| unknown_reference(reference));
    }
    let (table, key) = row_of(url, scope)?;
    let id = id_of(scope.names, scope.schema, table, &key)?;
    Ok(EntityRef { table: table.logical_name.clone(), id })
}

/// The table and key that the URL of a row names; whether the row exists is not asked.
///
/// # Errors
/// As for [`resolve_bind`].
pub(super) fn row_of<'s>(url: &str, scope: &Scope<'s>) -> Result<(&'s Table, RowKey)> {
    let path = path_of(url);
    let segment = path.strip_prefix(path_of(scope.root)).unwrap_or(path.trim_start_matches('/'));
    let malformed =
        || ODataError::bad_payload("A bind must be the URL of one row, such as '/accounts(<id>)'.");
    let segment = percent_decode(segment, Plus::Literal).map_err(|_| malformed())?;
    let (set_name, key) = segment.strip_suffix(')').and_then(|s| s.split_once('(')).ok_or_else(malformed)?;
    if set_name.contains('/') {
        return Err(malformed());
    }
    let table = scope.schema.table_by_set(set_name).ok_or_else(|| {
        let shown: String = set_name.chars().take(super::NAME_SHOWN_MAX).collect();
        ODataError::bad_request(format!("Resource not found for the segment '{shown}'."))
    })?;
    let bare = !key.contains('=');
    let key = row_key(key, table).map_err(|error| if bare { malformed() } else { error })?;
    Ok((table, key))
}

/// The path of a URL that may be absolute.
fn path_of(url: &str) -> &str {
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    }
}
