//! Options of columns, and those that columns share.

use super::{derived_id, label, managed, optional_label, Object};
use crate::edm::{Column, ColumnKind, OptionItem, OptionSet, StateOption, StatusOption, Table};
use uuid::Uuid;

/// `OptionSet` of a column that has one.
pub(in crate::metadata) fn option_set(table: &Table, column: &Column) -> Option<Object> {
    let name = format!("{}_{}", table.logical_name, column.logical_name);
    let mut out = head(&name, option_set_id(table, column), false, column.custom);
    match &column.kind {
        ColumnKind::Boolean { label_false, label_true, .. } => {
            out.push("OptionSetType", "Boolean");
            out.push("DisplayName", label(&column.display_name));
            out.push("TrueOption", option(1, label_true));
            out.push("FalseOption", option(0, label_false));
        }
        ColumnKind::Picklist { options, .. } | ColumnKind::MultiPicklist { options } => {
            let plain = |o: &OptionItem| option(o.value, &o.label);
            out.push("OptionSetType", "Picklist");
            out.push("DisplayName", label(&column.display_name));
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

/// Id of a column's own options.
pub fn option_set_id(table: &Table, column: &Column) -> Uuid {
    derived_id(&format!("{}_{}", table.logical_name, column.logical_name))
}

/// Whether a column chooses among options.
pub(in crate::metadata) fn has_options(column: &Column) -> bool {
    matches!(
        column.kind,
        ColumnKind::Boolean { .. }
            | ColumnKind::Picklist { .. }
            | ColumnKind::MultiPicklist { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. }
    )
}

/// `OptionSetMetadata` of options that columns share.
pub(in crate::metadata) fn global_option_set(set: &OptionSet) -> Object {
    let mut out = head(&set.name, set.metadata_id, true, set.custom)
        .with_first("@odata.type", "#Microsoft.Dynamics.CRM.OptionSetMetadata");
    out.push("OptionSetType", "Picklist");
    out.push("DisplayName", label(&set.display_name));
    out.push("Options", set.options.iter().map(|o| option(o.value, &o.label)).collect::<Vec<_>>());
    out
}

fn head(name: &str, id: Uuid, is_global: bool, is_custom: bool) -> Object {
    let mut out = Object::default();
    out.push("MetadataId", id);
    out.push("Name", name);
    out.push("IsGlobal", is_global);
    out.push("IsCustomOptionSet", is_custom);
    out.push("IsManaged", !is_custom);
    out.push("IsCustomizable", managed(true, "iscustomizable"));
    out.push("HasChanged", ());
    out
}

fn option(value: i32, text: &str) -> Object {
    let mut out = Object::default();
    out.push("Value", value);
    out.push("Label", label(text));
    out.push("Description", optional_label(""));
    out.push("Color", ());
    out.push("IsManaged", true);
    out.push("ExternalValue", "");
    out.push("MetadataId", ());
    out.push("HasChanged", ());
    out
}
