//! Columns: made, changed, dropped.

use super::body::{depended_on, flag, invalid, label, not_custom};
use super::{names, options, Draft};
use crate::schema::custom::along_with_amount;
use flette_odata::edm::{OptionItem, Required};
use flette_odata::error::Result;
use flette_odata::metadata::parse_attribute;
use flette_odata::rules::{money, SECURITY_TABLES};
use flette_odata::{Column, ColumnKind, Decimal, ODataError, Schema, Table, Uuid};
use serde_json::Value as Json;

/// Longest one-line text, UTF-16 units.
pub(crate) const TEXT_LENGTH_MAX: u32 = 4000;
/// Longest text of several lines, UTF-16 units.
pub(crate) const MEMO_LENGTH_MAX: u32 = 1_048_576;
/// Most columns of one table: what PostgreSQL takes, with room for those beside lookups and of the server's own.
pub(crate) const COLUMNS_MAX: usize = 1000;
/// Largest absolute value of a decimal column, as Dataverse has it.
const DECIMAL_MAX: i64 = 100_000_000_000;
/// Largest absolute amount of a money column, as Dataverse has it.
const MONEY_MAX: i64 = 922_337_203_685_477;

/// `POST …/Attributes`
pub(super) fn create(draft: &mut Draft, table: &str, body: &Json) -> Result<String> {
    let new = read(&draft.schema, body, draft.fresh)?;
    let along = match (&new.kind, draft.schema.table(table)) {
        // A currency has no currency of its own.
        (ColumnKind::Money { .. }, Some(holder)) if table != money::CURRENCIES => {
            along_with_amount(holder, &new, draft.fresh)
        }
        _ => Vec::new(),
    };
    let holder = draft.table_mut(table)?;
    if holder.intersect || holder.union {
        return Err(invalid(format!("The table {table} takes no columns.")));
    }
    for column in std::iter::once(&new).chain(&along) {
        names::check_column(holder, &column.logical_name)?;
    }
    if holder.columns.len() + along.len() >= COLUMNS_MAX {
        return Err(invalid(format!("A table has at most {COLUMNS_MAX} columns.")));
    }
    let location = location(holder, &new);
    holder.columns.push(new);
    holder.columns.extend(along);
    Ok(location)
}

fn location(table: &Table, column: &Column) -> String {
    format!("EntityDefinitions({})/Attributes({})", table.metadata_id, column.metadata_id)
}

/// A new column as a body describes it. Lookups are made by their relationship.
pub(super) fn read(schema: &Schema, body: &Json, fresh: &mut dyn FnMut() -> Uuid) -> Result<Column> {
    let numbered = options::numbered(body)?;
    let mut column = parse_attribute(&numbered)?;
    names::check(&column.schema_name)?;
    if column.logical_name != column.schema_name.to_lowercase() {
        return Err(invalid("The LogicalName is the SchemaName in lower case."));
    }
    names::check_label(&column.display_name)?;
    if let Some(name) = options::global(schema, body)? {
        let set = schema.option_sets.iter().find(|set| set.name == name);
        let shared = set.map(|set| set.options.clone()).unwrap_or_default();
        match &mut column.kind {
            ColumnKind::Picklist { options, .. } | ColumnKind::MultiPicklist { options } => *options = shared,
            _ => return Err(invalid("Only choices take shared options.")),
        }
        column.option_set = Some(name);
    }
    fill_limits(&mut column.kind, body);
    check_kind(&column)?;
    column.metadata_id = fresh();
    (column.custom, column.computed) = (true, false);
    column.secured = flag(body, "IsSecured") == Some(true);
    if column.required == Required::System {
        return Err(invalid("Only the service makes columns SystemRequired."));
    }
    Ok(column)
}

/// Numbers whose body names no limits get the widest ones.
fn fill_limits(kind: &mut ColumnKind, body: &Json) {
    let (min, max, widest) = match kind {
        ColumnKind::Decimal { min, max, .. } => (min, max, DECIMAL_MAX),
        ColumnKind::Money { min, max, .. } => (min, max, MONEY_MAX),
        _ => return,
    };
    let is_missing = |name: &str| body.get(name).is_none_or(Json::is_null);
    if is_missing("MinValue") {
        *min = Decimal::from(-widest);
    }
    if is_missing("MaxValue") {
        *max = Decimal::from(widest);
    }
}

/// Whether a column may be of this kind, with these limits.
fn check_kind(column: &Column) -> Result<()> {
    let within = |holds: bool| match holds {
        true => Ok(()),
        false => Err(invalid(format!("A limit of the column {} is out of range.", column.logical_name))),
    };
    let range = |min: &Decimal, max: &Decimal, widest: i64| {
        min <= max && *min >= Decimal::from(-widest) && *max <= Decimal::from(widest)
    };
    match &column.kind {
        ColumnKind::Text { length_max, .. } => within((1..=TEXT_LENGTH_MAX).contains(length_max)),
        ColumnKind::Memo { length_max } => within((1..=MEMO_LENGTH_MAX).contains(length_max)),
        ColumnKind::Integer { min, max } => within(min <= max),
        ColumnKind::Decimal { precision, min, max } => {
            within(*precision <= 10 && range(min, max, DECIMAL_MAX))
        }
        ColumnKind::Money { precision, min, max } => within(*precision <= 4 && range(min, max, MONEY_MAX)),
        ColumnKind::Double { precision, min, max } => within(*precision <= 5 && min <= max),
        ColumnKind::Picklist { options, .. } | ColumnKind::MultiPicklist { options } => {
            options::check(options)
        }
        ColumnKind::Boolean { .. } | ColumnKind::DateTime | ColumnKind::Date => Ok(()),
        ColumnKind::Lookup { .. } => {
            Err(invalid("A lookup is made by its relationship: POST RelationshipDefinitions."))
        }
        ColumnKind::Id
        | ColumnKind::Guid
        | ColumnKind::BigInt
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => Err(invalid("Columns of this type are the service's own.")),
    }
}

/// `PUT` or `PATCH …/Attributes(x)`: what the body says is changed, the rest stays; the type stays in any case. The column of
/// a table's ids takes `IsValidForCreate`: without it, the service gives new rows their ids.
pub(super) fn update(draft: &mut Draft, table: &str, name: &str, body: &Json) -> Result<String> {
    let holder = draft.table_mut(table)?;
    let before = find(holder, name)?.clone();
    let mut after = before.clone();
    if let Some(text) = label(body, "DisplayName") {
        names::check_label(text)?;
        text.clone_into(&mut after.display_name);
    }
    if let Some(text) = label(body, "Description") {
        text.clone_into(&mut after.description);
    }
    if let Some(secured) = flag(body, "IsSecured") {
        after.secured = secured;
    }
    if let Some(on_create) = flag(body, "IsValidForCreate").filter(|on| *on != before.valid_for_create) {
        check_assignable(holder, &before)?;
        after.valid_for_create = on_create;
    }
    if let Some(level) = body.get("RequiredLevel").and_then(|l| l.get("Value")).and_then(Json::as_str) {
        after.required = required(&before, level)?;
    }
    update_kind(&mut after, body)?;
    let location = location(holder, &after);
    if let Some(column) = holder.columns.iter_mut().find(|column| column.logical_name == name) {
        *column = after;
    }
    Ok(location)
}

/// Whether a column may be made valid for create, or no longer so. Of the column of a table's ids that says who gives them to
/// new rows ([`Table::assigns_ids`]), which administrators decide for tables of which the service itself makes no rows.
fn check_assignable(table: &Table, column: &Column) -> Result<()> {
    let own = SECURITY_TABLES.contains(&table.logical_name.as_str())
        || SERVICE_TABLES.contains(&table.logical_name.as_str());
    let ordinary = table.writable && !table.intersect && !table.union && !table.activity && !own;
    match (column.logical_name == table.primary_id, ordinary) {
        (true, true) => Ok(()),
        (true, false) => {
            Err(invalid(format!("The service decides who gives rows of {} their ids.", table.logical_name)))
        }
        (false, _) => {
            Err(invalid(format!("The service decides whether {} is valid for create.", column.logical_name)))
        }
    }
}

/// Tables beside those of security whose rows the service makes or finds by ids that are known beforehand.
const SERVICE_TABLES: [&str; 5] = [money::CURRENCIES, "savedquery", "userquery", "systemform", "syncerror"];

fn required(before: &Column, level: &str) -> Result<Required> {
    let level = match level {
        "None" => Required::None,
        "Recommended" => Required::Recommended,
        "ApplicationRequired" => Required::Application,
        "SystemRequired" => Required::System,
        _ => return Err(invalid("There is no such RequiredLevel.")),
    };
    match (before.required == Required::System) == (level == Required::System) {
        true => Ok(level),
        false => Err(invalid(format!("The service decides whether {} is required.", before.logical_name))),
    }
}

/// Limits and options that the body gives.
fn update_kind(column: &mut Column, body: &Json) -> Result<()> {
    if options::has_own(body) {
        return options::replace(column, body);
    }
    let limits = ["MaxLength", "MinValue", "MaxValue", "Precision", "Format", "FormatName", "DefaultValue"];
    if !limits.iter().any(|name| body.get(name).is_some()) {
        return Ok(());
    }
    let numbered = |mut whole: Json| {
        // Names that a body leaves out are the column's.
        whole["SchemaName"] = column.schema_name.clone().into();
        whole
    };
    let given = parse_attribute(&numbered(with_limits(column, body)))?;
    if std::mem::discriminant(&given.kind) != std::mem::discriminant(&column.kind) {
        return Err(invalid(format!("The column {} keeps its type.", column.logical_name)));
    }
    if !matches!(column.kind, ColumnKind::Boolean { .. } | ColumnKind::Picklist { .. }) {
        column.kind = given.kind;
    }
    if column.custom {
        check_kind(column)?;
    }
    Ok(())
}

/// The body, with the limits that it leaves out taken from the column.
fn with_limits(column: &Column, body: &Json) -> Json {
    let mut whole = body.clone();
    let mut fill = |name: &str, value: Json| {
        if whole.get(name).is_none() {
            whole[name] = value;
        }
    };
    if let Some(kind) = attribute_type(&column.kind) {
        fill("@odata.type", format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata").into());
    }
    let number = |decimal: &Decimal| serde_json::from_str(&decimal.to_string()).unwrap_or(Json::Null);
    match &column.kind {
        ColumnKind::Text { length_max, format } => {
            fill("MaxLength", (*length_max).into());
            fill("FormatName", serde_json::json!({ "Value": format!("{format:?}") }));
        }
        ColumnKind::Memo { length_max } => fill("MaxLength", (*length_max).into()),
        ColumnKind::Date => fill("DateTimeBehavior", serde_json::json!({ "Value": "DateOnly" })),
        ColumnKind::Integer { min, max } => {
            fill("MinValue", (*min).into());
            fill("MaxValue", (*max).into());
        }
        ColumnKind::Decimal { precision, min, max } | ColumnKind::Money { precision, min, max } => {
            fill("Precision", (*precision).into());
            fill("MinValue", number(min));
            fill("MaxValue", number(max));
        }
        ColumnKind::Double { precision, min, max } => {
            fill("Precision", (*precision).into());
            fill("MinValue", (*min).into());
            fill("MaxValue", (*max).into());
        }
        _ => {}
    }
    whole
}

/// The beginning of the type name, of types that a body may bring.
fn attribute_type(kind: &ColumnKind) -> Option<&'static str> {
    Some(match kind {
        ColumnKind::Text { .. } => "String",
        ColumnKind::Memo { .. } => "Memo",
        ColumnKind::Integer { .. } => "Integer",
        ColumnKind::Decimal { .. } => "Decimal",
        ColumnKind::Money { .. } => "Money",
        ColumnKind::Double { .. } => "Double",
        ColumnKind::Boolean { .. } => "Boolean",
        ColumnKind::DateTime | ColumnKind::Date => "DateTime",
        ColumnKind::Picklist { .. } => "Picklist",
        ColumnKind::MultiPicklist { .. } => "MultiSelectPicklist",
        ColumnKind::Id
        | ColumnKind::Guid
        | ColumnKind::BigInt
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. }
        | ColumnKind::Lookup { .. } => return None,
    })
}

/// `DELETE …/Attributes(x)`: a custom column that no key needs. A lookup's relationship goes with it.
pub(super) fn delete(draft: &mut Draft, table: &str, name: &str) -> Result<()> {
    let holder = draft.table_mut(table)?;
    let column = find(holder, name)?;
    if !column.custom || name == holder.primary_id || name == holder.primary_name {
        return Err(not_custom("column", name));
    }
    if let Some(key) = holder.keys.iter().find(|key| key.columns.iter().any(|column| column == name)) {
        return Err(depended_on("column", name, &format!("key {}", key.name)));
    }
    let bound = [money::CURRENCY, money::RATE].contains(&name) && money::has_money(holder);
    if let (true, Some(amount)) = (bound || column.computed, amount(holder, column)) {
        return Err(depended_on("column", name, &format!("column {amount}")));
    }
    let twin = holder.columns.iter().find(|twin| money::amount_of(holder, twin) == Some(column));
    let gone = [Some(name.to_owned()), twin.map(|twin| twin.logical_name.clone())];
    holder.columns.retain(|column| !gone.iter().flatten().any(|name| column.logical_name == *name));
    Ok(())
}

/// The amount that needs a column which came along with it.
fn amount<'t>(table: &'t Table, column: &Column) -> Option<&'t str> {
    let own = || table.columns.iter().find_map(|twin| money::amount_of(table, twin));
    money::amount_of(table, column).or_else(own).map(|amount| amount.logical_name.as_str())
}

fn find<'t>(table: &'t Table, name: &str) -> Result<&'t Column> {
    let missing = || {
        let message = format!("Could not find a column with the name '{name}'.");
        ODataError::new(404, "0x80060888", message)
    };
    table.column(name).ok_or_else(missing)
}

/// Options of a column of one's own, when it has some.
pub(super) fn own_options(column: &mut Column) -> Option<&mut Vec<OptionItem>> {
    match &mut column.kind {
        ColumnKind::Picklist { options, .. } | ColumnKind::MultiPicklist { options } => Some(options),
        _ => None,
    }
}
