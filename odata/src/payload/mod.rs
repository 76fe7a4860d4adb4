//! Request bodies: JSON in, typed values out, checked against the schema. The engine's local API and the
//! reference server both refuse here, so that the page gets the same status and code offline and online.
//!
//! | what is wrong | status and code |
//! | --- | --- |
//! | broken JSON, no object, deeper than 127 levels, doubled member, lone surrogate | 400 `0x80048d19` |
//! | wrong type, a fraction where a whole number is needed, U+0000 in a text | 400 `0x80048d19` |
//! | `_x_value` or a lookup set by value, malformed bind, wrong target table | 400 `0x80048d19` |
//! | two siblings of a polymorphic lookup set | 400 `0x80048d19` |
//! | unknown property, read-only property, unknown entity set in a bind, unknown `$n` | 400 `0x80060888` |
//! | null in a column that the service requires | 400 `0x80040200` |
//! | text longer than its column allows (UTF-16 units) | 400 `0x80044331` |
//! | whole number out of range | 400 `0x8004432f` |
//! | decimal, money or floating point number out of range | 400 `0x80044330` |
//! | option, state or status that does not exist | 400 `0x8004431a` |
//! | nested rows (deep insert), collections | 501 `0x80060888` |
//!
//! Dataverse quietly drops some read-only properties from a body. Here they are refused: an offline write
//! that silently loses a value could never be told from one that arrived.

mod bind;
mod value;

pub use bind::resolve_bind;

use crate::edm::{Column, Required, Schema, Table};
use crate::error::{ODataError, Result};
use crate::value::{EntityRef, Value};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;
use uuid::Uuid;

/// What a create or update asks for, typed and checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Write {
    /// The primary key, where the body names it. On an update the key of the URL counts, not this one.
    pub id: Option<Uuid>,
    /// Columns by logical name, each at most once, in the order of the body; never the primary key.
    pub values: Vec<(String, Value)>,
}

/// Which columns may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// A new row: columns that are `valid_for_create`.
    Create,
    /// Changes of a row: columns that are `valid_for_update`.
    Update,
    /// Either, not known yet (`PATCH` without a condition, or with `If-None-Match: *`): columns that are
    /// valid for one of them. Call [`check_writable`] once it is known.
    Upsert,
}

/// Reads the body of a create or update.
///
/// `root` is the path or absolute URL of the API, ending in `/`; `references` resolves `$1` (with its
/// dollar sign) to the row that an earlier request of the same change set made.
///
/// Annotations other than `@odata.bind` are ignored. Decimals never pass through a float; one with more
/// digits after the point than its column keeps is rounded, half away from zero. Date-times are cut to
/// whole seconds.
///
/// # Errors
/// As in the table at the top of this module.
pub fn parse_write(
    body: &[u8],
    table: &Table,
    schema: &Schema,
    kind: WriteKind,
    root: &str,
    references: &dyn Fn(&str) -> Option<EntityRef>,
) -> Result<Write> {
    let mut write = Write::default();
    let scope = bind::Scope { schema, root, references };
    for (name, raw) in members(body)? {
        if let Some(navigation) = name.strip_suffix("@odata.bind") {
            let (column, value) = bind::read(navigation, raw, table, &scope)?;
            set_lookup(&mut write.values, table, column, value, kind)?;
        } else if name.contains('@') {
            continue;
        } else if let Some((column, _)) = table.navigation(&name) {
            bind::only_null(&name, raw, table)?;
            set_lookup(&mut write.values, table, column, Value::Null, kind)?;
        } else if name == table.primary_id {
            write.id = Some(value::guid(raw).ok_or_else(|| wrong_type(table, &name, "Edm.Guid"))?);
        } else {
            let column = writable(&name, table, schema, kind)?;
            let value = value::read(raw, table, column)?;
            check_required(table, column, &value)?;
            write.values.push((column.logical_name.clone(), value));
        }
    }
    Ok(write)
}

/// Checks once more which columns may be written, for a payload read as [`WriteKind::Upsert`].
///
/// # Errors
/// 400 `0x80060888`: a read-only column.
pub fn check_writable(table: &Table, values: &[(String, Value)], kind: WriteKind) -> Result<()> {
    for (name, _) in values {
        match table.column(name) {
            Some(column) => check_valid(table, column, kind)?,
            None => return Err(unknown_property(table, name)),
        }
    }
    Ok(())
}

/// Reads the body of `PUT …/accounts(id)/name`: `{"value":…}`.
///
/// # Errors
/// As in the table at the top of this module; a lookup or the primary key cannot be set this way (400).
pub fn parse_property(body: &[u8], table: &Table, column: &Column) -> Result<Value> {
    if column.is_lookup() || column.logical_name == table.primary_id {
        return Err(read_only(table, &column.property()));
    }
    check_valid(table, column, WriteKind::Update)?;
    let raw = member(body, "value")?;
    let value = value::read(raw, table, column)?;
    check_required(table, column, &value)?;
    Ok(value)
}

/// Reads the body of `PUT …/accounts(id)/nav/$ref`: `{"@odata.id":"accounts(id)"}`. Whether `navigation`
/// may point to that table is checked.
///
/// # Errors
/// As in the table at the top of this module.
pub fn parse_reference(
    body: &[u8],
    table: &Table,
    navigation: &str,
    schema: &Schema,
    root: &str,
    references: &dyn Fn(&str) -> Option<EntityRef>,
) -> Result<EntityRef> {
    let raw = member(body, "@odata.id")?;
    let (column, value) = bind::read(navigation, raw, table, &bind::Scope { schema, root, references })?;
    check_valid(table, column, WriteKind::Update)?;
    match value {
        Value::Lookup(to) => Ok(to),
        _ => Err(wrong_type(table, "@odata.id", "Edm.String")),
    }
}

/// A lookup's value; its siblings may be set to null beside it, in any order, but only one may point
/// somewhere.
fn set_lookup(
    values: &mut Vec<(String, Value)>,
    table: &Table,
    column: &Column,
    value: Value,
    kind: WriteKind,
) -> Result<()> {
    check_valid(table, column, kind)?;
    check_required(table, column, &value)?;
    match values.iter_mut().find(|(name, _)| *name == column.logical_name) {
        None => values.push((column.logical_name.clone(), value)),
        Some((_, old)) if old.is_null() => *old = value,
        Some(_) if value.is_null() => {}
        Some(_) => {
            let message =
                format!("'{}' of '{}' is bound more than once.", column.logical_name, table.logical_name);
            return Err(ODataError::bad_payload(message));
        }
    }
    Ok(())
}

fn writable<'t>(name: &str, table: &'t Table, schema: &Schema, kind: WriteKind) -> Result<&'t Column> {
    let Some(column) = table.column(name).filter(|c| !c.is_lookup()) else {
        return Err(match table.column_by_property(name) {
            Some(lookup) => ODataError::bad_payload(format!(
                "'{name}' of '{}' is read-only. Bind '{}' instead.",
                table.logical_name, lookup.logical_name
            )),
            None if bind::is_collection(name, table, schema) => {
                ODataError::not_implemented(format!("Deep insert through '{name}' is not supported."))
            }
            None => unknown_property(table, name),
        });
    };
    check_valid(table, column, kind)?;
    Ok(column)
}

fn check_valid(table: &Table, column: &Column, kind: WriteKind) -> Result<()> {
    let valid = match kind {
        WriteKind::Create => column.valid_for_create,
        WriteKind::Update => column.valid_for_update,
        WriteKind::Upsert => column.valid_for_create || column.valid_for_update,
    };
    valid.then_some(()).ok_or_else(|| read_only(table, &column.logical_name))
}

fn check_required(table: &Table, column: &Column, value: &Value) -> Result<()> {
    match value.is_null() && column.required == Required::System {
        true => Err(required_missing(table, column)),
        false => Ok(()),
    }
}

/// 400 `0x80040200`: a column that the service requires has no value.
pub fn required_missing(table: &Table, column: &Column) -> ODataError {
    let message = format!(
        "The column '{}' of the table '{}' is required and cannot be null.",
        column.logical_name, table.logical_name
    );
    ODataError::new(400, "0x80040200", message)
}

fn read_only(table: &Table, name: &str) -> ODataError {
    ODataError::bad_request(format!("The property '{name}' of '{}' cannot be set.", table.logical_name))
}

fn unknown_property(table: &Table, name: &str) -> ODataError {
    let name: String = name.chars().take(NAME_SHOWN_MAX).collect();
    ODataError::bad_request(format!(
        "The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{}'.",
        table.logical_name
    ))
}

/// Most levels of objects and arrays in a body, the body itself among them.
const BODY_DEPTH_MAX: usize = 127;

/// Whether the brackets outside of texts ever stand deeper than [`BODY_DEPTH_MAX`]; broken JSON may be either.
fn is_too_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > BODY_DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Most characters of a foreign name that an error message repeats.
const NAME_SHOWN_MAX: usize = 100;

fn wrong_type(table: &Table, name: &str, needed: &str) -> ODataError {
    ODataError::bad_payload(format!(
        "Cannot convert the value of '{name}' of '{}' to the expected type '{needed}'.",
        table.logical_name
    ))
}

/// The one member of an object that a resource needs; annotations beside it are ignored.
fn member<'b>(body: &'b [u8], wanted: &str) -> Result<&'b RawValue> {
    let mut found = None;
    for (name, raw) in members(body)? {
        if name == wanted {
            found = Some(raw);
        } else if !name.contains('@') {
            return Err(ODataError::bad_payload(format!("The body must hold '{wanted}' and nothing else.")));
        }
    }
    found.ok_or_else(|| ODataError::bad_payload(format!("The body must hold '{wanted}'.")))
}

/// The members of a JSON object in order, values unread. Nesting costs no stack, and is bounded all the same: who
/// reads the values later may pay with his.
fn members(body: &[u8]) -> Result<Vec<(String, &RawValue)>> {
    if is_too_deep(body) {
        return Err(ODataError::bad_payload(format!("The body nests deeper than {BODY_DEPTH_MAX} levels.")));
    }
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Option<Vec<(String, &'de RawValue)>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            let mut seen = HashSet::new();
            let mut doubled = false;
            while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
                doubled |= !seen.insert(name.clone());
                members.push((name, raw));
            }
            Ok((!doubled).then_some(members))
        }
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = json.deserialize_map(Object).and_then(|members| json.end().map(|()| members));
    // serde's own message may quote the body: only the place is told.
    let members = read.map_err(|e| {
        ODataError::bad_payload(format!(
            "The body is not a JSON object (line {}, column {}).",
            e.line(),
            e.column()
        ))
    })?;
    members.ok_or_else(|| ODataError::bad_payload("A member occurs twice in the body."))
}
