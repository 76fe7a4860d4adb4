//! Request bodies: JSON in, typed values out, checked against the schema.

use crate::edm::{Column, Schema, Table};
use crate::error::{ODataError, Result};
use crate::value::{EntityRef, Value};
use uuid::Uuid;

/// What a create or update asks for, typed and checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Write {
    /// The primary key, where the body names it.
    pub id: Option<Uuid>,
    /// Columns by logical name, each at most once, in the order of the body; never the primary key.
    pub values: Vec<(String, Value)>,
}

/// Which columns may be written, and what a missing one means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// A new row: columns that are `valid_for_create`.
    Create,
    /// Changes of a row: columns that are `valid_for_update`.
    Update,
}

/// Where references in bodies lead: what stands around a payload.
pub fn parse_write(
    _body: &[u8],
    _table: &Table,
    _schema: &Schema,
    _kind: WriteKind,
    _root: &str,
    _references: &dyn Fn(&str) -> Option<EntityRef>,
) -> Result<Write> {
    Err(ODataError::not_implemented("payload"))
}

/// Reads the body of `PUT …/accounts(id)/name`: `{"value":…}`. Lookups cannot be set this way (400).
pub fn parse_property(_body: &[u8], _table: &Table, _column: &Column) -> Result<Value> {
    Err(ODataError::not_implemented("payload"))
}

/// Reads the body of `PUT …/accounts(id)/nav/$ref`: `{"@odata.id":"accounts(id)"}`; the table is not yet checked
/// against the navigation property's targets.
pub fn parse_reference(
    _body: &[u8],
    _schema: &Schema,
    _root: &str,
    _references: &dyn Fn(&str) -> Option<EntityRef>,
) -> Result<EntityRef> {
    Err(ODataError::not_implemented("payload"))
}

/// Reads what a bind points to: `/accounts(id)`, `accounts(id)`, `{root}accounts(id)` or `$1`.
pub fn resolve_bind(
    _target: &str,
    _schema: &Schema,
    _root: &str,
    _references: &dyn Fn(&str) -> Option<EntityRef>,
) -> Result<EntityRef> {
    Err(ODataError::not_implemented("payload"))
}
