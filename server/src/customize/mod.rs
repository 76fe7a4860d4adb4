//! Definitions changed by the metadata API: tables, columns, relationships, keys and options come, change and go.
//!
//! What a request makes of the schema is decided by pure functions over a [`Draft`]; the draft is then saved in the
//! transaction of the request, with the SQL tables, the forms and views, and a note of what changed.

mod body;
mod changes;
mod column;
mod leftovers;
mod names;
mod options;
mod relationship;
pub mod show;
mod table;

pub use changes::retrieve_metadata_changes;

use crate::db::Writer;
use body::invalid;
use flette_odata::error::Result;
use flette_odata::metadata::find_table;
use flette_odata::path::{DefinitionKind, DefinitionPart, DefinitionPath, Selector};
use flette_odata::{Column, Method, ODataError, Response, Schema, Table, Uuid};
use serde_json::{json, Value as Json};

/// A schema while a request changes it.
pub(crate) struct Draft<'f> {
    pub(crate) schema: Schema,
    /// Gives every new definition its id.
    fresh: &'f mut dyn FnMut() -> Uuid,
    /// Columns whose values must differ from row to row: table and columns of new keys.
    unique: Vec<(String, Vec<String>)>,
}

impl Draft<'_> {
    fn table_mut(&mut self, name: &str) -> Result<&mut Table> {
        let found = self.schema.tables.iter_mut().find(|table| table.logical_name == name);
        found.ok_or_else(|| missing("table", name))
    }

    fn column_mut(&mut self, table: &str, name: &str) -> Result<&mut Column> {
        let found = self.table_mut(table)?.columns.iter_mut().find(|column| column.logical_name == name);
        found.ok_or_else(|| missing("column", name))
    }
}

fn missing(what: &str, name: &str) -> ODataError {
    let name: String = name.chars().take(names::NAME_LENGTH_MAX).collect();
    ODataError::new(404, "0x80060888", format!("Could not find a {what} with the name '{name}'."))
}

/// Carries out a `POST`, `PUT`, `PATCH` or `DELETE` of definitions. The caller is an administrator.
///
/// # Errors
/// 400 for names, limits and references that cannot be; 403 for definitions that are not custom; 404 for those that are
/// not there; 405 for a verb that does not fit. Nothing may be kept then.
pub(crate) fn define(
    writer: &Writer,
    (path, method, body): (&DefinitionPath, Method, &[u8]),
    root: &str,
    now: i64,
) -> Result<Response> {
    let body = body::parse(body)?;
    let mut location = None;
    change(writer, now, |draft| {
        location = match path.kind {
            DefinitionKind::Entities => entity(draft, path, method, &body)?,
            DefinitionKind::Relationships => relationships(draft, path, method, &body)?,
            DefinitionKind::OptionSets => option_sets(draft, path, method, &body)?,
        };
        Ok(())
    })?;
    Ok(match location {
        Some(location) => Response::empty(204).header("OData-EntityId", format!("{root}{location}")),
        None => Response::empty(204),
    })
}

/// Carries out an unbound action on definitions. The caller is an administrator.
///
/// # Errors
/// As [`define`].
pub(crate) fn act(writer: &Writer, (name, body): (&str, &[u8]), root: &str, now: i64) -> Result<Response> {
    let body = body::parse(body)?;
    let mut answer = None;
    let mut carry_out = |draft: &mut Draft| {
        match name {
            "InsertOptionValue" => answer = Some(options::insert(draft, &body)?),
            "InsertStatusValue" => answer = Some(options::insert_status(draft, &body)?),
            "UpdateOptionValue" => options::update(draft, &body)?,
            "DeleteOptionValue" => options::delete(draft, &body)?,
            "OrderOption" => options::order(draft, &body)?,
            _ => return Err(ODataError::not_implemented(format!("The action {name} is not supported."))),
        }
        Ok(())
    };
    match name {
        // Everything is published as soon as it is saved.
        "PublishXml" | "PublishAllXml" => {}
        _ => change(writer, now, &mut carry_out)?,
    }
    Ok(match answer {
        None => Response::empty(204),
        Some(value) => {
            let context = format!("{root}$metadata#Microsoft.Dynamics.CRM.{name}Response");
            let body = json!({ "@odata.context": context, "NewOptionValue": value });
            Response::json(200, body.to_string().into_bytes())
        }
    })
}

/// Changes the schema as it is in this transaction, and saves what became of it.
fn change(writer: &Writer, now: i64, decide: impl FnOnce(&mut Draft) -> Result<()>) -> Result<()> {
    // Not the reader's: an earlier request of the same change set may have changed it.
    let before = writer.current_schema();
    let mut fresh = Uuid::new_v4;
    let mut draft = Draft { schema: Schema::clone(&before), fresh: &mut fresh, unique: Vec::new() };
    decide(&mut draft)?;
    let Draft { schema, unique, .. } = draft;
    if schema == *before {
        return Ok(());
    }
    for (name, columns) in &unique {
        if let Some(table) = before.table(name) {
            if writer.has_doubles(table, columns)? {
                let message = format!("Rows of {name} have the same values in the columns of the key.");
                return Err(ODataError::new(400, "0x80060892", message));
            }
        }
    }
    writer.replace_schema(&before, &schema)?;
    changes::note(writer, &before, &schema, now)?;
    leftovers::remove(writer, &before, &schema, now)?;
    show::follow(writer, &before, &schema, now)
}

fn selected(schema: &Schema, selector: &Selector) -> Result<String> {
    find_table(schema, selector).map(|table| table.logical_name.clone())
}

fn entity(draft: &mut Draft, path: &DefinitionPath, method: Method, body: &Json) -> Result<Option<String>> {
    let Some(selector) = &path.entity else {
        return match method {
            Method::Post => table::create(draft, body).map(Some),
            _ => Err(wrong_verb(method, "EntityDefinitions")),
        };
    };
    let name = selected(&draft.schema, selector)?;
    match (&path.part, method) {
        (None, Method::Put | Method::Patch) => table::update(draft, &name, body).map(Some),
        (None, Method::Delete) => table::delete(draft, &name).map(|()| None),
        (Some(DefinitionPart::Attributes { attribute: None, .. }), Method::Post) => {
            column::create(draft, &name, body).map(Some)
        }
        (Some(DefinitionPart::Attributes { attribute: Some(selector), .. }), Method::Put | Method::Patch) => {
            let column = column_name(&draft.schema, &name, selector)?;
            column::update(draft, &name, &column, body).map(Some)
        }
        (Some(DefinitionPart::Attributes { attribute: Some(selector), .. }), Method::Delete) => {
            let column = column_name(&draft.schema, &name, selector)?;
            column::delete(draft, &name, &column).map(|()| None)
        }
        (Some(DefinitionPart::Keys), Method::Post) => relationship::create_key(draft, &name, body).map(Some),
        (Some(DefinitionPart::Key(selector)), Method::Delete) => {
            relationship::delete_key(draft, &name, selector).map(|()| None)
        }
        (
            Some(
                DefinitionPart::OneToManyRelationships
                | DefinitionPart::ManyToOneRelationships
                | DefinitionPart::ManyToManyRelationships,
            ),
            Method::Post,
        ) => relationship::create(draft, body).map(Some),
        _ => Err(wrong_verb(method, "a definition")),
    }
}

fn column_name(schema: &Schema, table: &str, selector: &Selector) -> Result<String> {
    let columns = schema.table(table).map_or(&[] as &[Column], |table| &table.columns);
    let found = columns.iter().find(|column| match selector {
        Selector::LogicalName(name) => column.logical_name == *name,
        Selector::MetadataId(id) => column.metadata_id == *id,
    });
    let name = match selector {
        Selector::LogicalName(name) => name.clone(),
        Selector::MetadataId(id) => id.to_string(),
    };
    found.map(|column| column.logical_name.clone()).ok_or_else(|| missing("column", &name))
}

fn relationships(
    draft: &mut Draft,
    path: &DefinitionPath,
    method: Method,
    body: &Json,
) -> Result<Option<String>> {
    match (&path.entity, method) {
        (None, Method::Post) => relationship::create(draft, body).map(Some),
        (Some(selector), Method::Put | Method::Patch) => {
            relationship::update(draft, selector, body).map(|()| None)
        }
        (Some(selector), Method::Delete) => relationship::delete(draft, selector).map(|()| None),
        _ => Err(wrong_verb(method, "RelationshipDefinitions")),
    }
}

fn option_sets(
    draft: &mut Draft,
    path: &DefinitionPath,
    method: Method,
    body: &Json,
) -> Result<Option<String>> {
    let Some(selector) = &path.entity else {
        return match method {
            Method::Post => options::create_set(draft, body).map(Some),
            _ => Err(wrong_verb(method, "GlobalOptionSetDefinitions")),
        };
    };
    let name = match selector {
        Selector::LogicalName(name) => name.clone(),
        Selector::MetadataId(id) => {
            let set = draft.schema.option_sets.iter().find(|set| set.metadata_id == *id);
            set.map(|set| set.name.clone()).ok_or_else(|| missing("option set", &id.to_string()))?
        }
    };
    match method {
        Method::Put | Method::Patch => options::update_set(draft, &name, body).map(Some),
        Method::Delete => options::delete_set(draft, &name).map(|()| None),
        Method::Get | Method::Post => Err(wrong_verb(method, "an option set")),
    }
}

fn wrong_verb(method: Method, resource: &str) -> ODataError {
    ODataError::method_not_allowed(method.as_str(), resource)
}

/// 400 for a parameter that makes no sense; for the functions on definitions.
fn wrong_parameter(name: &str) -> ODataError {
    invalid(format!("The parameter {name} is missing or malformed."))
}
