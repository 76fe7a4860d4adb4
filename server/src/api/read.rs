//! Reads: lists in pages, single rows, counts.

use super::changes;
use super::expand::reference;
use super::fetch;
use super::groups;
use super::page::{bad_token, fits, link, Page};
use super::sheet::{Plan, Press, Sheet};
use super::{rights, Call, COUNT_MAX, PAGE_ROWS_MAX};
use crate::db::query::{Listing, Within};
use crate::db::rows::Stored;
use crate::db::Reader;
use flette_odata::condition::Condition;
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::prefer::Prefer;
use flette_odata::query::Query;
use flette_odata::render::{self, Cell};
use flette_odata::{ODataError, Response, Table, Uuid, Value};

/// A list that was asked for.
pub(super) struct Listed<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) call: &'a Call<'a>,
    /// The request's own URL: links to further pages repeat it.
    pub(super) url: &'a str,
    pub(super) table: &'a Table,
    /// Only the rows of a collection.
    pub(super) within: Option<Within<'a>>,
    pub(super) wanted: Wanted,
    pub(super) query: &'a Query,
    pub(super) prefer: &'a Prefer,
}

/// What is given of each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The row.
    Rows,
    /// Where it is (`$ref`).
    References,
}

/// Answers with what was preferred and honoured.
pub(super) fn applied(response: Response, prefer: &Prefer) -> Response {
    match prefer.applied() {
        Some(applied) => response.header("Preference-Applied", applied),
        None => response,
    }
}

impl Listed<'_> {
    /// The answer: a page of rows, or of changes, or groups.
    pub(super) fn respond(&self) -> Result<Response> {
        if self.query.delta_token.is_none() && self.query.skip_token.is_none() {
            rights::check_readable(self.call, self.table)?;
        }
        if let Some(text) = &self.query.fetch {
            return fetch::by_text(self, text);
        }
        if let Some(view) = self.query.saved {
            return fetch::by_view(self, view);
        }
        let page = self.query.skip_token.as_deref().map(Page::read).transpose()?;
        let body = match page {
            Some(Page::Changes(token)) => changes::further(self, &token)?,
            Some(Page::View { .. }) => return Err(bad_token()),
            Some(Page::Rows { after, taken }) => self.rows(Some(&after), taken)?,
            None if self.prefer.track_changes || self.query.delta_token.is_some() => changes::begin(self)?,
            None => match &self.query.apply {
                Some(apply) => groups::answer(self, apply)?,
                None => self.rows(None, 0)?,
            },
        };
        Ok(applied(Response::json(200, body), self.prefer))
    }

    /// Rows in one answer.
    pub(super) fn page_size(&self) -> u64 {
        u64::from(self.prefer.page_size_max.unwrap_or(PAGE_ROWS_MAX).clamp(1, PAGE_ROWS_MAX))
    }

    /// What the answer is made in.
    pub(super) fn press(&self) -> Press<'_> {
        Press::new(self.reader, self.call, &self.prefer.annotations, self.page_size())
    }

    /// How rows are read and written.
    pub(super) fn plan<'p>(&'p self, press: &Press<'p>) -> Result<Plan<'p>> {
        match self.wanted {
            Wanted::Rows => Plan::new(press, self.table, self.query.select.as_deref(), &self.query.expand),
            Wanted::References => Plan::new(press, self.table, Some(&[]), &[]),
        }
    }

    /// What tells the version of the definitions, when it is asked for.
    pub(super) fn definitions_version(&self) -> Vec<u8> {
        render::definitions_version_annotation(&self.prefer.annotations, self.reader.schema_version)
    }

    fn context(&self, plan: &Plan) -> String {
        match self.wanted {
            Wanted::Rows => plan.context_list(self.call.root),
            Wanted::References => format!("{}$metadata#Collection($ref)", self.call.root),
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
        let listing = self.listing(&press, filter.as_ref(), after, size.saturating_add(1));
        self.check_position(&listing)?;
        let mut sheet = Sheet::new(&press, &plan);
        let (mut count, mut last, mut more) = (0, Vec::new(), false);
        self.reader.list(&listing, &plan.columns, |found| {
            if count == size {
                more = true;
                return Ok(false);
            }
            count += 1;
            match self.wanted {
                Wanted::Rows => sheet.add(found.version(), |at| found.cell(at)),
                Wanted::References => sheet.add_text(&reference(self.call.root, self.table, found.id())),
            }
            if count == size {
                last = found.position();
            }
            Ok(true)
        })?;
        let next = (more && left > count).then(|| {
            let token = Page::Rows { after: last, taken: taken.saturating_add(count) };
            link(self.call.root, self.url, "$skiptoken", &token.write())
        });
        let total = match self.query.count {
            true => Some(self.reader.count(&Listing { limit: COUNT_MAX + 1, ..listing })?),
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
        press: &'l Press,
        filter: Option<&'l Filter>,
        after: Option<&'l [Value]>,
        limit: u64,
    ) -> Listing<'l> {
        Listing {
            table: self.table,
            sight: &press.sight,
            within: self.within,
            filter,
            order: &self.query.orderby,
            after,
            limit,
        }
    }

    /// A position may come from anywhere.
    fn check_position(&self, listing: &Listing) -> Result<()> {
        let Some(after) = listing.after else { return Ok(()) };
        let columns = self.reader.position_columns(self.table, listing.sight, listing.order)?;
        let whole = after.len() == columns.len();
        match whole && columns.iter().zip(after).all(|(column, value)| fits(column, value)) {
            true => Ok(()),
            false => Err(bad_token()),
        }
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
    let press = Press::new(reader, call, &prefer.annotations, u64::from(PAGE_ROWS_MAX));
    let plan = Plan::new(&press, table, query.select.as_deref(), &query.expand)?;
    let mut sheet = Sheet::new(&press, &plan);
    sheet.add(stored.version, |at| match plan.columns.get(at) {
        Some(column) if !press.sight.masks(table, column) => {
            stored.row.get(&column.logical_name).map_or(Cell::Null, Cell::from)
        }
        _ => Cell::Null,
    });
    let context = plan.context_list(call.root) + "/$entity";
    Ok(render::entity_body(&context, &sheet.finish()?))
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

/// `GET accounts/$count`: rows, or changes since a token; `GET accounts(id)/collection/$count`.
pub(super) fn count(
    reader: &Reader,
    call: &Call,
    table: &Table,
    within: Option<Within>,
    query: &Query,
) -> Result<Response> {
    let annotations = flette_odata::prefer::Annotations::none();
    let press = Press::new(reader, call, &annotations, COUNT_MAX);
    let count = match query.delta_token {
        Some(_) => {
            let (wanted, prefer) = (Wanted::Rows, Prefer::default());
            let list = Listed { reader, call, url: "", table, within, wanted, query, prefer: &prefer };
            changes::count(&list)?
        }
        None => {
            rights::check_readable(call, table)?;
            let filter = press.resolved(query.filter.as_ref(), table)?;
            reader.count(&Listing {
                table,
                sight: &press.sight,
                within,
                filter: filter.as_ref(),
                order: &[],
                after: None,
                limit: COUNT_MAX,
            })?
        }
    };
    let mut response = Response::empty(200).header("Content-Type", "text/plain; charset=utf-8");
    response.body = count.to_string().into_bytes();
    Ok(response)
}
