//! The members of one row: values, binds, rows that come along, stamps.

use super::json::{items, members};
use super::{
    bind, check_chosen, check_required, check_valid, unknown_property, value, writable, wrong_type, Related,
    Scope, Write, WriteKind,
};
use crate::edm::{Column, ColumnKind, LookupTarget, Table};
use crate::error::{ODataError, Result};
use crate::path::{Collection, PARTY_TABLE};
use crate::stamps;
use crate::time::parse_datetime;
use crate::value::Value;
use serde_json::value::RawValue;
use std::cell::Cell;

/// Most rows that one body may bring along, at all levels together.
pub const NESTED_ROWS_MAX: usize = 1000;
/// How deep rows may stand in rows.
pub const NESTED_DEPTH_MAX: usize = 10;

/// Reads rows of one body.
pub(super) struct RowReader<'s> {
    scope: &'s Scope<'s>,
    rows_left: Cell<usize>,
}

impl<'s> RowReader<'s> {
    pub(super) fn new(scope: &'s Scope<'s>) -> RowReader<'s> {
        RowReader { scope, rows_left: Cell::new(NESTED_ROWS_MAX) }
    }

    /// Reads a row from the members of its object. `depth` counts the rows around it.
    pub(super) fn read(
        &self,
        object: &[(String, &RawValue)],
        table: &Table,
        kind: WriteKind,
        depth: usize,
    ) -> Result<Write> {
        let mut write = Write::default();
        for (name, raw) in object {
            if let Some(navigation) = name.strip_suffix("@odata.bind") {
                self.bind(&mut write, navigation, raw, table, kind)?;
            } else if let Some(property) = name.strip_suffix(stamps::SUFFIX) {
                write.stamps.push((stamped(property, table)?, stamp(property, raw, table)?));
            } else if name.contains('@') {
                continue;
            } else if let Some((column, targets)) = table.navigation(name) {
                self.navigation(&mut write, (name, raw), (table, column, &targets), kind, depth)?;
            } else if *name == table.primary_id {
                check_chosen(table, kind)?;
                write.id = Some(value::guid(raw).ok_or_else(|| wrong_type(table, name, "Edm.Guid"))?);
            } else if let Some(collection) = self.collection(name, table) {
                self.children(&mut write, (name, raw), (table, collection), kind, depth)?;
            } else {
                let column = writable(name, table, kind)?;
                let value = value::read(raw, table, column)?;
                check_required(table, column, &value)?;
                write.values.push((column.logical_name.clone(), value));
            }
        }
        Ok(write)
    }

    /// A collection, unless a column has the name.
    fn collection(&self, name: &str, table: &Table) -> Option<Collection<'s>> {
        match table.column_by_property(name) {
            Some(_) => None,
            None => Collection::find(self.scope.schema, table, name),
        }
    }

    fn bind(
        &self,
        write: &mut Write,
        navigation: &str,
        raw: &RawValue,
        table: &Table,
        kind: WriteKind,
    ) -> Result<()> {
        if let Some((column, value)) = bind::single(navigation, raw, table, self.scope)? {
            return set_lookup(write, table, column, value, kind);
        }
        let collection =
            self.collection(navigation, table).ok_or_else(|| unknown_property(table, navigation))?;
        check_deep(table, navigation, kind)?;
        let other = collection.other(self.scope.schema)?;
        let urls = items(raw).ok_or_else(|| wrong_type(table, navigation, "a list of URLs"))?;
        let mut rows = Vec::with_capacity(urls.len());
        for url in urls {
            self.take_row()?;
            let url = value::text(url).ok_or_else(|| wrong_type(table, navigation, "a URL"))?;
            let row = bind::resolve_bind(&url, self.scope)?;
            if row.table != other.logical_name {
                return Err(bind::wrong_table(table, navigation, &row.table));
            }
            rows.push(row);
        }
        write.related.push(Related::Links { collection: navigation.to_owned(), rows });
        Ok(())
    }

    /// A single-valued navigation property given as a value: `null` clears it, an object is a new row.
    fn navigation(
        &self,
        write: &mut Write,
        (name, raw): (&str, &RawValue),
        (table, column, targets): (&Table, &Column, &[&LookupTarget]),
        kind: WriteKind,
        depth: usize,
    ) -> Result<()> {
        match raw.get().as_bytes().first() {
            Some(b'n') => return set_lookup(write, table, column, Value::Null, kind),
            Some(b'{') => check_deep(table, name, kind)?,
            _ => return Err(wrong_type(table, name, "a bind")),
        }
        check_valid(table, column, kind)?;
        if is_set(write, column) {
            return Err(bound_twice(table, column));
        }
        let object = members(raw.get().as_bytes())?;
        let parent =
            self.parent(&object, targets).ok_or_else(|| wrong_type(table, name, "a row of its target"))?;
        let parent_write = self.nested(&object, parent, depth)?;
        write.values.retain(|(set, _)| *set != column.logical_name);
        write.related.push(Related::Parent {
            column: column.logical_name.clone(),
            table: parent.logical_name.clone(),
            write: parent_write,
        });
        Ok(())
    }

    /// The table of a new row that a lookup will point to: the only target, or the one that `@odata.type` names.
    fn parent(&self, object: &[(String, &RawValue)], targets: &[&LookupTarget]) -> Option<&'s Table> {
        let named = type_name(object);
        let fits = |target: &&&LookupTarget| match &named {
            Some(name) => target.table == *name,
            None => targets.len() == 1,
        };
        self.scope.schema.table(&targets.iter().find(fits)?.table)
    }

    fn children(
        &self,
        write: &mut Write,
        (name, raw): (&str, &RawValue),
        (table, collection): (&Table, Collection<'s>),
        kind: WriteKind,
        depth: usize,
    ) -> Result<()> {
        check_deep(table, name, kind)?;
        let other = collection.other(self.scope.schema)?;
        if other.logical_name == PARTY_TABLE && !table.activity {
            return Err(no_activity(table, name));
        }
        let list = items(raw).ok_or_else(|| wrong_type(table, name, "a list of rows"))?;
        let mut writes = Vec::with_capacity(list.len());
        for item in list {
            let object = members(item.get().as_bytes())?;
            let child = self.nested(&object, other, depth)?;
            if let Collection::Pointing { lookup, .. } = collection {
                if is_set(&child, lookup) {
                    return Err(bound_twice(other, lookup));
                }
            }
            writes.push(child);
        }
        write.related.push(Related::Children {
            collection: name.to_owned(),
            table: other.logical_name.clone(),
            writes,
        });
        Ok(())
    }

    fn nested(&self, object: &[(String, &RawValue)], table: &Table, depth: usize) -> Result<Write> {
        self.take_row()?;
        if depth == NESTED_DEPTH_MAX {
            let message = format!("Rows stand deeper in one another than {NESTED_DEPTH_MAX} levels.");
            return Err(ODataError::bad_payload(message));
        }
        check_type(object, table)?;
        self.read(object, table, WriteKind::Create, depth + 1)
    }

    fn take_row(&self) -> Result<()> {
        match self.rows_left.get().checked_sub(1) {
            Some(left) => {
                self.rows_left.set(left);
                Ok(())
            }
            None => {
                let message = format!("The body brings along more than {NESTED_ROWS_MAX} rows.");
                Err(ODataError::bad_payload(message))
            }
        }
    }
}

/// The table that `@odata.type` names (`Microsoft.Dynamics.CRM.account`, with or without `#`).
pub(super) fn type_name(object: &[(String, &RawValue)]) -> Option<String> {
    let (_, raw) = object.iter().find(|(name, _)| name == "@odata.type")?;
    let text = value::text(raw)?;
    let name = text.trim_start_matches('#').strip_prefix("Microsoft.Dynamics.CRM.")?;
    Some(name.to_owned())
}

/// Refuses an object that says it is of another table.
pub(super) fn check_type(object: &[(String, &RawValue)], table: &Table) -> Result<()> {
    match type_name(object).is_some_and(|name| name != table.logical_name) {
        true => Err(ODataError::bad_payload(format!(
            "A row of 'Microsoft.Dynamics.CRM.{}' was expected.",
            table.logical_name
        ))),
        false => Ok(()),
    }
}

/// Rows come along with new rows only.
fn check_deep(table: &Table, name: &str, kind: WriteKind) -> Result<()> {
    match kind {
        WriteKind::Create | WriteKind::Upsert => Ok(()),
        WriteKind::Update => Err(no_deep_update(table, name)),
    }
}

/// 400: an update cannot bring rows along.
pub(super) fn no_deep_update(table: &Table, name: &str) -> ODataError {
    ODataError::bad_request(format!(
        "Rows cannot be changed through '{name}' of '{}' in an update.",
        table.logical_name
    ))
}

/// 400: parties are written through the activity they belong to, where the right to do so is asked.
fn no_activity(table: &Table, name: &str) -> ODataError {
    ODataError::bad_request(format!(
        "Rows cannot be made through '{name}' of '{}': they are written with their activity.",
        table.logical_name
    ))
}

/// A lookup's value; its siblings may be set to null beside it, in any order, but only one may point
/// somewhere.
fn set_lookup(
    write: &mut Write,
    table: &Table,
    column: &Column,
    value: Value,
    kind: WriteKind,
) -> Result<()> {
    check_valid(table, column, kind)?;
    check_required(table, column, &value)?;
    if !value.is_null() && is_set(write, column) {
        return Err(bound_twice(table, column));
    }
    let made =
        |related: &Related| matches!(related, Related::Parent { column: c, .. } if *c == column.logical_name);
    match write.values.iter_mut().find(|(name, _)| *name == column.logical_name) {
        Some((_, old)) if old.is_null() => *old = value,
        Some(_) => {}
        None if write.related.iter().any(made) => {}
        None => write.values.push((column.logical_name.clone(), value)),
    }
    Ok(())
}

/// Whether a lookup already points somewhere.
fn is_set(write: &Write, column: &Column) -> bool {
    let made = write.related.iter().any(|related| match related {
        Related::Parent { column: set, .. } => *set == column.logical_name,
        Related::Children { .. } | Related::Links { .. } => false,
    });
    made || write.values.iter().any(|(name, value)| *name == column.logical_name && !value.is_null())
}

fn bound_twice(table: &Table, column: &Column) -> ODataError {
    ODataError::bad_payload(format!(
        "'{}' of '{}' is bound more than once.",
        column.logical_name, table.logical_name
    ))
}

/// The column whose time is told: by its property, or by one of a lookup's navigation properties. An empty name means
/// every column of the body that has no time of its own.
fn stamped(property: &str, table: &Table) -> Result<String> {
    if property.is_empty() {
        return Ok(String::new());
    }
    let by_navigation = || table.navigation(property).map(|(column, _)| column);
    let column = table.column_by_property(property).or_else(by_navigation);
    let column = column.filter(|column| !matches!(column.kind, ColumnKind::Id));
    column.map(|column| column.logical_name.clone()).ok_or_else(|| unknown_property(table, property))
}

fn stamp(property: &str, raw: &RawValue, table: &Table) -> Result<i64> {
    let at = value::text(raw).and_then(|text| parse_datetime(&text));
    at.ok_or_else(|| wrong_type(table, &format!("{property}{}", stamps::SUFFIX), "Edm.DateTimeOffset"))
}
