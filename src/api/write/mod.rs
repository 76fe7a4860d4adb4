//! Writes: checked as the server checks them, then journalled. The answer goes out only when the entries are durable.

mod gate;
mod links;
mod multiple;
mod related;
mod rows;

pub(super) use gate::not_here;

use super::names::{self, KnownNames};
use super::read::Reader;
use super::Door;
use crate::error::{Error, Result};
use crate::model::{EntityRef, Key};
use crate::replica::{Draft, Replica, SeenRow, State};
use crate::store::{Durability, Store};
use flette_odata::alike::Duplicates;
use flette_odata::operation::Operation;
use flette_odata::payload::WriteKind;
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::{ODataError, Request, Response, Schema, Table, Uuid};
use links::{pair, set_reference};
use related::{create, replace_set};
use rows::{change, existing, upsert};
use std::cell::Cell;

/// What a write is carried out with, besides the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    door: Door<'a>,
    duplicates: Duplicates,
}

/// Answers one write by a transaction of its own.
pub(super) async fn answer<S: Store>(
    replica: &Replica<S>,
    request: &Request,
    door: Door<'_>,
    root: &str,
) -> Result<Response> {
    let tables: Vec<&str> = door.scope.iter().map(String::as_str).collect();
    let decide = |draft: &mut Draft| apply(draft, request, (door, root), &|_| None);
    let done = replica.transact(door.now, Durability::Strict, &tables, decide).await?;
    Ok(respond(&replica.state(), &done, (door, root)))
}

/// What a write came to, before it is rendered.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// The row it made or changed, which `$1` means in a change set.
    pub(super) row: Option<EntityRef>,
    reply: Reply,
}

#[derive(Debug, Clone)]
enum Reply {
    /// Nothing to be said.
    Quiet,
    /// One row.
    Row(Box<RowReply>),
    /// The ids of new rows.
    Ids(Vec<Uuid>),
}

#[derive(Debug, Clone)]
struct RowReply {
    key: Key,
    /// The row as this write left it, where it is to be answered: a later one of the same change set may change it again.
    seen: Option<SeenRow>,
    /// The alternate key by which the request names it.
    url_key: Option<String>,
    made: Made,
    query: Query,
    prefer: Prefer,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Created,
    Updated,
}

/// Reads a request by what the draft knows, and drafts what it asks for. `content` tells what `$1` means.
///
/// # Errors
/// What the server would refuse, with its status and code; 501 for what is not the replica's to do.
pub(super) fn apply(
    draft: &mut Draft,
    request: &Request,
    (door, root): (Door<'_>, &str),
    content: &dyn Fn(&str) -> Option<EntityRef>,
) -> Result<Done> {
    let schema = draft.schema();
    let find = |table: &str, filter: &_| draft.ids_where(table, filter);
    let row = |key: &Key| draft.row(key);
    let known_names =
        KnownNames { state: draft.state(), door, find: &find, row: &row, content, denied: Cell::default() };
    let operation = names::read(request, root, &known_names)?;
    if !operation.is_write() {
        let message = "A change set holds only requests that change rows.";
        return Err(ODataError::bad_payload(message).into());
    }
    let known = |key: &Key| draft.row(key).is_some() || !draft.entries_of(&draft.resolve(key)).is_empty();
    if let Some(reason) = not_here(draft.state(), &operation, door, &known) {
        return Err(Error::Refused(reason));
    }
    let call = Call { door, duplicates: Duplicates::asked(request) };
    carry_out(draft, call, &schema, operation)
}

fn carry_out(draft: &mut Draft, call: Call<'_>, schema: &Schema, operation: Operation) -> Result<Done> {
    match operation {
        Operation::Create { table, url_key, write, query, prefer } => {
            let key = create(draft, call, table_for(schema, &table)?, write)?;
            Ok(written(draft, key, Made::Created, url_key, (query, prefer)))
        }
        Operation::Update { table, id, url_key, write, condition, prefer, query } => {
            let (key, made) = upsert(draft, call, (table_for(schema, &table)?, id), write, &condition)?;
            Ok(written(draft, key, made, url_key, (query, prefer)))
        }
        Operation::SetProperty { table, id, column, value, condition } => {
            let (key, seen) = existing(draft, &table, id, &condition)?;
            change(draft, call, (table_for(schema, &table)?, &key), &seen, vec![(column, value)])?;
            Ok(quiet(key))
        }
        Operation::SetReference { table, id, navigation, target, taken_from } => {
            let links = (target.as_ref(), taken_from.as_ref());
            set_reference(draft, call, (table_for(schema, &table)?, id), &navigation, links).map(quiet)
        }
        Operation::Pair { table, id, collection, other, change } => {
            pair(draft, (table_for(schema, &table)?, id), &collection, (&other, change))?;
            Ok(quiet(Key::new(table, id)))
        }
        Operation::ReplaceSet { table, id, collection, writes, condition } => {
            let table = table_for(schema, &table)?;
            let work =
                |draft: &mut Draft| replace_set(draft, call, (table, id), &collection, (writes, &condition));
            draft.whole(work).map(quiet)
        }
        Operation::Multiple { table, kind, targets } => {
            let ids = multiple::carry_out(draft, call, table_for(schema, &table)?, kind, targets)?;
            let reply = match kind {
                WriteKind::Create => Reply::Ids(ids),
                // The service answers both without a body.
                WriteKind::Update | WriteKind::Upsert => Reply::Quiet,
            };
            Ok(Done { row: None, reply })
        }
        Operation::Delete { table, id, condition } => {
            let (key, _) = existing(draft, &table, id, &condition)?;
            draft.check_delete(&key)?;
            draft.delete(&key);
            Ok(Done { row: None, reply: Reply::Quiet })
        }
        _ => Err(ODataError::not_implemented("The request is no write.").into()),
    }
}

fn quiet(key: Key) -> Done {
    Done { row: Some(EntityRef { table: key.table, id: key.id }), reply: Reply::Quiet }
}

fn written(
    draft: &Draft,
    key: Key,
    made: Made,
    url_key: Option<String>,
    (query, prefer): (Query, Prefer),
) -> Done {
    let row = Some(EntityRef { table: key.table.clone(), id: key.id });
    // A row of a large mirror is unpacked for this: only for who asked for it.
    let seen = if prefer.representation { draft.row(&key) } else { None };
    Done { row, reply: Reply::Row(Box::new(RowReply { key, seen, url_key, made, query, prefer })) }
}

fn table_for<'s>(schema: &'s Schema, name: &str) -> Result<&'s Table> {
    Ok(schema.table(name).ok_or_else(|| ODataError::segment_not_found(name))?)
}

/// The answer to a write that has become durable. It stands, so whatever keeps the row that was asked for from being shown is
/// no error: then the answer says where it is, as when it was not asked for.
pub(super) fn respond(state: &State, done: &Done, (door, root): (Door<'_>, &str)) -> Response {
    let RowReply { key, seen, url_key, made, query, prefer } = match &done.reply {
        Reply::Quiet => return Response::empty(204),
        Reply::Ids(ids) => return created(root, ids),
        Reply::Row(row) => row.as_ref(),
    };
    if let Some(seen) = seen {
        let status = match made {
            Made::Created => 201,
            Made::Updated => 200,
        };
        let reader = Reader { state, root, now: door.now };
        if let Ok(response) = reader.entity(&key.table, seen, query, prefer, status) {
            return response;
        }
    }
    let set = state.schema.table(&key.table).map_or("", |table| table.set_name.as_str());
    let url = match url_key {
        Some(text) => format!("{root}{set}({text})"),
        None => format!("{root}{set}({})", key.id),
    };
    Response::empty(204).header("OData-EntityId", url)
}

fn created(root: &str, ids: &[Uuid]) -> Response {
    let context = format!("{root}$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse");
    let body = serde_json::json!({"@odata.context": context, "Ids": ids});
    Response::json(200, body.to_string().into_bytes())
}
