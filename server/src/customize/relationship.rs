//! Relationships and alternate keys: made, changed, dropped.

use super::body::{invalid, label, needed, not_custom, taken, type_name};
use super::{column, names, Draft};
use crate::schema::custom;
use flette_odata::edm::{AlternateKey, LookupTarget, ManyToMany, ManyToManyEnd, OnDelete};
use flette_odata::error::Result;
use flette_odata::metadata::relationship_id;
use flette_odata::path::Selector;
use flette_odata::{Column, ColumnKind, ODataError, Table, Uuid};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Most columns of one alternate key.
pub(crate) const KEY_COLUMNS_MAX: usize = 16;
/// Most alternate keys of one table.
pub(crate) const KEYS_MAX: usize = 10;

/// `POST RelationshipDefinitions`
pub(super) fn create(draft: &mut Draft, body: &Json) -> Result<String> {
    let id = match type_name(body) {
        "OneToManyRelationshipMetadata" => one_to_many(draft, body)?,
        "ManyToManyRelationshipMetadata" => many_to_many(draft, body)?,
        _ => {
            return Err(invalid(
                "@odata.type is OneToManyRelationshipMetadata or ManyToManyRelationshipMetadata.",
            ))
        }
    };
    Ok(format!("RelationshipDefinitions({id})"))
}

fn one_to_many(draft: &mut Draft, body: &Json) -> Result<Uuid> {
    let name = needed(body, "SchemaName")?;
    names::check_relationship(&draft.schema, name)?;
    let referenced = related(draft, needed(body, "ReferencedEntity")?)?;
    let referencing = related(draft, needed(body, "ReferencingEntity")?)?;
    if !referencing.writable {
        return Err(invalid(format!("The table {} takes no lookups.", referencing.logical_name)));
    }
    let lookup = body.get("Lookup").ok_or_else(|| invalid("'Lookup' is missing."))?;
    let schema_name = needed(lookup, "SchemaName")?;
    names::check(schema_name)?;
    let logical_name = schema_name.to_lowercase();
    names::check_column(&referencing, &logical_name)?;
    if referencing.columns.len() >= column::COLUMNS_MAX {
        return Err(invalid(format!("A table has at most {} columns.", column::COLUMNS_MAX)));
    }
    let text = |member: &str| body.get(member).and_then(Json::as_str).filter(|text| !text.is_empty());
    let collection = text("ReferencedEntityNavigationPropertyName").unwrap_or(name);
    let navigation = text("ReferencingEntityNavigationPropertyName").unwrap_or(schema_name);
    for property in [collection, navigation] {
        names::check(property)?;
    }
    names::check_property(&draft.schema, &referenced, collection)?;
    names::check_property(&draft.schema, &referencing, navigation)?;
    let display_name = label(lookup, "DisplayName").unwrap_or(schema_name);
    names::check_label(display_name)?;
    let target = LookupTarget {
        table: referenced.logical_name.clone(),
        navigation: navigation.to_owned(),
        collection: collection.to_owned(),
        relationship: name.to_owned(),
        on_delete: on_delete(body)?.unwrap_or(OnDelete::RemoveLink),
    };
    let made = Column {
        logical_name,
        schema_name: schema_name.to_owned(),
        display_name: display_name.to_owned(),
        description: label(lookup, "Description").unwrap_or_default().to_owned(),
        kind: ColumnKind::Lookup { targets: vec![target.clone()] },
        valid_for_create: true,
        valid_for_update: true,
        metadata_id: (draft.fresh)(),
        custom: true,
        ..Column::default()
    };
    let id = relationship_id(&referencing, &made, &target);
    draft.table_mut(&referencing.logical_name)?.columns.push(made);
    Ok(id)
}

/// A table that may take part in relationships.
fn related(draft: &Draft, name: &str) -> Result<Table> {
    let found = draft.schema.table(name).filter(|table| !table.intersect && !table.union);
    found.cloned().ok_or_else(|| invalid(format!("There is no table '{name}' to relate to.")))
}

/// `CascadeConfiguration.Delete`, when it is given.
fn on_delete(body: &Json) -> Result<Option<OnDelete>> {
    let delete = body.get("CascadeConfiguration").and_then(|cascade| cascade.get("Delete"));
    match delete.and_then(Json::as_str) {
        None => Ok(None),
        Some("Cascade") => Ok(Some(OnDelete::Cascade)),
        Some("RemoveLink") => Ok(Some(OnDelete::RemoveLink)),
        Some("Restrict") => Ok(Some(OnDelete::Restrict)),
        Some("NoCascade") => Ok(Some(OnDelete::NoCascade)),
        Some(_) => Err(invalid("CascadeConfiguration.Delete is none of its values.")),
    }
}

fn many_to_many(draft: &mut Draft, body: &Json) -> Result<Uuid> {
    let name = needed(body, "SchemaName")?;
    names::check_relationship(&draft.schema, name)?;
    let first = related(draft, needed(body, "Entity1LogicalName")?)?;
    let second = related(draft, needed(body, "Entity2LogicalName")?)?;
    let text = |member: &str| body.get(member).and_then(Json::as_str).filter(|text| !text.is_empty());
    let schema_name = text("IntersectEntityName").unwrap_or(name);
    names::check(schema_name)?;
    let (intersect, set_name) = (schema_name.to_lowercase(), format!("{}set", schema_name.to_lowercase()));
    names::check_table(&draft.schema, &intersect, &set_name)?;
    // Both ids of the same name, as of a table with itself, need a name each.
    let columns = match first.primary_id == second.primary_id {
        true => [format!("{}one", first.primary_id), format!("{}two", second.primary_id)],
        false => [first.primary_id.clone(), second.primary_id.clone()],
    };
    let other = format!("{name}_referencing");
    let other = if first.logical_name == second.logical_name { other.as_str() } else { name };
    let navigations = [
        text("Entity1NavigationPropertyName").unwrap_or(name),
        text("Entity2NavigationPropertyName").unwrap_or(other),
    ];
    if first.logical_name == second.logical_name && navigations[0] == navigations[1] {
        return Err(taken("property", navigations[0]));
    }
    for (table, navigation) in [(&first, navigations[0]), (&second, navigations[1])] {
        names::check_property(&draft.schema, table, navigation)?;
    }
    let type_code = custom::next_type_code(&draft.schema);
    let columns_by_name = [columns[0].as_str(), columns[1].as_str()];
    let table = custom::intersect((schema_name, &set_name, type_code), columns_by_name, draft.fresh);
    let end = |table: &Table, at: usize| ManyToManyEnd {
        table: table.logical_name.clone(),
        column: columns[at].clone(),
        navigation: navigations[at].to_owned(),
    };
    let made = ManyToMany {
        relationship: name.to_owned(),
        intersect,
        first: end(&first, 0),
        second: end(&second, 1),
        metadata_id: (draft.fresh)(),
        custom: true,
    };
    let id = made.metadata_id;
    draft.schema.tables.push(table);
    draft.schema.many_to_many.push(made);
    Ok(id)
}

/// Which relationship is meant.
enum Found {
    /// Table and column of the lookup, and its target.
    OneToMany(String, String, LookupTarget),
    /// Name and intersect table.
    ManyToMany(ManyToMany),
}

fn find(draft: &Draft, selector: &Selector) -> Result<Found> {
    let selects = |name: &str, id: Uuid| match selector {
        Selector::LogicalName(wanted) => wanted == name,
        Selector::MetadataId(wanted) => *wanted == id,
    };
    for table in &draft.schema.tables {
        for column in &table.columns {
            let ColumnKind::Lookup { targets } = &column.kind else { continue };
            for target in targets {
                if selects(&target.relationship, relationship_id(table, column, target)) {
                    let place = (table.logical_name.clone(), column.logical_name.clone());
                    return Ok(Found::OneToMany(place.0, place.1, target.clone()));
                }
            }
        }
    }
    let pairs = draft.schema.many_to_many.iter().find(|r| selects(&r.relationship, r.metadata_id));
    let missing =
        || ODataError::new(404, "0x80060888", "Could not find a relationship with that name or id.");
    pairs.cloned().map(Found::ManyToMany).ok_or_else(missing)
}

/// `PUT` or `PATCH RelationshipDefinitions(x)`: what the deletion of the referenced row does.
pub(super) fn update(draft: &mut Draft, selector: &Selector, body: &Json) -> Result<()> {
    let new = on_delete(body)?;
    let (Found::OneToMany(table, name, target), Some(new)) = (find(draft, selector)?, new) else {
        return Ok(());
    };
    let column = draft.column_mut(&table, &name)?;
    if !column.custom && new != target.on_delete {
        return Err(invalid("What a deletion does to the service's own lookups cannot be changed."));
    }
    if let ColumnKind::Lookup { targets } = &mut column.kind {
        targets.iter_mut().filter(|t| t.table == target.table).for_each(|t| t.on_delete = new);
    }
    Ok(())
}

/// `DELETE RelationshipDefinitions(x)`: of custom ones, with the lookup or the pairs.
pub(super) fn delete(draft: &mut Draft, selector: &Selector) -> Result<()> {
    match find(draft, selector)? {
        Found::OneToMany(table, name, _) => column::delete(draft, &table, &name),
        Found::ManyToMany(pairs) if !pairs.custom => Err(not_custom("relationship", &pairs.relationship)),
        Found::ManyToMany(pairs) => {
            draft.schema.many_to_many.retain(|known| known.metadata_id != pairs.metadata_id);
            draft.schema.tables.retain(|table| table.logical_name != pairs.intersect);
            Ok(())
        }
    }
}

/// `POST …/Keys`. Rows that are there must differ in it.
pub(super) fn create_key(draft: &mut Draft, table: &str, body: &Json) -> Result<String> {
    let schema_name = needed(body, "SchemaName")?;
    names::check(schema_name)?;
    let name = schema_name.to_lowercase();
    let display_name = label(body, "DisplayName").unwrap_or(schema_name);
    names::check_label(display_name)?;
    let none = Vec::new();
    let columns = body.get("KeyAttributes").and_then(Json::as_array).unwrap_or(&none);
    let columns: Vec<String> = columns.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    let metadata_id = (draft.fresh)();
    let holder = draft.table_mut(table)?;
    if holder.intersect || holder.union {
        return Err(invalid(format!("The table {table} takes no keys.")));
    }
    if holder.keys.iter().any(|key| key.name == name || same(&key.columns, &columns)) {
        return Err(taken("key", schema_name));
    }
    if holder.keys.len() >= KEYS_MAX {
        return Err(invalid(format!("A table has at most {KEYS_MAX} keys.")));
    }
    let distinct: BTreeSet<&String> = columns.iter().collect();
    if !(1..=KEY_COLUMNS_MAX).contains(&columns.len()) || distinct.len() != columns.len() {
        return Err(invalid(format!("A key has 1 to {KEY_COLUMNS_MAX} different columns.")));
    }
    if let Some(unfit) = columns.iter().find(|name| !holder.column(name).is_some_and(may_be_key)) {
        return Err(invalid(format!("'{unfit}' is no column of {table} that a key may have.")));
    }
    holder.keys.push(AlternateKey {
        name,
        schema_name: schema_name.to_owned(),
        display_name: display_name.to_owned(),
        columns: columns.clone(),
        metadata_id,
    });
    let location = format!("EntityDefinitions({})/Keys({metadata_id})", holder.metadata_id);
    draft.unique.push((table.to_owned(), columns));
    Ok(location)
}

fn same(one: &[String], other: &[String]) -> bool {
    one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
}

/// The types that Dataverse lets keys have; no secured column, which would tell by refusing.
fn may_be_key(column: &Column) -> bool {
    let fits = matches!(
        column.kind,
        ColumnKind::Text { .. }
            | ColumnKind::Integer { .. }
            | ColumnKind::Decimal { .. }
            | ColumnKind::DateTime
            | ColumnKind::Date
            | ColumnKind::Lookup { .. }
            | ColumnKind::Picklist { .. }
    );
    fits && !column.secured
}

/// `DELETE …/Keys(x)`
pub(super) fn delete_key(draft: &mut Draft, table: &str, selector: &Selector) -> Result<()> {
    let holder = draft.table_mut(table)?;
    let before = holder.keys.len();
    holder.keys.retain(|key| match selector {
        Selector::LogicalName(name) => key.name != *name,
        Selector::MetadataId(id) => key.metadata_id != *id,
    });
    match holder.keys.len() < before {
        true => Ok(()),
        false => Err(ODataError::new(404, "0x80060888", "Could not find a key with that name or id.")),
    }
}
