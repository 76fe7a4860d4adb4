//! A table read back from the answers of a Dataverse: ours or a real one.
//!
//! Lenient where a real service knows more than this crate: attributes of unknown types (virtual, party
//! lists, images, managed properties), companions (`AttributeOf`) and unreadable ones are passed over;
//! missing limits get the widest ones.

use super::answer::{merge, Item};
use crate::decimal::Decimal;
use crate::edm::{
    AlternateKey, Column, ColumnKind, LookupTarget, ManyToMany, ManyToManyEnd, OnDelete, OptionItem,
    Required, StateOption, StatusOption, Table, TextFormat,
};
use crate::error::{ODataError, Result};
use crate::ordered;
use std::cell::Cell;

/// What to ask a Dataverse for, to learn one table: URLs relative to the API's root, percent-encoding not
/// needed. The first is the table itself; the others are casts, since limits and options come only that
/// way.
///
/// Of `logical_name` only what a logical name may hold is used (letters, digits, `_`).
pub fn definition_requests(logical_name: &str) -> Vec<String> {
    let name: String = logical_name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let entity = format!("EntityDefinitions(LogicalName='{name}')");
    let mut requests = vec![format!(
        "{entity}?$select={ENTITY_SELECT}&$expand=Attributes($select={ATTRIBUTE_SELECT}),\
         ManyToOneRelationships($select={RELATIONSHIP_SELECT}),\
         ManyToManyRelationships($select={PAIRS_SELECT}),Keys($select={KEY_SELECT})"
    )];
    for (cast, options) in CASTS {
        requests.push(format!(
            "{entity}/Attributes/Microsoft.Dynamics.CRM.{cast}AttributeMetadata?$select={options}"
        ));
    }
    requests
}

const ENTITY_SELECT: &str = "LogicalName,SchemaName,EntitySetName,DisplayName,DisplayCollectionName,\
    PrimaryIdAttribute,PrimaryNameAttribute,ObjectTypeCode,OwnershipType,IsActivity,ChangeTrackingEnabled,\
    IsIntersect,IsLogicalEntity,IsCustomEntity,HasNotes,HasActivities,Description";
const ATTRIBUTE_SELECT: &str =
    "LogicalName,SchemaName,AttributeType,AttributeTypeName,AttributeOf,ColumnNumber,DisplayName,\
    RequiredLevel,IsValidForCreate,IsValidForRead,IsValidForUpdate,IsCustomAttribute,IsSecured,Description";
const RELATIONSHIP_SELECT: &str = "SchemaName,ReferencedEntity,ReferencedEntityNavigationPropertyName,\
    ReferencingAttribute,ReferencingEntityNavigationPropertyName,CascadeConfiguration";
const PAIRS_SELECT: &str = "SchemaName,IsCustomRelationship,IntersectEntityName,Entity1LogicalName,\
    Entity1IntersectAttribute,Entity1NavigationPropertyName,Entity2LogicalName,Entity2IntersectAttribute,\
    Entity2NavigationPropertyName";
/// The table whose rows are those of all activities: it has this name everywhere.
const UNION_OF_ACTIVITIES: &str = "activitypointer";

const KEY_SELECT: &str = "LogicalName,SchemaName,DisplayName,KeyAttributes";
const CASTS: [(&str, &str); 13] = [
    ("String", "LogicalName,MaxLength,Format,FormatName"),
    ("Memo", "LogicalName,MaxLength"),
    ("Integer", "LogicalName,MinValue,MaxValue"),
    ("Decimal", "LogicalName,Precision,MinValue,MaxValue"),
    ("Money", "LogicalName,Precision,MinValue,MaxValue"),
    ("Double", "LogicalName,Precision,MinValue,MaxValue"),
    ("DateTime", "LogicalName,Format,DateTimeBehavior"),
    ("Lookup", "LogicalName,Targets"),
    ("Boolean", "LogicalName,DefaultValue&$expand=OptionSet"),
    ("Picklist", "LogicalName,DefaultFormValue&$expand=OptionSet,GlobalOptionSet"),
    ("MultiSelectPicklist", "LogicalName&$expand=OptionSet,GlobalOptionSet"),
    ("State", "LogicalName&$expand=OptionSet"),
    ("Status", "LogicalName&$expand=OptionSet"),
];

/// Reads a table from the answers to [`definition_requests`], in any order; see also [`parse_pairs`].
///
/// # Errors
/// 502 without a code: an answer is no JSON, none of them is the table itself, or it lacks what a table
/// must have.
pub fn parse_definition(answers: &[Vec<u8>]) -> Result<Table> {
    let foreign =
        |what: &str| ODataError::new(502, "", format!("The table definition cannot be read: {what}"));
    let faults = Cell::new(false);
    let mut head: Option<Item> = None;
    let mut items: Vec<Item> = Vec::new();
    let mut relationships: Vec<Item> = Vec::new();
    for bytes in answers {
        let answer = Item::read(bytes, &faults).ok_or_else(|| foreign("an answer is not JSON."))?;
        let parts = ["Attributes", "ManyToOneRelationships", "value"].map(|name| answer.items(name));
        for item in parts.into_iter().flatten() {
            match item.raw("ReferencingAttribute") {
                Some(_) => relationships.push(item),
                None => merge(&mut items, item),
            }
        }
        if answer.raw("EntitySetName").is_some() {
            head = Some(answer);
        }
    }
    let head = head.ok_or_else(|| foreign("no answer is the table itself."))?;
    // Stable: attributes without a number keep the order in which they came.
    let items = ordered::list_by_key(items, |item| item.number("ColumnNumber").unwrap_or(i64::MAX));
    let mut columns: Vec<Column> = items.iter().filter_map(|item| column(item, &relationships)).collect();
    let primary_id = head.text("PrimaryIdAttribute");
    for column in &mut columns {
        if column.kind == ColumnKind::Id && Some(&column.logical_name) != primary_id.as_ref() {
            column.kind = ColumnKind::Guid;
        }
    }
    let table = table(&head, columns).ok_or_else(|| foreign("it has no name, no key or no MetadataId."))?;
    match faults.get() {
        true => Err(foreign("a member is not what it should be.")),
        false => Ok(table),
    }
}

/// The relationships of many to many that a table takes part in, from the same answers. Both tables of a relationship
/// tell of it.
pub fn parse_pairs(answers: &[Vec<u8>]) -> Vec<ManyToMany> {
    let faults = Cell::new(false);
    let read = |bytes| Some(Item::read(bytes, &faults)?.items("ManyToManyRelationships"));
    answers.iter().map(Vec::as_slice).filter_map(read).flatten().filter_map(|item| pairs(&item)).collect()
}

fn pairs(item: &Item) -> Option<ManyToMany> {
    let end = |number: u8| {
        Some(ManyToManyEnd {
            table: item.text(&format!("Entity{number}LogicalName"))?,
            column: item.text(&format!("Entity{number}IntersectAttribute"))?,
            navigation: item.text(&format!("Entity{number}NavigationPropertyName"))?,
        })
    };
    Some(ManyToMany {
        relationship: item.text("SchemaName")?,
        intersect: item.text("IntersectEntityName")?,
        first: end(1)?,
        second: end(2)?,
        metadata_id: item.id("MetadataId")?,
        custom: item.flag("IsCustomRelationship").unwrap_or(false),
    })
}

fn key(item: &Item) -> Option<AlternateKey> {
    let name = item.text("LogicalName")?;
    let schema_name = item.text("SchemaName").unwrap_or_else(|| name.clone());
    Some(AlternateKey {
        display_name: item.label("DisplayName").unwrap_or_else(|| schema_name.clone()),
        columns: item.texts("KeyAttributes")?,
        metadata_id: item.id("MetadataId")?,
        schema_name,
        name,
    })
}

/// Reads one attribute as the body of a request has it: the type stands in `@odata.type` and need not stand in
/// `AttributeType`; `LogicalName` follows from `SchemaName`. What is not said is what a new attribute begins with: the
/// widest limits, valid for create and update, the nil `MetadataId`. A lookup has no targets: its relationships say.
///
/// # Errors
/// 400 `0x80048d19`: no attribute, or of a type that rows cannot have.
pub fn parse_attribute(body: &serde_json::Value) -> Result<Column> {
    let wrong = |what: &str| ODataError::bad_payload(format!("The attribute cannot be read: {what}"));
    let mut told = body.as_object().cloned().ok_or_else(|| wrong("it is malformed."))?;
    let declared = body.get("@odata.type").and_then(serde_json::Value::as_str).unwrap_or_default();
    let declared = declared.trim_start_matches('#').trim_start_matches("Microsoft.Dynamics.CRM.");
    let mut tell = |name: &str, value: serde_json::Value| told.insert(name.to_owned(), value);
    match declared.strip_suffix("AttributeMetadata") {
        Some("MultiSelectPicklist") => {
            tell("AttributeType", "Virtual".into());
            tell("AttributeTypeName", serde_json::json!({ "Value": "MultiSelectPicklistType" }));
        }
        Some(kind) if !kind.is_empty() => {
            tell("AttributeType", kind.into());
        }
        _ => {}
    }
    let name = |name: &str| body.get(name).and_then(serde_json::Value::as_str);
    let schema_name = name("SchemaName").or_else(|| name("LogicalName"));
    let schema_name = schema_name.ok_or_else(|| wrong("it has no SchemaName."))?;
    tell("SchemaName", schema_name.into());
    if name("LogicalName").is_none() {
        tell("LogicalName", schema_name.to_lowercase().into());
    }
    if body.get("MetadataId").is_none_or(serde_json::Value::is_null) {
        tell("MetadataId", uuid::Uuid::nil().to_string().into());
    }
    tell("IsValidForCreate", true.into());
    tell("IsValidForUpdate", true.into());
    for unsaid in ["AttributeOf", "IsValidForRead"] {
        told.remove(unsaid);
    }
    let (text, faults) = (serde_json::Value::Object(told).to_string(), Cell::new(false));
    let item = Item::read(text.as_bytes(), &faults).ok_or_else(|| wrong("it is malformed."))?;
    let column = column(&item, &[]);
    if faults.get() {
        return Err(wrong("it is malformed."));
    }
    column.ok_or_else(|| wrong("there is no column of that type."))
}

fn table(head: &Item, columns: Vec<Column>) -> Option<Table> {
    let logical_name = head.text("LogicalName")?;
    let primary_id = head.text("PrimaryIdAttribute")?;
    columns.iter().find(|column| column.logical_name == primary_id)?;
    let flag = |name: &str| head.flag(name).unwrap_or(false);
    let schema_name = head.text("SchemaName").unwrap_or_else(|| logical_name.clone());
    let display_name = head.label("DisplayName").unwrap_or_else(|| schema_name.clone());
    Some(Table {
        set_name: head.text("EntitySetName")?,
        display_collection_name: head.label("DisplayCollectionName").unwrap_or_else(|| display_name.clone()),
        primary_name: head.text("PrimaryNameAttribute").unwrap_or_default(),
        type_code: head.number("ObjectTypeCode").and_then(small).unwrap_or_default(),
        // Dataverse does not say; a table without a column to write is not for writing.
        writable: head
            .flag("@Flette.Writable")
            .unwrap_or_else(|| columns.iter().any(|c| c.valid_for_create || c.valid_for_update)),
        owned: head.text("OwnershipType").as_deref() == Some("UserOwned"),
        activity: flag("IsActivity"),
        change_tracking: flag("ChangeTrackingEnabled"),
        metadata_id: head.id("MetadataId")?,
        union: logical_name == UNION_OF_ACTIVITIES || (flag("IsLogicalEntity") && flag("IsActivity")),
        logical_name,
        schema_name,
        display_name,
        primary_id,
        columns,
        description: head.label("Description").unwrap_or_default(),
        custom: flag("IsCustomEntity"),
        intersect: flag("IsIntersect"),
        has_notes: flag("HasNotes"),
        has_activities: flag("HasActivities"),
        keys: head.items("Keys").iter().filter_map(key).collect(),
    })
}

/// `None` for attributes that rows do not have, or of types that this crate does not know.
fn column(item: &Item, relationships: &[Item]) -> Option<Column> {
    if item.raw("AttributeOf").is_some() || item.flag("IsValidForRead") == Some(false) {
        return None;
    }
    let logical_name = item.text("LogicalName")?;
    let kind = kind(item, relationships)?;
    let flag = |name: &str| item.flag(name).unwrap_or(false);
    let schema_name = item.text("SchemaName").unwrap_or_else(|| logical_name.clone());
    Some(Column {
        display_name: item.label("DisplayName").unwrap_or_else(|| schema_name.clone()),
        required: match item.wrapped("RequiredLevel").as_deref() {
            Some("SystemRequired") => Required::System,
            Some("ApplicationRequired") => Required::Application,
            Some("Recommended") => Required::Recommended,
            _ => Required::None,
        },
        valid_for_create: flag("IsValidForCreate"),
        valid_for_update: flag("IsValidForUpdate"),
        metadata_id: item.id("MetadataId")?,
        logical_name,
        schema_name,
        kind,
        description: item.label("Description").unwrap_or_default(),
        custom: flag("IsCustomAttribute"),
        secured: flag("IsSecured"),
        ..Column::default()
    })
}

fn kind(item: &Item, relationships: &[Item]) -> Option<ColumnKind> {
    let length =
        |default: u32| item.number("MaxLength").and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let precision = item.number("Precision").and_then(|n| u8::try_from(n).ok());
    let type_name = item.wrapped("AttributeTypeName");
    Some(match item.text("AttributeType")?.as_str() {
        "Virtual" if type_name.as_deref() == Some("MultiSelectPicklistType") => ColumnKind::MultiPicklist {
            options: options(item, |value, label, _| Some(OptionItem { value, label })),
        },
        "Uniqueidentifier" => ColumnKind::Id,
        "String" => ColumnKind::Text { length_max: length(TEXT_LENGTH_MAX), format: text_format(item) },
        "Memo" => ColumnKind::Memo { length_max: length(MEMO_LENGTH_MAX) },
        "Integer" => ColumnKind::Integer {
            min: number(item.raw("MinValue")).unwrap_or(i32::MIN),
            max: number(item.raw("MaxValue")).unwrap_or(i32::MAX),
        },
        "BigInt" => ColumnKind::BigInt,
        "Decimal" => {
            let (min, max) = decimal_range(item);
            ColumnKind::Decimal { precision: precision.unwrap_or(10), min, max }
        }
        "Money" => {
            let (min, max) = decimal_range(item);
            ColumnKind::Money { precision: precision.unwrap_or(4), min, max }
        }
        "Double" => ColumnKind::Double {
            precision: precision.unwrap_or(5),
            min: number(item.raw("MinValue")).unwrap_or(f64::MIN),
            max: number(item.raw("MaxValue")).unwrap_or(f64::MAX),
        },
        "Boolean" => boolean(item),
        "DateTime" => match item.wrapped("DateTimeBehavior").as_deref() {
            Some("DateOnly") => ColumnKind::Date,
            None if item.text("Format").as_deref() == Some("DateOnly") => ColumnKind::Date,
            _ => ColumnKind::DateTime,
        },
        "Picklist" => {
            let options = options(item, |value, label, _| Some(OptionItem { value, label }));
            let is_option = |n: &i32| options.iter().any(|o| o.value == *n);
            ColumnKind::Picklist {
                default: item.number("DefaultFormValue").and_then(small).filter(is_option),
                options,
            }
        }
        "State" => ColumnKind::State {
            options: options(item, |value, label, o| {
                let default_status = o.number("DefaultStatus").and_then(small)?;
                Some(StateOption { value, label, default_status })
            }),
        },
        "Status" => ColumnKind::Status {
            options: options(item, |value, label, o| {
                Some(StatusOption { value, label, state: o.number("State").and_then(small)? })
            }),
        },
        "Lookup" | "Customer" | "Owner" => ColumnKind::Lookup { targets: targets(item, relationships) },
        _ => return None,
    })
}

/// Longest one-line text of Dataverse, where an answer does not tell.
const TEXT_LENGTH_MAX: u32 = 4000;
/// Longest memo of Dataverse, where an answer does not tell.
const MEMO_LENGTH_MAX: u32 = 1_048_576;

fn text_format(item: &Item) -> TextFormat {
    match item.wrapped("FormatName").or_else(|| item.text("Format")).as_deref() {
        Some("Email") => TextFormat::Email,
        Some("Phone") => TextFormat::Phone,
        Some("Url") => TextFormat::Url,
        _ => TextFormat::Text,
    }
}

fn small(number: i64) -> Option<i32> {
    i32::try_from(number).ok()
}

fn number<T: std::str::FromStr>(raw: Option<&str>) -> Option<T> {
    raw.and_then(|raw| raw.parse().ok())
}

/// The widest range of Dataverse's money where an answer does not tell.
fn decimal_range(item: &Item) -> (Decimal, Decimal) {
    let read = |name: &str| item.raw(name).and_then(Decimal::parse);
    let widest = 1_000_000_000_000_000;
    (read("MinValue").unwrap_or(Decimal::from(-widest)), read("MaxValue").unwrap_or(Decimal::from(widest)))
}

fn boolean(item: &Item) -> ColumnKind {
    let set = item.item("OptionSet").or_else(|| item.item("GlobalOptionSet"));
    let label = |option: &str, default: &str| {
        let option = set.as_ref().and_then(|set| set.item(option));
        option.and_then(|option| option.label("Label")).unwrap_or_else(|| default.to_owned())
    };
    ColumnKind::Boolean {
        label_false: label("FalseOption", "No"),
        label_true: label("TrueOption", "Yes"),
        default: item.raw("DefaultValue") == Some("true"),
    }
}

/// The options of a choice, local or global; those that lack a value are passed over.
fn options<T>(item: &Item, make: impl Fn(i32, String, &Item) -> Option<T>) -> Vec<T> {
    let sets = ["OptionSet", "GlobalOptionSet"].into_iter().filter_map(|name| item.item(name));
    let set = sets.into_iter().find(|set| set.raw("Options").is_some());
    let read = |option: &Item| {
        let value = option.number("Value").and_then(small)?;
        make(value, option.label("Label").unwrap_or_default(), option)
    };
    set.into_iter().flat_map(|set| set.items("Options")).filter_map(|option| read(&option)).collect()
}

/// One target per table. A relationship whose target is not among `Targets` is that of an owner: it leads
/// to `owner`, but the rows are users and teams.
fn targets(item: &Item, relationships: &[Item]) -> Vec<LookupTarget> {
    let named = item.texts("Targets").unwrap_or_default();
    let mut out: Vec<LookupTarget> = Vec::new();
    let mut shared = None;
    let name = item.raw("LogicalName");
    for relationship in relationships.iter().filter(|r| r.raw("ReferencingAttribute") == name) {
        let Some(table) = relationship.text("ReferencedEntity") else { continue };
        if !named.is_empty() && !named.contains(&table) {
            shared = Some(relationship);
        } else if !out.iter().any(|target| target.table == table) {
            out.push(target(item, &table, Some(relationship)));
        }
    }
    for table in &named {
        if !out.iter().any(|target| target.table == *table) {
            out.push(target(item, table, shared));
        }
    }
    out
}

fn target(item: &Item, table: &str, relationship: Option<&Item>) -> LookupTarget {
    let told = |name: &str| relationship.and_then(|r| r.text(name));
    let delete = relationship.and_then(|r| r.item("CascadeConfiguration")).and_then(|c| c.text("Delete"));
    LookupTarget {
        table: table.to_owned(),
        navigation: told("ReferencingEntityNavigationPropertyName")
            .or_else(|| item.text("LogicalName"))
            .unwrap_or_default(),
        collection: told("ReferencedEntityNavigationPropertyName").unwrap_or_default(),
        relationship: told("SchemaName").unwrap_or_default(),
        on_delete: match delete.as_deref() {
            Some("Cascade") => OnDelete::Cascade,
            Some("RemoveLink") => OnDelete::RemoveLink,
            Some("Restrict") => OnDelete::Restrict,
            _ => OnDelete::NoCascade,
        },
    }
}
