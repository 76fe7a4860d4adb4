//! Forms and views of every table: rows of `systemform` and `savedquery`, made from its definition.
//!
//! They are made when a database is founded and when a table comes, and follow its columns: the ones of a custom table
//! show a new column at once, and a dropped column leaves every form and view. One that somebody has changed keeps
//! what was changed.

mod text;

use crate::db::Writer;
use crate::people;
use crate::schema::id_of;
use flette_odata::error::Result;
use flette_odata::rules::complete_create;
use flette_odata::{ColumnKind, Row, Schema, Table, Uuid, Value};
use text::{fetch, form, layout, without};

/// A form or view as its table's definition makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// `systemform` or `savedquery`.
    pub table: &'static str,
    /// Its id, always the same for the same table.
    pub id: Uuid,
    /// Columns and values.
    pub values: Vec<(&'static str, Value)>,
}

/// `querytype` of each kind of view.
const PUBLIC: i64 = 0;
const ASSOCIATED: i64 = 2;
const QUICK_FIND: i64 = 4;
const OFFLINE: i64 = 16;
const LOOKUP: i64 = 64;

/// The forms and views of a table. Intersect tables have none.
pub fn shown(table: &Table) -> Vec<Shown> {
    if table.intersect {
        return Vec::new();
    }
    let plural = &table.display_collection_name;
    let is_stateful = table.column("statecode").is_some();
    let active = if is_stateful { format!("Active {plural}") } else { format!("All {plural}") };
    let state = |value: &str| match is_stateful {
        true => format!("<condition attribute=\"statecode\" operator=\"eq\" value=\"{value}\"/>"),
        false => String::new(),
    };
    let mut all = vec![
        main_form(table),
        view(table, "active", active, PUBLIC, &state("0")),
        view(table, "associated", format!("{} Associated View", table.display_name), ASSOCIATED, &state("0")),
        view(table, "quickfind", format!("Quick Find {plural}"), QUICK_FIND, &quick_find(table)),
        view(table, "lookup", format!("{} Lookup View", table.display_name), LOOKUP, &state("0")),
    ];
    if is_stateful {
        all.push(view(table, "inactive", format!("Inactive {plural}"), PUBLIC, &state("1")));
    }
    if table.owned {
        let mine = "<condition attribute=\"ownerid\" operator=\"eq-userid\"/>";
        all.push(view(table, "offline", format!("My {plural}"), OFFLINE, mine));
    }
    all
}

fn key(table: &Table, what: &str) -> Uuid {
    id_of(&format!("shown/{}/{what}", table.metadata_id))
}

fn words(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn main_form(table: &Table) -> Shown {
    let values = vec![
        ("name", words(cut(&table.display_name, 100))),
        ("objecttypecode", words(&table.logical_name)),
        ("type", Value::Int(2)),
        ("formxml", words(form(table))),
        ("isdefault", Value::Bool(true)),
        ("formactivationstate", Value::Int(1)),
    ];
    Shown { table: "systemform", id: key(table, "form"), values }
}

fn view(table: &Table, what: &str, name: String, kind: i64, conditions: &str) -> Shown {
    let values = vec![
        ("name", words(cut(&name, 200))),
        ("returnedtypecode", words(&table.logical_name)),
        ("fetchxml", words(fetch(table, conditions))),
        ("layoutxml", words(layout(table))),
        ("querytype", Value::Int(kind)),
        ("isdefault", Value::Bool(kind != PUBLIC || what == "active")),
        ("isquickfindquery", Value::Bool(kind == QUICK_FIND)),
    ];
    Shown { table: "savedquery", id: key(table, what), values }
}

/// The columns that the search box looks into.
fn quick_find(table: &Table) -> String {
    let found = text::listed(table).into_iter().filter(|c| matches!(c.kind, ColumnKind::Text { .. }));
    let conditions: String = found
        .map(|c| format!("<condition attribute=\"{}\" operator=\"like\" value=\"{{0}}\"/>", c.logical_name))
        .collect();
    match conditions.is_empty() {
        true => conditions,
        false => format!("<filter type=\"or\" isquickfindfields=\"1\">{conditions}</filter>"),
    }
}

fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

/// Makes the forms and views of every table that has none yet.
///
/// # Errors
/// 500 when the database fails.
pub fn found(writer: &Writer, now: i64) -> Result<()> {
    for table in &writer.schema.tables {
        for one in shown(table) {
            put(writer, writer.schema, &one, None, now)?;
        }
    }
    Ok(())
}

/// Lets forms and views follow a change of the schema; those of tables that are gone are removed by `leftovers`.
pub(super) fn follow(writer: &Writer, before: &Schema, after: &Schema, now: i64) -> Result<()> {
    for new in &after.tables {
        match before.table(&new.logical_name) {
            Some(old) if old == new => {}
            Some(old) => update(writer, after, (old, new), now)?,
            None => {
                for one in shown(new) {
                    put(writer, after, &one, None, now)?;
                }
            }
        }
    }
    Ok(())
}

fn update(writer: &Writer, schema: &Schema, (old, new): (&Table, &Table), now: i64) -> Result<()> {
    let made = shown(old);
    for one in shown(new) {
        let before = made.iter().find(|before| before.id == one.id);
        put(writer, schema, &one, before, now)?;
    }
    let gone: Vec<&str> = old
        .columns
        .iter()
        .map(|column| column.logical_name.as_str())
        .filter(|name| new.column(name).is_none())
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    for (table, of, texts) in [
        ("systemform", "objecttypecode", &["formxml"] as &[&str]),
        ("savedquery", "returnedtypecode", &["fetchxml", "layoutxml"]),
        ("userquery", "returnedtypecode", &["fetchxml", "layoutxml"]),
    ] {
        let Some(table) = schema.table(table) else { continue };
        for id in writer.ids_with(table, of, &new.logical_name)? {
            let Some(stored) = writer.row(table, id, &crate::db::rows::Sight::Everything)? else { continue };
            let changes = texts.iter().filter_map(|name| {
                let text = stored.row.get(*name).and_then(Value::as_text)?;
                let kept = gone.iter().fold(text.to_owned(), |text, column| without(&text, column));
                (kept != text).then(|| ((*name).to_owned(), Value::Text(kept)))
            });
            let changes: Vec<(String, Value)> = changes.collect();
            if !changes.is_empty() {
                writer.update(table, &stored, id, &changes, now)?;
            }
        }
    }
    Ok(())
}

/// Makes a form or view, or changes the values that are still as `before` made them.
fn put(writer: &Writer, schema: &Schema, one: &Shown, before: Option<&Shown>, now: i64) -> Result<()> {
    let Some(table) = schema.table(one.table) else { return Ok(()) };
    let everything = crate::db::rows::Sight::Everything;
    let values: Vec<(String, Value)> =
        one.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let Some(stored) = writer.row(table, one.id, &everything)? else {
        let (user, unit) = (people::user_id(people::ADMIN), people::root_unit_id());
        let row: Row = complete_create(table, schema, values, one.id, user, unit, now)?;
        return writer.insert(table, &row).map(drop);
    };
    let Some(before) = before else { return Ok(()) };
    let untouched = |name: &str| {
        let made = before.values.iter().find(|(n, _)| *n == name).map(|(_, value)| value);
        made == stored.row.get(name)
    };
    let changed = |(name, value): &(String, Value)| stored.row.get(name) != Some(value) && untouched(name);
    let changes: Vec<(String, Value)> = values.into_iter().filter(changed).collect();
    match changes.is_empty() {
        true => Ok(()),
        false => writer.update(table, &stored, one.id, &changes, now).map(drop),
    }
}

#[cfg(test)]
mod tests;
