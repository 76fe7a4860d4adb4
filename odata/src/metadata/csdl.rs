//! The service document and `$metadata` (CSDL 4.0): entity types, keys, properties, navigation properties,
//! sets.

use super::lookups;
use crate::edm::{Column, ColumnKind, LookupTarget, Schema, Table};
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The service document: every entity set, in the order of the schema.
pub fn service_document(schema: &Schema, root: &str) -> Vec<u8> {
    let sets: Vec<_> = schema
        .tables
        .iter()
        .map(|t| json!({"name": t.set_name, "kind": "EntitySet", "url": t.set_name}))
        .collect();
    json!({"@odata.context": format!("{root}$metadata"), "value": sets}).to_string().into_bytes()
}

/// `$metadata`: the schema as CSDL XML. Every type derives from `mscrm.crmbaseentity`, as in Dataverse; a
/// lookup whose target is not in the schema points to that type, one that leads to several tables by one
/// name to `mscrm.principal`.
pub fn metadata_xml(schema: &Schema) -> Vec<u8> {
    let mut out = String::from(HEAD);
    for table in &schema.tables {
        entity_type(&mut out, schema, table);
    }
    out.push_str("<EntityContainer Name=\"System\">");
    for table in &schema.tables {
        entity_set(&mut out, schema, table);
    }
    out.push_str("</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>");
    out.into_bytes()
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
    <edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices>\
    <Schema Namespace=\"Microsoft.Dynamics.CRM\" Alias=\"mscrm\" \
    xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">\
    <EntityType Name=\"crmbaseentity\" Abstract=\"true\"/>\
    <EntityType Name=\"principal\" BaseType=\"mscrm.crmbaseentity\"><Key>\
    <PropertyRef Name=\"ownerid\"/></Key>\
    <Property Name=\"ownerid\" Type=\"Edm.Guid\" Nullable=\"false\"/></EntityType>";

/// Writing to a `String` cannot fail.
macro_rules! put {
    ($out:expr, $($part:tt)*) => {{ let _ = write!($out, $($part)*); }};
}

fn entity_type(out: &mut String, schema: &Schema, table: &Table) {
    put!(out, "<EntityType Name=\"{}\" BaseType=\"mscrm.crmbaseentity\">", escaped(&table.logical_name));
    put!(out, "<Key><PropertyRef Name=\"{}\"/></Key>", escaped(&table.primary_id));
    for column in &table.columns {
        property(out, table, column);
    }
    let mut names: BTreeSet<&str> = table.columns.iter().map(|c| c.logical_name.as_str()).collect();
    // A navigation property of a plain lookup has the name of its column, which is no property's name.
    for column in table.columns.iter().filter(|c| c.is_lookup()) {
        names.remove(column.logical_name.as_str());
    }
    for (column, target) in lookups(table) {
        if names.insert(&target.navigation) {
            single_valued(out, schema, column, target);
        }
    }
    for other in &schema.tables {
        for (_, target) in lookups(other).filter(|(_, target)| target.table == table.logical_name) {
            if !target.collection.is_empty() && names.insert(&target.collection) {
                put!(
                    out,
                    "<NavigationProperty Name=\"{}\" Type=\"Collection(mscrm.{})\"/>",
                    escaped(&target.collection),
                    escaped(&other.logical_name)
                );
            }
        }
    }
    out.push_str("</EntityType>");
}

fn property(out: &mut String, table: &Table, column: &Column) {
    let (kind, facets) = edm_type(&column.kind);
    put!(out, "<Property Name=\"{}\" Type=\"Edm.{kind}\"{facets}", escaped(&column.property()));
    if column.logical_name == table.primary_id {
        out.push_str(" Nullable=\"false\"");
    }
    out.push_str("/>");
}

fn edm_type(kind: &ColumnKind) -> (&'static str, String) {
    let plain = |name| (name, String::new());
    match kind {
        ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. } => plain("Guid"),
        ColumnKind::MultiPicklist { .. } => plain("String"),
        ColumnKind::Text { length_max, .. } | ColumnKind::Memo { length_max } => {
            ("String", format!(" MaxLength=\"{length_max}\" Unicode=\"true\""))
        }
        ColumnKind::Integer { .. }
        | ColumnKind::Picklist { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => plain("Int32"),
        ColumnKind::BigInt => plain("Int64"),
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => {
            ("Decimal", " Scale=\"Variable\"".to_owned())
        }
        ColumnKind::Double { .. } => plain("Double"),
        ColumnKind::Boolean { .. } => plain("Boolean"),
        ColumnKind::DateTime => plain("DateTimeOffset"),
        ColumnKind::Date => plain("Date"),
    }
}

fn single_valued(out: &mut String, schema: &Schema, column: &Column, target: &LookupTarget) {
    let (kind, key) = match (is_shared(column, &target.navigation), schema.table(&target.table)) {
        (true, _) => ("principal", Some("ownerid")),
        (false, Some(table)) => (table.logical_name.as_str(), Some(table.primary_id.as_str())),
        (false, None) => ("crmbaseentity", None),
    };
    put!(
        out,
        "<NavigationProperty Name=\"{}\" Type=\"mscrm.{}\"",
        escaped(&target.navigation),
        escaped(kind)
    );
    match key {
        Some(key) => put!(
            out,
            "><ReferentialConstraint Property=\"{}\" ReferencedProperty=\"{}\"/></NavigationProperty>",
            escaped(&column.property()),
            escaped(key)
        ),
        None => out.push_str("/>"),
    }
}

/// Whether one navigation property leads to several tables.
fn is_shared(column: &Column, navigation: &str) -> bool {
    match &column.kind {
        ColumnKind::Lookup { targets } => targets.iter().filter(|t| t.navigation == navigation).count() > 1,
        _ => false,
    }
}

fn entity_set(out: &mut String, schema: &Schema, table: &Table) {
    put!(
        out,
        "<EntitySet Name=\"{}\" EntityType=\"Microsoft.Dynamics.CRM.{}\">",
        escaped(&table.set_name),
        escaped(&table.logical_name)
    );
    let mut names = BTreeSet::new();
    for (column, target) in lookups(table) {
        if let Some(to) = schema.table(&target.table) {
            if !is_shared(column, &target.navigation) && names.insert(&target.navigation) {
                put!(
                    out,
                    "<NavigationPropertyBinding Path=\"{}\" Target=\"{}\"/>",
                    escaped(&target.navigation),
                    escaped(&to.set_name)
                );
            }
        }
    }
    out.push_str("</EntitySet>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
