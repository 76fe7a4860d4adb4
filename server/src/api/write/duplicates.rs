//! Duplicate detection, for those who ask for it: the rules that a new organisation has.

use crate::api::{find, Call, Duplicates};
use crate::db::Writer;
use flette_odata::error::Result;
use flette_odata::{ODataError, Row, Table, Uuid, Value};

/// Columns that together make a duplicate. Texts are compared without case; a rule does not hold for a row that lacks
/// one of its values.
const RULES: [(&str, &[&str]); 5] = [
    ("account", &["name"]),
    ("account", &["emailaddress1"]),
    ("contact", &["firstname", "lastname"]),
    ("contact", &["emailaddress1"]),
    ("lead", &["emailaddress1"]),
];

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
    for (_, columns) in RULES.iter().filter(|(name, _)| *name == table.logical_name) {
        let values: Vec<(&str, &Value)> =
            columns.iter().filter_map(|name| Some((*name, row.get(*name)?))).collect();
        let whole = values.len() == columns.len() && values.iter().all(|(_, value)| has_text(value));
        if !whole || !columns.iter().any(|name| changed.contains(name)) {
            continue;
        }
        let found = find::ids(writer, table, &call.caller.sight(), &find::all_equal(values), 2)?;
        if found.iter().any(|other| *other != id) {
            return Err(duplicate());
        }
    }
    Ok(())
}

fn has_text(value: &Value) -> bool {
    value.as_text().is_some_and(|text| !text.is_empty())
}

/// 412 and not 500: no client may take it for something that passes.
fn duplicate() -> ODataError {
    let message =
        "A record was not created or updated because a duplicate of the current record already exists.";
    ODataError::new(412, "0x80040333", message)
}
