//! Relationships and alternate keys.

use super::{derived_id, label, managed, optional_label, Object};
use crate::edm::{AlternateKey, Column, ColumnKind, LookupTarget, ManyToMany, OnDelete, Schema, Table};
use serde_json::json;
use uuid::Uuid;

/// Whether one navigation property of a lookup leads to several tables: that of an owner.
pub(in crate::metadata) fn is_shared(column: &Column, target: &LookupTarget) -> bool {
    match &column.kind {
        ColumnKind::Lookup { targets } => targets.iter().any(|other| {
            let same =
                |t: &LookupTarget| (t.navigation.clone(), t.relationship.clone(), t.collection.clone());
            other.table != target.table && same(other) == same(target)
        }),
        _ => false,
    }
}

/// What a lookup points to, as metadata call it: users and teams together are `owner`.
fn referenced<'a>(column: &Column, target: &'a LookupTarget) -> &'a str {
    if is_shared(column, target) {
        "owner"
    } else {
        &target.table
    }
}

/// `MetadataId` of the relationship that a lookup makes with one of its targets.
pub fn relationship_id(table: &Table, column: &Column, target: &LookupTarget) -> Uuid {
    derived_id(&format!("{}.{}.{}", table.logical_name, column.logical_name, referenced(column, target)))
}

/// `OneToManyRelationshipMetadata`: the same object from either end.
pub(in crate::metadata) fn relationship(
    schema: &Schema,
    table: &Table,
    column: &Column,
    target: &LookupTarget,
) -> Object {
    let referenced = referenced(column, target);
    let key = schema.table(referenced).map(|t| t.primary_id.clone());
    let mut out = Object::default();
    out.push("@odata.type", "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata");
    out.push("MetadataId", relationship_id(table, column, target));
    head(&mut out, &target.relationship, column.custom);
    out.push("RelationshipType", "OneToManyRelationship");
    out.push("ReferencedEntity", referenced);
    out.push("ReferencedAttribute", key.unwrap_or_else(|| format!("{referenced}id")));
    out.push("ReferencedEntityNavigationPropertyName", &target.collection);
    out.push("ReferencingEntity", &table.logical_name);
    out.push("ReferencingAttribute", &column.logical_name);
    out.push("ReferencingEntityNavigationPropertyName", &target.navigation);
    out.push(
        "IsHierarchical",
        target.table == table.logical_name && column.logical_name.starts_with("parent"),
    );
    out.push("AssociatedMenuConfiguration", menu(schema, &table.logical_name));
    out.push("CascadeConfiguration", cascade(target.on_delete));
    out
}

fn cascade(on_delete: OnDelete) -> serde_json::Value {
    let delete = match on_delete {
        OnDelete::Cascade => "Cascade",
        OnDelete::RemoveLink => "RemoveLink",
        OnDelete::Restrict => "Restrict",
        OnDelete::NoCascade => "NoCascade",
    };
    let none = "NoCascade";
    json!({
        "Assign": none, "Delete": delete, "Merge": none, "Reparent": none, "Share": none, "Unshare": none,
        "RollupView": none,
    })
}

/// `ManyToManyRelationshipMetadata`.
pub(in crate::metadata) fn many_to_many(schema: &Schema, relationship: &ManyToMany) -> Object {
    let mut out = Object::default();
    out.push("@odata.type", "#Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata");
    out.push("MetadataId", relationship.metadata_id);
    head(&mut out, &relationship.relationship, relationship.custom);
    out.push("RelationshipType", "ManyToManyRelationship");
    out.push("IntersectEntityName", &relationship.intersect);
    for (number, end) in [("Entity1", &relationship.first), ("Entity2", &relationship.second)] {
        out.push(&format!("{number}LogicalName"), &end.table);
        out.push(&format!("{number}IntersectAttribute"), &end.column);
        out.push(&format!("{number}NavigationPropertyName"), &end.navigation);
        out.push(&format!("{number}AssociatedMenuConfiguration"), menu(schema, &end.table));
    }
    out
}

fn head(out: &mut Object, schema_name: &str, is_custom: bool) {
    out.push("SchemaName", schema_name);
    out.push("IsCustomRelationship", is_custom);
    out.push("IsManaged", !is_custom);
    out.push("IsCustomizable", managed(is_custom, "iscustomizable"));
    out.push("IsValidForAdvancedFind", true);
    out.push("SecurityTypes", "Append");
    out.push("HasChanged", ());
}

/// Where the rows of a table stand in the menu of a row that they belong to.
fn menu(schema: &Schema, table: &str) -> serde_json::Value {
    let name = schema.table(table).map_or(table, |t| t.display_collection_name.as_str());
    json!({
        "Behavior": "UseCollectionName", "Group": "Details", "Order": 10_000, "IsCustomizable": true,
        "Icon": null, "ViewId": null, "AvailableOffline": true, "MenuId": null, "QueryApi": null,
        "Label": if name.is_empty() { optional_label("") } else { label(name) },
    })
}

/// `EntityKeyMetadata`.
pub(in crate::metadata) fn key(table: &Table, key: &AlternateKey) -> Object {
    let mut out = Object::default();
    out.push("MetadataId", key.metadata_id);
    out.push("LogicalName", &key.name);
    out.push("SchemaName", &key.schema_name);
    out.push("EntityLogicalName", &table.logical_name);
    out.push("DisplayName", label(&key.display_name));
    out.push("KeyAttributes", &key.columns);
    out.push("EntityKeyIndexStatus", "Active");
    out.push("IsCustomizable", managed(table.custom, "iscustomizable"));
    out.push("IsManaged", !table.custom);
    out.push("IsSynchronous", true);
    out.push("AsyncJob", ());
    out.push("HasChanged", ());
    out
}
