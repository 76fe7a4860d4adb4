//! Several rows in one body: `CreateMultiple` and its siblings, and a set that is replaced as a whole.

use super::json::{check_depth, items, member, members};
use super::row::{check_type, type_name, RowReader};
use super::{bind, check_chosen, value, wrong_type, Scope, Write, WriteKind};
use crate::edm::Table;
use crate::error::{ODataError, Result};
use crate::path::{AlternateName, RowKey};
use uuid::Uuid;

/// Most rows in one action.
pub const TARGETS_MAX: usize = 1000;

/// One row of an action on several.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The row, where it is known; `None`: a new one.
    pub id: Option<Uuid>,
    /// What it gets.
    pub write: Write,
}

/// Reads `{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account",…},…]}`. Each target names its type; one that
/// exists is named by its primary key, or by `@odata.id`, which may be an alternate key.
///
/// # Errors
/// As in the table at the top of [`crate::payload`]; 400 `0x80048d19`: no list, more than [`TARGETS_MAX`] rows, a row
/// without type, an update without a key; 404 `0x80060891`: an update by an alternate key that no row has.
pub fn parse_targets(body: &[u8], table: &Table, kind: WriteKind, scope: &Scope) -> Result<Vec<Target>> {
    let reader = RowReader::new(scope);
    let mut targets = Vec::new();
    for item in list(body, "Targets", table)? {
        let object = members(item.get().as_bytes())?;
        if type_name(&object).is_none() {
            return Err(ODataError::bad_payload("Every target must name its type in '@odata.type'."));
        }
        check_type(&object, table)?;
        let write = reader.read(&object, table, kind, 0)?;
        let named = object.iter().find(|(name, _)| name == "@odata.id").map(|(_, raw)| raw);
        let key = match named {
            None => write.id.map(RowKey::Id),
            Some(raw) => {
                let url = value::text(raw).ok_or_else(|| wrong_type(table, "@odata.id", "a URL"))?;
                let (found, key) = bind::row_of(&url, scope)?;
                if found.logical_name != table.logical_name {
                    return Err(bind::wrong_table(table, "@odata.id", &found.logical_name));
                }
                Some(key)
            }
        };
        targets.push(target(key, write, table, kind, scope)?);
    }
    Ok(targets)
}

fn target(
    key: Option<RowKey>,
    mut write: Write,
    table: &Table,
    kind: WriteKind,
    scope: &Scope,
) -> Result<Target> {
    match (key, kind) {
        (None, WriteKind::Update) => {
            Err(ODataError::bad_payload("Every target of an update must name its row."))
        }
        (None, WriteKind::Create | WriteKind::Upsert) => Ok(Target { id: None, write }),
        (Some(RowKey::Id(id)), _) => {
            check_chosen(table, kind)?;
            Ok(Target { id: Some(id), write })
        }
        (Some(RowKey::Alternate(_)), WriteKind::Create) => {
            Err(ODataError::bad_payload("A row that is created cannot be named by an alternate key."))
        }
        (Some(RowKey::Alternate(key)), WriteKind::Update | WriteKind::Upsert) => {
            let id = scope.names.by_key(table, &key)?;
            if id.is_none() && kind == WriteKind::Update {
                return Err(ODataError::key_not_found(&table.logical_name));
            }
            keep_key(&mut write, &key, id.is_some());
            Ok(Target { id: id.or(write.id), write })
        }
        (Some(RowKey::Behind { .. } | RowKey::Within { .. }), _) => {
            Err(ODataError::bad_payload("A target is named by its own address."))
        }
    }
}

/// What the key of the URL means for a body: on an update its columns are dropped from the body; a new row gets those
/// that the body does not give.
pub fn keep_key(write: &mut Write, key: &AlternateName, exists: bool) {
    for (name, value) in &key.values {
        match (exists, write.values.iter().any(|(given, _)| given == name)) {
            (true, _) => write.values.retain(|(given, _)| given != name),
            (false, true) => {}
            (false, false) => write.values.push((name.clone(), value.clone())),
        }
    }
}

/// Reads `{"value":[{…},…]}`: new rows that stand for a whole collection.
///
/// # Errors
/// As for [`parse_targets`].
pub fn parse_set(body: &[u8], table: &Table, scope: &Scope) -> Result<Vec<Write>> {
    let reader = RowReader::new(scope);
    let mut writes = Vec::new();
    for item in list(body, "value", table)? {
        let object = members(item.get().as_bytes())?;
        check_type(&object, table)?;
        writes.push(reader.read(&object, table, WriteKind::Create, 0)?);
    }
    Ok(writes)
}

fn list<'b>(body: &'b [u8], name: &str, table: &Table) -> Result<Vec<&'b serde_json::value::RawValue>> {
    check_depth(body)?;
    let list = items(member(body, name)?).ok_or_else(|| wrong_type(table, name, "a list of rows"))?;
    match list.len() > TARGETS_MAX {
        true => Err(ODataError::bad_payload(format!("The list holds more than {TARGETS_MAX} rows."))),
        false => Ok(list),
    }
}
