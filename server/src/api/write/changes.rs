//! Of a row that was updated, what differs from the version that the request named: see [`flette_odata::changes_only`].

use crate::api::source::Rows;
use crate::api::Call;
use crate::db::rows::{etag, VERSION};
use crate::db::Writer;
use flette_odata::answer::{applied, entity, Stored};
use flette_odata::changes_only::PREFERENCE;
use flette_odata::error::Result;
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::{Column, ODataError, Response, Row, Table, Uuid, Value};

/// Whether the changes stand for the row. Not where columns are secured: somebody who sees one since a moment does not
/// have its value from the version that he names.
pub(super) fn may_tell(call: &Call, table: &Table, query: &Query, prefer: &Prefer) -> bool {
    let whole = query.select.is_none() && query.expand.is_empty();
    call.extensions && prefer.changes_only && whole && !table.columns.iter().any(|column| column.secured)
}

/// The answer. Only `columns` were written, so nothing else can differ from `before`; they are read back, since a database
/// may keep a value in other words than it was given.
pub(super) fn respond(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    (before, columns): (Row, &[String]),
    prefer: &Prefer,
) -> Result<Response> {
    let written = |column: &&Column| columns.contains(&column.logical_name);
    let written: Vec<&Column> = table.columns.iter().filter(written).collect();
    let now = writer.part_of_row(table, id, &written)?;
    let mut now = now.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))?;
    let Some(Value::Int(version)) = now.get(VERSION) else {
        return Err(ODataError::new(500, "0x80040216", "A row has no version."));
    };
    let etag = etag(*version);
    now.retain(|name, value| before.get(name) != Some(value));
    let told = std::iter::once(&table.primary_id).chain(now.keys()).cloned().collect();
    let query = Query { select: Some(told), ..Query::default() };
    // What a column brings along is told with the value that it has.
    let mut row = before;
    row.extend(now);
    let stored = Stored { etag, row };
    let source = Rows::new(writer, call);
    let body = entity(&source, call.root, table, &stored, (&query, prefer))?;
    let mut response = applied(Response::json(200, body).header("ETag", stored.etag), prefer);
    let others = response.headers.get("Preference-Applied").unwrap_or_default();
    let all = format!("{others},{PREFERENCE}");
    response.headers.set("Preference-Applied", all);
    Ok(response)
}
