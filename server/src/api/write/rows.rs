//! One row: created, changed, found.

use super::related::create;
use super::{duplicates, money, Made};
use crate::api::{find, rights, table_for, Call};
use crate::db::rows::{lookup_id, Sight, Stored, OWNING_UNIT, VERSION};
use crate::db::Writer;
use crate::rights::{is_party, Verb, OWNER};
use flette_odata::alike;
use flette_odata::condition::Condition;
use flette_odata::error::Result;
use flette_odata::payload::{check_made_by_id, check_write, Write, WriteKind};
use flette_odata::rules::{complete_create, complete_update};
use flette_odata::stamps::Stamps;
use flette_odata::{EntityRef, ODataError, Row, Table, Uuid, Value};

/// A row that must exist for the caller and meet a condition.
pub(super) fn existing(
    writer: &Writer,
    call: &Call,
    table: &Table,
    id: Uuid,
    condition: &Condition,
) -> Result<Stored> {
    let stored = writer.row(table, id, &call.caller.sight())?;
    condition.check(&table.logical_name, id, stored.as_ref().map(Stored::etag).as_deref())?;
    stored.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))
}

/// What a client writes into one row.
#[derive(Debug, Default)]
pub(super) struct Edit {
    /// Columns by logical name.
    pub(super) values: Vec<(String, Value)>,
    /// When the client says that it made them.
    pub(super) stamps: Vec<(String, i64)>,
}

impl Edit {
    /// Values of which the client tells no time.
    pub(super) fn of(values: Vec<(String, Value)>) -> Edit {
        Edit { values, stamps: Vec::new() }
    }
}

/// Changes the row, or makes it where there is none. A version that the condition names comes back, so that the answer can
/// be compared with it.
pub(super) fn upsert(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    write: Write,
    condition: &Condition,
) -> Result<Made> {
    let stored = writer.row(table, id, &call.caller.sight())?;
    condition.check(&table.logical_name, id, stored.as_ref().map(Stored::etag).as_deref())?;
    match stored {
        Some(stored) => {
            check_write(table, &write, WriteKind::Update)?;
            let edit = Edit { values: write.values, stamps: write.stamps };
            let columns = change(writer, call, (table, id), &stored, edit)?;
            Ok(match condition {
                Condition::IfMatch(_) => Made::UpdatedFrom { before: stored.row, columns },
                _ => Made::Updated,
            })
        }
        None => {
            check_made_by_id(table, id, &write)?;
            // The id may belong to a row out of the caller's sight. Only a create-only request is told that
            // it is taken, since it must not be told that the row was made.
            if *condition == Condition::None && writer.is_taken(table, id)? {
                return Err(ODataError::row_not_found(&table.logical_name, id));
            }
            create(writer, call, table, Write { id: Some(id), ..write })?;
            Ok(Made::Created)
        }
    }
}

/// Makes one row, without what comes along with it.
pub(super) fn insert(writer: &Writer, call: &Call, (table, id): (&Table, Uuid), edit: Edit) -> Result<()> {
    // Parties are written through their activity, which was checked.
    if !table.writable && !is_party(table) {
        return Err(ODataError::method_not_allowed("POST", &table.set_name));
    }
    if writer.is_taken(table, id)? {
        return Err(ODataError::duplicate_key());
    }
    check_targets(writer, call, &edit.values)?;
    let unit = match edit.values.iter().find(|(name, _)| name == OWNER) {
        Some((_, Value::Lookup(owner))) => unit_of(writer, owner)?,
        _ => call.caller.unit,
    };
    rights::check_columns(call, table, &edit.values, WriteKind::Create)?;
    let given: Vec<String> = edit.values.iter().map(|(name, _)| name.clone()).collect();
    let mut row = complete_create(table, writer.schema, edit.values, id, call.caller.user, unit, call.now)?;
    for column in ["createdonbehalfby", "modifiedonbehalfby"] {
        if table.column(column).is_some() {
            row.insert(column.to_owned(), actor(call));
        }
    }
    money::follow(writer, table, &mut row)?;
    if !is_party(table) {
        rights::check(call, Verb::Create, table, &row)?;
    }
    let everything: Vec<&str> = table.columns.iter().map(|column| column.logical_name.as_str()).collect();
    check_keys(writer, (table, id), &row, &everything)?;
    duplicates::check(writer, call, (table, id), &row, &everything)?;
    writer.insert(table, &row)?;
    writer.set_stamps(table, id, &Stamps::created(believed(call, &edit.stamps), &given, call.now))
}

/// Changes a row that is in sight; gives the columns that it wrote.
pub(super) fn change(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    current: &Stored,
    edit: Edit,
) -> Result<Vec<String>> {
    if !table.writable {
        return Err(ODataError::method_not_allowed("PATCH", &table.set_name));
    }
    rights::check(call, Verb::Write, table, &current.row)?;
    rights::check_columns(call, table, &edit.values, WriteKind::Update)?;
    check_targets(writer, call, &edit.values)?;
    let given: Vec<String> = edit.values.iter().map(|(name, _)| name.clone()).collect();
    let mut changes = complete_update(table, &current.row, edit.values)?;
    money::check_rate(writer, (table, id), &changes)?;
    money::follow_changes(writer, table, &current.row, &mut changes)?;
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
    let mut row = current.row.clone();
    row.extend(changes.iter().cloned());
    let changed: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
    check_keys(writer, (table, id), &row, &changed)?;
    duplicates::check(writer, call, (table, id), &row, &changed)?;
    let told = Told { given: &given, stamps: believed(call, &edit.stamps) };
    store_told(writer, call, (table, id), current, (changes, told))
}

/// The times that a client tells, where it may tell any.
fn believed<'s>(call: &Call, stamps: &'s [(String, i64)]) -> &'s [(String, i64)] {
    match call.extensions {
        true => stamps,
        false => &[],
    }
}

/// What a client gave, and when it says that it made it.
#[derive(Default)]
struct Told<'e> {
    given: &'e [String],
    stamps: &'e [(String, i64)],
}

/// Refuses a row that has the values of another's alternate key.
fn check_keys(writer: &Writer, (table, id): (&Table, Uuid), row: &Row, changed: &[&str]) -> Result<()> {
    for (key, filter) in alike::keys(table, row, changed) {
        // Rows out of sight count: the key is the table's.
        let found = find::ids(writer, table, &Sight::Everything, &filter, 2)?;
        if found.iter().any(|other| *other != id) {
            return Err(ODataError::key_taken(&table.logical_name, &key.name));
        }
    }
    Ok(())
}

/// Stores changes that the service makes itself. An update that changes nothing still counts, as in Dataverse.
pub(super) fn store(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    current: &Stored,
    changes: Vec<(String, Value)>,
) -> Result<()> {
    store_told(writer, call, (table, id), current, (changes, Told::default())).map(drop)
}

/// Stores changes with who and when; see [`Stamps`] for the time of each column. Gives the columns that it wrote.
fn store_told(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    current: &Stored,
    (mut changes, told): (Vec<(String, Value)>, Told),
) -> Result<Vec<String>> {
    let by_people = |name: &str| table.column(name).is_some_and(|column| column.valid_for_update);
    let changed: Vec<String> =
        changes.iter().map(|(name, _)| name.clone()).filter(|name| by_people(name)).collect();
    let user = EntityRef { table: "systemuser".to_owned(), id: call.caller.user };
    changes.push(("modifiedon".to_owned(), Value::DateTime(call.now - call.now.rem_euclid(1000))));
    changes.push(("modifiedby".to_owned(), Value::Lookup(user)));
    if table.column("modifiedonbehalfby").is_some() {
        changes.push(("modifiedonbehalfby".to_owned(), actor(call)));
    }
    writer.update(table, current, id, &changes, call.now)?;
    if !changed.is_empty() || !told.stamps.is_empty() {
        let mut stamps = writer.stamps(table, id)?;
        stamps.update(told.stamps, told.given, &changed, call.now);
        writer.set_stamps(table, id, &stamps)?;
    }
    let written = changes.into_iter().map(|(name, _)| name);
    Ok(written.chain([VERSION.to_owned()]).collect())
}

/// Who writes in the name of the caller; null when the caller does.
fn actor(call: &Call) -> Value {
    let user = |id| Value::Lookup(EntityRef { table: "systemuser".to_owned(), id });
    call.caller.actor.map_or(Value::Null, user)
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
