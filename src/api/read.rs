//! Reads: lists, single rows, counts, metadata.

use super::{is_complete, Answer, Door};
use crate::model::{Key, Value};
use crate::replica::{Ask, Position, SeenRow, State};
use flette_odata::condition::Condition;
use flette_odata::edm::{Column, Table};
use flette_odata::error::Result;
use flette_odata::operation::Operation;
use flette_odata::prefer::Prefer;
use flette_odata::query::{Expand, Query};
use flette_odata::render::{self, ContextExpand, Nested, RowShape};
use flette_odata::{metadata, EntityRef, ODataError, Response};
use uuid::Uuid;

/// Rows of a page when the client names no size, and the most it can ask for (developer guide, "Page results").
pub const PAGE_ROWS_MAX: u32 = 5000;

/// Answers a read whose tables are loaded.
pub(super) fn answer(state: &State, operation: &Operation, door: Door<'_>, root: &str, url: &str) -> Answer {
    let reader = Reader { state, root, url };
    let response = match operation {
        Operation::Service => Ok(Response::json(200, metadata::service_document(&state.schema, root))),
        Operation::Metadata => Ok(xml(metadata::metadata_xml(&state.schema))),
        Operation::WhoAmI => return Answer::Elsewhere(who_am_i(state, root)),
        Operation::Definitions { path, options } => {
            let known = metadata::definitions(&state.schema, path, options, root);
            match known {
                Ok(body) => Ok(Response::json(200, body)),
                Err(error) => {
                    return Answer::Elsewhere(super::offline_error(&state.schema, error).to_response())
                }
            }
        }
        Operation::ReadCollection { table, query, prefer } => reader.collection(table, query, prefer),
        Operation::Count { table, query } => reader.count(table, query),
        Operation::ReadRow { table, id, query, prefer, condition } => {
            reader.row(table, *id, query, prefer, condition)
        }
        _ => Err(ODataError::not_implemented("The request is not available offline.")),
    };
    let response = response.unwrap_or_else(|error| error.to_response());
    Answer::Here(mark_incomplete(state, operation, door, response))
}

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

fn xml(body: Vec<u8>) -> Response {
    let mut response = Response::empty(200).header("Content-Type", "application/xml; charset=utf-8");
    response.body = body;
    response
}

/// An answer that may lack rows says so.
fn mark_incomplete(state: &State, operation: &Operation, door: Door<'_>, response: Response) -> Response {
    let (table, expand) = match operation {
        Operation::ReadCollection { table, query, .. } | Operation::ReadRow { table, query, .. } => {
            (table, query.expand.as_slice())
        }
        Operation::Count { table, .. } => (table, [].as_slice()),
        _ => return response,
    };
    let mut lacking: Vec<&str> = Vec::new();
    if !is_complete(state, table) {
        lacking.push(table);
    }
    if !expand.is_empty() {
        let others = door.scope.iter().filter(|name| *name != table && !is_complete(state, name));
        lacking.extend(others.map(String::as_str));
    }
    match lacking.is_empty() {
        true => response,
        false => response.header("Flette-Incomplete", lacking.join(",")),
    }
}

/// Renders rows of the replica in the shapes of the Web API.
pub(super) struct Reader<'a> {
    pub(super) state: &'a State,
    pub(super) root: &'a str,
    pub(super) url: &'a str,
}

impl Reader<'_> {
    fn table(&self, name: &str) -> Result<&Table> {
        self.state.schema.table(name).ok_or_else(|| ODataError::segment_not_found(name))
    }

    fn collection(&self, table: &str, query: &Query, prefer: &Prefer) -> Result<Response> {
        let definition = self.table(table)?;
        // `$top` and a page size conflict in Dataverse; here, as at the server, `$top` wins and pages have full size.
        let page = match query.top {
            Some(_) => PAGE_ROWS_MAX,
            None => prefer.page_size_max.unwrap_or(PAGE_ROWS_MAX).clamp(1, PAGE_ROWS_MAX),
        };
        let token = query.skip_token.as_deref().map(Token::read).transpose()?;
        if token.as_ref().is_some_and(|t| t.after.values.len() != query.orderby.len()) {
            return Err(ODataError::bad_skip_token());
        }
        let left = token.as_ref().and_then(|t| t.left).or(query.top);
        let limit = left.map_or(page, |left| left.min(page));
        let filter = query.filter.as_ref().map(|f| self.state.id_map.resolve_filter(f));
        let ask = Ask {
            table,
            filter: filter.as_ref(),
            orderby: &query.orderby,
            after: token.map(|t| t.after),
            limit: usize::try_from(limit).ok(),
        };
        let found = self.state.find(&ask);
        let expands = self.expands(definition, &query.expand)?;
        let shape = RowShape::new(definition, query.select.as_deref(), &prefer.annotations);
        let mut rows = Vec::new();
        for (_, seen) in &found.rows {
            if !rows.is_empty() {
                rows.push(b',');
            }
            self.write(&mut rows, &shape, seen, &expands, prefer);
        }
        let left = left.map(|left| left.saturating_sub(limit));
        let next_link = match found.rows.last() {
            Some((id, last)) if found.more && left != Some(0) => {
                let after = crate::replica::position(*id, &last.row, &query.orderby);
                Some(self.next_link(&Token { after, left })?)
            }
            _ => None,
        };
        let context =
            render::context_collection(self.root, definition, query.select.as_deref(), &contexts(&expands));
        let counted = query.count.then(|| u64::try_from(found.total).unwrap_or(u64::MAX));
        let annotations = render::record_count_annotations(&prefer.annotations, counted, COUNT_MAX);
        let count = counted.map(|counted| counted.min(COUNT_MAX));
        let frame = (context.as_str(), annotations.as_slice());
        let body = render::annotated_collection_body(frame, count, next_link.as_deref(), None, &rows);
        Ok(preferences(Response::json(200, body), prefer))
    }

    fn count(&self, table: &str, query: &Query) -> Result<Response> {
        let filter = query.filter.as_ref().map(|f| self.state.id_map.resolve_filter(f));
        let ask = Ask { table, filter: filter.as_ref(), limit: Some(0), ..Ask::default() };
        let total = u64::try_from(self.state.find(&ask).total).unwrap_or(u64::MAX).min(COUNT_MAX);
        let mut response = Response::empty(200).header("Content-Type", "text/plain; charset=utf-8");
        response.body = total.to_string().into_bytes();
        Ok(response)
    }

    fn row(
        &self,
        table: &str,
        id: Uuid,
        query: &Query,
        prefer: &Prefer,
        condition: &Condition,
    ) -> Result<Response> {
        let seen =
            self.state.row(&Key::new(table, id)).ok_or_else(|| ODataError::row_not_found(table, id))?;
        // `If-None-Match` on a read asks for less, it forbids nothing.
        if matches!(condition, Condition::IfMatch(_) | Condition::IfMatchAny) {
            condition.check(table, id, Some(&seen.etag))?;
        }
        let plain = query.expand.is_empty() && prefer.annotations.is_none();
        if plain && condition.not_modified(&seen.etag) {
            return Ok(Response::empty(304).header("ETag", seen.etag));
        }
        let response = self.entity(table, &seen, query, prefer, 200)?;
        Ok(response)
    }

    /// One row as an answer, with its etag.
    pub(super) fn entity(
        &self,
        table: &str,
        seen: &SeenRow,
        query: &Query,
        prefer: &Prefer,
        status: u16,
    ) -> Result<Response> {
        let definition = self.table(table)?;
        let expands = self.expands(definition, &query.expand)?;
        let shape = RowShape::new(definition, query.select.as_deref(), &prefer.annotations);
        let mut row = Vec::new();
        self.write(&mut row, &shape, seen, &expands, prefer);
        let context =
            render::context_entity(self.root, definition, query.select.as_deref(), &contexts(&expands));
        let response = Response::json(status, render::entity_body(&context, &row));
        Ok(preferences(response.header("ETag", seen.etag.clone()), prefer))
    }

    fn write(
        &self,
        out: &mut Vec<u8>,
        shape: &RowShape,
        seen: &SeenRow,
        expands: &[Expanded],
        prefer: &Prefer,
    ) {
        let nested: Vec<(&str, Option<Vec<u8>>)> = expands
            .iter()
            .map(|e| (e.navigation, self.target(e, seen).map(|row| self.nested(e, &row, prefer))))
            .collect();
        let nested: Vec<Nested> =
            nested.iter().map(|(navigation, row)| Nested { navigation, row: row.as_deref() }).collect();
        let cell = |column: &Column| seen.row.get(&column.logical_name).cloned().unwrap_or_default();
        shape.write_row(out, &seen.etag, &cell, &|target| self.state.name_of(target), &nested);
    }

    fn nested(&self, expand: &Expanded, row: &SeenRow, prefer: &Prefer) -> Vec<u8> {
        let mut out = Vec::new();
        let shape = RowShape::new(expand.target, expand.select, &prefer.annotations);
        self.write(&mut out, &shape, row, &[], prefer);
        out
    }

    /// The row that an expanded lookup of `seen` points to.
    fn target(&self, expand: &Expanded, seen: &SeenRow) -> Option<SeenRow> {
        match seen.row.get(expand.column)? {
            Value::Lookup(EntityRef { table, id }) if *table == expand.target.logical_name => {
                self.state.row(&Key::new(table.clone(), *id))
            }
            _ => None,
        }
    }

    fn expands<'q>(&'q self, table: &'q Table, expand: &'q [Expand]) -> Result<Vec<Expanded<'q>>> {
        expand.iter().map(|one| self.expanded(table, one)).collect()
    }

    fn expanded<'q>(&'q self, table: &'q Table, expand: &'q Expand) -> Result<Expanded<'q>> {
        let unknown = || ODataError::bad_request(format!("'{}' cannot be expanded.", expand.navigation));
        let (column, targets) = table.navigation(&expand.navigation).ok_or_else(unknown)?;
        let target = targets.first().and_then(|t| self.state.schema.table(&t.table)).ok_or_else(unknown)?;
        Ok(Expanded {
            navigation: &expand.navigation,
            column: &column.logical_name,
            target,
            select: expand.select.as_deref(),
        })
    }

    /// The same query, from the next place on.
    fn next_link(&self, token: &Token) -> Result<String> {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let kept = query.split('&').filter(|o| !o.is_empty() && !o.starts_with("$skiptoken="));
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        let mut link = format!("{path}?");
        for option in kept.filter(|o| !o.to_ascii_lowercase().starts_with("%24skiptoken=")) {
            link.push_str(option);
            link.push('&');
        }
        Ok(link + "$skiptoken=" + &token.write()?)
    }
}

/// Highest number that `$count` gives (developer guide, "Count rows").
const COUNT_MAX: u64 = 5000;

struct Expanded<'a> {
    navigation: &'a str,
    column: &'a str,
    target: &'a Table,
    select: Option<&'a [String]>,
}

fn contexts<'a>(expands: &'a [Expanded<'a>]) -> Vec<ContextExpand<'a>> {
    expands
        .iter()
        .map(|e| ContextExpand {
            navigation: e.navigation,
            table: e.target,
            select: e.select,
            expand: Vec::new(),
            reference_only: false,
        })
        .collect()
}

fn preferences(response: Response, prefer: &Prefer) -> Response {
    match prefer.applied() {
        Some(applied) => response.header("Preference-Applied", applied),
        None => response,
    }
}

/// A place in a paged query: where the last page ended, and how many rows `$top` leaves. Stays valid whatever changes,
/// since it names a place in the order and not a row number. Hexadecimal, so that it needs no encoding in a URL.
struct Token {
    after: Position,
    left: Option<u32>,
}

impl Token {
    fn write(&self) -> Result<String> {
        let bytes =
            serde_json::to_vec(&(&self.after, self.left)).map_err(|_| ODataError::bad_skip_token())?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn read(text: &str) -> Result<Token> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let pairs = text.as_bytes().chunks(2);
        let bytes = pairs.map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        });
        let bytes: Vec<u8> = bytes.collect::<Option<_>>().ok_or_else(ODataError::bad_skip_token)?;
        let (after, left) = serde_json::from_slice(&bytes).map_err(|_| ODataError::bad_skip_token())?;
        Ok(Token { after, left })
    }
}
