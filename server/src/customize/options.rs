//! Options: of columns, and those that columns share.

use super::body::{depended_on, flag, invalid, label, needed, not_custom, taken};
use super::column::own_options;
use super::{names, Draft};
use flette_odata::edm::{OptionItem, OptionSet, StatusOption};
use flette_odata::error::Result;
use flette_odata::{Column, ColumnKind, ODataError, Schema};
use serde_json::{json, Value as Json};
use std::collections::BTreeSet;

/// Most options of one choice.
pub(crate) const OPTIONS_MAX: usize = 1000;
/// Where the numbers begin that the service gives to options.
pub(crate) const OPTION_VALUE_MIN: i32 = 100_000_000;

/// Options of a choice: not too many, each number once, labels that people can read.
///
/// # Errors
/// 400 for any other.
pub(super) fn check(options: &[OptionItem]) -> Result<()> {
    if options.len() > OPTIONS_MAX {
        return Err(invalid(format!("A choice has at most {OPTIONS_MAX} options.")));
    }
    let mut values = BTreeSet::new();
    for option in options {
        names::check_label(&option.label)?;
        if option.value < 0 || !values.insert(option.value) {
            return Err(invalid("Each option has a number of its own, not below zero."));
        }
    }
    Ok(())
}

/// The number of the next option.
fn next_value(options: impl Iterator<Item = i32>) -> i32 {
    options.max().map_or(OPTION_VALUE_MIN, |highest| highest.saturating_add(1).max(OPTION_VALUE_MIN))
}

/// Whether a body brings options.
pub(super) fn has_own(body: &Json) -> bool {
    body.get("OptionSet").is_some_and(Json::is_object)
}

/// The body with a number for each option that has none.
pub(super) fn numbered(body: &Json) -> Result<Json> {
    let mut body = body.clone();
    let Some(options) = body.pointer_mut("/OptionSet/Options").and_then(Json::as_array_mut) else {
        return Ok(body);
    };
    let known =
        |option: &Json| option.get("Value").and_then(Json::as_i64).and_then(|n| i32::try_from(n).ok());
    let mut next = next_value(options.iter().filter_map(known));
    for option in options.iter_mut() {
        if !option.is_object() || option.get("Value").is_some_and(|v| !v.is_null()) && known(option).is_none()
        {
            return Err(invalid("An option is malformed."));
        }
        if known(option).is_none() {
            option["Value"] = next.into();
            next = next.saturating_add(1);
        }
    }
    Ok(body)
}

/// The name of the shared options that a body binds a column to.
///
/// # Errors
/// 400 when there are none of that name or id.
pub(super) fn global(schema: &Schema, body: &Json) -> Result<Option<String>> {
    let bound = body.get("GlobalOptionSet@odata.bind").and_then(Json::as_str);
    let inside = body.get("OptionSet").filter(|set| flag(set, "IsGlobal") == Some(true));
    let named = inside.and_then(|set| set.get("Name")).and_then(Json::as_str);
    let Some(text) = bound.or(named) else { return Ok(None) };
    let key = text.rsplit_once('(').map_or(text, |(_, key)| key.trim_end_matches(')'));
    let key = key.split_once('=').map_or(key, |(_, value)| value).trim_matches('\'');
    let is = |set: &&OptionSet| set.name == key || key.parse() == Ok(set.metadata_id);
    match schema.option_sets.iter().find(is) {
        Some(set) => Ok(Some(set.name.clone())),
        None => Err(invalid("There are no shared options of that name.")),
    }
}

/// Puts the options of a body in place of a column's own.
pub(super) fn replace(column: &mut Column, body: &Json) -> Result<()> {
    if column.option_set.is_some() {
        return Err(invalid("The column's options are shared; change those."));
    }
    if let ColumnKind::Boolean { label_false, label_true, default } = &mut column.kind {
        let set = &body["OptionSet"];
        for (member, text) in [("FalseOption", label_false), ("TrueOption", label_true)] {
            if let Some(new) = set.get(member).and_then(|option| label(option, "Label")) {
                names::check_label(new)?;
                new.clone_into(text);
            }
        }
        if let Some(value) = flag(body, "DefaultValue") {
            *default = value;
        }
        return Ok(());
    }
    let new = items(&body["OptionSet"])?;
    let default_given = body.get("DefaultFormValue").and_then(Json::as_i64);
    match &mut column.kind {
        ColumnKind::Picklist { options, default } => {
            if let Some(given) = default_given {
                *default = i32::try_from(given).ok().filter(|given| *given >= 0);
            }
            *default = default.filter(|value| new.iter().any(|option| option.value == *value));
            *options = new;
        }
        ColumnKind::MultiPicklist { options } => *options = new,
        _ => return Err(invalid("The column has no options to replace.")),
    }
    Ok(())
}

fn items(set: &Json) -> Result<Vec<OptionItem>> {
    let numbered = numbered(&json!({ "OptionSet": set }))?;
    let none = Vec::new();
    let options = numbered["OptionSet"]["Options"].as_array().unwrap_or(&none);
    let item = |option: &Json| {
        let value = option["Value"].as_i64().and_then(|n| i32::try_from(n).ok());
        let label = label(option, "Label").unwrap_or_default().to_owned();
        value.map(|value| OptionItem { value, label }).ok_or_else(|| invalid("An option is malformed."))
    };
    let all = options.iter().map(item).collect::<Result<Vec<_>>>()?;
    check(&all)?;
    Ok(all)
}

/// `POST GlobalOptionSetDefinitions`
pub(super) fn create_set(draft: &mut Draft, body: &Json) -> Result<String> {
    let name = needed(body, "Name")?;
    names::check(name)?;
    if draft.schema.option_sets.iter().any(|set| set.name.eq_ignore_ascii_case(name)) {
        return Err(taken("choice", name));
    }
    let display_name = label(body, "DisplayName").unwrap_or(name);
    names::check_label(display_name)?;
    let set = OptionSet {
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        options: items(body)?,
        metadata_id: (draft.fresh)(),
        custom: true,
    };
    let id = set.metadata_id;
    draft.schema.option_sets.push(set);
    Ok(format!("GlobalOptionSetDefinitions({id})"))
}

/// `PUT` or `PATCH GlobalOptionSetDefinitions(x)`
pub(super) fn update_set(draft: &mut Draft, name: &str, body: &Json) -> Result<String> {
    let new = body.get("Options").map(|_| items(body)).transpose()?;
    let set = set_mut(&mut draft.schema, name)?;
    if let Some(text) = label(body, "DisplayName") {
        names::check_label(text)?;
        text.clone_into(&mut set.display_name);
    }
    if let Some(new) = new {
        set.options = new;
    }
    let id = set.metadata_id;
    spread(&mut draft.schema, name);
    Ok(format!("GlobalOptionSetDefinitions({id})"))
}

/// `DELETE GlobalOptionSetDefinitions(x)`: custom ones that no column uses.
pub(super) fn delete_set(draft: &mut Draft, name: &str) -> Result<()> {
    if !set_mut(&mut draft.schema, name)?.custom {
        return Err(not_custom("choice", name));
    }
    for table in &draft.schema.tables {
        if let Some(column) = table.columns.iter().find(|c| c.option_set.as_deref() == Some(name)) {
            let on = format!("column {} of {}", column.logical_name, table.logical_name);
            return Err(depended_on("choice", name, &on));
        }
    }
    draft.schema.option_sets.retain(|set| set.name != name);
    Ok(())
}

fn set_mut<'s>(schema: &'s mut Schema, name: &str) -> Result<&'s mut OptionSet> {
    let missing = || ODataError::new(404, "0x80060888", "Could not find an option set with that name.");
    schema.option_sets.iter_mut().find(|set| set.name == name).ok_or_else(missing)
}

/// Gives every column that shares options its copy of them.
fn spread(schema: &mut Schema, name: &str) {
    let Some(shared) = schema.option_sets.iter().find(|set| set.name == name).map(|s| s.options.clone())
    else {
        return;
    };
    for column in schema.tables.iter_mut().flat_map(|table| &mut table.columns) {
        if column.option_set.as_deref() == Some(name) {
            if let Some(options) = own_options(column) {
                options.clone_from(&shared);
            }
            if let ColumnKind::Picklist { options, default } = &mut column.kind {
                *default = default.filter(|value| options.iter().any(|option| option.value == *value));
            }
        }
    }
}

/// The options that the parameters of an action mean, changed by `change`; copies follow.
fn change(
    draft: &mut Draft,
    body: &Json,
    change: impl FnOnce(&mut Vec<OptionItem>) -> Result<()>,
) -> Result<()> {
    if let Some(name) = body.get("OptionSetName").and_then(Json::as_str).filter(|name| !name.is_empty()) {
        change(&mut set_mut(&mut draft.schema, name)?.options)?;
        spread(&mut draft.schema, name);
        return Ok(());
    }
    let table = needed(body, "EntityLogicalName")?.to_owned();
    let name = needed(body, "AttributeLogicalName")?;
    let column = draft.column_mut(&table, name)?;
    if column.option_set.is_some() {
        return Err(invalid("The column's options are shared; name them by OptionSetName."));
    }
    match own_options(column) {
        Some(options) => change(options)?,
        None => return Err(invalid("The column has no options of that kind.")),
    }
    if let ColumnKind::Picklist { options, default } = &mut column.kind {
        *default = default.filter(|value| options.iter().any(|option| option.value == *value));
    }
    Ok(())
}

fn value(body: &Json) -> Result<Option<i32>> {
    match body.get("Value") {
        None | Some(Json::Null) => Ok(None),
        Some(value) => {
            let number = value.as_i64().and_then(|n| i32::try_from(n).ok()).filter(|n| *n >= 0);
            number.map(Some).ok_or_else(|| invalid("The Value is a number, not below zero."))
        }
    }
}

fn text(body: &Json) -> Result<String> {
    let text = label(body, "Label").ok_or_else(|| invalid("'Label' is missing."))?;
    names::check_label(text)?;
    Ok(text.to_owned())
}

/// `InsertOptionValue`: the number that the option has.
pub(super) fn insert(draft: &mut Draft, body: &Json) -> Result<i32> {
    let (given, label) = (value(body)?, text(body)?);
    let mut made = OPTION_VALUE_MIN;
    change(draft, body, |options| {
        made = given.unwrap_or_else(|| next_value(options.iter().map(|option| option.value)));
        options.push(OptionItem { value: made, label });
        check(options)
    })?;
    Ok(made)
}

/// `UpdateOptionValue`: another label.
pub(super) fn update(draft: &mut Draft, body: &Json) -> Result<()> {
    let (wanted, label) = (value(body)?, text(body)?);
    if let Some(done) = relabel_status(draft, body, wanted, &label) {
        return done;
    }
    change(draft, body, |options| {
        let option = options.iter_mut().find(|option| Some(option.value) == wanted);
        option.map(|option| option.label = label).ok_or_else(|| invalid("There is no such option."))
    })
}

/// States and status reasons may have other labels, too.
fn relabel_status(draft: &mut Draft, body: &Json, wanted: Option<i32>, label: &str) -> Option<Result<()>> {
    let table = body.get("EntityLogicalName").and_then(Json::as_str)?.to_owned();
    let name = body.get("AttributeLogicalName").and_then(Json::as_str)?;
    let text = match &mut draft.column_mut(&table, name).ok()?.kind {
        ColumnKind::State { options } => {
            options.iter_mut().find(|o| Some(o.value) == wanted).map(|o| &mut o.label)
        }
        ColumnKind::Status { options } => {
            options.iter_mut().find(|o| Some(o.value) == wanted).map(|o| &mut o.label)
        }
        _ => return None,
    };
    Some(text.map(|text| label.clone_into(text)).ok_or_else(|| invalid("There is no such option.")))
}

/// `DeleteOptionValue`. Rows keep the number; it has no label then.
pub(super) fn delete(draft: &mut Draft, body: &Json) -> Result<()> {
    let wanted = value(body)?;
    change(draft, body, |options| {
        let before = options.len();
        options.retain(|option| Some(option.value) != wanted);
        if options.len() == before {
            return Err(invalid("There is no such option."));
        }
        Ok(())
    })
}

/// `OrderOption`: `Values` name every option once.
pub(super) fn order(draft: &mut Draft, body: &Json) -> Result<()> {
    let none = Vec::new();
    let values = body.get("Values").and_then(Json::as_array).unwrap_or(&none);
    let place = |value: i32| values.iter().position(|v| v.as_i64() == Some(i64::from(value)));
    change(draft, body, |options| {
        if options.len() != values.len() || options.iter().any(|option| place(option.value).is_none()) {
            return Err(invalid("The Values name every option once."));
        }
        options.sort_by_key(|option| place(option.value));
        Ok(())
    })
}

/// `InsertStatusValue`: a status reason of a state.
pub(super) fn insert_status(draft: &mut Draft, body: &Json) -> Result<i32> {
    let (given, label) = (value(body)?, text(body)?);
    let state = body.get("StateCode").and_then(Json::as_i64).and_then(|n| i32::try_from(n).ok());
    let table = needed(body, "EntityLogicalName")?.to_owned();
    let has_state = match &draft.column_mut(&table, "statecode")?.kind {
        ColumnKind::State { options } => options.iter().any(|option| Some(option.value) == state),
        _ => false,
    };
    let Some(state) = state.filter(|_| has_state) else { return Err(invalid("There is no such StateCode.")) };
    let ColumnKind::Status { options } = &mut draft.column_mut(&table, "statuscode")?.kind else {
        return Err(invalid("The table has no status reasons."));
    };
    let value = given.unwrap_or_else(|| next_value(options.iter().map(|option| option.value)));
    if options.iter().any(|option| option.value == value) || options.len() >= OPTIONS_MAX {
        return Err(invalid("Each option has a number of its own."));
    }
    options.push(StatusOption { value, label, state });
    Ok(value)
}
