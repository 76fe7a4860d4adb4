//! FetchXML: `?fetchXml=…`, and the views that hold it, `?savedQuery=…` and `?userQuery=…`.

use super::list::{applied, Listed, Wanted};
use super::names::Names;
use super::page::{link, Page};
use super::{table_of, FetchQuery, FetchRow, Window, COUNT_MAX, PAGE_ROWS_MAX};
use crate::edm::Column;
use crate::error::{ODataError, Result};
use crate::fetchxml::{
    self, Condition, Cookie, Criteria, Extent, Fetch, Operator, Output, Position, Role, Test,
    ROWS_WITHOUT_COOKIE_MAX,
};
use crate::filter::Filter;
use crate::http::Response;
use crate::query::{Query, SavedQuery};
use crate::render::{self, FetchShape};
use crate::value::Value;

/// Answers `?fetchXml=…`.
pub(super) fn by_text(list: &Listed, text: &str) -> Result<Response> {
    let alone = Query { fetch: list.query.fetch.clone(), ..Query::default() };
    if *list.query != alone || list.wanted != Wanted::Rows {
        return Err(not_combined("fetchXml"));
    }
    let fetch = parse(list, text)?;
    let answer = Answer::new(list, &fetch)?;
    let page = answer.page()?;
    let cookie = page.cookie.as_deref().map(|cookie| Cookie::annotation(page.number, cookie));
    answer.respond(&page, cookie, None)
}

/// Answers `?savedQuery=…` and `?userQuery=…`. The rows are those of the view, in pages of OData.
pub(super) fn by_view(list: &Listed, view: SavedQuery) -> Result<Response> {
    let Query { filter, top, count, skip_token, .. } = list.query.clone();
    let allowed = Query { filter, top, count, skip_token, saved: Some(view), ..Query::default() };
    if *list.query != allowed || list.wanted != Wanted::Rows {
        return Err(not_combined("savedQuery and userQuery"));
    }
    let mut fetch = parse(list, &view_text(list, view)?)?;
    if let Some(filter) = &list.query.filter {
        fetch.entity.criteria.push(plain(filter));
    }
    match (&mut fetch.extent, list.query.top) {
        (Extent::Top(top), Some(asked)) => *top = asked.min(*top),
        (extent @ Extent::Page { .. }, Some(asked)) => *extent = Extent::Top(asked.min(PAGE_ROWS_MAX)),
        (_, None) => {}
    }
    if let Extent::Page { number, cookie, .. } = &mut fetch.extent {
        (*number, *cookie) = match list.query.skip_token.as_deref().map(Page::read).transpose()? {
            Some(Page::View { ended, cookie }) => (ended.saturating_add(1), Some(cookie)),
            Some(Page::Rows { .. } | Page::Changes { .. }) => return Err(ODataError::bad_skip_token()),
            None => (1, None),
        };
    }
    let answer = Answer::new(list, &fetch)?;
    let page = answer.page()?;
    let next = page.cookie.as_ref().map(|cookie| {
        let token = Page::View { ended: page.number, cookie: cookie.clone() }.write();
        link(list.root, list.url, "$skiptoken", &token)
    });
    answer.respond(&page, None, next)
}

fn not_combined(what: &str) -> ODataError {
    ODataError::bad_request(format!("{what} cannot be combined with these query parameters."))
}

fn parse(list: &Listed, text: &str) -> Result<Fetch> {
    let fetch = fetchxml::parse(text, list.source.schema())?;
    match fetch.entity.table == list.table.logical_name {
        true => Ok(fetch),
        false => Err(entities_differ()),
    }
}

fn entities_differ() -> ODataError {
    let message =
        "The entity name specified in fetchxml does not match the entity name specified in the Entity or \
                   Query Expression.";
    ODataError::new(400, "0x80041128", message)
}

/// The FetchXML of a view that the caller sees, which is for this table.
fn view_text(list: &Listed, view: SavedQuery) -> Result<String> {
    let (name, id) = match view {
        SavedQuery::System(id) => ("savedquery", id),
        SavedQuery::User(id) => ("userquery", id),
    };
    let table = table_of(list.source.schema(), name)?;
    let columns: Vec<&Column> =
        ["returnedtypecode", "fetchxml"].iter().filter_map(|name| table.column(name)).collect();
    let stored = list.source.row(table, id, &columns)?;
    let row = stored.ok_or_else(|| ODataError::row_not_found(name, id))?.row;
    let text = |column: &str| row.get(column).and_then(Value::as_text);
    if text("returnedtypecode") != Some(&list.table.logical_name) {
        return Err(entities_differ());
    }
    Ok(text("fetchxml").unwrap_or_default().to_owned())
}

/// A `$filter` as one more condition on the entity's row.
fn plain(filter: &Filter) -> Criteria {
    let test = Test::Values { operator: Operator::EQUAL, values: Vec::new(), filter: filter.clone() };
    Criteria::Condition(Condition { entity: None, column: String::new(), test })
}

/// Everybody's calendar is that of UTC.
const UTC_OFFSET_MINUTES: i32 = 0;

/// A query on its way to an answer.
struct Answer<'a> {
    list: &'a Listed<'a>,
    /// Without conditions that depend on who asks.
    fetch: Fetch,
    outputs: Vec<Output<'a>>,
    /// None for an aggregate, whose pages go by number.
    positions: Vec<Position<'a>>,
}

/// A page of rows.
struct FetchPage {
    number: u32,
    rows: Vec<FetchRow>,
    /// Where the next page begins, when there is one.
    cookie: Option<String>,
}

impl<'a> Answer<'a> {
    fn new(list: &'a Listed<'a>, fetch: &Fetch) -> Result<Answer<'a>> {
        let schema = list.source.schema();
        for table in fetch.tables(schema)? {
            list.source.check_readable(table)?;
        }
        let fetch = fetch.with_filters(schema, &|filter, table| list.source.resolved(filter, table))?;
        let outputs = fetch.outputs(schema)?;
        let positions = if fetch.aggregate { Vec::new() } else { fetch.positions(schema)? };
        Ok(Answer { list, fetch, outputs, positions })
    }

    fn page(&self) -> Result<FetchPage> {
        let most = self.list.prefer.page_size_max.unwrap_or(PAGE_ROWS_MAX).clamp(1, PAGE_ROWS_MAX);
        let (number, size) = self.fetch.page(most);
        let size = u64::from(size);
        let (after, offset) = self.begin(number, size)?;
        let window = Window { after: after.as_deref(), offset, limit: size.saturating_add(1) };
        let mut rows = self.list.source.fetch(&self.asked(), window)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = rows.len() > size && matches!(self.fetch.extent, Extent::Page { .. });
        rows.truncate(size);
        let cookie = match (rows.first(), rows.last()) {
            (Some(first), Some(last)) if more => {
                let (first, last) = (&first.position, &last.position);
                Some(Cookie::write(&self.fetch, number, &self.positions, first, last))
            }
            _ => None,
        };
        Ok(FetchPage { number, rows, cookie })
    }

    fn asked(&self) -> FetchQuery<'_> {
        let utc_offset_minutes = UTC_OFFSET_MINUTES;
        FetchQuery { fetch: &self.fetch, within: self.list.within, utc_offset_minutes }
    }

    /// Where a page begins: after which row, and how many further.
    fn begin(&self, number: u32, size: u64) -> Result<(Option<Vec<Value>>, u64)> {
        let before = |pages: u32| u64::from(pages).saturating_mul(size);
        let Extent::Page { cookie, .. } = &self.fetch.extent else { return Ok((None, 0)) };
        let Some(cookie) = cookie else {
            if before(number) > ROWS_WITHOUT_COOKIE_MAX && number > 1 {
                return Err(cookie_needed());
            }
            return Ok((None, before(number - 1)));
        };
        let cookie = Cookie::read(cookie, &self.fetch, &self.positions)?;
        Ok(match cookie.last {
            Some(last) if number > cookie.page => (Some(last), before(number - cookie.page - 1)),
            _ => (None, before(number - 1)),
        })
    }

    fn respond(&self, page: &FetchPage, cookie: Option<String>, next: Option<String>) -> Result<Response> {
        let Listed { source, root, table, query, prefer, .. } = self.list;
        let total = match self.fetch.total_record_count || query.count {
            true => Some(source.fetch_count(&self.asked(), COUNT_MAX + 1)?),
            false => None,
        };
        let count = total.filter(|_| query.count).map(|total| total.min(COUNT_MAX));
        let mut said = render::record_count_annotations(&prefer.annotations, total, COUNT_MAX);
        said.extend(self.list.definitions_version());
        if let Some(cookie) = cookie {
            said.extend(render::paging_annotations(&prefer.annotations, &cookie));
        }
        let shape = FetchShape::new(&self.outputs, &prefer.annotations);
        let names = Names::default();
        if shape.names_lookups() {
            let cells = page.rows.iter().flat_map(|row| &row.cells);
            let lookups = cells.filter_map(|value| match value {
                Value::Lookup(to) => Some((to.table.as_str(), to.id)),
                _ => None,
            });
            names.learn(*source, lookups)?;
        }
        let mut out = Vec::new();
        for row in &page.rows {
            if !out.is_empty() {
                out.push(b',');
            }
            let tag = row.etag.as_deref().unwrap_or_default();
            shape.write_row(&mut out, tag, &row.cells, &|_, id| names.get(id));
        }
        let columns: Vec<String> = self.outputs.iter().map(own_name).collect();
        let context = render::context_collection(root, table, Some(&columns), &[]);
        let body = render::annotated_collection_body((&context, &said), count, next.as_deref(), None, &out);
        Ok(applied(Response::json(200, body), prefer))
    }
}

/// Name of a column in the context: the property, or whatever the query calls it.
fn own_name(output: &Output) -> String {
    match output.name == output.column.property() && output.role == Role::Plain {
        true => output.column.logical_name.clone(),
        false => output.name.clone(),
    }
}

fn cookie_needed() -> ODataError {
    let message = format!(
        "Paging cookie is required when trying to retrieve a set of records on any high pages: beyond \
         {ROWS_WITHOUT_COOKIE_MAX} records."
    );
    ODataError::new(400, "0x8004430a", message)
}
