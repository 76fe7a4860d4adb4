//! Reads, answered: lists in pages, what hangs on rows, groups, FetchXML, in the bytes of the Web API.
//!
//! Where rows come from is a [`Source`]: a database for the server, columns and a journal for the engine. What is made
//! of them stands here once, so that a client cannot tell one from the other.

mod base64;
mod expand;
mod fetch;
mod figures;
mod groups;
mod list;
mod names;
mod page;
mod sheet;
mod single;

pub use expand::EXPANDED_ROWS_MAX;
pub use figures::{Groups, Running};
pub use list::{applied, counted, entity, Listed, Wanted};
pub use page::{link, Page};
pub use sheet::{Plan, Press, Sheet};

use crate::edm::{Column, Schema, Table};
use crate::error::{ODataError, Result};
use crate::fetchxml::Fetch;
use crate::filter::Filter;
use crate::http::Response;
use crate::operation::Operation;
use crate::query::{Apply, OrderBy};
use crate::render::Cell;
use crate::stamps::Stamps;
use crate::value::{Row, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;

/// Most rows in one answer, and what a client gets that does not ask for fewer.
pub const PAGE_ROWS_MAX: u32 = 5000;
/// Counts stop here, as Dataverse's do.
pub const COUNT_MAX: u64 = 5000;

/// Rows as one caller sees them at one moment.
///
/// Every method fails with 400 when the query asks for what the schema does not have, or for too much; further
/// errors are the source's own, and become the answer.
pub trait Source {
    /// Tables and columns.
    fn schema(&self) -> &Schema;

    /// Version of the definitions, where it is known.
    fn definitions_version(&self) -> Option<i64>;

    /// Whether something of the table may be read at all.
    ///
    /// # Errors
    /// 403 otherwise.
    fn check_readable(&self, table: &Table) -> Result<()>;

    /// Whether the caller may not see the values of a column.
    fn is_masked(&self, table: &Table, column: &Column) -> bool;

    /// The filter without query functions: caller and moment are put into it.
    ///
    /// # Errors
    /// As [`crate::filter::resolve`].
    fn resolved(&self, filter: &Filter, table: &Table) -> Result<Filter>;

    /// One row with at least these columns, those masked left out.
    ///
    /// # Errors
    /// The source's own.
    fn row(&self, table: &Table, id: Uuid, columns: &[&Column]) -> Result<Option<Stored>>;

    /// Calls `each` for every row of a listing, in order, until it says `false`.
    ///
    /// # Errors
    /// See the trait; what `each` gives.
    fn list(&self, listing: &Listing<'_>, columns: &[&Column], each: &mut Each<'_>) -> Result<()>;

    /// How many rows of a listing there are, whatever its order and position, counted up to its limit.
    ///
    /// # Errors
    /// See the trait.
    fn count(&self, listing: &Listing<'_>) -> Result<u64>;

    /// Calls `each` for the rows of a collection of many holders, holder by holder, each holder's in order;
    /// [`Found::id`] is the holder's.
    ///
    /// # Errors
    /// See the trait; what `each` gives.
    fn related(
        &self,
        related: &Related<'_>,
        holders: &[Uuid],
        columns: &[&Column],
        each: &mut Each<'_>,
    ) -> Result<()>;

    /// How many rows the collection of each holder has; holders without any are left out.
    ///
    /// # Errors
    /// See the trait.
    fn related_counts(&self, related: &Related<'_>, holders: &[Uuid]) -> Result<HashMap<Uuid, u64>>;

    /// Calls `each` for the rows of a table that have one of these ids, in any order.
    ///
    /// # Errors
    /// The source's own; what `each` gives.
    fn rows_of(&self, table: &Table, ids: &[Uuid], columns: &[&Column], each: &mut Each<'_>) -> Result<()>;

    /// The names of rows of a table, where they have one.
    ///
    /// # Errors
    /// The source's own.
    fn names_of(&self, table: &Table, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>>;

    /// Field stamps of rows; those of which nothing is known are left out.
    ///
    /// # Errors
    /// The source's own.
    fn stamps_of(&self, table: &Table, ids: &[Uuid]) -> Result<HashMap<Uuid, Stamps>>;

    /// The groups of an `$apply` in the order of their keys; of each the keys and the aggregates, in the order asked
    /// for. Without keys there is one group, even of no rows at all.
    ///
    /// # Errors
    /// 400 `0x8004e023` for more than [`crate::fetchxml::AGGREGATE_ROWS_MAX`] rows.
    fn groups(&self, table: &Table, apply: &Apply) -> Result<Vec<Vec<Value>>>;

    /// The rows of a FetchXML query.
    ///
    /// # Errors
    /// 400 `0x8004e023` when an aggregate goes over more rows than it may.
    fn fetch(&self, asked: &FetchQuery<'_>, window: Window<'_>) -> Result<Vec<FetchRow>>;

    /// How many rows a FetchXML query has, counted up to `limit`. For an aggregate that is the number of groups.
    ///
    /// # Errors
    /// As [`Source::fetch`].
    fn fetch_count(&self, asked: &FetchQuery<'_>, limit: u64) -> Result<u64>;
}

/// Takes one row; false when no more are wanted.
pub type Each<'e> = dyn FnMut(&dyn Found) -> Result<bool> + 'e;

/// One row that was found, borrowed.
pub trait Found {
    /// The cell of the column in place `at` of the columns asked for.
    fn cell(&self, at: usize) -> Cell<'_>;

    /// The row's etag.
    fn etag(&self) -> Cow<'_, str>;

    /// The row's id; of rows of a collection, the id of the row that has it.
    fn id(&self) -> Uuid;

    /// Values of the order's keys, the row's own id last: where the row stands.
    fn position(&self) -> Vec<Value>;
}

/// A row with its etag.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The columns that were asked for and are seen, at least.
    pub row: Row,
    /// Opaque to clients.
    pub etag: String,
}

/// Which rows of a table, in which order.
#[derive(Clone, Copy)]
pub struct Listing<'q> {
    /// The table.
    pub table: &'q Table,
    /// Only those in a collection of a row.
    pub within: Option<Within<'q>>,
    /// Which rows; without query functions.
    pub filter: Option<&'q Filter>,
    /// Order; the primary key always follows last, so that pages are stable.
    pub order: &'q [OrderBy],
    /// Values of the order's keys of the last row before this page: see [`Found::position`].
    pub after: Option<&'q [Value]>,
    /// Most rows.
    pub limit: u64,
}

/// A collection of one row.
#[derive(Debug, Clone, Copy)]
pub struct Within<'q> {
    /// The table of the row that has it.
    pub holders: &'q Table,
    /// That row.
    pub holder: Uuid,
    /// The collection-valued navigation property.
    pub collection: &'q str,
}

/// Rows of one collection of many rows.
#[derive(Clone, Copy)]
pub struct Related<'q> {
    /// The table of the rows that have it.
    pub holders: &'q Table,
    /// The collection-valued navigation property.
    pub collection: &'q str,
    /// The table of its rows.
    pub table: &'q Table,
    /// Which rows of it; without query functions.
    pub filter: Option<&'q Filter>,
    /// In which order.
    pub order: &'q [OrderBy],
    /// Most rows of each holder.
    pub limit: u64,
}

/// A FetchXML query.
#[derive(Clone, Copy)]
pub struct FetchQuery<'q> {
    /// The query, its conditions resolved.
    pub fetch: &'q Fetch,
    /// Only rows of the entity that are in this collection.
    pub within: Option<Within<'q>>,
    /// Minutes that the caller's calendar is ahead of UTC.
    pub utc_offset_minutes: i32,
}

/// What of the rows of a FetchXML query is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Window<'q> {
    /// Values, by [`Fetch::positions`], of the row before the first one.
    pub after: Option<&'q [Value]>,
    /// Rows to leave out after that.
    pub offset: u64,
    /// Most rows.
    pub limit: u64,
}

/// One row of the answer to a FetchXML query.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchRow {
    /// Etag of the entity's row; none in distinct queries and aggregates.
    pub etag: Option<String>,
    /// Values by [`Fetch::outputs`].
    pub cells: Vec<Value>,
    /// Values by [`Fetch::positions`]; none in aggregates.
    pub position: Vec<Value>,
}

/// Answers an operation that reads rows; `None` for any other. `url` is the request's own, for links to further pages.
/// Change tracking is the caller's.
///
/// # Errors
/// What Dataverse would answer; what the source gives.
pub fn respond(
    source: &dyn Source,
    root: &str,
    url: &str,
    operation: &Operation,
) -> Result<Option<Response>> {
    let table_of = |name: &str| table_of(source.schema(), name);
    let response = match operation {
        Operation::ReadCollection { table, query, prefer } => {
            let (table, wanted) = (table_of(table)?, Wanted::Rows);
            Listed { source, root, url, table, within: None, wanted, query, prefer }.respond()
        }
        Operation::Count { table, query } => list::count(source, table_of(table)?, None, query),
        Operation::ReadRow { table, id, query, prefer, condition } => {
            list::row(source, root, (table_of(table)?, *id), query, prefer, condition)
        }
        Operation::ReadProperty { table, id, column, raw } => {
            let form = if *raw { single::Form::Bare } else { single::Form::Json };
            single::property(source, root, (table_of(table)?, *id), column, form)
        }
        Operation::ReadNavigation { table, id, navigation, query, prefer, condition } => {
            let from = (table_of(table)?, *id);
            single::navigation(source, root, from, navigation, (query, prefer, condition))
        }
        Operation::ReadReference { table, id, navigation } => {
            single::reference(source, root, (table_of(table)?, *id), navigation)
        }
        Operation::ReadRelated { table, id, collection, query, prefer, reference_only } => {
            let wanted = if *reference_only { Wanted::References } else { Wanted::Rows };
            single::related(source, root, url, (table_of(table)?, *id), collection, (query, prefer, wanted))
        }
        Operation::CountRelated { table, id, collection, query } => {
            single::count_related(source, (table_of(table)?, *id), collection, query)
        }
        Operation::Service
        | Operation::Metadata
        | Operation::WhoAmI
        | Operation::Definitions { .. }
        | Operation::Batch(_)
        | Operation::Create { .. }
        | Operation::Update { .. }
        | Operation::SetProperty { .. }
        | Operation::Delete { .. }
        | Operation::SetReference { .. }
        | Operation::Pair { .. }
        | Operation::ReplaceSet { .. }
        | Operation::Multiple { .. }
        | Operation::Define { .. }
        | Operation::Action { .. }
        | Operation::Function { .. } => return Ok(None),
    };
    response.map(Some)
}

/// 501 for queries of single rows and counts that bring a whole query with them.
///
/// # Errors
/// See above.
pub fn check_supported(operation: &Operation) -> Result<()> {
    let beyond = |what: &str| Err(ODataError::not_implemented(format!("{what} is not supported.")));
    match operation.query() {
        Some(_) if matches!(operation, Operation::ReadCollection { .. } | Operation::ReadRelated { .. }) => {
            Ok(())
        }
        Some(query) if query.fetch.is_some() => beyond("fetchXml"),
        Some(query) if query.saved.is_some() => beyond("Running a view"),
        Some(_) | None => Ok(()),
    }
}

/// Most rows above or under one row that a query function may find.
pub const HIERARCHY_ROWS_MAX: usize = 5000;

/// 400: more than [`HIERARCHY_ROWS_MAX`].
pub fn too_many_in_hierarchy(table: &str) -> ODataError {
    ODataError::bad_request(format!(
        "More than {HIERARCHY_ROWS_MAX} rows of '{table}' stand above or under the row."
    ))
}

/// A table that a parsed URL names.
fn table_of<'s>(schema: &'s Schema, logical_name: &str) -> Result<&'s Table> {
    schema.table(logical_name).ok_or_else(|| ODataError::segment_not_found(logical_name))
}

/// The table of the rows of a collection.
fn collection_table<'s>(schema: &'s Schema, holders: &Table, collection: &str) -> Result<&'s Table> {
    let missing = || ODataError::bad_request(format!("Could not find a property named '{collection}'."));
    crate::path::collection_table(schema, holders, collection).ok_or_else(missing)
}

/// Absolute URL of a row.
fn row_url(root: &str, table: &Table, id: Uuid) -> String {
    format!("{root}{}({id})", table.set_name)
}
