//! The schema on the wire: `EntityDefinitions`, the service document and `$metadata`, written; and a table
//! read back from the answers of any Dataverse.
//!
//! Source: developer guide, "Query table definitions using the Web API". Served: lists and single
//! definitions, attributes with or without a cast, relationships, `$select`, `$expand` with `$select`
//! inside, `$filter` with `eq` and `ne`. Names in `$select` that this service has no value for are passed
//! over; `MetadataId` is always there; nothing is paged.

mod answer;
mod csdl;
mod read;
mod shape;

pub use csdl::{metadata_xml, service_document};
pub use read::{definition_requests, parse_definition};

use crate::edm::{Column, ColumnKind, LookupTarget, Schema, Table};
use crate::error::{ODataError, Result};
use crate::path::{DefinitionPart, DefinitionPath, Selector};
use serde::Serialize;
use shape::Object;

/// The answer to a `GET` below `EntityDefinitions`, as JSON.
///
/// # Errors
/// 404 `0x80060888`: no such table or column. 400 `0x80060888`: a malformed option. 501: an option or
/// expansion that is not served.
pub fn definitions(
    schema: &Schema,
    path: &DefinitionPath,
    options: &[(String, String)],
    root: &str,
) -> Result<Vec<u8>> {
    let wanted = Wanted::read(options)?;
    let context = format!("{root}$metadata#EntityDefinitions");
    let Some(selector) = &path.entity else {
        let tables = schema.tables.iter().map(|table| wanted.entity(schema, table));
        return wanted.list(context, tables);
    };
    let table = schema.tables.iter().find(|t| selects(selector, &t.logical_name, t.metadata_id));
    let table = table.ok_or_else(|| not_found("table", selector))?;
    let below = |part: &str| format!("{context}({})/{part}", table.metadata_id);
    match &path.part {
        None => one(format!("{context}/$entity"), wanted.entity(schema, table)?),
        Some(DefinitionPart::Attributes { attribute, cast }) => {
            let cast = cast.as_deref();
            let columns = table.columns.iter().zip(1..).filter(|(column, _)| fits(column, cast));
            let Some(selector) = attribute else {
                let attributes =
                    columns.map(|(column, number)| wanted.attribute(table, column, number, cast));
                return wanted.list(below("Attributes"), attributes);
            };
            let found = columns.into_iter().find(|(c, _)| selects(selector, &c.logical_name, c.metadata_id));
            let (column, number) = found.ok_or_else(|| not_found("column", selector))?;
            one(below("Attributes/$entity"), wanted.attribute(table, column, number, cast)?)
        }
        Some(DefinitionPart::ManyToOneRelationships) => {
            let all = many_to_one(schema, table).into_iter().map(|object| Ok(wanted.selected(object)));
            wanted.list(below("ManyToOneRelationships"), all)
        }
        Some(DefinitionPart::OneToManyRelationships) => {
            let all = one_to_many(schema, table).into_iter().map(|object| Ok(wanted.selected(object)));
            wanted.list(below("OneToManyRelationships"), all)
        }
        Some(DefinitionPart::ManyToManyRelationships) => wanted.list(below("ManyToManyRelationships"), []),
        Some(DefinitionPart::Keys) => wanted.list(below("Keys"), []),
    }
}

fn selects(selector: &Selector, logical_name: &str, metadata_id: uuid::Uuid) -> bool {
    match selector {
        Selector::LogicalName(name) => name == logical_name,
        Selector::MetadataId(id) => *id == metadata_id,
    }
}

fn not_found(what: &str, selector: &Selector) -> ODataError {
    let name = match selector {
        Selector::LogicalName(name) => name.chars().take(NAME_SHOWN_MAX).collect(),
        Selector::MetadataId(id) => id.to_string(),
    };
    ODataError::new(
        404,
        "0x80060888",
        format!("Could not find a {what} with the name or MetadataId '{name}'."),
    )
}

/// Most characters of a foreign name that an error message repeats.
const NAME_SHOWN_MAX: usize = 100;

fn fits(column: &Column, cast: Option<&str>) -> bool {
    let is_enum = matches!(
        column.kind,
        ColumnKind::Picklist { .. }
            | ColumnKind::MultiPicklist { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. }
    );
    match cast {
        None | Some("AttributeMetadata") => true,
        Some("EnumAttributeMetadata") => is_enum,
        Some(name) => shape::type_name(column) == name,
    }
}

fn many_to_one(schema: &Schema, table: &Table) -> Vec<Object> {
    lookups(table).map(|(column, target)| shape::relationship(schema, table, column, target)).collect()
}

fn one_to_many(schema: &Schema, table: &Table) -> Vec<Object> {
    let mut out = Vec::new();
    for other in &schema.tables {
        for (column, target) in lookups(other).filter(|(_, target)| target.table == table.logical_name) {
            out.push(shape::relationship(schema, other, column, target));
        }
    }
    out
}

/// Every lookup column of a table with each of its targets.
fn lookups(table: &Table) -> impl Iterator<Item = (&Column, &LookupTarget)> {
    table.columns.iter().flat_map(|column| {
        let targets: &[LookupTarget] = match &column.kind {
            ColumnKind::Lookup { targets } => targets,
            _ => &[],
        };
        targets.iter().map(move |target| (column, target))
    })
}

fn one(context: String, object: Object) -> Result<Vec<u8>> {
    bytes(&object.with_first("@odata.context", &context))
}

fn bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|_| ODataError::new(500, "0x80040216", "A definition could not be written."))
}

/// What the query options ask for.
#[derive(Debug, Default)]
struct Wanted {
    select: Option<Vec<String>>,
    expand: Vec<Expansion>,
    filter: Option<Conditions>,
}

#[derive(Debug)]
struct Expansion {
    name: String,
    select: Option<Vec<String>>,
}

/// Comparisons joined by the same word.
#[derive(Debug)]
struct Conditions {
    all: bool,
    terms: Vec<Term>,
}

/// `name eq literal`; the literal as JSON text.
#[derive(Debug)]
struct Term {
    name: String,
    equal: bool,
    literal: String,
}

impl Wanted {
    /// Options without a `$` (`LabelLanguages`) and `$count` change nothing here.
    fn read(options: &[(String, String)]) -> Result<Wanted> {
        let mut wanted = Wanted::default();
        for (name, value) in options {
            match name.as_str() {
                "$select" => wanted.select = Some(list(value)),
                "$expand" => wanted.expand = expansions(value)?,
                "$filter" => wanted.filter = Some(Conditions::read(value)?),
                "$count" => {}
                _ if name.starts_with('$') => {
                    return Err(ODataError::not_implemented(format!(
                        "{name} is not supported on definitions."
                    )))
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn selected(&self, mut object: Object) -> Object {
        if let Some(names) = &self.select {
            object.select(names);
        }
        object
    }

    fn entity(&self, schema: &Schema, table: &Table) -> Result<Object> {
        let mut object = self.filtered_later(shape::entity(table));
        for expansion in &self.expand {
            let mut parts = match expansion.name.as_str() {
                "Attributes" => table
                    .columns
                    .iter()
                    .zip(1..)
                    .map(|(column, n)| shape::attribute(table, column, n))
                    .collect(),
                "ManyToOneRelationships" => many_to_one(schema, table),
                "OneToManyRelationships" => one_to_many(schema, table),
                "ManyToManyRelationships" | "Keys" => Vec::new(),
                _ => return Err(cannot_expand(&expansion.name)),
            };
            if let Some(names) = &expansion.select {
                parts.iter_mut().for_each(|part| part.select(names));
            }
            object.push(&expansion.name, parts);
        }
        Ok(object)
    }

    fn attribute(&self, table: &Table, column: &Column, number: usize, cast: Option<&str>) -> Result<Object> {
        let mut object = self.filtered_later(shape::attribute(table, column, number));
        for expansion in &self.expand {
            match (expansion.name.as_str(), cast) {
                ("OptionSet", Some(_)) => {
                    let mut set = shape::option_set(table, column);
                    if let (Some(set), Some(names)) = (&mut set, &expansion.select) {
                        set.select(names);
                    }
                    object.push("OptionSet", set);
                }
                // Every choice of this service is local to its column.
                ("GlobalOptionSet", Some(_)) => object.push("GlobalOptionSet", ()),
                _ => return Err(cannot_expand(&expansion.name)),
            }
        }
        Ok(object)
    }

    /// A filter may name members that are not selected, so selecting waits until it was applied.
    fn filtered_later(&self, object: Object) -> Object {
        match self.filter {
            Some(_) => object,
            None => self.selected(object),
        }
    }

    fn list(&self, context: String, objects: impl IntoIterator<Item = Result<Object>>) -> Result<Vec<u8>> {
        let mut kept = Vec::new();
        for object in objects {
            let object = object?;
            match &self.filter {
                Some(filter) if !filter.matches(&object)? => {}
                Some(_) => kept.push(self.selected_but_expanded(object)),
                None => kept.push(object),
            }
        }
        let mut out = Object::default();
        out.push("@odata.context", context);
        out.push("value", kept);
        bytes(&out)
    }

    fn selected_but_expanded(&self, mut object: Object) -> Object {
        if let Some(names) = &self.select {
            let names: Vec<String> =
                names.iter().chain(self.expand.iter().map(|e| &e.name)).cloned().collect();
            object.select(&names);
        }
        object
    }
}

fn cannot_expand(name: &str) -> ODataError {
    let name: String = name.chars().take(NAME_SHOWN_MAX).collect();
    ODataError::not_implemented(format!("$expand={name} is not supported here."))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).collect()
}

/// `Attributes($select=a,b),ManyToOneRelationships`: commas inside brackets belong to the item.
fn expansions(text: &str) -> Result<Vec<Expansion>> {
    let mut items = vec![String::new()];
    let mut depth = 0u32;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| ODataError::bad_request("$expand has a bracket too many."))?;
            }
            _ => {}
        }
        match (c, items.last_mut()) {
            (',', _) if depth == 0 => items.push(String::new()),
            (_, Some(item)) => item.push(c),
            (_, None) => {}
        }
    }
    if depth > 0 {
        return Err(ODataError::bad_request("$expand has an open bracket."));
    }
    items.iter().map(|item| expansion(item.trim())).collect()
}

fn expansion(item: &str) -> Result<Expansion> {
    let Some((name, inner)) = item.split_once('(') else {
        return Ok(Expansion { name: item.to_owned(), select: None });
    };
    let mut select = None;
    for option in inner.strip_suffix(')').unwrap_or(inner).split(';') {
        match option.trim().strip_prefix("$select=") {
            Some(names) => select = Some(list(names)),
            None => {
                return Err(ODataError::not_implemented(format!(
                    "Only $select is supported in $expand={name}."
                )))
            }
        }
    }
    Ok(Expansion { name: name.trim().to_owned(), select })
}

impl Conditions {
    fn read(text: &str) -> Result<Conditions> {
        let (all, any) = (text.contains(" and "), text.contains(" or "));
        if all && any || text.contains('(') {
            return Err(ODataError::not_implemented(
                "Only one kind of 'and' or 'or' is supported in $filter here.",
            ));
        }
        let terms = text.split(if any { " or " } else { " and " }).map(Term::read).collect::<Result<_>>()?;
        Ok(Conditions { all: !any, terms })
    }

    fn matches(&self, object: &Object) -> Result<bool> {
        let mut results = Vec::with_capacity(self.terms.len());
        for term in &self.terms {
            results.push(term.matches(object)?);
        }
        Ok(if self.all { results.iter().all(|r| *r) } else { results.iter().any(|r| *r) })
    }
}

impl Term {
    fn read(text: &str) -> Result<Term> {
        let mut words = text.trim().splitn(3, ' ');
        let (Some(name), Some(operator), Some(literal)) = (words.next(), words.next(), words.next()) else {
            return Err(ODataError::bad_request("$filter is malformed."));
        };
        let equal = match operator {
            "eq" => true,
            "ne" => false,
            _ => return Err(ODataError::not_implemented("Only eq and ne are supported in $filter here.")),
        };
        if name.contains('/') {
            return Err(ODataError::not_implemented("Paths are not supported in $filter here."));
        }
        Ok(Term { name: name.to_owned(), equal, literal: json_literal(literal.trim())? })
    }

    fn matches(&self, object: &Object) -> Result<bool> {
        match object.get(&self.name) {
            Some(text) => Ok((text == self.literal) == self.equal),
            None => {
                let name: String = self.name.chars().take(NAME_SHOWN_MAX).collect();
                Err(ODataError::bad_request(format!("Could not find a property named '{name}'.")))
            }
        }
    }
}

/// `'text'`, an enumeration member (`Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'`), a GUID, a number
/// or a word, as the JSON text that a definition has for it.
fn json_literal(literal: &str) -> Result<String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    if let Some((_, text)) = literal.split_once('\'') {
        let text =
            text.strip_suffix('\'').ok_or_else(|| ODataError::bad_request("$filter has an open quote."))?;
        return Ok(quoted(&text.replace("''", "'")));
    }
    Ok(match uuid::Uuid::try_parse(literal) {
        Ok(id) => quoted(&id.to_string()),
        Err(_) => literal.to_owned(),
    })
}
