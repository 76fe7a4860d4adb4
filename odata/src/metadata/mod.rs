//! The schema on the wire: `EntityDefinitions`, the service document and `$metadata`, written; and a table
//! read back from the answers of any Dataverse.
//!
//! Source: developer guide, "Query table definitions using the Web API". Served: lists and single
//! definitions of tables, columns (with or without a cast), relationships, keys and option sets; `$select`,
//! `$filter`, and `$expand` with both inside. Names in `$select` that this service has no value for are
//! passed over; `MetadataId` is always there; nothing is paged.

mod answer;
mod condition;
mod csdl;
mod query;
mod read;
mod shape;
mod wanted;

pub use csdl::{metadata_xml, metadata_xml_annotated, service_document};
pub use query::MetadataQuery;
pub use read::{definition_requests, parse_attribute, parse_definition, parse_pairs};
pub use shape::{option_set_id, relationship_id};

use crate::edm::{Column, ColumnKind, LookupTarget, Schema, Table};
use crate::error::{ODataError, Result};
use crate::path::{DefinitionKind, DefinitionPart, DefinitionPath, Selector};
use serde::Serialize;
use shape::Object;
use uuid::Uuid;
use wanted::{columns, keys, many_to_many, many_to_one, one_to_many, Subject, Wanted};

/// The answer to a `GET` of definitions, as JSON.
///
/// # Errors
/// 404 `0x80060888`: no such table, column, relationship, key or option set. 400 `0x80060888`: a malformed option.
/// 501: an option or expansion that is not served.
pub fn definitions(
    schema: &Schema,
    path: &DefinitionPath,
    options: &[(String, String)],
    root: &str,
) -> Result<Vec<u8>> {
    let wanted = Wanted::read(options)?;
    let answer =
        Answer { schema, wanted: &wanted, context: format!("{root}$metadata#{}", path.kind.segment()) };
    match path.kind {
        DefinitionKind::Entities => answer.entities(path),
        DefinitionKind::Relationships => answer.relationships(path),
        DefinitionKind::OptionSets => answer.option_sets(path),
    }
}

struct Answer<'a> {
    schema: &'a Schema,
    wanted: &'a Wanted,
    context: String,
}

impl<'a> Answer<'a> {
    fn entities(&self, path: &DefinitionPath) -> Result<Vec<u8>> {
        let schema = self.schema;
        let Some(selector) = &path.entity else {
            return self.list("", schema.tables.iter().map(Subject::Table));
        };
        let table = find_table(schema, selector)?;
        let below = |part: &str| format!("({})/{part}", table.metadata_id);
        match &path.part {
            None => self.one("/$entity", Subject::Table(table)),
            Some(DefinitionPart::Attributes { attribute, cast }) => {
                let found = cast_columns(table, cast.as_deref());
                match attribute {
                    None => self.list(&below("Attributes"), found),
                    Some(selector) => self.one(&below("Attributes/$entity"), find_column(found, selector)?),
                }
            }
            Some(DefinitionPart::OptionSet { attribute, cast, global }) => {
                let found = find_column(cast_columns(table, Some(cast)), attribute)?;
                self.one(&below("Attributes/OptionSet/$entity"), options_of(schema, found, *global)?)
            }
            Some(DefinitionPart::ManyToOneRelationships) => {
                self.list(&below("ManyToOneRelationships"), many_to_one(table))
            }
            Some(DefinitionPart::OneToManyRelationships) => {
                self.list(&below("OneToManyRelationships"), one_to_many(schema, table))
            }
            Some(DefinitionPart::ManyToManyRelationships) => {
                self.list(&below("ManyToManyRelationships"), many_to_many(schema, table))
            }
            Some(DefinitionPart::Keys) => self.list(&below("Keys"), keys(table)),
            Some(DefinitionPart::Key(selector)) => {
                let found = table.keys.iter().find(|key| selects(selector, &key.name, key.metadata_id));
                let key = found.ok_or_else(|| not_found("key", selector))?;
                self.one(&below("Keys/$entity"), Subject::Key(table, key))
            }
            Some(DefinitionPart::Relationship(selector)) => {
                let mut all = many_to_one(table);
                all.extend(one_to_many(schema, table));
                all.extend(many_to_many(schema, table));
                self.one("/$entity", find_relationship(all, selector)?)
            }
        }
    }

    fn relationships(&self, path: &DefinitionPath) -> Result<Vec<u8>> {
        let mut all: Vec<Subject<'a>> = self.schema.tables.iter().flat_map(many_to_one).collect();
        all.extend(self.schema.many_to_many.iter().map(Subject::ManyToMany));
        let fits = |subject: &Subject<'_>| match path.cast.as_deref() {
            None | Some("RelationshipMetadataBase") => true,
            Some("OneToManyRelationshipMetadata") => matches!(subject, Subject::OneToMany(..)),
            Some("ManyToManyRelationshipMetadata") => matches!(subject, Subject::ManyToMany(_)),
            Some(_) => false,
        };
        all.retain(fits);
        match &path.entity {
            None => self.list("", all),
            Some(selector) => self.one("/$entity", find_relationship(all, selector)?),
        }
    }

    fn option_sets(&self, path: &DefinitionPath) -> Result<Vec<u8>> {
        let fits = matches!(path.cast.as_deref(), None | Some("OptionSetMetadata" | "OptionSetMetadataBase"));
        let mut sets = self.schema.option_sets.iter().filter(|_| fits);
        match &path.entity {
            None => self.list("", sets.map(Subject::OptionSet)),
            Some(selector) => {
                let found = sets.find(|set| selects(selector, &set.name, set.metadata_id));
                self.one(
                    "/$entity",
                    Subject::OptionSet(found.ok_or_else(|| not_found("option set", selector))?),
                )
            }
        }
    }

    fn one(&self, below: &str, subject: Subject<'_>) -> Result<Vec<u8>> {
        let object = self.wanted.one(self.schema, subject)?.unwrap_or_default();
        bytes(&object.with_first("@odata.context", &format!("{}{below}", self.context)))
    }

    fn list<'s>(&self, below: &str, subjects: impl IntoIterator<Item = Subject<'s>>) -> Result<Vec<u8>> {
        let mut out = Object::default();
        out.push("@odata.context", format!("{}{below}", self.context));
        out.push("value", self.wanted.all(self.schema, subjects)?);
        bytes(&out)
    }
}

/// The table that a selector names.
///
/// # Errors
/// 404 `0x80060888` when there is none.
pub fn find_table<'s>(schema: &'s Schema, selector: &Selector) -> Result<&'s Table> {
    let found = schema.tables.iter().find(|table| selects(selector, &table.logical_name, table.metadata_id));
    found.ok_or_else(|| not_found("table", selector))
}

fn cast_columns<'a>(table: &'a Table, cast: Option<&str>) -> Vec<Subject<'a>> {
    let all = columns(table, cast.is_some());
    all.into_iter().filter(|s| matches!(s, Subject::Column(_, column, ..) if fits(column, cast))).collect()
}

fn find_column<'a>(all: Vec<Subject<'a>>, selector: &Selector) -> Result<Subject<'a>> {
    let is = |subject: &Subject<'_>| match subject {
        Subject::Column(_, column, ..) => selects(selector, &column.logical_name, column.metadata_id),
        _ => false,
    };
    all.into_iter().find(is).ok_or_else(|| not_found("column", selector))
}

fn find_relationship<'a>(all: Vec<Subject<'a>>, selector: &Selector) -> Result<Subject<'a>> {
    let is = |subject: &Subject<'_>| match subject {
        Subject::OneToMany(table, column, target) => {
            selects(selector, &target.relationship, relationship_id(table, column, target))
        }
        Subject::ManyToMany(relationship) => {
            selects(selector, &relationship.relationship, relationship.metadata_id)
        }
        _ => false,
    };
    all.into_iter().find(is).ok_or_else(|| not_found("relationship", selector))
}

fn options_of<'a>(schema: &'a Schema, column: Subject<'a>, global: bool) -> Result<Subject<'a>> {
    let Subject::Column(table, column, ..) = column else {
        return Err(ODataError::segment_not_found("OptionSet"));
    };
    let set = column.option_set.as_deref();
    match (global, set.and_then(|name| schema.option_sets.iter().find(|set| set.name == name))) {
        (true, Some(set)) => Ok(Subject::OptionSet(set)),
        (false, None) if shape::has_options(column) => Ok(Subject::Options(table, column)),
        _ => Err(ODataError::segment_not_found(if global { "GlobalOptionSet" } else { "OptionSet" })),
    }
}

fn selects(selector: &Selector, name: &str, metadata_id: Uuid) -> bool {
    match selector {
        Selector::LogicalName(wanted) => wanted == name,
        Selector::MetadataId(id) => *id == metadata_id,
    }
}

fn not_found(what: &str, selector: &Selector) -> ODataError {
    let name = match selector {
        Selector::LogicalName(name) => shown(name),
        Selector::MetadataId(id) => id.to_string(),
    };
    ODataError::new(
        404,
        "0x80060888",
        format!("Could not find a {what} with the name or MetadataId '{name}'."),
    )
}

/// What an error message repeats of a foreign name, at most.
fn shown(name: &str) -> String {
    name.chars().take(NAME_SHOWN_MAX).collect()
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

fn bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|_| ODataError::new(500, "0x80040216", "A definition could not be written."))
}
