//! What the service itself does with a row: defaults, owners, stamps, states, computed columns. The same on both sides.

use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::value::{Row, Value};
use uuid::Uuid;

/// The whole row that a create makes: what was given, defaults, owner, stamps, computed columns; every column of the
/// table is present (`Null` where there is no value). `now` in milliseconds, cut to whole seconds.
pub fn complete_create(
    _table: &Table,
    _schema: &Schema,
    _values: Vec<(String, Value)>,
    _id: Uuid,
    _user: Uuid,
    _business_unit: Uuid,
    _now: i64,
) -> Result<Row> {
    Err(ODataError::not_implemented("rules"))
}

/// What an update really changes: values that differ from `current`, the status that follows a new state, computed
/// columns. Empty when nothing changes.
pub fn complete_update(
    _table: &Table,
    _current: &Row,
    _values: Vec<(String, Value)>,
) -> Result<Vec<(String, Value)>> {
    Err(ODataError::not_implemented("rules"))
}

/// The columns that the service computes from others of the row (`fullname`, `address1_composite` …), where the table
/// has them.
pub fn computed(_table: &Table, _row: &Row) -> Vec<(String, Value)> {
    Vec::new()
}
