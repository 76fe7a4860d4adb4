//! What is read of a metadata answer. Every member may be missing: each request selects only some.

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// An entity, or a list of attributes or relationships.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Answer {
    pub(super) logical_name: Option<String>,
    pub(super) schema_name: Option<String>,
    pub(super) entity_set_name: Option<String>,
    pub(super) display_name: Option<Label>,
    pub(super) display_collection_name: Option<Label>,
    pub(super) primary_id_attribute: Option<String>,
    pub(super) primary_name_attribute: Option<String>,
    pub(super) object_type_code: Option<i32>,
    pub(super) ownership_type: Option<String>,
    pub(super) is_activity: Option<bool>,
    pub(super) is_intersect: Option<bool>,
    pub(super) is_custom_entity: Option<bool>,
    pub(super) has_notes: Option<bool>,
    pub(super) has_activities: Option<bool>,
    pub(super) description: Option<Label>,
    pub(super) change_tracking_enabled: Option<bool>,
    pub(super) metadata_id: Option<Uuid>,
    #[serde(rename = "@Flette.Writable")]
    pub(super) writable: Option<bool>,
    pub(super) attributes: Option<Vec<Item>>,
    pub(super) many_to_one_relationships: Option<Vec<Item>>,
    pub(super) many_to_many_relationships: Option<Vec<Pairs>>,
    pub(super) keys: Option<Vec<Key>>,
    #[serde(rename = "value")]
    pub(super) value: Option<Vec<Item>>,
}

/// An attribute or a relationship; the latter has a `ReferencingAttribute`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Item {
    pub(super) metadata_id: Option<Uuid>,
    pub(super) logical_name: Option<String>,
    pub(super) schema_name: Option<String>,
    pub(super) attribute_type: Option<String>,
    pub(super) attribute_type_name: Option<Wrapped>,
    pub(super) attribute_of: Option<String>,
    pub(super) column_number: Option<i64>,
    pub(super) display_name: Option<Label>,
    pub(super) required_level: Option<Wrapped>,
    pub(super) is_valid_for_create: Option<bool>,
    pub(super) is_valid_for_read: Option<bool>,
    pub(super) is_valid_for_update: Option<bool>,
    pub(super) is_custom_attribute: Option<bool>,
    pub(super) is_secured: Option<bool>,
    pub(super) description: Option<Label>,
    pub(super) max_length: Option<i64>,
    pub(super) format: Option<String>,
    pub(super) format_name: Option<Wrapped>,
    pub(super) precision: Option<i64>,
    pub(super) min_value: Option<Box<RawValue>>,
    pub(super) max_value: Option<Box<RawValue>>,
    pub(super) date_time_behavior: Option<Wrapped>,
    pub(super) default_value: Option<Box<RawValue>>,
    pub(super) default_form_value: Option<i64>,
    pub(super) targets: Option<Vec<String>>,
    pub(super) option_set: Option<OptionSet>,
    pub(super) global_option_set: Option<OptionSet>,
    pub(super) referenced_entity: Option<String>,
    pub(super) referenced_entity_navigation_property_name: Option<String>,
    pub(super) referencing_attribute: Option<String>,
    pub(super) referencing_entity_navigation_property_name: Option<String>,
    pub(super) cascade_configuration: Option<Cascade>,
}

/// A relationship of many to many.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Pairs {
    pub(super) metadata_id: Option<Uuid>,
    pub(super) schema_name: Option<String>,
    pub(super) is_custom_relationship: Option<bool>,
    pub(super) intersect_entity_name: Option<String>,
    pub(super) entity1_logical_name: Option<String>,
    pub(super) entity1_intersect_attribute: Option<String>,
    pub(super) entity1_navigation_property_name: Option<String>,
    pub(super) entity2_logical_name: Option<String>,
    pub(super) entity2_intersect_attribute: Option<String>,
    pub(super) entity2_navigation_property_name: Option<String>,
}

/// An alternate key.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Key {
    pub(super) metadata_id: Option<Uuid>,
    pub(super) logical_name: Option<String>,
    pub(super) schema_name: Option<String>,
    pub(super) display_name: Option<Label>,
    pub(super) key_attributes: Option<Vec<String>>,
}

/// `{"Value":"…"}`: managed properties and type-safe enumerations.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Wrapped {
    pub(super) value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Cascade {
    pub(super) delete: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct OptionSet {
    pub(super) options: Option<Vec<Opt>>,
    pub(super) true_option: Option<Opt>,
    pub(super) false_option: Option<Opt>,
}

/// An option of a choice, a state or a status reason.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Opt {
    pub(super) value: Option<i64>,
    pub(super) label: Option<Label>,
    pub(super) default_status: Option<i64>,
    pub(super) state: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Label {
    user_localized_label: Option<LocalizedLabel>,
    localized_labels: Option<Vec<LocalizedLabel>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LocalizedLabel {
    label: Option<String>,
}

/// A label in the user's language, else in the first there is.
pub(super) fn text(label: Option<&Label>) -> Option<String> {
    let label = label?;
    let first = || label.localized_labels.as_ref().and_then(|labels| labels.first());
    label.user_localized_label.as_ref().or_else(first).and_then(|label| label.label.clone())
}

/// Adds what one answer tells of an attribute to what others told; what was told first stands.
pub(super) fn merge(items: &mut Vec<Item>, new: Item) {
    let Some(item) = items.iter_mut().find(|item| item.logical_name == new.logical_name) else {
        return items.push(new);
    };
    macro_rules! fill {
        ($($field:ident),* $(,)?) => {{ $( if item.$field.is_none() { item.$field = new.$field; } )* }};
    }
    fill!(
        metadata_id,
        schema_name,
        attribute_type,
        attribute_type_name,
        attribute_of,
        column_number,
        display_name,
        required_level,
        is_valid_for_create,
        is_valid_for_read,
        is_valid_for_update,
        is_custom_attribute,
        is_secured,
        description,
        max_length,
        format,
        format_name,
        precision,
        min_value,
        max_value,
        date_time_behavior,
        default_value,
        default_form_value,
        targets,
        option_set,
        global_option_set,
    );
}
