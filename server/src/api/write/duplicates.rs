//! Duplicate detection, for those who ask for it.

use crate::api::{find, Call};
use crate::db::Writer;
use flette_odata::alike::{self, Duplicates};
use flette_odata::error::Result;
use flette_odata::{Row, Table, Uuid};

/// Refuses a row that resembles another one that the caller sees, when the caller wants to know and one of the columns
/// in question has changed.
pub(super) fn check(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    row: &Row,
    changed: &[&str],
) -> Result<()> {
    if call.duplicates == Duplicates::Allowed {
        return Ok(());
    }
    for filter in alike::duplicates(table, row, changed) {
        let found = find::ids(writer, table, &call.caller.sight(), &filter, 2)?;
        if found.iter().any(|other| *other != id) {
            return Err(alike::duplicate());
        }
    }
    Ok(())
}
