//! States: which status goes with which, and which rows are closed and take no edits any more.

use super::default_value;
use crate::edm::{Column, ColumnKind, Table};
use crate::error::{ODataError, Result};
use crate::value::{Row, Value};

/// Columns that a closed row still takes: how it ended, or that it is open again, and whose it is. Dataverse had
/// messages of their own for them (`SetState`, `Assign`), which closed rows do not refuse.
const FREE: [&str; 3] = ["statecode", "statuscode", "ownerid"];

/// States in which a lead, an opportunity or an activity is closed.
const CLOSED: [i64; 2] = [1, 2];

/// Refuses edits of a row that is closed: an opportunity that was won or lost, a lead that was qualified or
/// disqualified, an activity that was completed or canceled. Rows of other tables may be inactive, but are never closed.
///
/// # Errors
/// 400 `0x80040515` (opportunity), `0x80040519` (lead), `0x8004022e` (activities).
pub fn check_open(table: &Table, row: &Row) -> Result<()> {
    let (code, message) = match table.logical_name.as_str() {
        "opportunity" => ("0x80040515", "The opportunity has already been closed."),
        "lead" => ("0x80040519", "The lead has already been closed."),
        _ if table.activity => ("0x8004022e", "The activity is completed or canceled, and read-only."),
        _ => return Ok(()),
    };
    match row.get("statecode") {
        Some(Value::Int(state)) if CLOSED.contains(state) => Err(ODataError::new(400, code, message)),
        _ => Ok(()),
    }
}

/// Refuses `edited` columns of a row that is closed and stays so. One that is opened or closed by the same edit takes
/// them.
pub(super) fn check_edits(table: &Table, (before, after): (&Row, &Row), edited: &[String]) -> Result<()> {
    if edited.iter().all(|name| FREE.contains(&name.as_str())) || check_open(table, before).is_ok() {
        return Ok(());
    }
    check_open(table, after)
}

/// Fills in the state or status that is missing, and checks that both fit.
pub(super) fn complete_state(table: &Table, row: &mut Row) -> Result<()> {
    let (Some(state_column), Some(status_column)) = (table.column("statecode"), table.column("statuscode"))
    else {
        return Ok(());
    };
    let (ColumnKind::State { options: states }, ColumnKind::Status { options: statuses }) =
        (&state_column.kind, &status_column.kind)
    else {
        return Ok(());
    };
    let given = |name: &str| match row.get(name) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let (state, status) = match (given("statecode"), given("statuscode")) {
        (Some(state), Some(status)) => (state, status),
        (state, None) => {
            let option = match state {
                Some(state) => states.iter().find(|o| i64::from(o.value) == state),
                None => states.first(),
            };
            let option = option.ok_or_else(|| illegal_pair(table))?;
            (i64::from(option.value), i64::from(option.default_status))
        }
        (None, Some(status)) => {
            let option = statuses.iter().find(|o| i64::from(o.value) == status);
            (i64::from(option.ok_or_else(|| illegal_pair(table))?.state), status)
        }
    };
    if !statuses.iter().any(|o| i64::from(o.value) == status && i64::from(o.state) == state) {
        return Err(illegal_pair(table));
    }
    row.insert("statecode".to_owned(), Value::Int(state));
    row.insert("statuscode".to_owned(), Value::Int(status));
    Ok(())
}

/// Whether a new row's value of a column has to wait until the row stands: a create does not take the column, only an
/// update does; or it is the status that belongs to such a state. In Dataverse `statecode` is such a column of most
/// tables ("IsValidForCreate", Entity reference of Dataverse). What a new row holds by itself need not be told.
pub fn waits_for_row(table: &Table, row: &Row, name: &str) -> bool {
    let waits = |column: &Column| {
        let by_itself = |value: &Value| value.is_null() || *value == initial_value(table, column);
        let given = row.get(&column.logical_name).is_some_and(|value| !by_itself(value));
        given && column.valid_for_update && !column.valid_for_create
    };
    let Some(column) = table.column(name) else { return false };
    let goes_with_state = || matches!(column.kind, ColumnKind::Status { .. }) && column.valid_for_update;
    waits(column) || goes_with_state() && table.column("statecode").is_some_and(waits)
}

/// What a new row holds when nothing is said of the column, its state and status included: the first state, and the status
/// that this defaults to.
pub fn initial_value(table: &Table, column: &Column) -> Value {
    let state = |column: &Column| match &column.kind {
        ColumnKind::State { options } => {
            options.first().map(|o| (i64::from(o.value), i64::from(o.default_status)))
        }
        _ => None,
    };
    match &column.kind {
        ColumnKind::State { .. } => state(column).map_or(Value::Null, |(state, _)| Value::Int(state)),
        ColumnKind::Status { .. } => {
            let first = table.column("statecode").and_then(state);
            first.map_or(Value::Null, |(_, status)| Value::Int(status))
        }
        _ => default_value(column),
    }
}

pub(super) fn illegal_pair(table: &Table) -> ODataError {
    let message = format!("The status code is not valid for the state code of '{}'.", table.logical_name);
    ODataError::new(400, "0x80048408", message)
}
