//! Reads: lists in pages, single rows, counts.

use super::changes;
use super::lookups::{Expanded, Names};
use super::page::{bad_token, fits, link, Page};
use super::{Call, COUNT_MAX, PAGE_ROWS_MAX};
use crate::db::changes::Stretch;
use crate::db::listing::{position_columns, Listing};
use crate::db::rows::Stored;
use crate::db::Reader;
use flette_odata::condition::Condition;
use flette_odata::error::Result;
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::render::{self, Cell, ContextExpand, Nested, RowShape};
use flette_odata::{Column, ODataError, Response, Table, Uuid, Value};

/// A list that was asked for.
pub(super) struct Listed<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) call: &'a Call<'a>,
    /// The request's own URL: links to further pages repeat it.
    pub(super) url: &'a str,
    pub(super) table: &'a Table,
    pub(super) query: &'a Query,
    pub(super) prefer: &'a Prefer,
}

/// Answers with what was preferred and honoured.
pub(super) fn applied(response: Response, prefer: &Prefer) -> Response {
    match prefer.applied() {
        Some(applied) => response.header("Preference-Applied", applied),
        None => response,
    }
}

impl Listed<'_> {
    /// The answer: a page of rows, or of changes.
    pub(super) fn respond(&self) -> Result<Response> {
        let page = self.query.skip_token.as_deref().map(Page::read).transpose()?;
        let body = match page {
            Some(Page::Changes { after, until, from, first, lineage }) => {
                changes::further(self, &Stretch { after, until, from }, first, lineage)?
            }
            Some(Page::Rows { after, taken }) => self.rows(Some(&after), taken)?,
            None if self.prefer.track_changes || self.query.delta_token.is_some() => changes::begin(self)?,
            None => self.rows(None, 0)?,
        };
        Ok(applied(Response::json(200, body), self.prefer))
    }

    /// Rows in one answer.
    pub(super) fn page_size(&self) -> u64 {
        u64::from(self.prefer.page_size_max.unwrap_or(PAGE_ROWS_MAX).clamp(1, PAGE_ROWS_MAX))
    }

    fn rows(&self, after: Option<&[Value]>, taken: u64) -> Result<Vec<u8>> {
        // `$top` and a page size conflict in Dataverse; here `$top` wins and pages have their full size.
        let (size, left) = match self.query.top {
            Some(top) => (u64::from(PAGE_ROWS_MAX), u64::from(top).saturating_sub(taken)),
            None => (self.page_size(), u64::MAX),
        };
        let size = size.min(left);
        let sight = self.call.caller.sight();
        let mut listing = Listing {
            table: self.table,
            sight: &sight,
            filter: self.query.filter.as_ref(),
            order: &self.query.orderby,
            after: None,
            limit: size.saturating_add(1),
        };
        let positions = self.position_columns(&listing)?;
        if let Some(after) = after {
            let whole = after.len() == positions.len();
            if !whole || !positions.iter().zip(after).all(|(column, value)| fits(column, value)) {
                return Err(bad_token());
            }
            listing.after = Some(after);
        }
        let mut sheet = Sheet::new(self, &positions)?;
        let (mut count, mut last, mut more) = (0, Vec::new(), false);
        self.reader.list(&listing, &sheet.columns.clone(), |found| {
            if count == size {
                more = true;
                return Ok(false);
            }
            count += 1;
            sheet.add(found.version(), |at| found.cell(at))?;
            if count == size {
                last = (0..positions.len()).map(|at| found.value(sheet.position_at + at)).collect();
            }
            Ok(true)
        })?;
        let next = (more && left > count).then(|| {
            let token = Page::Rows { after: last, taken: taken.saturating_add(count) };
            link(self.call.root, self.url, "$skiptoken", &token.write())
        });
        let total = match self.query.count {
            true => Some(self.reader.count(self.table, &sight, listing.filter, COUNT_MAX)?),
            false => None,
        };
        Ok(render::collection_body(&sheet.context(self), total, next.as_deref(), None, &sheet.out))
    }

    fn position_columns(&self, listing: &Listing) -> Result<Vec<&Column>> {
        let missing = |name: &str| {
            ODataError::bad_request(format!("Could not find a property named '{name}' to order by."))
        };
        let names = position_columns(listing);
        names.into_iter().map(|name| self.table.column(name).ok_or_else(|| missing(name))).collect()
    }
}

/// Rows on their way into an answer.
pub(super) struct Sheet<'a> {
    shape: RowShape<'a>,
    names: Names<'a>,
    expanded: Vec<Expanded<'a>>,
    reader: &'a Reader<'a>,
    /// Columns to read: those of the answer, those of expanded lookups, those of the position.
    pub(super) columns: Vec<&'a Column>,
    position_at: usize,
    /// The rows so far, parted by commas.
    pub(super) out: Vec<u8>,
}

impl<'a> Sheet<'a> {
    /// An empty sheet for a list, with further columns that tell where a page ends.
    pub(super) fn new(list: &'a Listed<'a>, positions: &[&'a Column]) -> Result<Sheet<'a>> {
        Sheet::for_query(list.reader, list.call, list.table, (list.query, list.prefer), positions)
    }

    fn for_query(
        reader: &'a Reader<'a>,
        call: &Call,
        table: &'a Table,
        (query, prefer): (&'a Query, &'a Prefer),
        positions: &[&'a Column],
    ) -> Result<Sheet<'a>> {
        let shape = RowShape::new(table, query.select.as_deref(), &prefer.annotations);
        let expanded = Expanded::all(reader, table, &query.expand, &prefer.annotations)?;
        let mut columns = shape.columns.clone();
        columns.extend(expanded.iter().map(|e| e.column));
        let position_at = columns.len();
        columns.extend(positions);
        let names = Names::new(reader, call.caller.sight());
        Ok(Sheet { shape, names, expanded, reader, columns, position_at, out: Vec::new() })
    }

    /// Adds a row; `cell` gives the value of the column in a place of `columns`.
    pub(super) fn add<'v>(&mut self, version: i64, cell: impl Fn(usize) -> Cell<'v>) -> Result<()> {
        self.part();
        let first = self.shape.columns.len();
        let mut rows = Vec::new();
        for (at, expanded) in self.expanded.iter().enumerate() {
            rows.push(expanded.row(self.reader, &self.names, cell(first + at))?);
        }
        let nested: Vec<Nested> = self
            .expanded
            .iter()
            .zip(&rows)
            .map(|(expanded, row)| Nested { navigation: expanded.navigation, row: row.as_deref() })
            .collect();
        let names = &self.names;
        let etag = crate::db::rows::etag(version);
        self.shape.write_cells(
            &mut self.out,
            &etag,
            |at, _| cell(at),
            &|table, id| names.get(table, id),
            &nested,
        );
        Ok(())
    }

    /// Adds something that is no row.
    pub(super) fn add_text(&mut self, text: &str) {
        self.part();
        self.out.extend_from_slice(text.as_bytes());
    }

    fn part(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b',');
        }
    }

    fn expands(&self) -> Vec<ContextExpand<'_>> {
        self.expanded.iter().map(Expanded::context).collect()
    }

    /// Context URL of a list.
    pub(super) fn context(&self, list: &Listed) -> String {
        let select = list.query.select.as_deref();
        render::context_collection(list.call.root, list.table, select, &self.expands())
    }
}

/// One row as the body of an answer. Its own writer sees it even when it left the caller's sight.
pub(super) fn entity(
    reader: &Reader,
    call: &Call,
    table: &Table,
    stored: &Stored,
    (query, prefer): (&Query, &Prefer),
) -> Result<Vec<u8>> {
    let mut sheet = Sheet::for_query(reader, call, table, (query, prefer), &[])?;
    let columns = sheet.columns.clone();
    let null = Value::Null;
    sheet.add(stored.version, |at| {
        let name = columns.get(at).map(|c| c.logical_name.as_str()).unwrap_or_default();
        Cell::from(stored.row.get(name).unwrap_or(&null))
    })?;
    let context = render::context_entity(call.root, table, query.select.as_deref(), &sheet.expands());
    Ok(render::entity_body(&context, &sheet.out))
}

/// `GET accounts(id)`
pub(super) fn row(
    reader: &Reader,
    call: &Call,
    (table, id): (&Table, Uuid),
    query: &Query,
    prefer: &Prefer,
    condition: &Condition,
) -> Result<Response> {
    let stored = reader.row(table, id, &call.caller.sight())?;
    let stored = stored.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))?;
    let etag = stored.etag();
    // With annotations or expanded rows the answer may change while the row does not.
    if query.expand.is_empty() && prefer.annotations.is_none() && condition.not_modified(&etag) {
        return Ok(Response::empty(304).header("ETag", etag));
    }
    if let Condition::IfMatchAny | Condition::IfMatch(_) = condition {
        condition.check(&table.logical_name, id, Some(&etag))?;
    }
    let body = entity(reader, call, table, &stored, (query, prefer))?;
    Ok(applied(Response::json(200, body).header("ETag", etag), prefer))
}

/// `GET accounts/$count`: rows, or changes since a token.
pub(super) fn count(reader: &Reader, call: &Call, table: &Table, query: &Query) -> Result<Response> {
    let count = match &query.delta_token {
        Some(token) => changes::count(reader, call, table, token)?,
        None => reader.count(table, &call.caller.sight(), query.filter.as_ref(), COUNT_MAX)?,
    };
    let mut response = Response::empty(200).header("Content-Type", "text/plain; charset=utf-8");
    response.body = count.to_string().into_bytes();
    Ok(response)
}
