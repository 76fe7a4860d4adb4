//! Query options: what of a table is asked for, in which order, from which page.

use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::Filter;

/// Query options of a collection or a row. Names are logical names, checked against the schema.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// `$select` as logical names, each once, in order; `None` = all columns.
    pub select: Option<Vec<String>>,
    /// `$filter`
    pub filter: Option<Filter>,
    /// `$orderby`, most significant first.
    pub orderby: Vec<OrderBy>,
    /// `$top`
    pub top: Option<u32>,
    /// `$count=true`
    pub count: bool,
    /// `$expand`
    pub expand: Vec<Expand>,
    /// `$skiptoken`: opaque, the service's own.
    pub skip_token: Option<String>,
    /// `$deltatoken`: opaque, the service's own.
    pub delta_token: Option<String>,
}

/// One key of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderBy {
    /// Logical name.
    pub column: String,
    /// `desc`
    pub descending: bool,
}

/// One single-valued navigation property to expand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expand {
    /// Navigation property, as in the schema (`primarycontactid`, `parentcustomerid_account`).
    pub navigation: String,
    /// Inner `$select` as logical names of the target table; `None` = all columns.
    pub select: Option<Vec<String>>,
}

/// Reads the query options of a request on a table (as in [`crate::path::Target::options`]).
///
/// # Errors
/// 400 for an option that is unknown, given twice, malformed or not supported by Dataverse; 501 for what Dataverse
/// knows and this crate does not.
pub fn parse_query(_options: &[(String, String)], _table: &Table, _schema: &Schema) -> Result<Query> {
    Err(ODataError::not_implemented("Query options are not read yet."))
}
