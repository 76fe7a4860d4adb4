//! Definitions as JSON objects, in the shapes of `EntityMetadata`, `AttributeMetadata` and their kin.

mod options;
mod relationship;

pub use options::option_set_id;
pub(super) use options::{global_option_set, has_options, option_set};
pub use relationship::relationship_id;
pub(super) use relationship::{is_shared, key, many_to_many, relationship};

use crate::edm::{Column, ColumnKind, Required, Table, TextFormat};
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

    /// The value of a member.
    pub(super) fn parsed(&self, name: &str) -> Option<serde_json::Value> {
        let (_, raw) = self.0.iter().find(|(n, _)| n == name)?;
        serde_json::from_slice(raw.get().as_bytes()).ok()
    }

    /// Keeps the members named, annotations and `MetadataId`.
    pub(super) fn select(&mut self, names: &[String]) {
        self.0.retain(|(name, _)| name.starts_with('@') || name == "MetadataId" || names.contains(name));
    }

    /// Takes a member away.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
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
    out.push("TableType", "Standard");
    out.push("IsActivity", table.activity);
    out.push("IsActivityParty", table.has_activities);
    out.push("IsIntersect", table.intersect);
    out.push("IsCustomEntity", table.custom);
    out.push("IsLogicalEntity", table.union);
    out.push("HasNotes", table.has_notes);
    out.push("HasActivities", table.has_activities);
    out.push("ChangeTrackingEnabled", table.change_tracking);
    out.push("IsOptimisticConcurrencyEnabled", true);
    capabilities(&mut out, table);
    out.push("@Flette.Writable", table.writable);
    out
}

/// What may be done with a table and its definition.
fn capabilities(out: &mut Object, table: &Table) {
    let plain = !table.intersect && !table.union;
    for (name, value) in [
        ("IsManaged", !table.custom),
        ("IsPrivate", table.intersect),
        ("IsImportable", table.writable),
        ("IsValidForAdvancedFind", plain),
        ("IsAvailableOffline", plain),
        ("IsAIRUpdated", true),
        ("IsChildEntity", table.logical_name == "activityparty"),
        ("IsQuickCreateEnabled", false),
        ("IsBPFEntity", false),
        ("IsStateModelAware", false),
        ("IsDocumentManagementEnabled", false),
    ] {
        out.push(name, value);
    }
    for (name, value) in [
        ("CanChangeTrackingBeEnabled", table.change_tracking),
        ("IsCustomizable", plain),
        ("IsRenameable", plain),
        ("IsMappable", table.writable),
        ("IsAuditEnabled", false),
        ("IsConnectionsEnabled", false),
        ("IsDuplicateDetectionEnabled", false),
        ("IsMailMergeEnabled", false),
        ("IsOfflineInMobileClient", plain),
        ("IsReadOnlyInMobileClient", !table.writable),
        ("IsValidForQueue", false),
        ("IsVisibleInMobile", plain),
        ("IsVisibleInMobileClient", plain),
        ("CanCreateAttributes", plain),
        ("CanCreateForms", plain),
        ("CanCreateViews", plain),
        ("CanCreateCharts", false),
        ("CanBeInManyToMany", plain),
        ("CanBePrimaryEntityInRelationship", plain),
        ("CanBeRelatedEntityInRelationship", plain && table.writable),
        ("CanModifyAdditionalSettings", plain),
        ("CanEnableSyncToExternalSearchIndex", false),
    ] {
        out.push(name, managed(value, &name.to_lowercase()));
    }
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
    let is_written = column.valid_for_create || column.valid_for_update;
    for (name, value) in [
        ("IsManaged", !column.custom),
        ("IsLogical", false),
        ("IsFilterable", true),
        ("IsSearchable", column.logical_name == table.primary_name),
        ("IsRetrievable", true),
        ("IsValidForForm", is_written),
        ("IsValidForGrid", true),
        ("IsRequiredForForm", column.required == Required::System && is_written),
        ("CanBeSecuredForRead", is_securable(table, column)),
        ("CanBeSecuredForCreate", is_securable(table, column) && column.valid_for_create),
        ("CanBeSecuredForUpdate", is_securable(table, column) && column.valid_for_update),
    ] {
        out.push(name, value);
    }
    for (name, value) in [
        ("IsCustomizable", true),
        ("IsRenameable", true),
        ("IsAuditEnabled", false),
        ("IsGlobalFilterEnabled", false),
        ("IsSortableEnabled", true),
        ("IsValidForAdvancedFind", true),
        ("CanModifyAdditionalSettings", true),
    ] {
        out.push(name, managed(value, &name.to_lowercase()));
    }
    subtype(&mut out, column);
    out
}

/// Whether column security may be turned on.
fn is_securable(table: &Table, column: &Column) -> bool {
    !matches!(column.kind, ColumnKind::Id | ColumnKind::State { .. } | ColumnKind::Status { .. })
        && column.logical_name != table.primary_name
        && !matches!(column.logical_name.as_str(), "versionnumber" | "ownerid" | "createdon" | "modifiedon")
}

/// What only the subtype has.
fn subtype(out: &mut Object, column: &Column) {
    match &column.kind {
        ColumnKind::Text { length_max, format } => {
            let format = text_format(*format);
            out.push("MaxLength", length_max);
            out.push("DatabaseLength", u64::from(*length_max) * 2);
            out.push("Format", format);
            out.push("FormatName", json!({ "Value": format }));
            out.push("ImeMode", "Auto");
            out.push("IsLocalizable", false);
            out.push("AutoNumberFormat", "");
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
            if matches!(column.kind, ColumnKind::Money { .. }) {
                out.push("PrecisionSource", 2);
                out.push("IsBaseCurrency", column.logical_name.ends_with("_base"));
            }
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
            out.push("Format", "None");
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
pub(crate) fn type_name(column: &Column) -> &'static str {
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

/// A text in the one language served.
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
