//! Lists in pages, single rows, counts.

use super::expand::reference;
use super::page::{fits, link, Page};
use super::sheet::{Plan, Press, Sheet};
use super::{fetch, groups, Listing, Source, Stored, Within, COUNT_MAX, PAGE_ROWS_MAX};
use crate::condition::Condition;
use crate::edm::{Column, Table};
use crate::error::{ODataError, Result};
use crate::filter::Filter;
use crate::http::Response;
use crate::navigation::single_target;
use crate::prefer::{Annotations, Prefer};
use crate::query::{OrderBy, Query};
use crate::render::{self, Cell};
use crate::value::Value;
use uuid::Uuid;

/// A list that was asked for.
pub struct Listed<'a> {
    /// Where its rows come from.
    pub source: &'a dyn Source,
    /// Absolute URL of the API, ending in `/`.
    pub root: &'a str,
    /// The request's own URL: links to further pages repeat it.
    pub url: &'a str,
    /// The table.
    pub table: &'a Table,
    /// Only the rows of a collection.
    pub within: Option<Within<'a>>,
    /// What is given of each row.
    pub wanted: Wanted,
    /// What of the table.
    pub query: &'a Query,
    /// Page size, annotations.
    pub prefer: &'a Prefer,
}

/// What is given of each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The row.
    Rows,
    /// Where it is (`$ref`).
    References,
}

/// Answers with what was preferred and honoured.
pub fn applied(response: Response, prefer: &Prefer) -> Response {
    match prefer.applied() {
        Some(applied) => response.header("Preference-Applied", applied),
        None => response,
    }
}

impl Listed<'_> {
    /// The answer: a page of rows, or groups. Change tracking is the caller's.
    ///
    /// # Errors
    /// 400 when the query asks for too much, or a token says nothing; what the source gives.
    pub fn respond(&self) -> Result<Response> {
        if self.query.skip_token.is_none() {
            self.source.check_readable(self.table)?;
        }
        if let Some(text) = &self.query.fetch {
            return fetch::by_text(self, text);
        }
        if let Some(view) = self.query.saved {
            return fetch::by_view(self, view);
        }
        let page = self.query.skip_token.as_deref().map(Page::read).transpose()?;
        let body = match page {
            Some(Page::Changes(_) | Page::View { .. }) => return Err(ODataError::bad_skip_token()),
            Some(Page::Rows { after, taken }) => self.rows(Some(&after), taken)?,
            None => match &self.query.apply {
                Some(apply) => groups::answer(self, apply)?,
                None => self.rows(None, 0)?,
            },
        };
        Ok(applied(Response::json(200, body), self.prefer))
    }

    /// Rows in one answer.
    pub fn page_size(&self) -> u64 {
        u64::from(self.prefer.page_size_max.unwrap_or(PAGE_ROWS_MAX).clamp(1, PAGE_ROWS_MAX))
    }

    /// What the answer is made in.
    pub fn press(&self) -> Press<'_> {
        Press::new(self.source, self.root, &self.prefer.annotations, self.page_size())
    }

    /// How rows are read and written.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn plan<'p>(&'p self, press: &Press<'p>) -> Result<Plan<'p>> {
        match self.wanted {
            Wanted::Rows => Plan::new(press, self.table, self.query.select.as_deref(), &self.query.expand),
            Wanted::References => Plan::new(press, self.table, Some(&[]), &[]),
        }
    }

    /// What tells the version of the definitions, when it is asked for.
    pub fn definitions_version(&self) -> Vec<u8> {
        let version = self.source.definitions_version();
        version.map_or_else(Vec::new, |version| {
            render::definitions_version_annotation(&self.prefer.annotations, version)
        })
    }

    fn context(&self, plan: &Plan) -> String {
        match self.wanted {
            Wanted::Rows => plan.context_list(self.root),
            Wanted::References => format!("{}$metadata#Collection($ref)", self.root),
        }
    }

    fn rows(&self, after: Option<&[Value]>, taken: u64) -> Result<Vec<u8>> {
        // `$top` and a page size conflict in Dataverse; here `$top` wins and pages have their full size.
        let (size, left) = match self.query.top {
            Some(top) => (u64::from(PAGE_ROWS_MAX), u64::from(top).saturating_sub(taken)),
            None => (self.page_size(), u64::MAX),
        };
        let size = size.min(left);
        let press = self.press();
        let filter = press.resolved(self.query.filter.as_ref(), self.table)?;
        let plan = self.plan(&press)?;
        let listing = self.listing(filter.as_ref(), after, size.saturating_add(1));
        self.check_position(&listing)?;
        let mut sheet = Sheet::new(&press, &plan);
        let (mut count, mut last, mut more) = (0, Vec::new(), false);
        self.source.list(&listing, &plan.columns, &mut |found| {
            if count == size {
                more = true;
                return Ok(false);
            }
            count += 1;
            match self.wanted {
                Wanted::Rows => sheet.add(&found.etag(), |at| found.cell(at)),
                Wanted::References => sheet.add_text(&reference(self.root, self.table, found.id())),
            }
            if count == size {
                last = found.position();
            }
            Ok(true)
        })?;
        let next = (more && left > count).then(|| {
            let token = Page::Rows { after: last, taken: taken.saturating_add(count) };
            link(self.root, self.url, "$skiptoken", &token.write())
        });
        let total = match self.query.count {
            true => Some(self.source.count(&Listing { limit: COUNT_MAX + 1, ..listing })?),
            false => None,
        };
        let mut annotations = render::record_count_annotations(&self.prefer.annotations, total, COUNT_MAX);
        annotations.extend(self.definitions_version());
        let total = total.map(|total| total.min(COUNT_MAX));
        let frame = (self.context(&plan), annotations);
        Ok(render::annotated_collection_body(
            (&frame.0, &frame.1),
            total,
            next.as_deref(),
            None,
            &sheet.finish()?,
        ))
    }

    fn listing<'l>(
        &'l self,
        filter: Option<&'l Filter>,
        after: Option<&'l [Value]>,
        limit: u64,
    ) -> Listing<'l> {
        let (table, within, order) = (self.table, self.within, self.query.orderby.as_slice());
        Listing { table, within, filter, order, after, limit }
    }

    /// A position may come from anywhere.
    fn check_position(&self, listing: &Listing) -> Result<()> {
        let Some(after) = listing.after else { return Ok(()) };
        let columns = order_columns(self.source, self.table, listing.order)?;
        let whole = after.len() == columns.len();
        match whole && columns.iter().zip(after).all(|(column, value)| fits(column, value)) {
            true => Ok(()),
            false => Err(ODataError::bad_skip_token()),
        }
    }
}

/// The columns whose values make up a position in an order, one for each of its keys. The last is the primary key: what
/// is asked for after it decides nothing.
fn order_columns<'s>(source: &'s dyn Source, table: &'s Table, order: &[OrderBy]) -> Result<Vec<&'s Column>> {
    let missing = |name: &str| ODataError::bad_request(format!("Could not find a property named '{name}'."));
    let mut columns = Vec::new();
    for by in order {
        let holder =
            by.path.iter().try_fold(table, |table, name| single_target(source.schema(), table, name))?;
        columns.push(holder.column(&by.column).ok_or_else(|| missing(&by.column))?);
        if by.path.is_empty() && by.column == table.primary_id {
            return Ok(columns);
        }
    }
    columns.push(table.column(&table.primary_id).ok_or_else(|| missing(&table.primary_id))?);
    Ok(columns)
}

/// One row as the body of an answer. Its own writer sees it even when it left the caller's sight.
///
/// # Errors
/// As [`Plan::new`]; what the source gives.
pub fn entity(
    source: &dyn Source,
    root: &str,
    table: &Table,
    stored: &Stored,
    (query, prefer): (&Query, &Prefer),
) -> Result<Vec<u8>> {
    let press = Press::new(source, root, &prefer.annotations, u64::from(PAGE_ROWS_MAX));
    let plan = Plan::new(&press, table, query.select.as_deref(), &query.expand)?;
    written(&press, &plan, stored)
}

/// One row that was read for a plan.
fn written(press: &Press, plan: &Plan, stored: &Stored) -> Result<Vec<u8>> {
    let mut sheet = Sheet::new(press, plan);
    sheet.add(&stored.etag, |at| match plan.columns.get(at) {
        Some(column) if !press.source.is_masked(plan.table, column) => {
            stored.row.get(&column.logical_name).map_or(Cell::Null, Cell::from)
        }
        _ => Cell::Null,
    });
    let context = plan.context_list(press.root) + "/$entity";
    Ok(render::entity_body(&context, &sheet.finish()?))
}

/// `GET accounts(id)`
///
/// # Errors
/// 404 when the row is not there, 412 when a condition does not hold; as [`entity`].
pub fn row(
    source: &dyn Source,
    root: &str,
    (table, id): (&Table, Uuid),
    query: &Query,
    prefer: &Prefer,
    condition: &Condition,
) -> Result<Response> {
    let press = Press::new(source, root, &prefer.annotations, u64::from(PAGE_ROWS_MAX));
    // What is wrong with the query is told of a row that is there only.
    let plan = Plan::new(&press, table, query.select.as_deref(), &query.expand);
    let columns = plan.as_ref().map_or(&[][..], |plan| &plan.columns);
    let stored = source.row(table, id, columns)?;
    let stored = stored.ok_or_else(|| ODataError::row_not_found(&table.logical_name, id))?;
    let etag = stored.etag.clone();
    // With annotations or expanded rows the answer may change while the row does not.
    if query.expand.is_empty() && prefer.annotations.is_none() && condition.not_modified(&etag) {
        return Ok(Response::empty(304).header("ETag", etag));
    }
    if let Condition::IfMatchAny | Condition::IfMatch(_) = condition {
        condition.check(&table.logical_name, id, Some(&etag))?;
    }
    let body = written(&press, &plan?, &stored)?;
    Ok(applied(Response::json(200, body).header("ETag", etag), prefer))
}

/// `GET accounts/$count`, `GET accounts(id)/collection/$count`
///
/// # Errors
/// What the source gives.
pub fn count(source: &dyn Source, table: &Table, within: Option<Within>, query: &Query) -> Result<Response> {
    source.check_readable(table)?;
    let annotations = Annotations::none();
    let press = Press::new(source, "", &annotations, COUNT_MAX);
    let filter = press.resolved(query.filter.as_ref(), table)?;
    let filter = filter.as_ref();
    let count =
        source.count(&Listing { table, within, filter, order: &[], after: None, limit: COUNT_MAX })?;
    Ok(counted(count))
}

/// A number as an answer.
pub fn counted(count: u64) -> Response {
    let mut response = Response::empty(200).header("Content-Type", "text/plain; charset=utf-8");
    response.body = count.to_string().into_bytes();
    response
}
