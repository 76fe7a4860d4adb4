//! The currency of a row, and its amounts in the base currency.

use crate::db::Writer;
use flette_odata::error::Result;
use flette_odata::rules::money;
use flette_odata::{EntityRef, ODataError, Row, Table, Uuid, Value};

/// Gives a new row its currency and the amounts that follow.
pub(super) fn follow(writer: &Writer, table: &Table, row: &mut Row) -> Result<()> {
    if money::has_money(table) {
        row.extend(followers(writer, table, row)?);
    }
    Ok(())
}

/// Adds to the changes of a row what follows from them.
pub(super) fn follow_changes(
    writer: &Writer,
    table: &Table,
    current: &Row,
    changes: &mut Vec<(String, Value)>,
) -> Result<()> {
    if !money::is_touched(table, changes.iter().map(|(name, _)| name.as_str())) {
        return Ok(());
    }
    let mut row = current.clone();
    row.extend(changes.iter().cloned());
    for (name, value) in followers(writer, table, &row)? {
        changes.retain(|(changed, _)| *changed != name);
        if current.get(&name) != Some(&value) {
            changes.push((name, value));
        }
    }
    Ok(())
}

/// The base currency keeps its rate.
pub(super) fn check_rate(
    writer: &Writer,
    (table, id): (&Table, Uuid),
    changes: &[(String, Value)],
) -> Result<()> {
    match table.logical_name == money::CURRENCIES {
        true => {
            let names = changes.iter().map(|(name, _)| name.as_str());
            money::check_rate((table, id), writer.base_currency()?, names)
        }
        false => Ok(()),
    }
}

/// The base currency stays.
pub(super) fn check_delete(writer: &Writer, row: &EntityRef) -> Result<()> {
    let is_currency = row.table == money::CURRENCIES;
    match is_currency && writer.base_currency()?.is_some_and(|base| base.id == row.id) {
        true => Err(ODataError::new(405, "0x8004023b", "The base currency cannot be deleted.")),
        false => Ok(()),
    }
}

fn followers(writer: &Writer, table: &Table, row: &Row) -> Result<Vec<(String, Value)>> {
    let base = writer.base_currency()?;
    let own = money::own(row, base, |id| writer.currency(id))?;
    money::follow(table, row, (base, own))
}
