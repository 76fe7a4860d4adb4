//! What the caller may do. What is not seen was answered by 404 before; what may not be done is 403 here.

use super::Call;
use crate::db::rights::Sight;
use crate::db::rows::Stored;
use crate::rights::{privilege_name, Verb};
use flette_odata::error::Result;
use flette_odata::payload::WriteKind;
use flette_odata::{ODataError, Row, Table, Value};

/// Checks that a verb may be used on a row, as it is or is to be.
///
/// # Errors
/// 403 otherwise.
pub(super) fn check(call: &Call, verb: Verb, table: &Table, row: &Row) -> Result<()> {
    match call.caller.sight().may(verb, table, row) {
        true => Ok(()),
        false => Err(denied(call, verb, table)),
    }
}

/// Checks that something of a table may be read at all.
///
/// # Errors
/// 403 otherwise: that there is such a table is no secret.
pub(super) fn check_readable(call: &Call, table: &Table) -> Result<()> {
    match call.caller.sight().reach(table).is_none() {
        true => Err(denied(call, Verb::Read, table)),
        false => Ok(()),
    }
}

/// Checks that secured columns may be given these values.
///
/// # Errors
/// 403 when a profile is missing; the error names the column.
pub(super) fn check_columns(
    call: &Call,
    table: &Table,
    values: &[(String, Value)],
    kind: WriteKind,
) -> Result<()> {
    let Sight::Of(rights) = call.caller.sight() else { return Ok(()) };
    for column in values.iter().filter_map(|(name, _)| table.column(name)) {
        let (allowed, code, verb) = match kind {
            WriteKind::Create => (rights.may_create_with(table, column), "0x8004f502", "create"),
            WriteKind::Update | WriteKind::Upsert => {
                (rights.may_update(table, column), "0x8004f507", "update")
            }
        };
        if !allowed {
            let name = &column.logical_name;
            let message = format!(
                "The user does not have {verb} permissions to a secured field. The requested operation could not be \
                 completed. Column {name} of {}.",
                table.logical_name
            );
            return Err(ODataError::new(403, code, message));
        }
    }
    Ok(())
}

/// A row as the caller may see it: without the values of masked columns.
pub(super) fn masked(call: &Call, table: &Table, mut stored: Stored) -> Stored {
    let sight = call.caller.sight();
    stored.row.retain(|name, _| !table.column(name).is_some_and(|column| sight.masks(table, column)));
    stored
}

/// 403: a privilege is missing, or does not reach so far.
pub(super) fn denied(call: &Call, verb: Verb, table: &Table) -> ODataError {
    let message = format!(
        "Principal user (Id={}, type=8) is missing {} privilege on OTC={} for entity '{}', or its level does not reach \
         the row.",
        call.caller.user,
        privilege_name(verb, table),
        table.type_code,
        table.logical_name
    );
    ODataError::new(403, "0x80040220", message)
}
