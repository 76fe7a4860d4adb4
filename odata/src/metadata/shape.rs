//! Definitions as JSON objects, in the shapes of `EntityMetadata`, `AttributeMetadata` and their kin.

use crate::edm::{
    Column, ColumnKind, LookupTarget, OnDelete, OptionItem, Required, Schema, StateOption, StatusOption,
    Table, TextFormat,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;
use serde_json::value::{to_raw_value, RawValue};
use uuid::Uuid;

/// A JSON object whose members keep their order and their exact text (decimals do not pass through a float).
#[derive(Debug, Clone, Default)]
pub(super) struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    pub(super) fn push(&mut self, name: &str, value: impl Serialize) {
        // Only a map with keys that are no text could fail.
        if let Ok(raw) = to_raw_value(&value) {
            self.0.push((name.to_owned(), raw));
        }
    }

    /// A member whose value is JSON already: numbers with all their digits.
    fn push_number(&mut self, name: &str, number: impl std::fmt::Display) {
        if let Ok(raw) = RawValue::from_string(number.to_string()) {
            self.0.push((name.to_owned(), raw));
        }
    }

    /// The JSON text of a member.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, raw)| raw.get())
    }

    /// Keeps the members named, annotations and `MetadataId`.
    pub(super) fn select(&mut self, names: &[String]) {
        self.0.retain(|(name, _)| name.starts_with('@') || name == "MetadataId" || names.contains(name));
    }

    /// The same object with a member put in front.
    pub(super) fn with_first(mut self, name: &str, value: &str) -> Object {
        let rest = std::mem::take(&mut self.0);
        self.push(name, value);
        self.0.extend(rest);
        self
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, raw) in &self.0 {
            map.serialize_entry(name, raw)?;
        }
        map.end()
    }
}

/// `EntityMetadata` without its collections. `@Flette.Writable` is this service's own: Dataverse has no
/// such member.
pub(super) fn entity(table: &Table) -> Object {
    let mut out = Object::default();
    out.push("MetadataId", table.metadata_id);
    out.push("LogicalName", &table.logical_name);
    out.push("SchemaName", &table.schema_name);
    out.push("EntitySetName", &table.set_name);
    out.push("LogicalCollectionName", &table.set_name);
    out.push("DisplayName", label(&table.display_name));
    out.push("Description", optional_label(&table.description));
    out.push("DisplayCollectionName", label(&table.display_collection_name));
    out.push("PrimaryIdAttribute", &table.primary_id);
    out.push("PrimaryNameAttribute", (!table.primary_name.is_empty()).then_some(&table.primary_name));
    out.push("ObjectTypeCode", table.type_code);
    out.push("OwnershipType", if table.owned { "UserOwned" } else { "OrganizationOwned" });
    out.push("IsActivity", table.activity);
    out.push("IsIntersect", table.intersect);
    out.push("IsCustomEntity", table.custom);
    out.push("HasNotes", table.has_notes);
    out.push("ChangeTrackingEnabled", table.change_tracking);
    out.push("IsOptimisticConcurrencyEnabled", true);
    out.push("CanChangeTrackingBeEnabled", managed(table.change_tracking, "canchangetrackingbeenabled"));
    out.push("@Flette.Writable", table.writable);
    out
}

/// `AttributeMetadata` with the properties of its subtype, but without option sets: those come by `$expand`.
/// `number` is the column's place in its table, from 1.
pub(super) fn attribute(table: &Table, column: &Column, number: usize) -> Object {
    let kind = attribute_type(column);
    let mut out = Object::default();
    out.push("@odata.type", format!("#Microsoft.Dynamics.CRM.{}", type_name(column)));
    out.push("MetadataId", column.metadata_id);
    out.push("LogicalName", &column.logical_name);
    out.push("SchemaName", &column.schema_name);
    out.push("EntityLogicalName", &table.logical_name);
    out.push("AttributeType", kind);
    let type_name = match &column.kind {
        ColumnKind::MultiPicklist { .. } => "MultiSelectPicklistType".to_owned(),
        _ => format!("{kind}Type"),
    };
    out.push("AttributeTypeName", json!({ "Value": type_name }));
    out.push("AttributeOf", ());
    out.push("ColumnNumber", number);
    out.push("DisplayName", label(&column.display_name));
    out.push("Description", optional_label(&column.description));
    out.push("RequiredLevel", managed(required_level(column.required), "canmodifyrequirementlevelsettings"));
    out.push("IsPrimaryId", column.logical_name == table.primary_id);
    out.push("IsPrimaryName", column.logical_name == table.primary_name);
    out.push("IsValidForCreate", column.valid_for_create);
    out.push("IsValidForRead", true);
    out.push("IsValidForUpdate", column.valid_for_update);
    out.push("IsCustomAttribute", column.custom);
    out.push("IsSecured", column.secured);
    subtype(&mut out, column);
    out
}

/// What only the subtype has.
fn subtype(out: &mut Object, column: &Column) {
    match &column.kind {
        ColumnKind::Text { length_max, format } => {
            let format = text_format(*format);
            out.push("MaxLength", length_max);
            out.push("Format", format);
            out.push("FormatName", json!({ "Value": format }));
        }
        ColumnKind::Memo { length_max } => {
            out.push("MaxLength", length_max);
            out.push("Format", "TextArea");
        }
        ColumnKind::Integer { min, max } => {
            out.push("Format", "None");
            out.push("MinValue", min);
            out.push("MaxValue", max);
        }
        ColumnKind::Decimal { precision, min, max } | ColumnKind::Money { precision, min, max } => {
            out.push("Precision", precision);
            out.push_number("MinValue", min);
            out.push_number("MaxValue", max);
        }
        ColumnKind::Double { precision, min, max } => {
            out.push("Precision", precision);
            out.push("MinValue", min);
            out.push("MaxValue", max);
        }
        ColumnKind::Boolean { default, .. } => out.push("DefaultValue", default),
        ColumnKind::DateTime => {
            out.push("Format", "DateAndTime");
            out.push("DateTimeBehavior", json!({"Value": "UserLocal"}));
        }
        ColumnKind::Date => {
            out.push("Format", "DateOnly");
            out.push("DateTimeBehavior", json!({"Value": "DateOnly"}));
        }
        ColumnKind::Picklist { default, .. } => out.push("DefaultFormValue", default.unwrap_or(NO_DEFAULT)),
        ColumnKind::Lookup { targets } => {
            out.push("Targets", targets.iter().map(|t| &t.table).collect::<Vec<_>>());
        }
        ColumnKind::MultiPicklist { .. } => out.push("DefaultFormValue", NO_DEFAULT),
        ColumnKind::Id
        | ColumnKind::Guid
        | ColumnKind::BigInt
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => {}
    }
}

/// `DefaultFormValue` of a choice without a default.
const NO_DEFAULT: i32 = -1;

/// `OptionSet` of a column that has one.
pub(super) fn option_set(table: &Table, column: &Column) -> Option<Object> {
    let name = format!("{}_{}", table.logical_name, column.logical_name);
    let mut out = Object::default();
    out.push("MetadataId", derived_id(&name));
    out.push("Name", &name);
    out.push("IsGlobal", false);
    match &column.kind {
        ColumnKind::Boolean { label_false, label_true, .. } => {
            out.push("OptionSetType", "Boolean");
            out.push("TrueOption", option(1, label_true));
            out.push("FalseOption", option(0, label_false));
        }
        ColumnKind::Picklist { options, .. } | ColumnKind::MultiPicklist { options } => {
            let plain = |o: &OptionItem| option(o.value, &o.label);
            out.push("OptionSetType", "Picklist");
            out.push("Options", options.iter().map(plain).collect::<Vec<_>>());
        }
        ColumnKind::State { options } => {
            let state = |o: &StateOption| {
                let mut object = option(o.value, &o.label)
                    .with_first("@odata.type", "#Microsoft.Dynamics.CRM.StateOptionMetadata");
                object.push("DefaultStatus", o.default_status);
                object.push("InvariantName", &o.label);
                object
            };
            out.push("OptionSetType", "State");
            out.push("Options", options.iter().map(state).collect::<Vec<_>>());
        }
        ColumnKind::Status { options } => {
            let status = |o: &StatusOption| {
                let mut object = option(o.value, &o.label)
                    .with_first("@odata.type", "#Microsoft.Dynamics.CRM.StatusOptionMetadata");
                object.push("State", o.state);
                object
            };
            out.push("OptionSetType", "Status");
            out.push("Options", options.iter().map(status).collect::<Vec<_>>());
        }
        _ => return None,
    }
    Some(out)
}

fn option(value: i32, text: &str) -> Object {
    let mut out = Object::default();
    out.push("Value", value);
    out.push("Label", label(text));
    out.push("Color", ());
    out.push("IsManaged", true);
    out
}

/// `OneToManyRelationshipMetadata`: the same object from either end.
pub(super) fn relationship(schema: &Schema, table: &Table, column: &Column, target: &LookupTarget) -> Object {
    let referenced = schema.table(&target.table).map(|t| t.primary_id.clone());
    let delete = match target.on_delete {
        OnDelete::Cascade => "Cascade",
        OnDelete::RemoveLink => "RemoveLink",
        OnDelete::Restrict => "Restrict",
        OnDelete::NoCascade => "NoCascade",
    };
    let place = format!("{}.{}.{}", table.logical_name, column.logical_name, target.table);
    let mut out = Object::default();
    out.push("MetadataId", derived_id(&place));
    out.push("SchemaName", &target.relationship);
    out.push("RelationshipType", "OneToManyRelationship");
    out.push("ReferencedEntity", &target.table);
    out.push("ReferencedAttribute", referenced.unwrap_or_else(|| format!("{}id", target.table)));
    out.push("ReferencedEntityNavigationPropertyName", &target.collection);
    out.push("ReferencingEntity", &table.logical_name);
    out.push("ReferencingAttribute", &column.logical_name);
    out.push("ReferencingEntityNavigationPropertyName", &target.navigation);
    let none = "NoCascade";
    out.push(
        "CascadeConfiguration",
        json!({
            "Assign": none, "Delete": delete, "Merge": none, "Reparent": none, "Share": none, "Unshare": none,
        }),
    );
    out
}

/// `AttributeType`. An owner and a customer are lookups with names of their own.
fn attribute_type(column: &Column) -> &'static str {
    match &column.kind {
        ColumnKind::Id | ColumnKind::Guid => "Uniqueidentifier",
        ColumnKind::Text { .. } => "String",
        ColumnKind::Memo { .. } => "Memo",
        ColumnKind::Integer { .. } => "Integer",
        ColumnKind::BigInt => "BigInt",
        ColumnKind::Decimal { .. } => "Decimal",
        ColumnKind::Money { .. } => "Money",
        ColumnKind::Double { .. } => "Double",
        ColumnKind::Boolean { .. } => "Boolean",
        ColumnKind::DateTime | ColumnKind::Date => "DateTime",
        ColumnKind::Picklist { .. } => "Picklist",
        // As Dataverse has it: the type tells only by its name.
        ColumnKind::MultiPicklist { .. } => "Virtual",
        ColumnKind::State { .. } => "State",
        ColumnKind::Status { .. } => "Status",
        ColumnKind::Lookup { .. } if column.logical_name == "ownerid" => "Owner",
        ColumnKind::Lookup { targets } => {
            let is = |name: &str| targets.iter().any(|t| t.table == name);
            if targets.len() == 2 && is("account") && is("contact") {
                "Customer"
            } else {
                "Lookup"
            }
        }
    }
}

/// Name of the subtype, for casts and `@odata.type`.
pub(super) fn type_name(column: &Column) -> &'static str {
    match &column.kind {
        ColumnKind::Id | ColumnKind::Guid => "UniqueIdentifierAttributeMetadata",
        ColumnKind::Text { .. } => "StringAttributeMetadata",
        ColumnKind::Memo { .. } => "MemoAttributeMetadata",
        ColumnKind::Integer { .. } => "IntegerAttributeMetadata",
        ColumnKind::BigInt => "BigIntAttributeMetadata",
        ColumnKind::Decimal { .. } => "DecimalAttributeMetadata",
        ColumnKind::Money { .. } => "MoneyAttributeMetadata",
        ColumnKind::Double { .. } => "DoubleAttributeMetadata",
        ColumnKind::Boolean { .. } => "BooleanAttributeMetadata",
        ColumnKind::DateTime | ColumnKind::Date => "DateTimeAttributeMetadata",
        ColumnKind::Picklist { .. } => "PicklistAttributeMetadata",
        ColumnKind::MultiPicklist { .. } => "MultiSelectPicklistAttributeMetadata",
        ColumnKind::State { .. } => "StateAttributeMetadata",
        ColumnKind::Status { .. } => "StatusAttributeMetadata",
        ColumnKind::Lookup { .. } => "LookupAttributeMetadata",
    }
}

fn required_level(required: Required) -> &'static str {
    match required {
        Required::None => "None",
        Required::Recommended => "Recommended",
        Required::Application => "ApplicationRequired",
        Required::System => "SystemRequired",
    }
}

fn text_format(format: TextFormat) -> &'static str {
    match format {
        TextFormat::Text => "Text",
        TextFormat::Email => "Email",
        TextFormat::Phone => "Phone",
        TextFormat::Url => "Url",
    }
}

fn managed(value: impl Serialize, name: &str) -> serde_json::Value {
    json!({"Value": value, "CanBeChanged": false, "ManagedPropertyLogicalName": name})
}

/// The one language served.
const LANGUAGE_CODE: i32 = 1033;

/// A label that need not be there: of no text, one without any language.
fn optional_label(text: &str) -> serde_json::Value {
    match text.is_empty() {
        true => json!({"LocalizedLabels": [], "UserLocalizedLabel": null}),
        false => label(text),
    }
}

fn label(text: &str) -> serde_json::Value {
    let label = json!({
        "Label": text,
        "LanguageCode": LANGUAGE_CODE,
        "IsManaged": true,
        "MetadataId": derived_id(text),
        "HasChanged": null,
    });
    json!({"LocalizedLabels": [label], "UserLocalizedLabel": label})
}

/// An id that is always the same for the same name (FNV-1a, 128 bits): option sets, labels and
/// relationships have none in the schema.
fn derived_id(name: &str) -> Uuid {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    Uuid::from_u128(name.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
}
