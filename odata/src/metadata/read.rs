//! A table read back from the answers of a Dataverse: ours or a real one.
//!
//! Lenient where a real service knows more than this crate: attributes of unknown types (virtual, party
//! lists, images, managed properties), companions (`AttributeOf`) and unreadable ones are passed over;
//! missing limits get the widest ones.

use super::answer::{merge, text, Answer, Item, Key, Opt, Pairs, Wrapped};
use crate::decimal::Decimal;
use crate::edm::{
    AlternateKey, Column, ColumnKind, LookupTarget, ManyToMany, ManyToManyEnd, OnDelete, OptionItem,
    Required, StateOption, StatusOption, Table, TextFormat,
};
use crate::error::{ODataError, Result};
use serde_json::value::RawValue;

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
    IsIntersect,IsCustomEntity,HasNotes,HasActivities,Description";
const ATTRIBUTE_SELECT: &str =
    "LogicalName,SchemaName,AttributeType,AttributeTypeName,AttributeOf,ColumnNumber,DisplayName,\
    RequiredLevel,IsValidForCreate,IsValidForRead,IsValidForUpdate,IsCustomAttribute,IsSecured,Description";
const RELATIONSHIP_SELECT: &str = "SchemaName,ReferencedEntity,ReferencedEntityNavigationPropertyName,\
    ReferencingAttribute,ReferencingEntityNavigationPropertyName,CascadeConfiguration";
const PAIRS_SELECT: &str = "SchemaName,IsCustomRelationship,IntersectEntityName,Entity1LogicalName,\
    Entity1IntersectAttribute,Entity1NavigationPropertyName,Entity2LogicalName,Entity2IntersectAttribute,\
    Entity2NavigationPropertyName";
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
    let mut head: Option<Answer> = None;
    let mut items: Vec<Item> = Vec::new();
    let mut relationships: Vec<Item> = Vec::new();
    for bytes in answers {
        let mut answer: Answer =
            serde_json::from_slice(bytes).map_err(|_| foreign("an answer is not JSON."))?;
        let parts = [answer.attributes.take(), answer.many_to_one_relationships.take(), answer.value.take()];
        for item in parts.into_iter().flatten().flatten() {
            match item.referencing_attribute {
                Some(_) => relationships.push(item),
                None => merge(&mut items, item),
            }
        }
        if answer.entity_set_name.is_some() {
            head = Some(answer);
        }
    }
    let head = head.ok_or_else(|| foreign("no answer is the table itself."))?;
    // Stable: attributes without a number keep the order in which they came.
    items.sort_by_key(|item| item.column_number.unwrap_or(i64::MAX));
    let mut columns: Vec<Column> = items.iter().filter_map(|item| column(item, &relationships)).collect();
    for column in &mut columns {
        if column.kind == ColumnKind::Id && Some(&column.logical_name) != head.primary_id_attribute.as_ref() {
            column.kind = ColumnKind::Guid;
        }
    }
    table(head, columns).ok_or_else(|| foreign("it has no name, no key or no MetadataId."))
}

/// The relationships of many to many that a table takes part in, from the same answers. Both tables of a relationship
/// tell of it.
pub fn parse_pairs(answers: &[Vec<u8>]) -> Vec<ManyToMany> {
    let read = |bytes: &Vec<u8>| serde_json::from_slice::<Answer>(bytes).ok()?.many_to_many_relationships;
    answers.iter().filter_map(read).flatten().filter_map(pairs).collect()
}

fn pairs(item: Pairs) -> Option<ManyToMany> {
    Some(ManyToMany {
        relationship: item.schema_name?,
        intersect: item.intersect_entity_name?,
        first: ManyToManyEnd {
            table: item.entity1_logical_name?,
            column: item.entity1_intersect_attribute?,
            navigation: item.entity1_navigation_property_name?,
        },
        second: ManyToManyEnd {
            table: item.entity2_logical_name?,
            column: item.entity2_intersect_attribute?,
            navigation: item.entity2_navigation_property_name?,
        },
        metadata_id: item.metadata_id?,
        custom: item.is_custom_relationship.unwrap_or(false),
    })
}

fn key(item: Key) -> Option<AlternateKey> {
    let name = item.logical_name?;
    let schema_name = item.schema_name.unwrap_or_else(|| name.clone());
    Some(AlternateKey {
        display_name: text(item.display_name.as_ref()).unwrap_or_else(|| schema_name.clone()),
        columns: item.key_attributes?,
        metadata_id: item.metadata_id?,
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
    let mut item: Item = serde_json::from_value(body.clone()).map_err(|_| wrong("it is malformed."))?;
    let declared = body.get("@odata.type").and_then(serde_json::Value::as_str).unwrap_or_default();
    let declared = declared.trim_start_matches('#').trim_start_matches("Microsoft.Dynamics.CRM.");
    match declared.strip_suffix("AttributeMetadata") {
        Some("MultiSelectPicklist") => {
            item.attribute_type = Some("Virtual".to_owned());
            item.attribute_type_name = Some(Wrapped { value: Some("MultiSelectPicklistType".to_owned()) });
        }
        Some(kind) if !kind.is_empty() => item.attribute_type = Some(kind.to_owned()),
        _ => {}
    }
    let schema_name = item.schema_name.clone().or_else(|| item.logical_name.clone());
    let schema_name = schema_name.ok_or_else(|| wrong("it has no SchemaName."))?;
    item.logical_name.get_or_insert_with(|| schema_name.to_lowercase());
    item.schema_name = Some(schema_name);
    item.metadata_id.get_or_insert(uuid::Uuid::nil());
    item.is_valid_for_create = Some(true);
    item.is_valid_for_update = Some(true);
    (item.attribute_of, item.is_valid_for_read) = (None, None);
    column(&item, &[]).ok_or_else(|| wrong("there is no column of that type."))
}

fn table(head: Answer, columns: Vec<Column>) -> Option<Table> {
    let logical_name = head.logical_name?;
    let primary_id = head.primary_id_attribute?;
    columns.iter().find(|column| column.logical_name == primary_id)?;
    let schema_name = head.schema_name.unwrap_or_else(|| logical_name.clone());
    let display_name = text(head.display_name.as_ref()).unwrap_or_else(|| schema_name.clone());
    Some(Table {
        set_name: head.entity_set_name?,
        display_collection_name: text(head.display_collection_name.as_ref())
            .unwrap_or_else(|| display_name.clone()),
        primary_name: head.primary_name_attribute.unwrap_or_default(),
        type_code: head.object_type_code.unwrap_or_default(),
        // Dataverse does not say; a table without a column to write is not for writing.
        writable: head
            .writable
            .unwrap_or_else(|| columns.iter().any(|c| c.valid_for_create || c.valid_for_update)),
        owned: head.ownership_type.as_deref() == Some("UserOwned"),
        activity: head.is_activity.unwrap_or(false),
        change_tracking: head.change_tracking_enabled.unwrap_or(false),
        metadata_id: head.metadata_id?,
        logical_name,
        schema_name,
        display_name,
        primary_id,
        columns,
        description: text(head.description.as_ref()).unwrap_or_default(),
        custom: head.is_custom_entity.unwrap_or(false),
        intersect: head.is_intersect.unwrap_or(false),
        has_notes: head.has_notes.unwrap_or(false),
        has_activities: head.has_activities.unwrap_or(false),
        keys: head.keys.into_iter().flatten().filter_map(key).collect(),
        ..Table::default()
    })
}

/// `None` for attributes that rows do not have, or of types that this crate does not know.
fn column(item: &Item, relationships: &[Item]) -> Option<Column> {
    if item.attribute_of.is_some() || item.is_valid_for_read == Some(false) {
        return None;
    }
    let logical_name = item.logical_name.clone()?;
    let kind = kind(item, relationships)?;
    let schema_name = item.schema_name.clone().unwrap_or_else(|| logical_name.clone());
    let level = item.required_level.as_ref().and_then(|level| level.value.as_deref());
    Some(Column {
        display_name: text(item.display_name.as_ref()).unwrap_or_else(|| schema_name.clone()),
        required: match level {
            Some("SystemRequired") => Required::System,
            Some("ApplicationRequired") => Required::Application,
            Some("Recommended") => Required::Recommended,
            _ => Required::None,
        },
        valid_for_create: item.is_valid_for_create.unwrap_or(false),
        valid_for_update: item.is_valid_for_update.unwrap_or(false),
        metadata_id: item.metadata_id?,
        logical_name,
        schema_name,
        kind,
        description: text(item.description.as_ref()).unwrap_or_default(),
        custom: item.is_custom_attribute.unwrap_or(false),
        secured: item.is_secured.unwrap_or(false),
        ..Column::default()
    })
}

fn kind(item: &Item, relationships: &[Item]) -> Option<ColumnKind> {
    let length = |default: u32| item.max_length.and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let precision = item.precision.and_then(|n| u8::try_from(n).ok());
    let type_name = item.attribute_type_name.as_ref().and_then(|name| name.value.as_deref());
    Some(match item.attribute_type.as_deref()? {
        "Virtual" if type_name == Some("MultiSelectPicklistType") => ColumnKind::MultiPicklist {
            options: options(item, |value, label, _| Some(OptionItem { value, label })),
        },
        "Uniqueidentifier" => ColumnKind::Id,
        "String" => ColumnKind::Text { length_max: length(TEXT_LENGTH_MAX), format: text_format(item) },
        "Memo" => ColumnKind::Memo { length_max: length(MEMO_LENGTH_MAX) },
        "Integer" => ColumnKind::Integer {
            min: number(&item.min_value).unwrap_or(i32::MIN),
            max: number(&item.max_value).unwrap_or(i32::MAX),
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
            min: number(&item.min_value).unwrap_or(f64::MIN),
            max: number(&item.max_value).unwrap_or(f64::MAX),
        },
        "Boolean" => boolean(item),
        "DateTime" => match item.date_time_behavior.as_ref().and_then(|behavior| behavior.value.as_deref()) {
            Some("DateOnly") => ColumnKind::Date,
            None if item.format.as_deref() == Some("DateOnly") => ColumnKind::Date,
            _ => ColumnKind::DateTime,
        },
        "Picklist" => {
            let options = options(item, |value, label, _| Some(OptionItem { value, label }));
            let is_option = |n: &i32| options.iter().any(|o| o.value == *n);
            ColumnKind::Picklist {
                default: item.default_form_value.and_then(small).filter(is_option),
                options,
            }
        }
        "State" => ColumnKind::State {
            options: options(item, |value, label, o| {
                let default_status = o.default_status.and_then(small)?;
                Some(StateOption { value, label, default_status })
            }),
        },
        "Status" => ColumnKind::Status {
            options: options(item, |value, label, o| {
                Some(StatusOption { value, label, state: o.state.and_then(small)? })
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
    let name = item.format_name.as_ref().and_then(|name| name.value.as_deref()).or(item.format.as_deref());
    match name {
        Some("Email") => TextFormat::Email,
        Some("Phone") => TextFormat::Phone,
        Some("Url") => TextFormat::Url,
        _ => TextFormat::Text,
    }
}

fn small(number: i64) -> Option<i32> {
    i32::try_from(number).ok()
}

fn number<T: std::str::FromStr>(raw: &Option<Box<RawValue>>) -> Option<T> {
    raw.as_ref().and_then(|raw| raw.get().parse().ok())
}

/// The widest range of Dataverse's money where an answer does not tell.
fn decimal_range(item: &Item) -> (Decimal, Decimal) {
    let read = |raw: &Option<Box<RawValue>>| raw.as_ref().and_then(|raw| Decimal::parse(raw.get()));
    let widest = 1_000_000_000_000_000;
    (
        read(&item.min_value).unwrap_or(Decimal::from(-widest)),
        read(&item.max_value).unwrap_or(Decimal::from(widest)),
    )
}

fn boolean(item: &Item) -> ColumnKind {
    let set = item.option_set.as_ref().or(item.global_option_set.as_ref());
    let label = |option: Option<&Opt>, default: &str| {
        option.and_then(|o| text(o.label.as_ref())).unwrap_or_else(|| default.to_owned())
    };
    ColumnKind::Boolean {
        label_false: label(set.and_then(|s| s.false_option.as_ref()), "No"),
        label_true: label(set.and_then(|s| s.true_option.as_ref()), "Yes"),
        default: item.default_value.as_ref().is_some_and(|raw| raw.get() == "true"),
    }
}

/// The options of a choice, local or global; those that lack a value are passed over.
fn options<T>(item: &Item, make: impl Fn(i32, String, &Opt) -> Option<T>) -> Vec<T> {
    let sets = [&item.option_set, &item.global_option_set];
    let options = sets.into_iter().flatten().find_map(|set| set.options.as_ref());
    let read = |option: &Opt| {
        let value = option.value.and_then(small)?;
        make(value, text(option.label.as_ref()).unwrap_or_default(), option)
    };
    options.into_iter().flatten().filter_map(read).collect()
}

/// One target per table. A relationship whose target is not among `Targets` is that of an owner: it leads
/// to `owner`, but the rows are users and teams.
fn targets(item: &Item, relationships: &[Item]) -> Vec<LookupTarget> {
    let named = item.targets.clone().unwrap_or_default();
    let mut out: Vec<LookupTarget> = Vec::new();
    let mut shared = None;
    for relationship in relationships.iter().filter(|r| r.referencing_attribute == item.logical_name) {
        let Some(table) = &relationship.referenced_entity else { continue };
        if !named.is_empty() && !named.contains(table) {
            shared = Some(relationship);
        } else if !out.iter().any(|target| target.table == *table) {
            out.push(target(item, table, Some(relationship)));
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
    let told = |name: fn(&Item) -> &Option<String>| relationship.and_then(|r| name(r).clone());
    let delete =
        relationship.and_then(|r| r.cascade_configuration.as_ref()).and_then(|c| c.delete.as_deref());
    LookupTarget {
        table: table.to_owned(),
        navigation: told(|r| &r.referencing_entity_navigation_property_name)
            .or_else(|| item.logical_name.clone())
            .unwrap_or_default(),
        collection: told(|r| &r.referenced_entity_navigation_property_name).unwrap_or_default(),
        relationship: told(|r| &r.schema_name).unwrap_or_default(),
        on_delete: match delete {
            Some("Cascade") => OnDelete::Cascade,
            Some("RemoveLink") => OnDelete::RemoveLink,
            Some("Restrict") => OnDelete::Restrict,
            _ => OnDelete::NoCascade,
        },
    }
}
