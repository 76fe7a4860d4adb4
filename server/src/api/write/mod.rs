//! Writes: create, update, upsert, delete with its cascades, links. Each runs inside one transaction of its
//! caller.

mod changes;
mod delete;
mod duplicates;
mod links;
mod money;
mod multiple;
mod related;
mod rows;

use super::source::Rows;
use super::{rights, row_url, table_for, Call};
use crate::customize;
use crate::db::rows::Sight;
use crate::db::sessions::Caller;
use crate::db::Writer;
use crate::rights::Verb;
use delete::delete;
use flette_odata::answer::{applied, entity, Stored};
use flette_odata::condition::Condition;
use flette_odata::error::Result;
use flette_odata::operation::Operation;
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::rules::complete_create;
use flette_odata::{EntityRef, ODataError, Response, Row, Table, Uuid, Value};
use links::{pair, set_reference};
use related::{create, replace_set};
use rows::{change, existing, insert, upsert, Edit};

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
        Operation::Create { table, url_key, write, query, prefer } => {
            let row = Named { table: table_for(writer, &table)?, url_key };
            let id = create(writer, call, row.table, write)?;
            written(writer, call, (&row, id), (&query, &prefer), Made::Created)
        }
        Operation::Update { table, id, url_key, write, condition, prefer, query } => {
            let row = Named { table: table_for(writer, &table)?, url_key };
            let made = upsert(writer, call, (row.table, id), write, &condition)?;
            written(writer, call, (&row, id), (&query, &prefer), made)
        }
        Operation::SetProperty { table, id, column, value, condition } => {
            let table = table_for(writer, &table)?;
            let current = existing(writer, call, table, id, &condition)?;
            change(writer, call, (table, id), &current, Edit::of(vec![(column, value)]))?;
            Ok(quiet(table, id))
        }
        Operation::SetReference { table, id, navigation, target, taken_from } => {
            let table = table_for(writer, &table)?;
            set_reference(writer, call, (table, id), &navigation, (target, taken_from))?;
            Ok(quiet(table, id))
        }
        Operation::Pair { table, id, collection, other, change } => {
            let table = table_for(writer, &table)?;
            pair(writer, call, (table, id), &collection, (&other, change))?;
            Ok(quiet(table, id))
        }
        Operation::ReplaceSet { table, id, collection, writes, condition } => {
            let table = table_for(writer, &table)?;
            replace_set(writer, call, (table, id), &collection, (writes, &condition))?;
            Ok(quiet(table, id))
        }
        Operation::Multiple { table, kind, targets } => {
            multiple::carry_out(writer, call, table_for(writer, &table)?, kind, targets)
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

/// What became of a row.
#[derive(Debug)]
enum Made {
    Created,
    Updated,
    /// From the version that the request named, by writing these columns.
    UpdatedFrom {
        before: Row,
        columns: Vec<String>,
    },
}

/// A table, and the alternate key by which the request names a row of it.
struct Named<'t> {
    table: &'t Table,
    url_key: Option<String>,
}

/// An answer without a body.
fn quiet(table: &Table, id: Uuid) -> Effect {
    Effect { response: Response::empty(204), row: Some(reference(table, id)) }
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
    insert(writer, call, (table, id), Edit::of(values))
}

/// The answer to a create or update.
fn written(
    writer: &Writer,
    call: &Call,
    (named, id): (&Named, Uuid),
    (query, prefer): (&Query, &Prefer),
    made: Made,
) -> Result<Effect> {
    let table = named.table;
    let response = if prefer.representation {
        match made {
            Made::UpdatedFrom { before, columns } if changes::may_tell(call, table, query, prefer) => {
                changes::respond(writer, call, (table, id), (before, &columns), prefer)?
            }
            Made::Created => represented(writer, call, (table, id), (query, prefer), 201)?,
            Made::Updated | Made::UpdatedFrom { .. } => {
                represented(writer, call, (table, id), (query, prefer), 200)?
            }
        }
    } else {
        let url = match &named.url_key {
            Some(key) => format!("{}{}({key})", call.root, table.set_name),
            None => row_url(call.root, table, id),
        };
        Response::empty(204).header("OData-EntityId", url)
    };
    Ok(Effect { response, row: Some(reference(table, id)) })
}

/// The row as it is now.
fn represented(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    (query, prefer): (&Query, &Prefer),
    status: u16,
) -> Result<Response> {
    let stored = writer.row(table, id, &Sight::Everything)?;
    let stored = stored.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))?;
    let stored = Stored { etag: stored.etag(), row: stored.row };
    let source = Rows::new(writer, call);
    let body = entity(&source, call.root, table, &stored, (query, prefer))?;
    Ok(applied(Response::json(status, body).header("ETag", stored.etag), prefer))
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
    change(writer, call, (table, id), &current, Edit::of(values)).map(drop)
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
    money::follow(writer, table, &mut row)?;
    finish(&mut row);
    writer.insert(table, &row).map(drop)
}

fn reference(table: &Table, id: Uuid) -> EntityRef {
    EntityRef { table: table.logical_name.clone(), id }
}
