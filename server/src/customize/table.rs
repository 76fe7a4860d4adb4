//! Tables: made, changed, dropped.

use super::body::{depended_on, flag, invalid, label, needed, not_custom};
use super::{column, names, Draft};
use crate::schema::custom::{self, NewTable};
use flette_odata::error::Result;
use flette_odata::{Column, ColumnKind, Schema};
use serde_json::Value as Json;

/// `POST EntityDefinitions`. Its `Attributes` hold the column that names a row, and may hold others.
pub(super) fn create(draft: &mut Draft, body: &Json) -> Result<String> {
    let schema_name = needed(body, "SchemaName")?;
    names::check(schema_name)?;
    let logical_name = schema_name.to_lowercase();
    let display_name = label(body, "DisplayName").unwrap_or(schema_name);
    let plural = format!("{display_name}s");
    let display_collection_name = label(body, "DisplayCollectionName").unwrap_or(&plural);
    names::check_label(display_name)?;
    names::check_label(display_collection_name)?;
    let set_name = match body.get("EntitySetName").and_then(Json::as_str) {
        Some(name) => name.to_owned(),
        None => names::plural(&logical_name),
    };
    names::check_table(&draft.schema, &logical_name, &set_name)?;
    if flag(body, "IsActivity") == Some(true) {
        return Err(invalid("Custom activities are not supported."));
    }
    let owned = match body.get("OwnershipType").and_then(Json::as_str) {
        None | Some("UserOwned") => true,
        Some("OrganizationOwned") => false,
        Some(_) => return Err(invalid("OwnershipType is UserOwned or OrganizationOwned.")),
    };
    let none = Vec::new();
    let attributes = body.get("Attributes").and_then(Json::as_array).unwrap_or(&none);
    let (primary, others): (Vec<&Json>, Vec<&Json>) =
        attributes.iter().partition(|attribute| flag(attribute, "IsPrimaryName") == Some(true));
    let [primary] = primary.as_slice() else {
        return Err(invalid("Exactly one of the Attributes is the primary name."));
    };
    let primary_name = column::read(&draft.schema, primary, draft.fresh)?;
    if !matches!(primary_name.kind, ColumnKind::Text { .. }) {
        return Err(invalid("The primary name is a StringAttributeMetadata."));
    }
    let type_code = custom::next_type_code(&draft.schema);
    let (schema_name, set_name) = (schema_name, set_name.as_str());
    let mut table = custom::table(
        NewTable {
            schema_name,
            display_name,
            display_collection_name,
            set_name,
            type_code,
            owned,
            primary_name,
        },
        draft.fresh,
    );
    label(body, "Description").unwrap_or_default().clone_into(&mut table.description);
    let id = table.metadata_id;
    draft.schema.tables.push(table);
    for attribute in others {
        column::create(draft, &logical_name, attribute)?;
    }
    set_notes_and_activities(draft, &logical_name, body)?;
    Ok(format!("EntityDefinitions({id})"))
}

/// `PUT` or `PATCH`: labels, notes and activities (on only), change tracking (on only).
pub(super) fn update(draft: &mut Draft, logical_name: &str, body: &Json) -> Result<String> {
    let table = draft.table_mut(logical_name)?;
    for (member, text) in [
        ("DisplayName", &mut table.display_name),
        ("DisplayCollectionName", &mut table.display_collection_name),
    ] {
        if let Some(new) = label(body, member) {
            names::check_label(new)?;
            new.clone_into(text);
        }
    }
    if let Some(text) = label(body, "Description") {
        text.clone_into(&mut table.description);
    }
    match flag(body, "ChangeTrackingEnabled") {
        Some(false) if table.change_tracking => {
            return Err(invalid("Change tracking cannot be turned off again."))
        }
        Some(true) if table.union => return Err(invalid("Changes of this table cannot be tracked.")),
        Some(on) => table.change_tracking = on,
        None => {}
    }
    let id = table.metadata_id;
    set_notes_and_activities(draft, logical_name, body)?;
    Ok(format!("EntityDefinitions({id})"))
}

fn set_notes_and_activities(draft: &mut Draft, logical_name: &str, body: &Json) -> Result<()> {
    let table = draft.table_mut(logical_name)?;
    let plain = !table.intersect && !table.union && !table.activity;
    let (notes, activities) = (flag(body, "HasNotes"), flag(body, "HasActivities"));
    if table.has_notes && notes == Some(false) || table.has_activities && activities == Some(false) {
        return Err(invalid("Notes and activities cannot be turned off again."));
    }
    let add_notes = plain && !table.has_notes && notes == Some(true);
    let add_activities = plain && !table.has_activities && activities == Some(true);
    table.has_notes |= add_notes;
    table.has_activities |= add_activities;
    if add_notes {
        custom::add_notes(&mut draft.schema, logical_name);
    }
    if add_activities {
        custom::add_activities(&mut draft.schema, logical_name);
    }
    Ok(())
}

/// `DELETE`: a custom table that no lookup of another points to. Its pairs go with it.
pub(super) fn delete(draft: &mut Draft, logical_name: &str) -> Result<()> {
    let table = draft.table_mut(logical_name)?;
    if !table.custom || table.intersect {
        return Err(not_custom("table", logical_name));
    }
    custom::remove_notes_and_activities(&mut draft.schema, logical_name);
    if let Some((holder, column)) = pointing(&draft.schema, logical_name) {
        return Err(depended_on("table", logical_name, &format!("column {column} of {holder}")));
    }
    let pairs: Vec<String> =
        custom::pairs_of(&draft.schema, logical_name).map(|pairs| pairs.intersect.clone()).collect();
    draft.schema.many_to_many.retain(|known| !pairs.contains(&known.intersect));
    draft
        .schema
        .tables
        .retain(|table| table.logical_name != logical_name && !pairs.contains(&table.logical_name));
    Ok(())
}

/// A lookup of another table that points to this one.
fn pointing<'s>(schema: &'s Schema, table: &str) -> Option<(&'s str, &'s str)> {
    let points = |column: &Column| match &column.kind {
        ColumnKind::Lookup { targets } => targets.iter().any(|target| target.table == table),
        _ => false,
    };
    let mut others = schema.tables.iter().filter(|other| other.logical_name != table);
    others.find_map(|other| {
        let column = other.columns.iter().find(|column| points(column))?;
        Some((other.logical_name.as_str(), column.logical_name.as_str()))
    })
}
