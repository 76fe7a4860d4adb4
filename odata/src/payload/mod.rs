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
//! | an id for a new row of a table whose ids are given by the service | 400 `0x80060888` |
//! | null in a column that the service requires | 400 `0x80040200` |
//! | text longer than its column allows (UTF-16 units) | 400 `0x80044331` |
//! | whole number out of range | 400 `0x8004432f` |
//! | decimal, money or floating point number out of range | 400 `0x80044330` |
//! | option, state or status that does not exist | 400 `0x8004431a` |
//! | nested rows in an update | 400 `0x80060888` |
//! | nested rows: too deep, too many, of another table than they say | 400 `0x80048d19` |
//! | a bind by an alternate key that no row has | 404 `0x80060891` |
//!
//! Dataverse quietly drops some read-only properties from a body. Here they are refused: an offline write
//! that silently loses a value could never be told from one that arrived.

mod bind;
mod json;
mod multiple;
mod row;
mod value;

pub use bind::resolve_bind;
pub use multiple::{keep_key, parse_set, parse_targets, Target, TARGETS_MAX};
pub use row::{NESTED_DEPTH_MAX, NESTED_ROWS_MAX};

use crate::edm::{Column, Required, Schema, Table};
use crate::error::{ODataError, Result};
use crate::names::RowNames;
use crate::value::{EntityRef, Value};
use json::{check_depth, member, members};
use row::{check_type, RowReader};
use uuid::Uuid;

/// What a create or update asks for, typed and checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Write {
    /// The primary key, where the body names it. On an update the key of the URL counts, not this one.
    pub id: Option<Uuid>,
    /// Columns by logical name, each at most once, in the order of the body; never the primary key.
    pub values: Vec<(String, Value)>,
    /// Rows that come along (deep insert), in the order of the body. Only a new row can bring some: see
    /// [`check_write`].
    pub related: Vec<Related>,
    /// When the client made its edits: columns by logical name and milliseconds since 1970; an empty name stands for
    /// every column that has no time of its own. See [`crate::stamps`].
    pub stamps: Vec<(String, i64)>,
}

/// Rows that come along with a new row.
#[derive(Debug, Clone, PartialEq)]
pub enum Related {
    /// A new row that a lookup of the row points to: it is made first.
    Parent {
        /// The lookup.
        column: String,
        /// Logical name of the new row's table.
        table: String,
        /// The new row.
        write: Write,
    },
    /// New rows of a collection: they are made after the row.
    Children {
        /// Collection-valued navigation property; see [`crate::path::Collection`].
        collection: String,
        /// Logical name of their table.
        table: String,
        /// The new rows.
        writes: Vec<Write>,
    },
    /// Rows that are there already and join a collection.
    Links {
        /// Collection-valued navigation property.
        collection: String,
        /// The rows.
        rows: Vec<EntityRef>,
    },
}

/// Which columns may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// A new row: columns that are `valid_for_create`.
    Create,
    /// Changes of a row: columns that are `valid_for_update`.
    Update,
    /// Either, not known yet (`PATCH` without a condition, or with `If-None-Match: *`): columns that are
    /// valid for one of them. Call [`check_write`] once it is known.
    Upsert,
}

/// What surrounds a body: where URLs begin, and what they mean.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    /// All tables.
    pub schema: &'s Schema,
    /// Path or absolute URL of the API, ending in `/`.
    pub root: &'s str,
    /// What `$1` and alternate keys mean.
    pub names: &'s dyn RowNames,
}

/// Reads the body of a create or update.
///
/// Annotations other than `@odata.bind` and [`crate::stamps`] are ignored. Decimals never pass through a float; one with
/// more digits after the point than its column keeps is rounded, half away from zero. Date-times are cut to whole
/// seconds.
///
/// # Errors
/// As in the table at the top of this module.
pub fn parse_write(body: &[u8], table: &Table, kind: WriteKind, scope: &Scope) -> Result<Write> {
    check_depth(body)?;
    let object = members(body)?;
    check_type(&object, table)?;
    RowReader::new(scope).read(&object, table, kind, 0)
}

/// Checks once more what may be written, for a payload read as [`WriteKind::Upsert`].
///
/// # Errors
/// 400 `0x80060888`: a read-only column, an id for a new row where the service gives it, or rows that come along in an
/// update.
pub fn check_write(table: &Table, write: &Write, kind: WriteKind) -> Result<()> {
    match (write.related.first(), kind) {
        (Some(related), WriteKind::Update) => {
            let (Related::Parent { column: name, .. }
            | Related::Children { collection: name, .. }
            | Related::Links { collection: name, .. }) = related;
            Err(row::no_deep_update(table, name))
        }
        _ => {
            write.id.map_or(Ok(()), |_| check_chosen(table, kind))?;
            check_writable(table, &write.values, kind)
        }
    }
}

/// Checks what makes the row that a `PATCH` or an upsert names by its id and that is not there.
///
/// # Errors
/// 404 `0x80040217`: the service gives the table's rows their ids, so that no request can make one under an id of its own;
/// else as [`check_write`] for a create.
pub fn check_made_by_id(table: &Table, id: Uuid, write: &Write) -> Result<()> {
    match table.assigns_ids() {
        true => Err(ODataError::row_not_found(&table.logical_name, id)),
        false => check_write(table, write, WriteKind::Create),
    }
}

/// A new row comes without an id where the service gives it ([`Table::assigns_ids`]).
fn check_chosen(table: &Table, kind: WriteKind) -> Result<()> {
    match kind == WriteKind::Create && table.assigns_ids() {
        true => Err(read_only(table, &table.primary_id)),
        false => Ok(()),
    }
}

/// Checks once more which columns may be written.
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
pub fn parse_reference(body: &[u8], table: &Table, navigation: &str, scope: &Scope) -> Result<EntityRef> {
    let raw = member(body, "@odata.id")?;
    let Some((column, value)) = bind::single(navigation, raw, table, scope)? else {
        return Err(unknown_property(table, navigation));
    };
    check_valid(table, column, WriteKind::Update)?;
    match value {
        Value::Lookup(to) => Ok(to),
        _ => Err(wrong_type(table, "@odata.id", "Edm.String")),
    }
}

/// Reads the body of a `POST` to a collection's `$ref`: `{"@odata.id":"contacts(id)"}`.
///
/// # Errors
/// As in the table at the top of this module.
pub fn parse_link(body: &[u8], scope: &Scope) -> Result<EntityRef> {
    let url = value::text(member(body, "@odata.id")?);
    let url = url.ok_or_else(|| ODataError::bad_payload("The body must be {\"@odata.id\":\"…\"}."))?;
    resolve_bind(&url, scope)
}

fn writable<'t>(name: &str, table: &'t Table, kind: WriteKind) -> Result<&'t Column> {
    let Some(column) = table.column(name).filter(|c| !c.is_lookup()) else {
        return Err(match table.column_by_property(name) {
            Some(lookup) => ODataError::bad_payload(format!(
                "'{name}' of '{}' is read-only. Bind '{}' instead.",
                table.logical_name, lookup.logical_name
            )),
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

/// Most characters of a foreign name that an error message repeats.
const NAME_SHOWN_MAX: usize = 100;

fn wrong_type(table: &Table, name: &str, needed: &str) -> ODataError {
    ODataError::bad_payload(format!(
        "Cannot convert the value of '{name}' of '{}' to the expected type '{needed}'.",
        table.logical_name
    ))
}
