//! Reads: answered from the replica's rows in the shapes that the wire format gives them.

use super::{Answer, Door};
use crate::model::Millis;
use crate::replica::{SeenRow, State, View};
use flette_odata::answer::{self, applied, Stored};
use flette_odata::error::Result;
use flette_odata::operation::Operation;
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::{metadata, ODataError, Response};

/// Answers a read whose tables are loaded.
pub(super) fn answer(state: &State, operation: &Operation, door: Door<'_>, root: &str, url: &str) -> Answer {
    match operation {
        Operation::Service => {
            Answer::Here(Response::json(200, metadata::service_document(&state.schema, root)))
        }
        Operation::Metadata => Answer::Here(document(state, url)),
        Operation::WhoAmI => Answer::Elsewhere(who_am_i(state, root)),
        Operation::Definitions { path, options } => {
            match metadata::definitions(&state.schema, path, options, root) {
                Ok(body) => Answer::Here(Response::json(200, body)),
                Err(error) => Answer::Elsewhere(super::offline_error(&state.schema, error).to_response()),
            }
        }
        rows => read_rows(state, rows, door, root, url),
    }
}

fn read_rows(state: &State, operation: &Operation, door: Door<'_>, root: &str, url: &str) -> Answer {
    let here = |table: &str| super::table_not_here(state, table, door).is_none();
    let view = View::new(state, &here, door.now);
    super::scope::lacking_columns(state, operation).into_iter().for_each(|table| view.lacks(table));
    let answered = answer::check_supported(operation).and_then(|()| {
        let beyond = || ODataError::not_implemented("The request is not available offline.");
        answer::respond(&view, root, url, operation)?.ok_or_else(beyond)
    });
    match answered {
        Ok(response) => {
            let response = mark_incomplete(&view, response);
            match super::scope::better_there(state, operation, &view) {
                true => Answer::Elsewhere(response),
                false => Answer::Here(response),
            }
        }
        // A query in FetchXML is read late; as for any other read, the server's schema may be newer.
        Err(error) if error.status == 400 && is_fetch(operation) => {
            Answer::Elsewhere(unknown_there(super::scope::explained(state, error)).to_response())
        }
        // A table of which the replica knows nothing: that of a view, or one that a lookup leads to.
        Err(error) if error.status == 404 && error.code == UNKNOWN_SEGMENT => {
            Answer::Elsewhere(super::offline_error(&state.schema, error).to_response())
        }
        // The next link may be of a server that says in words of its own where a list goes on.
        Err(error) if error.code == BAD_SKIP_TOKEN => Answer::Elsewhere(error.to_response()),
        // Of rows that are not here only the server can tell.
        Err(error) if error.status == 404 && view.has_missed() => {
            let narrow = view.lacking().into_iter().find(|table| state.is_narrow(table));
            Answer::Elsewhere(narrow.map_or(error, |table| super::scope::outside(&table)).to_response())
        }
        Err(error) if error.status == 501 => Answer::Elsewhere(error.to_response()),
        Err(error) => Answer::Here(mark_incomplete(&view, error.to_response())),
    }
}

fn is_fetch(operation: &Operation) -> bool {
    operation.query().is_some_and(|query| query.fetch.is_some() || query.saved.is_some())
}

/// What is said offline of a query that the replica's schema makes no sense of.
fn unknown_there(error: ODataError) -> ODataError {
    match error.code.as_str() {
        UNKNOWN_TABLE => {
            ODataError::not_implemented(format!("{} It is not available offline.", error.message))
        }
        _ => error,
    }
}

/// Code of the error that names a table which the schema does not have.
const UNKNOWN_TABLE: &str = "0x80041102";

/// Code of the error that names what the URL, the schema or a row leads to and is not there.
const UNKNOWN_SEGMENT: &str = "0x80060888";

/// Code of the error that tells of a `$skiptoken` which means nothing here.
const BAD_SKIP_TOKEN: &str = "0x8004112a";

/// Who the replica belongs to.
fn who_am_i(state: &State, root: &str) -> Response {
    let record = &state.record;
    let body = serde_json::json!({
        "@odata.context": format!("{root}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"),
        "BusinessUnitId": record.business_unit,
        "UserId": record.user,
        "OrganizationId": record.organization,
    });
    Response::json(200, body.to_string().into_bytes())
}

fn document(state: &State, url: &str) -> Response {
    let mut response = Response::empty(200).header("Content-Type", "application/xml; charset=utf-8");
    let query = url.split_once('?').map_or("", |(_, query)| query);
    response.body = match query.split('&').any(|option| option == "annotations=true") {
        true => metadata::metadata_xml_annotated(&state.schema),
        false => metadata::metadata_xml(&state.schema),
    };
    response
}

/// An answer that may lack rows says so.
fn mark_incomplete(view: &View, response: Response) -> Response {
    let lacking = view.lacking();
    match lacking.is_empty() {
        true => response,
        false => response.header("Flette-Incomplete", lacking.join(",")),
    }
}

/// Shows rows that were written.
pub(super) struct Reader<'a> {
    pub(super) state: &'a State,
    pub(super) root: &'a str,
    /// Device time.
    pub(super) now: Millis,
}

impl Reader<'_> {
    /// One row as an answer, with its etag. What is expanded of tables that are not here is empty, and the answer says so: the
    /// write has been carried out.
    pub(super) fn entity(
        &self,
        table: &str,
        seen: &SeenRow,
        query: &Query,
        prefer: &Prefer,
        status: u16,
    ) -> Result<Response> {
        let schema = &self.state.schema;
        let table = schema.table(table).ok_or_else(|| ODataError::segment_not_found(table))?;
        let view = View::new(self.state, &|_| true, self.now);
        let stored = Stored { row: seen.row.clone(), etag: seen.etag.clone() };
        let body = answer::entity(&view, self.root, table, &stored, (query, prefer))?;
        let response = mark_incomplete(&view, Response::json(status, body).header("ETag", stored.etag));
        Ok(applied(response, prefer))
    }
}
