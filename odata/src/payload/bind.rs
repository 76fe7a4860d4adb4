//! Lookups in bodies: `"primarycontactid@odata.bind":"/contacts(id)"`.

use super::value::{hyphenated, text};
use super::{unknown_property, wrong_type};
use crate::batch::unknown_reference;
use crate::edm::{Column, ColumnKind, Schema, Table};
use crate::error::{ODataError, Result};
use crate::value::{EntityRef, Value};
use serde_json::value::RawValue;

/// What surrounds a body: where URLs begin and what `$1` means.
pub(super) struct Scope<'s> {
    pub(super) schema: &'s Schema,
    pub(super) root: &'s str,
    pub(super) references: &'s dyn Fn(&str) -> Option<EntityRef>,
}

/// Reads a bind: the column and its new value, `Null` or a lookup of one of the navigation property's
/// targets.
pub(super) fn read<'t>(
    navigation: &str,
    raw: &RawValue,
    table: &'t Table,
    scope: &Scope<'_>,
) -> Result<(&'t Column, Value)> {
    let Some((column, targets)) = table.navigation(navigation) else {
        return Err(match is_collection(navigation, table, scope.schema) {
            true => ODataError::not_implemented(format!(
                "Binding the collection '{navigation}' is not supported."
            )),
            false => unknown_property(table, navigation),
        });
    };
    if raw.get() == "null" {
        return Ok((column, Value::Null));
    }
    let url = text(raw).ok_or_else(|| wrong_type(table, navigation, "a URL"))?;
    let to = resolve_bind(&url, scope.schema, scope.root, scope.references)?;
    if !targets.iter().any(|target| target.table == to.table) {
        return Err(ODataError::bad_payload(format!(
            "'{navigation}' of '{}' cannot refer to a row of '{}'.",
            table.logical_name, to.table
        )));
    }
    Ok((column, Value::Lookup(to)))
}

/// A navigation property given as a value: `null` clears it, an object would be a deep insert.
pub(super) fn only_null(navigation: &str, raw: &RawValue, table: &Table) -> Result<()> {
    match raw.get().as_bytes().first() {
        Some(b'n') => Ok(()),
        Some(b'{') => {
            Err(ODataError::not_implemented(format!("Deep insert through '{navigation}' is not supported.")))
        }
        _ => Err(wrong_type(table, navigation, "a bind")),
    }
}

/// Whether a name is a collection-valued navigation property of `table`.
pub(super) fn is_collection(name: &str, table: &Table, schema: &Schema) -> bool {
    let columns = schema.tables.iter().flat_map(|t| &t.columns);
    columns.into_iter().any(|column| match &column.kind {
        ColumnKind::Lookup { targets } => {
            targets.iter().any(|t| t.table == table.logical_name && t.collection == name)
        }
        _ => false,
    })
}

/// Reads what a bind or `@odata.id` points to: `/accounts(id)`, `accounts(id)`, `accounts(accountid=id)`,
/// the same under `root` as a path or absolute URL, or `$1`. Scheme and host are not compared: behind a
/// proxy they differ.
///
/// # Errors
/// 400 `0x80060888`: an unknown entity set or an undeclared `$n`; 400 `0x80048d19`: no URL of one row.
pub fn resolve_bind(
    url: &str,
    schema: &Schema,
    root: &str,
    references: &dyn Fn(&str) -> Option<EntityRef>,
) -> Result<EntityRef> {
    if let Some(number) = url.trim_start_matches('/').strip_prefix('$') {
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            let reference = format!("${number}");
            return references(&reference).ok_or_else(|| unknown_reference(&reference));
        }
    }
    let path = path_of(url);
    let segment = path.strip_prefix(path_of(root)).unwrap_or(path.trim_start_matches('/'));
    let malformed =
        || ODataError::bad_payload("A bind must be the URL of one row, such as '/accounts(<id>)'.");
    let (set_name, key) = segment.strip_suffix(')').and_then(|s| s.split_once('(')).ok_or_else(malformed)?;
    if set_name.contains('/') {
        return Err(malformed());
    }
    let table = schema.table_by_set(set_name).ok_or_else(|| {
        let shown: String = set_name.chars().take(super::NAME_SHOWN_MAX).collect();
        ODataError::bad_request(format!("Resource not found for the segment '{shown}'."))
    })?;
    let key = match key.split_once('=') {
        Some((name, key)) if name.trim() == table.primary_id => key,
        Some(_) => return Err(ODataError::not_implemented("Alternate keys are not supported.")),
        None => key,
    };
    let id = hyphenated(key.trim()).ok_or_else(malformed)?;
    Ok(EntityRef { table: table.logical_name.clone(), id })
}

/// The path of a URL that may be absolute.
fn path_of(url: &str) -> &str {
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    }
}
