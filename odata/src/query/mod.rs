//! Query options: what of a table is asked for, in which order, from which page.

use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::{self, Filter};
use crate::path;

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

/// Most navigation properties in one `$expand`, as in Dataverse.
pub const EXPAND_MAX: usize = 15;
/// Most keys of one `$orderby`.
pub const ORDER_KEYS_MAX: usize = 32;

/// Reads the query options of a request on a table (as in [`crate::path::Target::options`]). Parameter
/// aliases (`@p`) count in `$filter` and `$orderby`; `tag`, meant for plug-ins, is let through.
///
/// # Errors
/// 400 for an option that is unknown, given twice, malformed or not supported by Dataverse; 501 for what
/// Dataverse knows and this crate does not.
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
            "$filter" => query.filter = Some(filter::parse::parse(value, table, &aliases)?),
            "$orderby" => {
                query.orderby = orderby(value.strip_prefix('@').map_or(Some(value), aliases), table)?
            }
            "$top" => query.top = Some(value.parse().map_err(|_| invalid(name))?),
            "$count" => query.count = boolean(value).ok_or_else(|| invalid(name))?,
            "$expand" => query.expand = expand(value, table, schema)?,
            "$skiptoken" => query.skip_token = Some(value.clone()),
            "$deltatoken" => query.delta_token = Some(value.clone()),
            "$apply" | "fetchXml" | "savedQuery" | "userQuery" => {
                return Err(ODataError::not_implemented(format!(
                    "The query parameter {name} is not supported."
                )))
            }
            "tag" => {}
            alias if alias.starts_with('@') => {}
            _ => return Err(unsupported(name)),
        }
    }
    Ok(query)
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

/// `name asc,createdon desc`; an alias that is not assigned orders by nothing.
fn orderby(list: Option<&str>, table: &Table) -> Result<Vec<OrderBy>> {
    let mut keys = Vec::new();
    for key in
        list.unwrap_or_default().split(',').filter(|_| list.is_some_and(|list| !list.trim().is_empty()))
    {
        let mut words = key.split_whitespace();
        let property = words.next().ok_or_else(|| invalid("$orderby"))?;
        let descending = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return Err(invalid("$orderby")),
        };
        if property.contains('/') {
            return Err(ODataError::not_implemented(
                "Ordering by a column of another table is not supported.",
            ));
        }
        if keys.len() == ORDER_KEYS_MAX {
            return Err(ODataError::bad_request(format!("$orderby has more than {ORDER_KEYS_MAX} keys.")));
        }
        let column = filter::parse::column(table, property)?.logical_name.clone();
        keys.push(OrderBy { column, descending });
    }
    Ok(keys)
}

fn expand(list: &str, table: &Table, schema: &Schema) -> Result<Vec<Expand>> {
    let mut expands: Vec<Expand> = Vec::new();
    for item in split_outside(list, ',').map(str::trim).filter(|_| !list.trim().is_empty()) {
        if expands.len() == EXPAND_MAX {
            return Err(ODataError::bad_request(format!("$expand has more than {EXPAND_MAX} properties.")));
        }
        let expand = expand_one(item, table, schema)?;
        if expands.iter().any(|earlier| earlier.navigation == expand.navigation) {
            return Err(ODataError::bad_request(format!("'{}' is expanded twice.", expand.navigation)));
        }
        expands.push(expand);
    }
    Ok(expands)
}

/// `nav` or `nav($select=a,b)`.
fn expand_one(item: &str, table: &Table, schema: &Schema) -> Result<Expand> {
    let (name, options) = match item.split_once('(') {
        None => (item, ""),
        Some((name, rest)) => (name.trim(), rest.strip_suffix(')').ok_or_else(|| invalid("$expand"))?),
    };
    let Some((_, targets)) = table.navigation(name) else {
        let known = path::collection(schema, table, name).is_some() || name.contains('/');
        return Err(match known {
            true => ODataError::not_implemented(
                "Only single-valued navigation properties of the table itself can be expanded.",
            ),
            false => filter::parse::column_not_found(table, name),
        });
    };
    let tables: Vec<&Table> = targets.iter().filter_map(|target| schema.table(&target.table)).collect();
    if tables.is_empty() {
        return Err(ODataError::not_implemented(format!("The table that '{name}' leads to is not here.")));
    }
    let mut selected = None;
    for option in split_outside(options, ';').map(str::trim).filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("$select", list)) if selected.is_none() => selected = Some(select(list, &tables)?),
            Some(("$select", _)) | None => return Err(invalid("$expand")),
            Some(("$filter" | "$orderby" | "$top" | "$expand", _)) => {
                return Err(ODataError::not_implemented("Inside $expand only $select is supported."))
            }
            Some((other, _)) => return Err(unsupported(other)),
        }
    }
    Ok(Expand { navigation: name.to_owned(), select: selected.flatten() })
}

/// Splits at a separator that stands outside quotes, parentheses and brackets. Always gives at least one
/// part.
pub(crate) fn split_outside(text: &str, separator: char) -> impl Iterator<Item = &str> {
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
