//! Writes: create, update, upsert, delete with its cascades, links. Each runs inside one transaction of its
//! caller.

use super::read::{applied, entity};
use super::{rights, row_url, table_for, Call};
use crate::customize;
use crate::db::rows::{lookup_id, Sight, Stored, OWNING_UNIT};
use crate::db::sessions::Caller;
use crate::db::Writer;
use crate::rights::{Verb, OWNER};
use flette_odata::condition::Condition;
use flette_odata::edm::OnDelete;
use flette_odata::error::Result;
use flette_odata::operation::Operation;
use flette_odata::payload::{check_writable, Write, WriteKind};
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::rules::{complete_create, complete_update};
use flette_odata::{ColumnKind, EntityRef, ODataError, Response, Row, Table, Uuid, Value};
use std::collections::BTreeSet;

/// What a write did.
#[derive(Debug)]
pub struct Effect {
    /// The answer.
    pub response: Response,
    /// The row it made or changed, which `$1` means in a change set.
    pub row: Option<EntityRef>,
}

/// Carries out an operation that writes.
///
/// # Errors
/// What Dataverse would answer; nothing of the operation may be kept then.
pub(super) fn carry_out(writer: &Writer, call: &Call, operation: Operation) -> Result<Effect> {
    match operation {
        Operation::Create { table, write, query, prefer } => {
            let table = table_for(writer, &table)?;
            let id = write.id.unwrap_or_else(Uuid::now_v7);
            insert(writer, call, table, id, write.values)?;
            written(writer, call, (table, id), (&query, &prefer), true)
        }
        Operation::Update { table, id, write, condition, prefer, query } => {
            let table = table_for(writer, &table)?;
            let created = upsert(writer, call, (table, id), write, &condition)?;
            written(writer, call, (table, id), (&query, &prefer), created)
        }
        Operation::SetProperty { table, id, column, value, condition } => {
            let table = table_for(writer, &table)?;
            let current = existing(writer, call, table, id, &condition)?;
            change(writer, call, (table, id), &current, vec![(column, value)])?;
            Ok(Effect { response: Response::empty(204), row: Some(reference(table, id)) })
        }
        Operation::SetReference { table, id, navigation, target } => {
            let table = table_for(writer, &table)?;
            set_reference(writer, call, (table, id), &navigation, target)?;
            Ok(Effect { response: Response::empty(204), row: Some(reference(table, id)) })
        }
        Operation::Delete { table, id, condition } => {
            let table = table_for(writer, &table)?;
            let current = existing(writer, call, table, id, &condition)?;
            rights::check(call, Verb::Delete, table, &current.row)?;
            delete(writer, call, reference(table, id))?;
            Ok(Effect { response: Response::empty(204), row: None })
        }
        Operation::Define { path, method, body } => {
            may_customise(call)?;
            let response = customize::define(writer, (&path, method, &body), call.root, call.now)?;
            Ok(Effect { response, row: None })
        }
        Operation::Action { name, body } => {
            may_customise(call)?;
            let response = customize::act(writer, (&name, &body), call.root, call.now)?;
            Ok(Effect { response, row: None })
        }
        _ => Err(ODataError::new(500, "0x80040216", "A read was taken for a write.")),
    }
}

/// Definitions are changed by administrators only.
fn may_customise(call: &Call) -> Result<()> {
    match call.caller.sight().is_administrator() {
        true => Ok(()),
        false => {
            Err(ODataError::new(403, "0x80040220", "Principal user is missing prvWriteEntity privilege."))
        }
    }
}

/// Creates a row the way a `POST` does; for imports and demo data. `root` of the call is not used.
///
/// # Errors
/// As for a `POST`.
pub fn create_row(
    writer: &Writer,
    call: &Call,
    table: &Table,
    id: Uuid,
    values: Vec<(String, Value)>,
) -> Result<()> {
    insert(writer, call, table, id, values)
}

fn reference(table: &Table, id: Uuid) -> EntityRef {
    EntityRef { table: table.logical_name.clone(), id }
}

/// The answer to a create or update.
fn written(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    (query, prefer): (&Query, &Prefer),
    created: bool,
) -> Result<Effect> {
    let response = if prefer.representation {
        let stored = writer.row(table, id, &Sight::Everything)?;
        let stored = stored.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))?;
        let body = entity(writer, call, table, &stored, (query, prefer))?;
        let status = if created { 201 } else { 200 };
        applied(Response::json(status, body).header("ETag", stored.etag()), prefer)
    } else {
        Response::empty(204).header("OData-EntityId", row_url(call.root, table, id))
    };
    Ok(Effect { response, row: Some(reference(table, id)) })
}

/// A row that must exist for the caller and meet a condition.
fn existing(writer: &Writer, call: &Call, table: &Table, id: Uuid, condition: &Condition) -> Result<Stored> {
    let stored = writer.row(table, id, &call.caller.sight())?;
    condition.check(&table.logical_name, id, stored.as_ref().map(Stored::etag).as_deref())?;
    stored.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))
}

/// Whether the row was created.
fn upsert(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    write: Write,
    condition: &Condition,
) -> Result<bool> {
    let stored = writer.row(table, id, &call.caller.sight())?;
    condition.check(&table.logical_name, id, stored.as_ref().map(Stored::etag).as_deref())?;
    match stored {
        Some(stored) => {
            check_writable(table, &write.values, WriteKind::Update)?;
            change(writer, call, (table, id), &stored, write.values)?;
            Ok(false)
        }
        None => {
            // The id may belong to a row out of the caller's sight. Only a create-only request is told that
            // it is taken, since it must not be told that the row was made.
            if *condition == Condition::None && writer.is_taken(table, id)? {
                return Err(ODataError::row_not_found(&table.logical_name, id));
            }
            check_writable(table, &write.values, WriteKind::Create)?;
            insert(writer, call, table, id, write.values)?;
            Ok(true)
        }
    }
}

fn insert(writer: &Writer, call: &Call, table: &Table, id: Uuid, values: Vec<(String, Value)>) -> Result<()> {
    if !table.writable {
        return Err(ODataError::method_not_allowed("POST", &table.set_name));
    }
    if writer.is_taken(table, id)? {
        return Err(ODataError::duplicate_key());
    }
    check_targets(writer, call, &values)?;
    let unit = match values.iter().find(|(name, _)| name == OWNER) {
        Some((_, Value::Lookup(owner))) => unit_of(writer, owner)?,
        _ => call.caller.unit,
    };
    rights::check_columns(call, table, &values, WriteKind::Create)?;
    let row = complete_create(table, writer.schema, values, id, call.caller.user, unit, call.now)?;
    rights::check(call, Verb::Create, table, &row)?;
    writer.insert(table, &row)?;
    Ok(())
}

/// Changes a row that is in sight.
fn change(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    current: &Stored,
    values: Vec<(String, Value)>,
) -> Result<()> {
    if !table.writable {
        return Err(ODataError::method_not_allowed("PATCH", &table.set_name));
    }
    rights::check(call, Verb::Write, table, &current.row)?;
    rights::check_columns(call, table, &values, WriteKind::Update)?;
    check_targets(writer, call, &values)?;
    let mut changes = complete_update(table, &current.row, values)?;
    let owner = changes.iter().find_map(|(name, value)| match value {
        Value::Lookup(owner) if name == OWNER => Some(owner.clone()),
        _ => None,
    });
    if let Some(owner) = owner {
        if lookup_id(&current.row, OWNER) != Some(owner.id) {
            rights::check(call, Verb::Assign, table, &current.row)?;
        }
        let unit = EntityRef { table: "businessunit".to_owned(), id: unit_of(writer, &owner)? };
        changes.push((OWNING_UNIT.to_owned(), Value::Lookup(unit)));
    }
    store(writer, call, (table, id), current, changes)
}

/// Stores changes with who and when. An update that changes nothing still counts, as in Dataverse.
fn store(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    current: &Stored,
    mut changes: Vec<(String, Value)>,
) -> Result<()> {
    let user = EntityRef { table: "systemuser".to_owned(), id: call.caller.user };
    changes.push(("modifiedon".to_owned(), Value::DateTime(call.now - call.now.rem_euclid(1000))));
    changes.push(("modifiedby".to_owned(), Value::Lookup(user)));
    writer.update(table, current, id, &changes, call.now).map(drop)
}

/// The business unit of an owner.
fn unit_of(writer: &Writer, owner: &EntityRef) -> Result<Uuid> {
    let missing = || ODataError::new(400, "0x80040229", format!("The owner {} is not valid.", owner.id));
    writer.owner_unit(owner)?.ok_or_else(missing)
}

/// Every lookup must point to a row that the caller sees.
fn check_targets(writer: &Writer, call: &Call, values: &[(String, Value)]) -> Result<()> {
    for (_, value) in values {
        let Value::Lookup(to) = value else { continue };
        let target = table_for(writer, &to.table)?;
        if !writer.is_seen(target, to.id, &call.caller.sight())? {
            return Err(ODataError::row_not_found(&to.table, to.id));
        }
    }
    Ok(())
}

fn set_reference(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    navigation: &str,
    target: Option<EntityRef>,
) -> Result<()> {
    let (column, targets) =
        table.navigation(navigation).ok_or_else(|| ODataError::segment_not_found(navigation))?;
    let current = existing(writer, call, table, id, &Condition::None)?;
    let fits = |to: &EntityRef| targets.iter().any(|t| t.table == to.table);
    let value = match target {
        Some(to) if fits(&to) => Value::Lookup(to),
        Some(to) => {
            let message = format!("The navigation property '{navigation}' cannot point to '{}'.", to.table);
            return Err(ODataError::bad_request(message));
        }
        None => match current.row.get(&column.logical_name) {
            // The lookup points to the other target of the same column: this link is not there to be removed.
            Some(Value::Lookup(to)) if !fits(to) => return Ok(()),
            _ => Value::Null,
        },
    };
    let values = vec![(column.logical_name.clone(), value)];
    check_writable(table, &values, WriteKind::Update)?;
    change(writer, call, (table, id), &current, values)
}

/// Deletes a row and what goes with it. Relationships are followed whether the caller sees the rows or not.
fn delete(writer: &Writer, call: &Call, first: EntityRef) -> Result<()> {
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
        let table = table_for(writer, &row.table)?;
        if let Some(current) = writer.row(table, row.id, &Sight::Everything)? {
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

/// Changes columns of a row the way a `PATCH` with `If-Match: *` does; for imports.
///
/// # Errors
/// As for a `PATCH`.
pub fn update_row(
    writer: &Writer,
    call: &Call,
    table: &Table,
    id: Uuid,
    values: Vec<(String, Value)>,
) -> Result<()> {
    let current = existing(writer, call, table, id, &Condition::IfMatchAny)?;
    change(writer, call, (table, id), &current, values)
}

/// Creates a row of `owner` whose lookups may point to rows that come later; `finish` has the last word on
/// it. For demo data, which is known to be whole in the end.
///
/// # Errors
/// 400 when the values break a rule of the table.
pub fn create_row_unlinked(
    writer: &Writer,
    owner: &Caller,
    now: i64,
    (table, id): (&Table, Uuid),
    values: Vec<(String, Value)>,
    finish: impl FnOnce(&mut Row),
) -> Result<()> {
    let mut row = complete_create(table, writer.schema, values, id, owner.user, owner.unit, now)?;
    finish(&mut row);
    writer.insert(table, &row).map(drop)
}
