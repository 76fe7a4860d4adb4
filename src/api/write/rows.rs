//! One row: made, changed, found.

use super::related::create;
use super::{Call, Made};
use crate::error::Result;
use crate::model::{EntityRef, FieldEdit, Key, Value, OWNER};
use crate::replica::{Draft, SeenRow};
use flette_odata::alike::{self, Duplicates};
use flette_odata::condition::Condition;
use flette_odata::filter::Filter;
use flette_odata::payload::{check_made_by_id, check_write, Write, WriteKind};
use flette_odata::{rules, ODataError, Row, Table, Uuid};

/// A row that must be there and meet a condition.
pub(super) fn existing(
    draft: &Draft,
    table: &str,
    id: Uuid,
    condition: &Condition,
) -> Result<(Key, SeenRow)> {
    let key = draft.resolve(&Key::new(table, id));
    let seen = draft.row(&key);
    condition.check(table, id, seen.as_ref().map(|s| s.etag.as_str()))?;
    Ok((key, seen.ok_or_else(|| ODataError::row_not_found(table, id))?))
}

/// Changes the row, or makes it where there is none.
pub(super) fn upsert(
    draft: &mut Draft,
    call: Call<'_>,
    (table, id): (&Table, Uuid),
    write: Write,
    condition: &Condition,
) -> Result<(Key, Made)> {
    let name = &table.logical_name;
    let key = draft.resolve(&Key::new(name.clone(), id));
    let changed: Vec<&str> = write.values.iter().map(|(name, _)| name.as_str()).collect();
    let seen = match looked_at(table, call, &changed) {
        Some(columns) => draft.row_with(&key, columns.into_iter()),
        None => draft.row(&key),
    };
    condition.check(name, id, seen.as_ref().map(|s| s.etag.as_str()))?;
    match seen {
        Some(seen) => {
            check_write(table, &write, WriteKind::Update)?;
            change(draft, call, (table, &key), &seen, write.values)?;
            Ok((key, Made::Updated))
        }
        None => {
            check_made_by_id(table, id, &write)?;
            create(draft, call, table, Write { id: Some(key.id), ..write })?;
            Ok((key, Made::Created))
        }
    }
}

/// The columns of a row at which its change looks; `None`: any. Most changes look at a few of 150.
fn looked_at<'n>(table: &Table, call: Call<'_>, changed: &[&'n str]) -> Option<Vec<&'n str>> {
    let compared = alike::may_matter(table, changed, call.duplicates);
    let reckoned = rules::money::is_touched(table, changed.iter().copied());
    if compared || reckoned {
        return None;
    }
    rules::looked_at(table, changed)
}

/// Makes one row, without what comes along with it.
pub(super) fn insert(
    draft: &mut Draft,
    call: Call<'_>,
    (table, key): (&Table, &Key),
    values: Vec<(String, Value)>,
) -> Result<()> {
    if draft.row(key).is_some() {
        return Err(ODataError::duplicate_key().into());
    }
    // A row that has entries and is not seen was deleted, or it went with another. The server makes it anew only after
    // it has heard of that.
    if !draft.entries_of(key).is_empty() || draft.state().is_gone(key) {
        let message = "The row was deleted here. Its id can be used again when the server knows of it.";
        return Err(ODataError::not_implemented(message).into());
    }
    check_targets(draft, call, &values)?;
    let values = resolved(draft, values);
    let owner = values.iter().find_map(|(name, value)| match value {
        Value::Lookup(owner) if name == OWNER => draft.state().unit_of(owner),
        _ => None,
    });
    let (user, unit) = (draft.record.user, owner.unwrap_or(draft.record.business_unit));
    let now = draft.corrected_now().0;
    let mut row = rules::complete_create(table, &draft.schema(), values, key.id, user, unit, now)?;
    draft.follow_money(table, &mut row)?;
    let everything: Vec<&str> = table.columns.iter().map(|column| column.logical_name.as_str()).collect();
    check_alike(draft, call, (table, key), &row, &everything)?;
    draft.create(key.clone(), row);
    Ok(())
}

/// Changes a row that is there.
pub(super) fn change(
    draft: &mut Draft,
    call: Call<'_>,
    (table, key): (&Table, &Key),
    seen: &SeenRow,
    values: Vec<(String, Value)>,
) -> Result<()> {
    check_targets(draft, call, &values)?;
    let cleared: Vec<String> = cleared_links(table, &values).collect();
    let changes = rules::complete_update(table, &seen.row, resolved(draft, values))?;
    draft.check_money((table, key), &seen.row, &changes)?;
    let changed: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
    if alike::may_matter(table, &changed, call.duplicates) {
        let mut row = seen.row.clone();
        row.extend(changes.iter().cloned());
        check_alike(draft, call, (table, key), &row, &changed)?;
    }
    let written =
        changes.into_iter().filter(|(name, _)| table.column(name).is_some_and(|c| c.valid_for_update));
    let edits = written.map(|(name, new)| {
        let old = seen.row.get(&name).cloned().unwrap_or_default();
        FieldEdit { name, old, new }
    });
    let mut edits: Vec<FieldEdit> = edits.collect();
    // Such a link may not be shown already, since its row is being deleted, and come back.
    for name in cleared {
        if edits.iter().all(|edit| edit.name != name) {
            edits.push(FieldEdit { name, old: Value::Null, new: Value::Null });
        }
    }
    draft.update(key, edits);
    Ok(())
}

/// Links that are written as leading nowhere.
fn cleared_links<'v>(table: &'v Table, values: &'v [(String, Value)]) -> impl Iterator<Item = String> + 'v {
    let is_link = |name: &str| table.column(name).is_some_and(|c| c.is_lookup() && c.valid_for_update);
    let cleared = values.iter().filter(move |(name, value)| value.is_null() && is_link(name));
    cleared.map(|(name, _)| name.clone())
}

/// Refuses a row that has the values of another's alternate key, or resembles another one where the caller asks that.
/// Where rows are missing here, the server has the last word on keys; what resembles what cannot be told then.
fn check_alike(
    draft: &Draft,
    call: Call<'_>,
    (table, key): (&Table, &Key),
    row: &Row,
    changed: &[&str],
) -> Result<()> {
    let name = &table.logical_name;
    let others = |filter: &Filter| draft.ids_where(name, filter).iter().any(|id| *id != key.id);
    for (alternate, filter) in alike::keys(table, row, changed) {
        if others(&filter) {
            return Err(ODataError::key_taken(name, &alternate.name).into());
        }
    }
    if call.duplicates == Duplicates::Allowed {
        return Ok(());
    }
    let rules = alike::duplicates(table, row, changed);
    if !rules.is_empty() && !draft.cursor(name).holds_all() {
        return Err(ODataError::not_implemented("The search for duplicates is not available offline.").into());
    }
    match rules.iter().any(others) {
        true => Err(alike::duplicate().into()),
        false => Ok(()),
    }
}

/// Ids as the replica keeps them.
fn resolved(draft: &Draft, values: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let resolve = |value: Value| match value {
        Value::Lookup(to) => {
            let id = draft.target(&to);
            Value::Lookup(EntityRef { table: to.table, id })
        }
        other => other,
    };
    values.into_iter().map(|(name, value)| (name, resolve(value))).collect()
}

/// Lookups must point to rows that are there, as far as the replica holds every row of the target table; and to none that
/// was deleted here, whatever is missing: what points to it goes with it.
fn check_targets(draft: &Draft, call: Call<'_>, values: &[(String, Value)]) -> Result<()> {
    for (_, value) in values {
        let Value::Lookup(target) = value else { continue };
        let complete = draft.cursor(&target.table).holds_all() && call.door.covers(&target.table);
        let key = draft.resolve(&Key::new(target.table.clone(), target.id));
        let deleted_here = || !draft.entries_of(&key).is_empty() || draft.state().is_gone(&key);
        if draft.row(&key).is_none() && (complete || deleted_here()) {
            return Err(ODataError::row_not_found(&target.table, target.id).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flette_odata::{ColumnKind, Schema};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static SCHEMA: LazyLock<Schema> = LazyLock::new(flette_server::schema::schema);

    /// One of a few values of a column; states and their reasons among those that fit, and that do not.
    fn value(kind: &ColumnKind, pick: u8) -> Value {
        let number = i64::from(pick % 6);
        match kind {
            _ if pick % 7 == 0 => Value::Null,
            ColumnKind::State { .. } | ColumnKind::Status { .. } | ColumnKind::Picklist { .. } => {
                Value::Int(number)
            }
            ColumnKind::Boolean { .. } => Value::Bool(number % 2 == 0),
            ColumnKind::Lookup { .. } => {
                let table = ["systemuser", "team"][usize::from(pick % 2)].to_owned();
                Value::Lookup(EntityRef { table, id: Uuid::from_u128(u128::from(pick % 3)) })
            }
            _ => Value::Text(format!("v{number}")),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn what_a_change_does_not_look_at_changes_nothing(
            table in any::<prop::sample::Index>(),
            picks in prop::collection::vec(any::<u8>(), 300),
            changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let table = table.get(&SCHEMA.tables);
            let pick = |at: usize| picks[at % picks.len()];
            let columns = table.columns.iter().enumerate();
            let row: Row = columns
                .filter(|(at, _)| pick(at + 7) % 11 != 0)
                .map(|(at, column)| (column.logical_name.clone(), value(&column.kind, pick(at))))
                .collect();
            let special = ["statecode", "statuscode", "ownerid"].iter().filter_map(|name| table.column(name));
            let writable: Vec<_> = special.chain(table.columns.iter().filter(|c| c.valid_for_update)).collect();
            prop_assume!(!writable.is_empty());
            let values: std::collections::BTreeMap<String, Value> = changed
                .iter()
                .map(|(at, pick)| (at.get(&writable), *pick))
                .map(|(column, pick)| (column.logical_name.clone(), value(&column.kind, pick)))
                .collect();
            let names: Vec<&str> = values.keys().map(String::as_str).collect();
            let Some(looked_at) = rules::looked_at(table, &names) else { return Ok(()) };
            let part: Row = row
                .iter()
                .filter(|(name, _)| looked_at.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let written = |row: &Row| {
                let mut changes = rules::complete_update(table, row, values.clone().into_iter().collect())?;
                changes.retain(|(name, _)| table.column(name).is_some_and(|column| column.valid_for_update));
                Ok::<_, ODataError>(changes)
            };
            prop_assert_eq!(written(&part), written(&row));
        }
    }
}
