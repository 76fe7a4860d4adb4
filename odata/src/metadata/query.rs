//! `RetrieveMetadataChanges`: which definitions, and what of each (`EntityQueryExpression`).
//!
//! Source: developer guide, "Cache schema data". Criteria are And/Or of conditions and of nested filters; properties
//! are named or all. With a version stamp, definitions that did not change since are left out.

use super::condition::{order, Op};
use super::shape::{self, Object};
use super::wanted::{columns, keys, many_to_many, many_to_one, one_to_many, Subject};
use super::{lookups, relationship_id, shown};
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use serde::Deserialize;
use serde_json::value::{to_raw_value, RawValue};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Most conditions of one query, in all its parts.
const CONDITIONS_MAX: usize = 200;
/// Deepest nesting of filters.
const DEPTH_MAX: usize = 10;

/// `EntityQueryExpression`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetadataQuery {
    criteria: Option<Filter>,
    properties: Option<Properties>,
    attribute_query: Option<Part>,
    relationship_query: Option<Part>,
    key_query: Option<Part>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Part {
    criteria: Option<Filter>,
    properties: Option<Properties>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Properties {
    all_properties: bool,
    property_names: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Filter {
    filter_operator: Option<String>,
    conditions: Vec<Condition>,
    filters: Vec<Filter>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Condition {
    condition_operator: String,
    property_name: String,
    value: Json,
}

impl MetadataQuery {
    /// Reads the parameter `Query`; `null` asks for everything there is.
    ///
    /// # Errors
    /// 400 `0x80040203` when it is malformed or too large; 400 `0x80072527` when columns are asked for that are not
    /// among the properties.
    pub fn read(json: &str) -> Result<MetadataQuery> {
        let malformed = || ODataError::new(400, "0x80040203", "The Query is malformed.");
        let query: Option<MetadataQuery> = crate::json::read(json.as_bytes()).map_err(|_| malformed())?;
        let query = query.unwrap_or_default();
        let parts = [&query.attribute_query, &query.relationship_query, &query.key_query];
        let criteria = parts.into_iter().flatten().map(|part| &part.criteria).chain([&query.criteria]);
        let sizes = criteria.flatten().map(|filter| filter.size(0)).collect::<Option<Vec<usize>>>();
        if sizes.is_none_or(|sizes| sizes.iter().sum::<usize>() > CONDITIONS_MAX) {
            return Err(malformed());
        }
        if query.attribute_query.is_some() && !includes(query.properties.as_ref(), "Attributes") {
            let message = "An AttributeQuery needs 'Attributes' among the Properties.";
            return Err(ODataError::new(400, "0x80072527", message));
        }
        Ok(query)
    }

    /// The tables asked for, as a JSON array. `changed` tells of a `MetadataId` whether its definition changed since
    /// the client's stamp; without it everything did.
    ///
    /// # Errors
    /// 400 for a property that there is not, or a condition that makes no sense.
    pub fn entities(&self, schema: &Schema, changed: Option<&dyn Fn(Uuid) -> bool>) -> Result<Box<RawValue>> {
        let mut out = Vec::new();
        let touched = changed.map(|changed| touched(schema, changed));
        let may_be_told = |table: &&Table| {
            touched.as_ref().is_none_or(|touched| touched.contains(table.logical_name.as_str()))
        };
        // A table's whole shape is much to make of one that has not changed.
        for table in schema.tables.iter().filter(may_be_told) {
            if let Some(entity) = self.entity(schema, table, changed)? {
                out.push(entity);
            }
        }
        to_raw_value(&out)
            .map_err(|_| ODataError::new(500, "0x80040216", "A definition could not be written."))
    }

    fn entity(
        &self,
        schema: &Schema,
        table: &Table,
        changed: Option<&dyn Fn(Uuid) -> bool>,
    ) -> Result<Option<Object>> {
        let mut object = shape::entity(table);
        if !meets(self.criteria.as_ref(), &object)? {
            return Ok(None);
        }
        let is_new = |id: Uuid| changed.is_none_or(|changed| changed(id));
        let mut any = is_new(table.metadata_id);
        let properties = self.properties.as_ref();
        object.keep(properties);
        object.push("HasChanged", any);
        let (attributes, relations) = (self.attribute_query.as_ref(), self.relationship_query.as_ref());
        for (name, part, subjects) in [
            ("Attributes", attributes, columns(table, true)),
            ("ManyToOneRelationships", relations, many_to_one(table)),
            ("OneToManyRelationships", relations, one_to_many(schema, table)),
            ("ManyToManyRelationships", relations, many_to_many(schema, table)),
            ("Keys", self.key_query.as_ref(), keys(table)),
        ] {
            let mut kept = Vec::new();
            for subject in subjects.into_iter().filter(|subject| is_new(id_of(*subject))) {
                any = true;
                if includes(properties, name) {
                    kept.extend(one(schema, subject, part)?);
                }
            }
            if includes(properties, name) {
                object.push(name, kept);
            }
        }
        Ok(any.then_some(object))
    }
}

/// Tables of which the definition changed, or one that is told with it.
fn touched<'s>(schema: &'s Schema, changed: &dyn Fn(Uuid) -> bool) -> BTreeSet<&'s str> {
    let mut touched = BTreeSet::new();
    for table in &schema.tables {
        let columns = table.columns.iter().map(|column| column.metadata_id);
        let keys = table.keys.iter().map(|key| key.metadata_id);
        if columns.chain(keys).chain([table.metadata_id]).any(changed) {
            touched.insert(table.logical_name.as_str());
        }
        for (column, target) in lookups(table) {
            if changed(relationship_id(table, column, target)) {
                touched.extend([table.logical_name.as_str(), target.table.as_str()]);
            }
        }
    }
    for pairs in schema.many_to_many.iter().filter(|pairs| changed(pairs.metadata_id)) {
        touched.extend([&pairs.first.table, &pairs.second.table, &pairs.intersect].map(String::as_str));
    }
    touched
}

/// A definition within that of a table; `None` when it does not meet the criteria.
fn one(schema: &Schema, subject: Subject<'_>, part: Option<&Part>) -> Result<Option<Object>> {
    let mut object = subject.object(schema);
    if let Subject::Column(table, column, ..) = subject {
        if let Some(set) = shape::option_set(table, column) {
            object.push("OptionSet", set);
        }
    }
    if !meets(part.and_then(|part| part.criteria.as_ref()), &object)? {
        return Ok(None);
    }
    object.keep(part.and_then(|part| part.properties.as_ref()));
    object.push("HasChanged", true);
    Ok(Some(object))
}

fn id_of(subject: Subject<'_>) -> Uuid {
    match subject {
        Subject::Table(table) => table.metadata_id,
        Subject::Column(_, column, ..) => column.metadata_id,
        Subject::OneToMany(table, column, target) => relationship_id(table, column, target),
        Subject::ManyToMany(relationship) => relationship.metadata_id,
        Subject::Key(_, key) => key.metadata_id,
        Subject::Options(table, column) => shape::option_set_id(table, column),
        Subject::OptionSet(set) => set.metadata_id,
    }
}

/// Without any properties all are meant.
fn includes(properties: Option<&Properties>, name: &str) -> bool {
    properties.is_none_or(|p| p.all_properties || p.property_names.iter().any(|known| known == name))
}

impl Object {
    /// Keeps the properties asked for, and the names that tell definitions apart.
    fn keep(&mut self, properties: Option<&Properties>) {
        let Some(properties) = properties.filter(|properties| !properties.all_properties) else {
            self.remove("HasChanged");
            return;
        };
        let mut names = properties.property_names.clone();
        names.extend(["LogicalName", "SchemaName", "EntityLogicalName"].map(str::to_owned));
        self.select(&names);
        self.remove("HasChanged");
    }
}

fn meets(criteria: Option<&Filter>, object: &Object) -> Result<bool> {
    criteria.map_or(Ok(true), |filter| filter.matches(object))
}

impl Filter {
    /// Conditions in it; `None` when it is nested too deep.
    fn size(&self, depth: usize) -> Option<usize> {
        if depth > DEPTH_MAX {
            return None;
        }
        let inner = self.filters.iter().map(|filter| filter.size(depth + 1)).sum::<Option<usize>>()?;
        Some(self.conditions.len() + inner)
    }

    fn matches(&self, object: &Object) -> Result<bool> {
        let conditions = self.conditions.iter().map(|condition| condition.matches(object));
        let filters = self.filters.iter().map(|filter| filter.matches(object));
        let results = conditions.chain(filters).collect::<Result<Vec<bool>>>()?;
        Ok(match self.filter_operator.as_deref() {
            Some("Or") => results.is_empty() || results.contains(&true),
            _ => !results.contains(&false),
        })
    }
}

impl Condition {
    fn matches(&self, object: &Object) -> Result<bool> {
        let missing = || {
            let message = format!("Could not find a property named '{}'.", shown(&self.property_name));
            ODataError::new(400, "0x80040203", message)
        };
        let plain = |value: Json| match value {
            // Managed properties and type-safe enumerations are compared by what they hold.
            Json::Object(mut members) => members.remove("Value").unwrap_or(Json::Null),
            other => other,
        };
        // Columns of several types: what one type has not is null there.
        let found = object.parsed(&self.property_name);
        let found = match (found, object.parsed("AttributeType")) {
            (Some(found), _) => plain(found),
            (None, Some(_)) => Json::Null,
            (None, None) => return Err(missing()),
        };
        let wanted = plain(self.value.clone());
        let is_in = || match &wanted {
            Json::Array(all) => all.iter().any(|one| Op::Equal.holds(order(&found, one))),
            one => Op::Equal.holds(order(&found, one)),
        };
        Ok(match self.condition_operator.as_str() {
            "Equals" => Op::Equal.holds(order(&found, &wanted)),
            "NotEquals" => Op::NotEqual.holds(order(&found, &wanted)),
            "GreaterThan" => Op::Greater.holds(order(&found, &wanted)),
            "LessThan" => Op::Less.holds(order(&found, &wanted)),
            "In" => is_in(),
            "NotIn" => !is_in(),
            other => {
                let message = format!("There is no ConditionOperator '{}'.", shown(other));
                return Err(ODataError::new(400, "0x80040203", message));
            }
        })
    }
}
