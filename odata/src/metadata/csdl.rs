//! The service document and `$metadata` (CSDL 4.0): entity types, keys, properties, navigation properties,
//! sets, functions.

use super::lookups;
use crate::edm::{AlternateKey, Column, ColumnKind, LookupTarget, Schema, Table};
use crate::ordered;
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
    Writer { schema, annotated: false, out: String::from(HEAD) }.document()
}

/// The same with descriptions, and what is computed or only read: `$metadata?annotations=true`.
pub fn metadata_xml_annotated(schema: &Schema) -> Vec<u8> {
    Writer { schema, annotated: true, out: String::from(HEAD) }.document()
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

struct Writer<'s> {
    schema: &'s Schema,
    annotated: bool,
    out: String,
}

impl Writer<'_> {
    fn document(mut self) -> Vec<u8> {
        let schema = self.schema;
        schema.tables.iter().for_each(|table| self.entity_type(table));
        self.out.push_str(FUNCTIONS);
        self.out.push_str("<EntityContainer Name=\"System\">");
        schema.tables.iter().for_each(|table| self.entity_set(table));
        self.out.push_str(IMPORTS);
        self.out.push_str("</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>");
        self.out.into_bytes()
    }

    fn entity_type(&mut self, table: &Table) {
        let out = &mut self.out;
        put!(out, "<EntityType Name=\"{}\" BaseType=\"mscrm.crmbaseentity\">", escaped(&table.logical_name));
        put!(out, "<Key><PropertyRef Name=\"{}\"/></Key>", escaped(&table.primary_id));
        for column in &table.columns {
            self.property(table, column);
        }
        let mut names = ordered::set(table.columns.iter().map(|c| c.logical_name.as_str()));
        // A navigation property of a plain lookup has the name of its column, which is no property's name.
        for column in table.columns.iter().filter(|c| c.is_lookup()) {
            names.remove(column.logical_name.as_str());
        }
        for (column, target) in lookups(table) {
            if names.insert(&target.navigation) {
                self.single_valued(column, target);
            }
        }
        let schema = self.schema;
        for other in &schema.tables {
            for (_, target) in lookups(other).filter(|(_, target)| target.table == table.logical_name) {
                if !target.collection.is_empty() && names.insert(&target.collection) {
                    self.collection(&target.collection, &other.logical_name, &target.navigation);
                }
            }
        }
        for relationship in &schema.many_to_many {
            let ends = [&relationship.first, &relationship.second];
            for (end, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
                if end.table == table.logical_name && names.insert(&end.navigation) {
                    self.collection(&end.navigation, &other.table, &other.navigation);
                }
            }
        }
        for key in &table.keys {
            self.alternate_key(table, key);
        }
        if self.annotated {
            self.description(&table.description);
        }
        self.out.push_str("</EntityType>");
    }

    fn property(&mut self, table: &Table, column: &Column) {
        let (kind, facets) = edm_type(&column.kind);
        let out = &mut self.out;
        put!(out, "<Property Name=\"{}\" Type=\"Edm.{kind}\"{facets}", escaped(&column.property()));
        if column.logical_name == table.primary_id {
            out.push_str(" Nullable=\"false\"");
        }
        let is_read_only = !column.valid_for_create && !column.valid_for_update;
        if !self.annotated || column.description.is_empty() && !is_read_only && !column.is_lookup() {
            return out.push_str("/>");
        }
        out.push('>');
        if is_read_only || column.is_lookup() {
            out.push_str(COMPUTED);
            out.push_str(READ_ONLY);
        }
        self.description(&column.description);
        self.out.push_str("</Property>");
    }

    fn description(&mut self, text: &str) {
        if !text.is_empty() {
            let out = &mut self.out;
            put!(out, "<Annotation Term=\"Org.OData.Core.V1.Description\" String=\"{}\"/>", escaped(text));
        }
    }

    fn single_valued(&mut self, column: &Column, target: &LookupTarget) {
        let (kind, key) = match (is_shared(column, &target.navigation), self.schema.table(&target.table)) {
            (true, _) => ("principal", Some("ownerid")),
            (false, Some(table)) => (table.logical_name.as_str(), Some(table.primary_id.as_str())),
            (false, None) => ("crmbaseentity", None),
        };
        let out = &mut self.out;
        let navigation = escaped(&target.navigation);
        put!(out, "<NavigationProperty Name=\"{navigation}\" Type=\"mscrm.{}\"", escaped(kind));
        if !target.collection.is_empty() && kind != "principal" && kind != "crmbaseentity" {
            put!(out, " Partner=\"{}\"", escaped(&target.collection));
        }
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

    fn collection(&mut self, name: &str, table: &str, partner: &str) {
        put!(
            &mut self.out,
            "<NavigationProperty Name=\"{}\" Type=\"Collection(mscrm.{})\" Partner=\"{}\"/>",
            escaped(name),
            escaped(table),
            escaped(partner)
        );
    }

    /// As the vocabulary `OData.Community.Keys.V1` has it.
    fn alternate_key(&mut self, table: &Table, key: &AlternateKey) {
        let out = &mut self.out;
        out.push_str("<Annotation Term=\"OData.Community.Keys.V1.AlternateKeys\"><Collection><Record ");
        out.push_str(
            "Type=\"OData.Community.Keys.V1.AlternateKey\"><PropertyValue Property=\"Key\"><Collection>",
        );
        for column in &key.columns {
            let property = table.column(column).map_or_else(|| column.clone(), Column::property);
            put!(
                out,
                "<Record Type=\"OData.Community.Keys.V1.PropertyRef\"><PropertyValue Property=\"Alias\" \
                 String=\"{0}\"/><PropertyValue Property=\"Name\" PropertyPath=\"{0}\"/></Record>",
                escaped(&property)
            );
        }
        out.push_str("</Collection></PropertyValue></Record></Collection></Annotation>");
    }

    fn entity_set(&mut self, table: &Table) {
        let out = &mut self.out;
        put!(
            out,
            "<EntitySet Name=\"{}\" EntityType=\"Microsoft.Dynamics.CRM.{}\">",
            escaped(&table.set_name),
            escaped(&table.logical_name)
        );
        let mut names = BTreeSet::new();
        for (column, target) in lookups(table) {
            if let Some(to) = self.schema.table(&target.table) {
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
        if self.annotated {
            put!(
                out,
                "<Annotation Term=\"Org.OData.Capabilities.V1.ChangeTracking\"><Record><PropertyValue \
                 Property=\"Supported\" Bool=\"{}\"/></Record></Annotation>",
                table.change_tracking
            );
        }
        out.push_str("</EntitySet>");
    }
}

const COMPUTED: &str = "<Annotation Term=\"Org.OData.Core.V1.Computed\" Bool=\"true\"/>";
const READ_ONLY: &str = "<Annotation Term=\"Org.OData.Core.V1.Permissions\"><EnumMember>\
    Org.OData.Core.V1.PermissionType/Read</EnumMember></Annotation>";

/// Unbound functions that every service of this kind has.
const FUNCTIONS: &str = "<ComplexType Name=\"WhoAmIResponse\">\
    <Property Name=\"BusinessUnitId\" Type=\"Edm.Guid\" Nullable=\"false\"/>\
    <Property Name=\"UserId\" Type=\"Edm.Guid\" Nullable=\"false\"/>\
    <Property Name=\"OrganizationId\" Type=\"Edm.Guid\" Nullable=\"false\"/></ComplexType>\
    <Function Name=\"WhoAmI\"><ReturnType Type=\"mscrm.WhoAmIResponse\" Nullable=\"false\"/></Function>\
    <ComplexType Name=\"RetrieveTimestampResponse\">\
    <Property Name=\"Timestamp\" Type=\"Edm.String\" Unicode=\"false\"/></ComplexType>\
    <Function Name=\"RetrieveTimestamp\">\
    <ReturnType Type=\"mscrm.RetrieveTimestampResponse\" Nullable=\"false\"/></Function>";
const IMPORTS: &str = "<FunctionImport Name=\"WhoAmI\" Function=\"mscrm.WhoAmI\"/>\
    <FunctionImport Name=\"RetrieveTimestamp\" Function=\"mscrm.RetrieveTimestamp\"/>";

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

/// Whether one navigation property leads to several tables.
fn is_shared(column: &Column, navigation: &str) -> bool {
    match &column.kind {
        ColumnKind::Lookup { targets } => targets.iter().filter(|t| t.navigation == navigation).count() > 1,
        _ => false,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
