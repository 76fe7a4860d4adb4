//! URLs: which resource a request means, and its query options, percent-decoded.

mod collection;
mod definitions;
pub(crate) mod encoding;
mod key;
mod row;

pub use collection::{collection, collection_table, Collection, PARTY_TABLE};
pub use definitions::{DefinitionKind, DefinitionPart, DefinitionPath, Selector};
pub(crate) use encoding::{percent_decode, Plus};
pub(crate) use key::row_key;
pub use key::{AlternateName, RowKey};
use row::{collection_resource, row_resource};

use crate::edm::Schema;
use crate::error::{ODataError, Result};
use crate::query::split_outside;
use definitions::definitions;

/// What a URL names. Tables and columns are logical names, checked against the schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Resource {
    /// The root: the service document.
    Service,
    /// `$metadata`
    Metadata,
    /// `WhoAmI`
    WhoAmI,
    /// `$batch`
    Batch,
    /// `accounts`
    Collection {
        /// Logical name.
        table: String,
    },
    /// `accounts/$count`
    Count {
        /// Logical name.
        table: String,
    },
    /// `accounts(id)`
    Row {
        /// Logical name.
        table: String,
        /// Which row.
        key: RowKey,
    },
    /// `accounts(id)/name`
    Property {
        /// Logical name.
        table: String,
        /// Which row.
        key: RowKey,
        /// Logical name; `parentcustomerid` for `_parentcustomerid_value`.
        column: String,
    },
    /// `accounts(id)/name/$value`: the bare value.
    PropertyValue {
        /// Logical name.
        table: String,
        /// Which row.
        key: RowKey,
        /// Logical name.
        column: String,
    },
    /// `contacts(id)/parentcustomerid_account`: the row behind a single-valued navigation property.
    Navigation {
        /// Logical name.
        table: String,
        /// Which row.
        key: RowKey,
        /// Navigation property, as in the schema.
        navigation: String,
    },
    /// `contacts(id)/parentcustomerid_account/$ref`: a single-valued navigation property's link.
    Reference {
        /// Logical name.
        table: String,
        /// Which row.
        key: RowKey,
        /// Navigation property, as in the schema.
        navigation: String,
    },
    /// `accounts(id)/contact_customer_accounts`: the rows that point to this one.
    Related {
        /// Logical name.
        table: String,
        /// Which row.
        key: RowKey,
        /// Collection-valued navigation property; see [`collection`].
        collection: String,
    },
    /// `accounts(id)/contact_customer_accounts/$count`
    RelatedCount {
        /// Logical name.
        table: String,
        /// Which row.
        key: RowKey,
        /// Collection-valued navigation property; see [`collection`].
        collection: String,
    },
    /// `accounts(id)/contact_customer_accounts/$ref`, or `…(child)/$ref`: links of such a collection.
    CollectionReference {
        /// Logical name.
        table: String,
        /// Which row.
        key: RowKey,
        /// Collection-valued navigation property; see [`collection`].
        collection: String,
        /// The row at the other end, when the URL names it.
        child: Option<RowKey>,
    },
    /// `accounts/Microsoft.Dynamics.CRM.CreateMultiple`: an action on the rows of a table.
    CollectionAction {
        /// Logical name.
        table: String,
        /// Name without namespace.
        name: String,
    },
    /// `EntityDefinitions…`
    Definitions(DefinitionPath),
    /// `InsertOptionValue`: an unbound action of [`ACTIONS`].
    Action {
        /// Name without namespace.
        name: String,
    },
    /// `Name(parameter=value,…)`: an unbound function.
    Function {
        /// Name without namespace.
        name: String,
        /// Parameters in order: name and the text of the value, aliases (`@p`) resolved from the query
        /// options.
        parameters: Vec<(String, String)>,
    },
}

impl Resource {
    /// The row that the resource is, or belongs to.
    pub fn key(&self) -> Option<&RowKey> {
        match self {
            Resource::Row { key, .. }
            | Resource::Property { key, .. }
            | Resource::PropertyValue { key, .. }
            | Resource::Navigation { key, .. }
            | Resource::Reference { key, .. }
            | Resource::Related { key, .. }
            | Resource::RelatedCount { key, .. }
            | Resource::CollectionReference { key, .. } => Some(key),
            Resource::Service
            | Resource::Metadata
            | Resource::WhoAmI
            | Resource::Batch
            | Resource::Collection { .. }
            | Resource::Count { .. }
            | Resource::CollectionAction { .. }
            | Resource::Definitions(_)
            | Resource::Action { .. }
            | Resource::Function { .. } => None,
        }
    }
}

/// A resource and the query options, in order and percent-decoded, `$` kept in the name.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What the path names.
    pub resource: Resource,
    /// Name and value of each option.
    pub options: Vec<(String, String)>,
}

/// Unbound actions that are known: they change definitions.
pub const ACTIONS: [&str; 7] = [
    "InsertOptionValue",
    "UpdateOptionValue",
    "DeleteOptionValue",
    "OrderOption",
    "InsertStatusValue",
    "PublishXml",
    "PublishAllXml",
];
/// Longest URL, bytes: that of a GET inside a batch.
pub const URL_LENGTH_MAX: usize = 65_536;
/// Most query options of one URL.
pub const OPTIONS_MAX: usize = 64;
/// Most rows that a path goes through before it ends, each behind or below the one before.
pub const PATH_STEPS_MAX: usize = 10;
/// Namespace of everything that Dataverse defines.
const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// Reads a URL. `url` is absolute, a path, or (in a batch) relative to the root; `root` is the API's root,
/// absolute or a path, ending in `/`. Scheme and host are not compared: behind a proxy they differ. A
/// fragment is dropped.
///
/// # Errors
/// 404 when the URL is not below the root or names an unknown resource; 400 when a key or the encoding is
/// malformed; 414 when it is longer than [`URL_LENGTH_MAX`]; 501 for what Dataverse knows and this crate does
/// not.
pub fn parse_url(url: &str, root: &str, schema: &Schema) -> Result<Target> {
    if url.len() > URL_LENGTH_MAX {
        return Err(ODataError::new(414, "0x80060888", "The URL is too long."));
    }
    let url = url.split('#').next().unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = below_root(path, root).ok_or_else(|| ODataError::segment_not_found("/"))?;
    let options = parse_options(query)?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = Vec::new();
    if !path.is_empty() {
        for segment in path.split('/') {
            segments.push(percent_decode(segment, Plus::Literal)?);
        }
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let resource = resource(&segments, &options, schema)?;
    Ok(Target { resource, options })
}

/// The path relative to the root, without the slash between; `None` when it is elsewhere.
fn below_root<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    let path = without_origin(path);
    if !path.starts_with('/') {
        return Some(path);
    }
    let root = without_origin(root);
    let rest = path.strip_prefix(root.strip_suffix('/').unwrap_or(root))?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

fn without_origin(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return url;
    }
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn parse_options(query: &str) -> Result<Vec<(String, String)>> {
    let mut options = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        if options.len() == OPTIONS_MAX {
            return Err(ODataError::bad_request(format!("There are more than {OPTIONS_MAX} query options.")));
        }
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        options.push((percent_decode(name, Plus::Space)?, percent_decode(value, Plus::Space)?));
    }
    Ok(options)
}

fn resource(segments: &[&str], options: &[(String, String)], schema: &Schema) -> Result<Resource> {
    let Some((first, rest)) = segments.split_first() else { return Ok(Resource::Service) };
    let (name, key) = name_and_key(first)?;
    match (name, key, rest) {
        ("$metadata", None, []) => return Ok(Resource::Metadata),
        ("$batch", None, []) => return Ok(Resource::Batch),
        ("WhoAmI" | "Microsoft.Dynamics.CRM.WhoAmI", None | Some(""), []) => return Ok(Resource::WhoAmI),
        (action, None, []) if ACTIONS.contains(&action.strip_prefix(NAMESPACE).unwrap_or(action)) => {
            let name = action.strip_prefix(NAMESPACE).unwrap_or(action).to_owned();
            return Ok(Resource::Action { name });
        }
        ("EntityDefinitions" | "RelationshipDefinitions" | "GlobalOptionSetDefinitions", _, _) => {
            return definitions(name, key, rest).map(Resource::Definitions)
        }
        ("ManagedPropertyDefinitions", _, _) => {
            return Err(ODataError::not_implemented(format!("{name} is not supported.")))
        }
        _ => {}
    }
    let Some(table) = schema.table_by_set(name) else {
        // A set that is unknown and a function look alike; functions begin with a capital letter, sets do
        // not.
        let function = name.strip_prefix(NAMESPACE).unwrap_or(name);
        return match (key, rest) {
            (Some(key), []) if function.starts_with(|c: char| c.is_ascii_uppercase()) => {
                Ok(Resource::Function { name: function.to_owned(), parameters: parameters(key, options)? })
            }
            _ => Err(not_found(name)),
        };
    };
    match key {
        None => collection_resource(table, rest, schema),
        Some(key) => row_resource(table, row_key(key, table)?, rest, schema),
    }
}

/// `name` or `name(key)`.
fn name_and_key(segment: &str) -> Result<(&str, Option<&str>)> {
    match segment.split_once('(') {
        None => Ok((segment, None)),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(key) => Ok((name, Some(key))),
            None => Err(query_syntax()),
        },
    }
}

/// `A=1,B=@p`: values as text, aliases replaced by what the query assigns, an unassigned one by `null`.
fn parameters(list: &str, options: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    for parameter in split_outside(list, ',').map(str::trim).filter(|p| !p.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or_else(query_syntax)?;
        let value = match value.trim() {
            alias if alias.starts_with('@') => {
                options.iter().find(|(name, _)| name == alias).map_or("null", |(_, value)| value.as_str())
            }
            value => value,
        };
        if !is_balanced(value) {
            return Err(query_syntax());
        }
        parameters.push((name.trim().to_owned(), value.to_owned()));
    }
    Ok(parameters)
}

/// Whether quotes end and every bracket has its partner; brackets inside quotes are none.
fn is_balanced(value: &str) -> bool {
    let (mut open, mut quote, mut escaped) = (Vec::new(), None, false);
    for c in value.chars() {
        match (quote, c) {
            (Some('"'), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(quoted), c) if c == quoted => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => open.push(')'),
            (None, '[') => open.push(']'),
            (None, '{') => open.push('}'),
            (None, ')' | ']' | '}') if open.pop() != Some(c) => return false,
            (None, _) => {}
        }
    }
    open.is_empty() && quote.is_none()
}

fn query_syntax() -> ODataError {
    ODataError::bad_request("Bad Request - Error in query syntax.")
}

fn not_found(segment: &str) -> ODataError {
    ODataError::segment_not_found(shown(segment))
}

/// What a message repeats of a name, at most.
fn shown(segment: &str) -> &str {
    let end = segment.char_indices().nth(100).map_or(segment.len(), |(at, _)| at);
    &segment[..end]
}

#[cfg(test)]
mod tests;
