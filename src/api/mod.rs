//! The front door: Dataverse Web API requests answered from the replica.
//!
//! A request is read once ([`flette_odata::operation`]); reads run over the replica, writes become one transaction on
//! its journal. What the replica cannot answer exactly is handed back as [`Answer::Elsewhere`], with what to say when the
//! network cannot answer either.

mod batch;
mod names;
mod read;
mod scope;
mod write;

use crate::error::Result;
use crate::model::{Key, Millis};
use crate::replica::{Replica, State};
use crate::store::Store;
use flette_odata::answer::Page;
use flette_odata::operation::Operation;
use flette_odata::ordered;
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::{ODataError, Request, Response, Schema, Uuid};
use names::KnownNames;
use std::cell::Cell;

/// An answer, or the reason why the replica has none.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Final.
    Here(Response),
    /// Only the server can tell for sure; without it, this is the answer.
    Elsewhere(Response),
}

/// What the front door needs to know besides the request.
#[derive(Debug, Clone, Copy)]
pub struct Door<'a> {
    /// Path or absolute URL of the API, ending in `/`.
    pub root: &'a str,
    /// Logical names of the tables that are offline.
    pub scope: &'a [String],
    /// Device time.
    pub now: Millis,
}

impl Door<'_> {
    /// The root as the request names it: absolute when its URL is.
    fn root_for(&self, url: &str) -> String {
        match url.find("://").and_then(|at| url[at + 3..].find('/').map(|slash| at + 3 + slash)) {
            Some(path) if self.root.starts_with('/') => format!("{}{}", &url[..path], self.root),
            _ => self.root.to_owned(),
        }
    }

    fn covers(&self, table: &str) -> bool {
        self.scope.iter().any(|name| name == table)
    }
}

/// Answers one request.
pub async fn answer<S: Store>(replica: &Replica<S>, request: &Request, door: Door<'_>) -> Answer {
    if let Err(error) = request.check_content_type() {
        return Answer::Here(error.to_response());
    }
    let tables: Vec<&str> = door.scope.iter().map(String::as_str).collect();
    let answered = match replica.load(&tables).await {
        Ok(()) => route(replica, request, door).await,
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| Answer::Here(error.to_odata().to_response()))
}

async fn route<S: Store>(replica: &Replica<S>, request: &Request, door: Door<'_>) -> Result<Answer> {
    let schema = replica.state().schema.clone();
    let root = door.root_for(&request.url);
    let operation = match parse(&replica.state(), request, door, &root) {
        Ok(operation) => operation,
        Err(Unread::Denied(error)) => return Ok(Answer::Here(error.to_response())),
        Err(Unread::Unknown(error)) => {
            let state = replica.state();
            // The server does not know what waits here.
            let waits =
                error.status == 501 && !state.record.left_out.names.is_empty() && !state.journal.is_empty();
            return Ok(match waits && request.method != flette_odata::Method::Get {
                true => Answer::Here(error.to_response()),
                false => unreadable(request, &schema, error),
            });
        }
    };
    if let Some(reason) = not_here(&replica.state(), &operation, door, &|key| is_known(&replica.state(), key))
    {
        return Ok(Answer::Elsewhere(reason.to_response()));
    }
    match operation {
        Operation::Batch(items) => batch::answer(replica, request, items, door, &root).await,
        operation if operation.is_write() => {
            let response = write::answer(replica, request, door, &root).await;
            Ok(Answer::Here(response.unwrap_or_else(|error| error.to_odata().to_response())))
        }
        operation => Ok(read::answer(&replica.state(), &operation, door, &root, &request.url)),
    }
}

/// Why a request could not be read.
enum Unread {
    /// It names a row by a path that leads nowhere.
    Denied(ODataError),
    /// The replica's schema makes no sense of it.
    Unknown(ODataError),
}

/// Reads a request by what the replica knows at this moment.
fn parse(
    state: &State,
    request: &Request,
    door: Door<'_>,
    root: &str,
) -> std::result::Result<Operation, Unread> {
    let find =
        |table: &str, filter: &_| -> Vec<Uuid> { ordered::list(state.ids_where(table, filter), Ord::cmp) };
    let row = |key: &Key| state.row(key);
    let names =
        KnownNames { state, door, find: &find, row: &row, content: &|_| None, denied: Cell::default() };
    names::read(request, root, &names).map_err(|error| match names.denied.get() {
        true => Unread::Denied(error),
        false => Unread::Unknown(error),
    })
}

/// A request that cannot be read by the replica's schema. A read may still mean something to the server, whose schema
/// may be newer, and so may what is beyond the replica; a write that the schema refuses is refused.
fn unreadable(request: &Request, schema: &Schema, error: ODataError) -> Answer {
    let is_read = request.method == flette_odata::Method::Get;
    if error.is_key_not_found() {
        return Answer::Here(error.to_response());
    }
    if schema.tables.is_empty() || is_read || error.status == 501 || error.status == 404 {
        Answer::Elsewhere(offline_error(schema, error).to_response())
    } else {
        Answer::Here(error.to_response())
    }
}

/// What is said offline: an unknown set may well exist on the server, so "not found" would be a guess.
fn offline_error(schema: &Schema, error: ODataError) -> ODataError {
    match error.status {
        404 if schema.tables.is_empty() => not_synced(),
        404 => ODataError::not_implemented(format!("{} It is not available offline.", error.message)),
        _ => error,
    }
}

/// The row may well be there: "not found" would be a guess.
fn not_synced_yet(table: &str) -> ODataError {
    ODataError::not_implemented(format!(
        "The row of '{table}' was not synchronised yet and is not available offline."
    ))
}

fn not_synced() -> ODataError {
    ODataError::not_implemented("Nothing has been synchronised yet, so nothing is available offline.")
}

/// Why an operation is none of the replica's.
///
/// A row that is `known` has been seen or changed here. Of any other the replica says nothing before it has all rows.
fn not_here(
    state: &State,
    operation: &Operation,
    door: Door<'_>,
    known: &dyn Fn(&Key) -> bool,
) -> Option<ODataError> {
    let beyond = |what: &str| Some(ODataError::not_implemented(format!("{what} is not available offline.")));
    if let Some(reason) = scope::whole_rows(state, operation) {
        return Some(reason);
    }
    match operation {
        Operation::Batch(_) | Operation::Service | Operation::Metadata | Operation::Definitions { .. } => {
            None
        }
        Operation::WhoAmI => None,
        Operation::Function { name, .. } => beyond(&format!("The function {name}")),
        Operation::ReadCollection { query, prefer, .. } if is_tracked(query, prefer) => {
            beyond("Change tracking")
        }
        Operation::ReadCollection { table, .. } => table_not_here(state, table, door),
        Operation::Count { table, query } => match query.delta_token {
            Some(_) => beyond("Change tracking"),
            None => table_not_here(state, table, door),
        },
        Operation::ReadRow { table, id, .. }
        | Operation::ReadProperty { table, id, .. }
        | Operation::ReadNavigation { table, id, .. }
        | Operation::ReadReference { table, id, .. }
        | Operation::ReadRelated { table, id, .. }
        | Operation::CountRelated { table, id, .. } => table_not_here(state, table, door).or_else(|| {
            let missing = !is_complete(state, table) && !known(&Key::new(table.clone(), *id));
            missing.then(|| match state.is_narrow(table) {
                true => scope::outside(table),
                false => not_synced_yet(table),
            })
        }),
        write => write::not_here(state, write, door, known),
    }
}

/// Whether a list is about changes: asked for as such, or a further page of one.
fn is_tracked(query: &Query, prefer: &Prefer) -> bool {
    let further = query.skip_token.as_deref().map(Page::read);
    prefer.track_changes || query.delta_token.is_some() || matches!(further, Some(Ok(Page::Changes(_))))
}

fn table_not_here(state: &State, table: &str, door: Door<'_>) -> Option<ODataError> {
    let pulled = state.tables.get(table).is_some_and(|t| t.cursor.has_begun());
    if door.covers(table) && pulled {
        return None;
    }
    Some(ODataError::not_implemented(format!("The table '{table}' is not available offline.")))
}

/// Whether a row was seen, or changed, here.
fn is_known(state: &State, key: &Key) -> bool {
    state.is_known(key)
}

/// Whether every row of the table that the user may see is in the replica.
fn is_complete(state: &State, table: &str) -> bool {
    state.is_complete(table)
}
