//! `RetrieveMetadataChanges`, and the notes it answers from.

use super::wrong_parameter;
use crate::db::definition_changes::Kind;
use crate::db::meta::Fact;
use crate::db::{Reader, Writer};
use flette_odata::edm::LookupTarget;
use flette_odata::error::Result;
use flette_odata::metadata::{option_set_id, relationship_id, MetadataQuery};
use flette_odata::{Column, ColumnKind, ODataError, Schema, Table, Uuid};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{json, Value as Json};
use std::collections::BTreeMap;

/// Notes which definitions `after` has changed, added and lost.
pub(super) fn note(writer: &Writer, before: &Schema, after: &Schema, now: i64) -> Result<()> {
    let (old, new) = (definitions(before, after), definitions(after, before));
    let changed = new.iter().filter(|(id, definition)| old.get(*id) != Some(definition));
    let gone = old.iter().filter(|(id, _)| !new.contains_key(*id));
    let all: Vec<(Uuid, Kind, bool)> = changed
        .map(|(id, (kind, _))| (*id, *kind, false))
        .chain(gone.map(|(id, (kind, _))| (*id, *kind, true)))
        .collect();
    writer.note_definitions(&all, now)
}

/// Every definition of a schema by its id, but for those of tables that are the same in the `other`, with a text that
/// differs when it does. A table's does not hold its columns.
fn definitions(schema: &Schema, other: &Schema) -> BTreeMap<Uuid, (Kind, String)> {
    let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let mut all = BTreeMap::new();
    let differs = |table: &&Table| other.table(&table.logical_name) != Some(table);
    for table in schema.tables.iter().filter(differs) {
        let head = Table { columns: Vec::new(), keys: Vec::new(), ..table.clone() };
        all.insert(table.metadata_id, (Kind::Entity, text(&head)));
        for column in &table.columns {
            all.insert(column.metadata_id, (Kind::Attribute, text(column)));
            all.extend(relationships(table, column));
            if matches!(column.kind, ColumnKind::Picklist { .. } | ColumnKind::MultiPicklist { .. }) {
                all.insert(option_set_id(table, column), (Kind::OptionSet, text(&column.kind)));
            }
        }
        for key in &table.keys {
            all.insert(key.metadata_id, (Kind::Key, text(key)));
        }
    }
    for pairs in &schema.many_to_many {
        all.insert(pairs.metadata_id, (Kind::Relationship, text(pairs)));
    }
    for set in &schema.option_sets {
        all.insert(set.metadata_id, (Kind::OptionSet, text(set)));
    }
    all
}

fn relationships(table: &Table, column: &Column) -> Vec<(Uuid, (Kind, String))> {
    let targets: &[LookupTarget] = match &column.kind {
        ColumnKind::Lookup { targets } => targets,
        _ => &[],
    };
    let one = |target: &LookupTarget| {
        (relationship_id(table, column, target), (Kind::Relationship, format!("{target:?}")))
    };
    targets.iter().map(one).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(rename = "@odata.context")]
    context: String,
    entity_metadata: Box<RawValue>,
    server_version_stamp: String,
    deleted_metadata: Option<Json>,
}

/// Answers `RetrieveMetadataChanges(Query=…,DeletedMetadataFilters=…,ClientVersionStamp=…)`. The stamp is the lineage of
/// the database and the version of the schema.
///
/// # Errors
/// 400 for a malformed parameter; 400 `0x80044352` for a stamp of another database, or from before what is remembered.
pub fn retrieve_metadata_changes(
    reader: &Reader,
    parameters: &[(String, String)],
    root: &str,
) -> Result<Vec<u8>> {
    let parameter =
        |name: &str| parameters.iter().find(|(n, _)| n == name).map_or("null", |(_, v)| v.as_str());
    let query = MetadataQuery::read(parameter("Query"))?;
    let lineage = reader.fact_id(Fact::Lineage)?;
    let version = reader.current_schema_version()?;
    let stamp = match parameter("ClientVersionStamp") {
        "null" | "''" => None,
        text => Some(known_stamp(reader, text, lineage, version)?),
    };
    let changes = stamp.map(|since| reader.definitions_changed_since(since)).transpose()?;
    let entity_metadata = match &changes {
        None => query.entities(reader.schema, None)?,
        Some(changes) => query.entities(reader.schema, Some(&|id| changes.changed.contains(&id)))?,
    };
    let wanted = filters(parameter("DeletedMetadataFilters"))?;
    let deleted_metadata = changes.filter(|_| !wanted.is_empty()).map(|changes| {
        let gone = |kind: &Kind| changes.gone.get(kind).cloned().unwrap_or_default();
        json!({
            "Count": wanted.len(),
            "IsReadOnly": false,
            "Keys": wanted.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
            "Values": wanted.iter().map(|kind| json!({ "Items": gone(kind) })).collect::<Vec<_>>(),
        })
    });
    let answer = Answer {
        context: format!("{root}$metadata#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse"),
        entity_metadata,
        server_version_stamp: format!("{lineage}!{version}"),
        deleted_metadata,
    };
    serde_json::to_vec(&answer)
        .map_err(|_| ODataError::new(500, "0x80040216", "The answer cannot be written."))
}

fn known_stamp(reader: &Reader, text: &str, lineage: Uuid, version: i64) -> Result<i64> {
    let text = text.trim_matches('\'');
    let (of, since) = text.split_once('!').ok_or_else(|| wrong_parameter("ClientVersionStamp"))?;
    let since: i64 = since.parse().map_err(|_| wrong_parameter("ClientVersionStamp"))?;
    let is_known = of.parse() == Ok(lineage) && since <= version && since >= reader.definition_floor()?;
    match is_known {
        true => Ok(since),
        false => Err(ODataError::new(
            400,
            "0x80044352",
            "Version stamp associated with the client has expired. Please perform a full sync.",
        )),
    }
}

/// `Microsoft.Dynamics.CRM.DeletedMetadataFilters'Attribute,Relationship'`
fn filters(text: &str) -> Result<Vec<Kind>> {
    if text == "null" {
        return Ok(Vec::new());
    }
    let names = text.split_once('\'').map_or(text, |(_, names)| names).trim_end_matches('\'');
    let mut all = Vec::new();
    for name in names.split(',').map(str::trim) {
        match name {
            "Default" | "Entity" => all.push(Kind::Entity),
            "Attribute" => all.push(Kind::Attribute),
            "Relationship" => all.push(Kind::Relationship),
            "OptionSet" => all.push(Kind::OptionSet),
            // Labels are part of what they stand on.
            "Label" => {}
            "All" => {
                all.extend([Kind::Entity, Kind::Attribute, Kind::Relationship, Kind::OptionSet]);
            }
            _ => return Err(wrong_parameter("DeletedMetadataFilters")),
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}
