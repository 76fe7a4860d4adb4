//! What the service itself does with a row: defaults, owners, stamps, states, computed columns. The same on
//! both sides, so that a row made offline looks as it will after the server has it.

pub mod money;
mod state;

pub use state::{check_open, initial_value, waits_for_row};

use crate::edm::{Column, ColumnKind, Required, Schema, Table};
use crate::error::{ODataError, Result};
use crate::ordered;
use crate::payload::required_missing;
use crate::value::{EntityRef, Row, Value};
use state::{check_edits, complete_state, illegal_pair};
use uuid::Uuid;

/// Tables that say who may do what. A privilege for every table does not reach them, and a replica, which does not
/// know who holds which, leaves their rows to the service.
pub const SECURITY_TABLES: [&str; 12] = [
    "businessunit",
    "systemuser",
    "team",
    "teammembership",
    "role",
    "roleprivilege",
    "systemuserroles",
    "teamroles",
    "fieldsecurityprofile",
    "fieldpermission",
    "systemuserprofiles",
    "teamprofiles",
];

/// The whole row that a create makes: what was given, defaults, owner, stamps, computed columns; every
/// column of the table is present (`Null` where there is no value). `versionnumber` stays `Null`: it is the
/// store's.
///
/// `now` in milliseconds since 1970-01-01T00:00:00Z, cut to whole seconds. `user` owns the row unless
/// `values` name an owner; `business_unit` is the owner's.
///
/// # Errors
/// 400 `0x80040200`: a column that the service requires has no value; 400 `0x80048408`: the status does not
/// belong to the state; 400 `0x80040353`: a lookup's target table is not in the schema.
pub fn complete_create(
    table: &Table,
    schema: &Schema,
    values: Vec<(String, Value)>,
    id: Uuid,
    user: Uuid,
    business_unit: Uuid,
    now: i64,
) -> Result<Row> {
    let mut row = ordered::map(table.columns.iter().map(|c| (c.logical_name.clone(), default_value(c))));
    let given: Vec<String> = values.iter().map(|(name, _)| name.clone()).collect();
    for (name, value) in values {
        check_lookup(table, schema, &name, &value)?;
        row.insert(name, value);
    }
    set(table, &mut row, &table.primary_id, Value::Guid(id));
    let now = Value::DateTime(now - now.rem_euclid(1000));
    let created_on = match row.get("overriddencreatedon") {
        Some(Value::DateTime(at)) => Value::DateTime(*at),
        _ => now.clone(),
    };
    set(table, &mut row, "createdon", created_on);
    set(table, &mut row, "modifiedon", now);
    for name in ["createdby", "modifiedby"] {
        set(table, &mut row, name, system_lookup("systemuser", user));
    }
    if table.owned {
        if row.get("ownerid").is_none_or(Value::is_null) {
            set(table, &mut row, "ownerid", system_lookup("systemuser", user));
        }
        set(table, &mut row, "owningbusinessunit", system_lookup("businessunit", business_unit));
        for (name, value) in owner_followers(table, &row) {
            row.insert(name, value);
        }
    }
    if table.activity && row.get("activitytypecode").is_some_and(Value::is_null) {
        row.insert("activitytypecode".to_owned(), Value::Text(table.logical_name.clone()));
    }
    complete_state(table, &mut row)?;
    for (name, value) in computed(table, &row) {
        if !given.contains(&name) {
            row.insert(name, value);
        }
    }
    follow_file(table, false, &mut row);
    check_required(table, &row)?;
    Ok(row)
}

/// What an update really changes: values that differ from `current`, the status that follows a new state,
/// the columns that follow an owner, computed columns. Empty when nothing changes. `modifiedon`,
/// `modifiedby` and `versionnumber` are the caller's.
///
/// A status given without a state must belong to the row's present state. A closed row (see [`check_open`]) takes a
/// state, a status and an owner; other columns only together with the state that opens it.
///
/// # Errors
/// 400 `0x80040200`: null in a column that the service requires; 400 `0x80048408`: the status does not
/// belong to the state; what [`check_open`] says of a row that is closed.
pub fn complete_update(
    table: &Table,
    current: &Row,
    values: Vec<(String, Value)>,
) -> Result<Vec<(String, Value)>> {
    let mut row = current.clone();
    let gives = |name: &str| values.iter().any(|(n, _)| n == name);
    let (gives_state, gives_status) = (gives("statecode"), gives("statuscode"));
    let mut edited = Vec::new();
    for (name, value) in values {
        if name == table.primary_id {
            continue;
        }
        if value.is_null() && matches!(name.as_str(), "statecode" | "statuscode") {
            return Err(illegal_pair(table));
        }
        if let Some(column) = table.column(&name) {
            if value.is_null() && column.required == Required::System {
                return Err(required_missing(table, column));
            }
        }
        if current.get(&name).unwrap_or(&Value::Null) != &value {
            edited.push(name.clone());
        }
        row.insert(name, value);
    }
    if gives_state && !gives_status && row.get("statecode") != current.get("statecode") {
        row.insert("statuscode".to_owned(), Value::Null);
    }
    if gives_state || gives_status {
        complete_state(table, &mut row)?;
    }
    check_edits(table, (current, &row), &edited)?;
    if row.get("ownerid") != current.get("ownerid") {
        for (name, value) in owner_followers(table, &row) {
            row.insert(name, value);
        }
    }
    for (name, value) in computed(table, &row) {
        row.insert(name, value);
    }
    follow_file(table, has_file(current), &mut row);
    Ok(row.into_iter().filter(|(name, value)| *value != *current.get(name).unwrap_or(&Value::Null)).collect())
}

/// The columns of a row to which [`complete_update`] looks when these are changed, as far as what it says of columns that
/// can be written goes; `None`: any.
pub fn looked_at<'n>(table: &Table, changed: &[&'n str]) -> Option<Vec<&'n str>> {
    let has_file = table.column("documentbody").is_some();
    (!has_file).then(|| changed.iter().copied().chain(["statecode", "statuscode", "ownerid"]).collect())
}

/// The columns that the service computes from others of the row, where the table has them and they are
/// read-only: `fullname` ("First Last") and `address1_composite` to `address3_composite` (lines, "City,
/// State Code", country; parted by CR LF); of a note `objecttypecode` and `filesize`. `Null` when all their parts are; left out when a part is absent from `row` (not known, which
/// is not `Null`).
pub fn computed(table: &Table, row: &Row) -> Vec<(String, Value)> {
    let part = |name: &str| row.get(name).and_then(Value::as_text).filter(|text| !text.is_empty());
    let is_computed =
        |name: &str| table.column(name).is_some_and(|c| !c.valid_for_create && !c.valid_for_update);
    let is_known = |name: &str| table.column(name).is_none() || row.contains_key(name);
    let mut out = Vec::new();
    let has_names = table.column("firstname").is_some() && table.column("lastname").is_some();
    if is_computed("fullname") && has_names && is_known("firstname") && is_known("lastname") {
        out.push(("fullname".to_owned(), joined([part("firstname"), part("lastname")], " ")));
    }
    for number in 1..=ADDRESSES_MAX {
        let composite = format!("address{number}_composite");
        let name = |field: &str| format!("address{number}_{field}");
        if !is_computed(&composite) || !ADDRESS_FIELDS.iter().all(|field| is_known(&name(field))) {
            continue;
        }
        let field = |field: &str| part(&name(field));
        let region = joined([field("stateorprovince"), field("postalcode")], " ");
        let place = joined([field("city"), region.as_text()], ", ");
        let lines = [field("line1"), field("line2"), field("line3"), place.as_text(), field("country")];
        out.push((composite, joined(lines, "\r\n")));
    }
    if is_computed("objecttypecode") {
        match row.get("objectid") {
            Some(Value::Lookup(to)) => out.push(("objecttypecode".to_owned(), Value::Text(to.table.clone()))),
            Some(_) => out.push(("objecttypecode".to_owned(), Value::Null)),
            None => {}
        }
    }
    if is_computed("filesize") && is_known("documentbody") {
        let size = row.get("documentbody").and_then(Value::as_text).map(decoded_length);
        out.push(("filesize".to_owned(), Value::Int(size.unwrap_or_default())));
    }
    out
}

fn has_file(row: &Row) -> bool {
    row.get("documentbody").and_then(Value::as_text).is_some_and(|body| !body.is_empty())
}

/// A note with a file is a document, whatever was given, and is none any more when its file goes.
fn follow_file(table: &Table, had_file: bool, row: &mut Row) {
    let has_file = has_file(row);
    if table.column("documentbody").is_some() && (has_file || had_file) {
        set(table, row, "isdocument", Value::Bool(has_file));
    }
}

/// Bytes that a text in base64 stands for.
fn decoded_length(base64: &str) -> i64 {
    let digits = base64.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').count();
    i64::try_from(digits * 3 / 4).unwrap_or(i64::MAX)
}

/// What an address is composed of.
pub(crate) const ADDRESS_FIELDS: [&str; 7] =
    ["line1", "line2", "line3", "city", "stateorprovince", "postalcode", "country"];
/// Addresses that one row can have.
const ADDRESSES_MAX: u8 = 3;

fn joined<'t>(parts: impl IntoIterator<Item = Option<&'t str>>, between: &str) -> Value {
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => Value::Null,
        false => Value::Text(parts.join(between)),
    }
}

/// What a column of a new row holds when nothing is said of it.
pub fn default_value(column: &Column) -> Value {
    match &column.kind {
        ColumnKind::Boolean { default, .. } => Value::Bool(*default),
        ColumnKind::Picklist { default: Some(option), .. } => Value::Int(i64::from(*option)),
        _ => Value::Null,
    }
}

fn set(table: &Table, row: &mut Row, name: &str, value: Value) {
    if table.column(name).is_some() {
        row.insert(name.to_owned(), value);
    }
}

fn system_lookup(table: &str, id: Uuid) -> Value {
    Value::Lookup(EntityRef { table: table.to_owned(), id })
}

/// `owninguser` and `owningteam`: which of both the owner is.
/// The columns that follow from a row's owner alone, where the table has them: `owninguser`, `owningteam`. The business
/// unit is the owner's, and so the store's to know.
pub fn owner_followers(table: &Table, row: &Row) -> Vec<(String, Value)> {
    let owner = row.get("ownerid");
    let only = |target: &str| match owner {
        Some(Value::Lookup(to)) if to.table == target => Value::Lookup(to.clone()),
        _ => Value::Null,
    };
    [("owninguser", only("systemuser")), ("owningteam", only("team"))]
        .into_iter()
        .filter(|(name, _)| table.column(name).is_some())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn check_lookup(table: &Table, schema: &Schema, name: &str, value: &Value) -> Result<()> {
    match value {
        Value::Lookup(to) if schema.table(&to.table).is_none() => {
            let message =
                format!("'{name}' of '{}' refers to an unknown table '{}'.", table.logical_name, to.table);
            Err(ODataError::new(400, "0x80040353", message))
        }
        _ => Ok(()),
    }
}

/// Columns that only the store sets (`versionnumber`) are not asked of the writer.
fn check_required(table: &Table, row: &Row) -> Result<()> {
    let missing = table.columns.iter().find(|column| {
        column.required == Required::System
            && (column.valid_for_create || column.valid_for_update)
            && row.get(&column.logical_name).is_none_or(Value::is_null)
    });
    missing.map_or(Ok(()), |column| Err(required_missing(table, column)))
}
