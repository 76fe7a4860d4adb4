//! Writes: checked as the server checks them, then journalled. The answer goes out only when the entry is durable.

use super::read::Reader;
use super::Door;
use crate::error::Result;
use crate::model::{EntityRef, FieldEdit, Key, Value};
use crate::replica::{Draft, Replica, SeenRow};
use crate::store::{Durability, Store};
use flette_odata::condition::Condition;
use flette_odata::operation::Operation;
use flette_odata::payload::{check_write, WriteKind};
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::{rules, ODataError, Response, Table};
use uuid::Uuid;

/// Answers one write by a transaction of its own.
pub(super) async fn answer<S: Store>(
    replica: &Replica<S>,
    operation: &Operation,
    door: Door<'_>,
    root: &str,
) -> Result<Response> {
    let tables: Vec<&str> = door.scope.iter().map(String::as_str).collect();
    let done = replica
        .transact(door.now, Durability::Strict, &tables, |draft| apply(draft, operation, door))
        .await?;
    respond(&replica.state(), &done, root)
}

/// What a write came to, before it is rendered.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// The row.
    pub(super) key: Key,
    /// The row as this write left it: a later one of the same change set may change it again.
    seen: Option<SeenRow>,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
enum Outcome {
    Created { query: Query, prefer: Prefer },
    Updated { query: Query, prefer: Prefer },
    Quiet,
}

/// Drafts one write.
///
/// # Errors
/// What the server would refuse, with its status and code.
pub(super) fn apply(draft: &mut Draft, operation: &Operation, door: Door<'_>) -> Result<Done> {
    let (key, outcome) = carry_out(draft, operation, door)?;
    let seen = draft.row(&key);
    Ok(Done { key, seen, outcome })
}

fn carry_out(draft: &mut Draft, operation: &Operation, door: Door<'_>) -> Result<(Key, Outcome)> {
    let schema = draft.schema();
    let find = |name: &str| schema.table(name).ok_or_else(|| ODataError::segment_not_found(name));
    match operation {
        Operation::Create { table, write, query, prefer, .. } => {
            let id = write.id.unwrap_or_else(|| draft.new_id());
            let key = Key::new(table.clone(), id);
            create(draft, find(table)?, &key, write.values.clone(), door)?;
            Ok((key, Outcome::Created { query: query.clone(), prefer: prefer.clone() }))
        }
        Operation::Update { table, id, write, condition, prefer, query, .. } => {
            let key = draft.resolve(&Key::new(table.clone(), *id));
            let seen = draft.row(&key);
            condition.check(table, *id, seen.as_ref().map(|s| s.etag.as_str()))?;
            let (query, prefer) = (query.clone(), prefer.clone());
            let Some(seen) = seen else {
                check_write(find(table)?, write, WriteKind::Create)?;
                create(draft, find(table)?, &key, write.values.clone(), door)?;
                return Ok((key, Outcome::Created { query, prefer }));
            };
            check_write(find(table)?, write, WriteKind::Update)?;
            update(draft, find(table)?, &key, &seen, write.values.clone(), door)?;
            Ok((key, Outcome::Updated { query, prefer }))
        }
        Operation::SetProperty { table, id, column, value, condition } => {
            let (key, seen) = existing(draft, table, *id, condition)?;
            update(draft, find(table)?, &key, &seen, vec![(column.clone(), value.clone())], door)?;
            Ok((key, Outcome::Quiet))
        }
        Operation::SetReference { table, id, navigation, target, taken_from } => {
            let (key, seen) = existing(draft, table, *id, &Condition::None)?;
            let definition = find(table)?;
            let unknown = || ODataError::segment_not_found(navigation);
            let (column, targets) = definition.navigation(navigation).ok_or_else(unknown)?;
            if let (None, Some(Value::Lookup(to))) = (target, seen.row.get(&column.logical_name)) {
                // The lookup points to another target of the same column: this link is not there to be removed.
                if targets.iter().all(|t| t.table != to.table) {
                    return Ok((key, Outcome::Quiet));
                }
            }
            if let (Some(from), present) = (taken_from, seen.row.get(&column.logical_name)) {
                let from = draft.resolve(&Key::new(from.table.clone(), from.id));
                let here = |to: &EntityRef| draft.resolve(&Key::new(to.table.clone(), to.id)) == from;
                if !matches!(present, Some(Value::Lookup(to)) if here(to)) {
                    return Ok((key, Outcome::Quiet));
                }
            }
            let value = target.clone().map_or(Value::Null, Value::Lookup);
            update(draft, definition, &key, &seen, vec![(column.logical_name.clone(), value)], door)?;
            Ok((key, Outcome::Quiet))
        }
        Operation::Delete { table, id, condition } => {
            let (key, _) = existing(draft, table, *id, condition)?;
            draft.delete(&key);
            Ok((key, Outcome::Quiet))
        }
        _ => Err(ODataError::not_implemented("The request is no write.").into()),
    }
}

fn existing(draft: &Draft, table: &str, id: Uuid, condition: &Condition) -> Result<(Key, SeenRow)> {
    let key = draft.resolve(&Key::new(table, id));
    let seen = draft.row(&key);
    condition.check(table, id, seen.as_ref().map(|s| s.etag.as_str()))?;
    Ok((key, seen.ok_or_else(|| ODataError::row_not_found(table, id))?))
}

fn create(
    draft: &mut Draft,
    table: &Table,
    key: &Key,
    values: Vec<(String, Value)>,
    door: Door<'_>,
) -> Result<()> {
    if draft.row(key).is_some() {
        return Err(ODataError::duplicate_key().into());
    }
    // A row that has entries and is not seen was deleted, or it went with another: its id never comes back.
    if !draft.entries_of(key).is_empty() || draft.state().is_gone(key) {
        return Err(ODataError::row_not_found(&key.table, key.id).into());
    }
    check_targets(draft, &values, door)?;
    let now = draft.corrected_now().0;
    let (user, unit) = (draft.record.user, draft.record.business_unit);
    let mut row =
        rules::complete_create(table, &draft.schema(), resolved(draft, values), key.id, user, unit, now)?;
    draft.follow_money(table, &mut row)?;
    draft.create(key.clone(), row);
    Ok(())
}

fn update(
    draft: &mut Draft,
    table: &Table,
    key: &Key,
    seen: &SeenRow,
    values: Vec<(String, Value)>,
    door: Door<'_>,
) -> Result<()> {
    check_targets(draft, &values, door)?;
    let changed = rules::complete_update(table, &seen.row, resolved(draft, values))?;
    draft.check_money((table, key), &seen.row, &changed)?;
    let written =
        changed.into_iter().filter(|(name, _)| table.column(name).is_some_and(|c| c.valid_for_update));
    let edits = written.map(|(name, new)| {
        let old = seen.row.get(&name).cloned().unwrap_or_default();
        FieldEdit { name, old, new }
    });
    draft.update(key, edits.collect());
    Ok(())
}

/// Ids as the replica keeps them.
fn resolved(draft: &Draft, values: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let resolve = |value: Value| match value {
        Value::Lookup(to) => {
            let id = draft.resolve(&Key::new(to.table.clone(), to.id)).id;
            Value::Lookup(EntityRef { table: to.table, id })
        }
        other => other,
    };
    values.into_iter().map(|(name, value)| (name, resolve(value))).collect()
}

/// Lookups must point to rows that are there, as far as the replica holds every row of the target table.
fn check_targets(draft: &Draft, values: &[(String, Value)], door: Door<'_>) -> Result<()> {
    for (_, value) in values {
        let Value::Lookup(target) = value else { continue };
        let complete = draft.cursor(&target.table).complete && door.covers(&target.table);
        if complete && draft.row(&Key::new(target.table.clone(), target.id)).is_none() {
            return Err(ODataError::row_not_found(&target.table, target.id).into());
        }
    }
    Ok(())
}

/// The answer to a write that has become durable (or, inside a change set, will be before anybody sees the answer).
pub(super) fn respond(state: &crate::replica::State, done: &Done, root: &str) -> Result<Response> {
    let set = state.schema.table(&done.key.table).map_or("", |t| t.set_name.as_str());
    let id = format!("{root}{set}({})", done.key.id);
    let (status, query, prefer) = match &done.outcome {
        Outcome::Quiet => return Ok(Response::empty(204)),
        Outcome::Created { query, prefer } => (201, query, prefer),
        Outcome::Updated { query, prefer } => (200, query, prefer),
    };
    match &done.seen {
        Some(seen) if prefer.representation => {
            let reader = Reader { state, root, url: "" };
            Ok(reader.entity(&done.key.table, seen, query, prefer, status)?)
        }
        _ => Ok(Response::empty(204).header("OData-EntityId", id)),
    }
}
