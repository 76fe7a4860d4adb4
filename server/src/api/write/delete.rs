//! Deletions, and what goes with a row.

use super::links::unpair;
use super::money;
use super::reference;
use super::rows::store;
use crate::api::{table_for, Call};
use crate::db::rows::Sight;
use crate::db::Writer;
use flette_odata::edm::OnDelete;
use flette_odata::error::Result;
use flette_odata::{ColumnKind, EntityRef, ODataError, Value};
use std::collections::BTreeSet;

/// Deletes a row and what goes with it. Relationships are followed whether the caller sees the rows or not.
pub(super) fn delete(writer: &Writer, call: &Call, first: EntityRef) -> Result<()> {
    let mut doomed = vec![first.clone()];
    let mut known: BTreeSet<EntityRef> = doomed.iter().cloned().collect();
    let mut unlink: Vec<(EntityRef, String)> = Vec::new();
    let mut restricting = Vec::new();
    let mut at = 0;
    // A list and not recursion: a chain of rows may be as long as the table.
    while let Some(target) = doomed.get(at).cloned() {
        at += 1;
        for (row, column, on_delete) in referring(writer, &target)? {
            match on_delete {
                OnDelete::Cascade => {
                    if known.insert(row.clone()) {
                        doomed.push(row);
                    }
                }
                OnDelete::RemoveLink => unlink.push((row, column)),
                OnDelete::Restrict => restricting.push(row),
                OnDelete::NoCascade => {}
            }
        }
    }
    if let Some(row) = restricting.iter().find(|row| !known.contains(row)) {
        let message = format!("The {} {} is referenced by {} {}.", first.table, first.id, row.table, row.id);
        return Err(ODataError::new(405, "0x80040227", message));
    }
    for (row, column) in unlink {
        let table = table_for(writer, &row.table)?;
        if known.contains(&row) {
            continue;
        }
        if let Some(current) = writer.row(table, row.id, &Sight::Everything)? {
            store(writer, call, (table, row.id), &current, vec![(column, Value::Null)])?;
        }
    }
    for row in doomed.iter().rev() {
        money::check_delete(writer, row)?;
        let table = table_for(writer, &row.table)?;
        if let Some(current) = writer.row(table, row.id, &Sight::Everything)? {
            unpair(writer, call, row)?;
            writer.remove(table, &current.row, row.id, call.now)?;
        }
    }
    Ok(())
}

/// Rows that point to a row: which, by which column, and what the relationship says of a deletion.
fn referring(writer: &Writer, target: &EntityRef) -> Result<Vec<(EntityRef, String, OnDelete)>> {
    let mut found = Vec::new();
    for table in &writer.schema.tables {
        for column in &table.columns {
            let ColumnKind::Lookup { targets } = &column.kind else { continue };
            let Some(relationship) = targets.iter().find(|t| t.table == target.table) else { continue };
            if relationship.on_delete == OnDelete::NoCascade {
                continue;
            }
            for id in writer.referring(table, column, target)? {
                found.push((reference(table, id), column.logical_name.clone(), relationship.on_delete));
            }
        }
    }
    Ok(found)
}
