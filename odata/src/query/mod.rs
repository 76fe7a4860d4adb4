//! Query options: what of a table is asked for, in which order, from which page.

mod apply;
mod expand;
mod order;

use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::{self, Filter};
use uuid::Uuid;

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
    /// `$apply`
    pub apply: Option<Apply>,
    /// `savedQuery` or `userQuery`
    pub saved: Option<SavedQuery>,
    /// `fetchXml`: its text.
    pub fetch: Option<String>,
}

/// A view whose query is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavedQuery {
    /// `savedQuery`: id of a system view.
    System(Uuid),
    /// `userQuery`: id of a view that a user made.
    User(Uuid),
}

/// One key of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderBy {
    /// Single-valued navigation properties to follow first, each with one target table; usually none. A path
    /// that leads nowhere has a null there, as in [`Filter::Through`].
    pub path: Vec<String>,
    /// Logical name.
    pub column: String,
    /// `desc`
    pub descending: bool,
}

/// One navigation property to expand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expand {
    /// Navigation property, as in the schema (`primarycontactid`, `parentcustomerid_account`,
    /// `contact_customer_accounts`).
    pub navigation: String,
    /// Whether it is collection-valued: 1:N or N:N.
    pub collection: bool,
    /// Inner `$select` as logical names of the target table; `None` = all columns.
    pub select: Option<Vec<String>>,
    /// Inner `$filter`; of collections only.
    pub filter: Option<Filter>,
    /// Inner `$orderby`; of collections only.
    pub orderby: Vec<OrderBy>,
    /// Inner `$top`; of collections only.
    pub top: Option<u32>,
    /// Inner `$count=true`; of collections only.
    pub count: bool,
    /// Inner `$expand`.
    pub expand: Vec<Expand>,
    /// `nav/$ref`: the reference instead of the row.
    pub reference_only: bool,
    /// What stood between the parentheses, as it was written: a link to more of a collection repeats it.
    pub options: String,
}

/// `$apply`: groups of rows and what is reckoned of each, over at most [`crate::fetchxml::AGGREGATE_ROWS_MAX`] rows. A
/// [`Query::filter`] beside it, as reading the rows below a row makes one, counts first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Apply {
    /// Rows that count at all.
    pub filter: Option<Filter>,
    /// What a group has in common; none: all rows are one group.
    pub group: Vec<GroupKey>,
    /// What is reckoned of each group.
    pub aggregates: Vec<Aggregate>,
}

/// One property that the rows of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupKey {
    /// As in [`OrderBy::path`].
    pub path: Vec<String>,
    /// Logical name.
    pub column: String,
    /// Name in the answer: the property, after a path all parts joined by `_` (`primarycontactid_fullname`).
    pub alias: String,
}

/// One value that is reckoned of a group's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// How.
    pub op: AggregateOp,
    /// Path (as in [`OrderBy::path`]) and logical name of the column; none only for [`AggregateOp::Count`].
    pub column: Option<(Vec<String>, String)>,
    /// Name in the answer.
    pub alias: String,
}

/// Ways to reckon a value of many. All but `Count` leave nulls out; over nothing at all the outcome is null, or
/// zero for the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateOp {
    /// Numbers only.
    Sum,
    /// Numbers only. Of exact numbers a decimal with ten digits after the point, rounded half away from zero.
    Average,
    /// The least, as [`crate::collate::value_order`] says.
    Min,
    /// The greatest.
    Max,
    /// Rows.
    Count,
    /// Different values; texts without case.
    CountDistinct,
}

/// Most navigation properties in one `$expand`, those of inner levels counted, as in Dataverse.
pub const EXPAND_MAX: usize = 15;
/// Most properties to group by, and most values to reckon, in one `$apply`.
pub const AGGREGATES_MAX: usize = 32;
/// Most keys of one `$orderby`.
pub const ORDER_KEYS_MAX: usize = 32;

/// Reads the query options of a request on a table (as in [`crate::path::Target::options`]). Parameter
/// aliases (`@p`) count in `$filter`, `$orderby` and `$apply`, not inside `$expand`; `tag`, meant for plug-ins, is
/// let through.
///
/// # Errors
/// 400 for an option that is unknown, given twice, malformed, not supported by Dataverse, or that does not go together
/// with another; 501 for what leads to a table that the schema does not have.
pub fn parse_query(options: &[(String, String)], table: &Table, schema: &Schema) -> Result<Query> {
    let aliases = |name: &str| {
        let assigned = options.iter().find(|(option, _)| option.strip_prefix('@') == Some(name));
        assigned.map(|(_, value)| value.as_str())
    };
    let mut query = Query::default();
    for (at, (name, value)) in options.iter().enumerate() {
        if options[..at].iter().any(|(earlier, _)| earlier == name) {
            return Err(ODataError::bad_request(format!(
                "Query option '{}' was specified more than once, but it must be specified at most once.",
                shown(name)
            )));
        }
        match name.as_str() {
            "$select" => query.select = select(value, &[table])?,
            "$filter" => query.filter = Some(filter::parse::parse(value, table, schema, &aliases)?),
            "$orderby" => {
                let list = value.strip_prefix('@').map_or(Some(value.as_str()), aliases);
                query.orderby = order::parse(list.unwrap_or_default(), table, schema)?;
            }
            "$top" => query.top = Some(value.parse().map_err(|_| invalid(name))?),
            "$count" => query.count = boolean(value).ok_or_else(|| invalid(name))?,
            "$expand" => query.expand = expand::parse(value, table, schema)?,
            "$skiptoken" => query.skip_token = Some(value.clone()),
            "$deltatoken" => query.delta_token = Some(value.clone()),
            "fetchXml" => query.fetch = Some(value.clone()),
            "savedQuery" => query.saved = Some(SavedQuery::System(view(name, value)?)),
            "userQuery" => query.saved = Some(SavedQuery::User(view(name, value)?)),
            "$apply" => query.apply = Some(apply::parse(value, table, schema, &aliases)?),
            "tag" => {}
            alias if alias.starts_with('@') => {}
            _ => return Err(unsupported(name)),
        }
    }
    check_together(options)?;
    Ok(query)
}

/// Options that bring a whole query with them leave no room for others.
fn check_together(options: &[(String, String)]) -> Result<()> {
    let given = |wanted: &[&str]| options.iter().find(|(name, _)| wanted.contains(&name.as_str()));
    let foreign: &[&str] = match given(&["$apply", "fetchXml", "savedQuery", "userQuery"]) {
        None => return Ok(()),
        // What groups have in common and what is reckoned of them are no columns.
        Some((name, _)) if name == "$apply" => &[
            "$select",
            "$filter",
            "$orderby",
            "$top",
            "$count",
            "$expand",
            "fetchXml",
            "savedQuery",
            "userQuery",
        ],
        Some((name, _)) if name == "fetchXml" => {
            &["$select", "$filter", "$orderby", "$top", "$expand", "$apply", "savedQuery", "userQuery"]
        }
        Some((name, _)) if name == "savedQuery" => &["userQuery", "fetchXml", "$apply"],
        Some(_) => &["savedQuery", "fetchXml", "$apply"],
    };
    match (given(foreign), given(&["$apply", "fetchXml", "savedQuery", "userQuery"])) {
        (Some((name, _)), Some((whole, _))) => Err(ODataError::bad_request(format!(
            "The query parameters {whole} and {name} do not go together."
        ))),
        _ => Ok(()),
    }
}

/// Names of a `$select` as logical names; each must be a column of at least one of the tables. `*` means all.
fn select(list: &str, tables: &[&Table]) -> Result<Option<Vec<String>>> {
    let mut names = Vec::new();
    let mut all = list.trim().is_empty();
    for property in list.split(',').map(str::trim).filter(|_| !list.trim().is_empty()) {
        if property == "*" {
            all = true;
            continue;
        }
        let found = tables.iter().find_map(|table| table.column_by_property(property));
        let column = match (found, tables.first()) {
            (Some(column), _) => column,
            (None, Some(table)) => filter::parse::column(table, property)?,
            (None, None) => return Err(invalid("$select")),
        };
        if !names.contains(&column.logical_name) {
            names.push(column.logical_name.clone());
        }
    }
    Ok(if all { None } else { Some(names) })
}

/// Splits at a separator that stands outside quotes, parentheses and brackets. Always gives at least one
/// part.
pub fn split_outside(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let mut quoted = false;
    text.split(move |c: char| {
        match c {
            '\'' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == separator && !quoted && depth == 0
    })
}

fn view(option: &str, value: &str) -> Result<Uuid> {
    filter::parse_guid(value).ok_or_else(|| invalid(option))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn invalid(option: &str) -> ODataError {
    ODataError::bad_request(format!("The value of query option '{option}' is malformed."))
}

fn unsupported(option: &str) -> ODataError {
    ODataError::bad_request(format!("The query parameter {} is not supported.", shown(option)))
}

/// What a message repeats of a name, at most.
fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}

#[cfg(test)]
mod tests;
