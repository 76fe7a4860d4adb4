//! Single rows: read, insert, update, delete.

use super::cells::{assignments, id_value, Projection};
use super::changes::Reason;
use super::layout::{CURRENT_XACT, XACT};
use super::rights::Ownership;
pub use super::rights::Sight;
use super::{name, Dialect, Reader, Writer};
pub use crate::rights::OWNING_UNIT;
use flette_odata::error::Result;
use flette_odata::{Column, EntityRef, Row, Table, Uuid, Value};
use sea_query::{Expr, Query, SimpleExpr};

/// Column that holds a row's version.
pub const VERSION: &str = "versionnumber";

/// A row with its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Every column of the table.
    pub row: Row,
    /// The version its etag is made of.
    pub version: i64,
}

impl Stored {
    /// The etag: opaque to clients.
    pub fn etag(&self) -> String {
        etag(self.version)
    }
}

/// The etag of a version.
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// The id a lookup column of a row points to.
pub fn lookup_id(row: &Row, column: &str) -> Option<Uuid> {
    match row.get(column) {
        Some(Value::Lookup(to)) => Some(to.id),
        _ => None,
    }
}

impl Reader<'_> {
    /// A row, when it exists and is in sight.
    pub fn row(&self, table: &Table, id: Uuid, sight: &Sight) -> Result<Option<Stored>> {
        let projection = Projection::all(table);
        let mut query = Query::select();
        projection.select(&mut query);
        query.from(name(&table.logical_name)).and_where(key_is(table, id));
        if let Some(condition) = sight.condition(table, &table.logical_name) {
            query.and_where(condition);
        }
        self.first(&query, |row| {
            let columns = table.columns.iter().enumerate();
            let row: Row =
                columns.map(|(at, c)| (c.logical_name.clone(), projection.value(row, at))).collect();
            let version = match row.get(VERSION) {
                Some(Value::Int(version)) => *version,
                _ => 0,
            };
            Stored { row, version }
        })
    }

    /// Some columns of a row, in sight or not.
    pub fn part_of_row(&self, table: &Table, id: Uuid, columns: &[&Column]) -> Result<Option<Row>> {
        let projection = Projection::new(columns.iter().copied());
        let mut query = Query::select();
        projection.select(&mut query);
        query.from(name(&table.logical_name)).and_where(key_is(table, id));
        self.first(&query, |row| {
            let named = columns.iter().enumerate();
            named.map(|(at, c)| (c.logical_name.clone(), projection.value(row, at))).collect()
        })
    }

    /// Whether a row exists and is in sight.
    pub fn is_seen(&self, table: &Table, id: Uuid, sight: &Sight) -> Result<bool> {
        let mut query = Query::select();
        query.expr(Expr::val(1i64)).from(name(&table.logical_name)).and_where(key_is(table, id));
        query.and_where_option(sight.condition(table, &table.logical_name));
        Ok(self.first(&query, |_| ())?.is_some())
    }

    /// Whether an id is taken, in sight or not.
    pub fn is_taken(&self, table: &Table, id: Uuid) -> Result<bool> {
        let mut query = Query::select();
        query.expr(Expr::val(1i64)).from(name(&table.logical_name)).and_where(key_is(table, id));
        Ok(self.first(&query, |_| ())?.is_some())
    }

    /// The text that names a row, when it has one and is in sight.
    pub fn name_of(&self, table: &str, id: Uuid, sight: &Sight) -> Result<Option<String>> {
        let Some(table) = self.schema.table(table).filter(|t| !t.primary_name.is_empty()) else {
            return Ok(None);
        };
        if table.column(&table.primary_name).is_some_and(|column| sight.masks(table, column)) {
            return Ok(None);
        }
        let mut query = Query::select();
        query.column(name(&table.primary_name)).from(name(&table.logical_name)).and_where(key_is(table, id));
        if let Some(condition) = sight.condition(table, &table.logical_name) {
            query.and_where(condition);
        }
        Ok(self.first(&query, |row| row.text(0).map(str::to_owned))?.flatten())
    }

    /// A row by the text that names it, compared without case; any of several.
    pub fn id_by_name(&self, table: &Table, text: &str) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .column(name(&table.primary_id))
            .from(name(&table.logical_name))
            .and_where(self.dialect().is_text(name(&table.primary_name), text))
            .limit(1);
        Ok(self.first(&query, |row| row.id(0))?.flatten())
    }

    /// Rows whose lookup points to `target`, in sight or not. A union has no rows of its own.
    pub fn referring(&self, table: &Table, column: &Column, target: &EntityRef) -> Result<Vec<Uuid>> {
        if table.union {
            return Ok(Vec::new());
        }
        let mut query = Query::select();
        query.column(name(&table.primary_id)).from(name(&table.logical_name));
        let value = Value::Lookup(target.clone());
        for (column, value) in assignments(column, &value) {
            query.and_where(Expr::col(column).eq(value));
        }
        Ok(self.all(&query, |row| row.id(0))?.into_iter().flatten().collect())
    }
}

impl Writer<'_> {
    /// Stores a new row under the next version, which is returned. The id must not be taken.
    pub fn insert(&self, table: &Table, row: &Row) -> Result<i64> {
        let version = self.next_version()?;
        let (mut columns, mut values) = (Vec::new(), Vec::<SimpleExpr>::new());
        for column in &table.columns {
            let version = Value::Int(version);
            let value = match column.logical_name.as_str() {
                VERSION => &version,
                other => row.get(other).unwrap_or(&Value::Null),
            };
            for (column, value) in assignments(column, value) {
                columns.push(column);
                values.push(value.into());
            }
        }
        let mut insert = Query::insert();
        insert.into_table(name(&table.logical_name)).columns(columns).values_panic(values);
        self.execute(&insert)?;
        self.note_rights(table)?;
        self.note_currency(table);
        Ok(version)
    }

    /// Changes columns of a row under the next version, which is returned. A row that changes its owner or
    /// business unit leaves a tombstone that names the old ones. `now` in milliseconds.
    pub fn update(
        &self,
        table: &Table,
        current: &Stored,
        id: Uuid,
        changes: &[(String, Value)],
        now: i64,
    ) -> Result<i64> {
        let before = Ownership::of(&current.row);
        let mut after = before;
        for (column, value) in changes {
            after.change(column, value);
        }
        if after != before {
            self.bury(table, id, before, Reason::Changed, now)?;
        }
        let version = self.next_version()?;
        let mut update = Query::update();
        update.table(name(&table.logical_name)).and_where(key_is(table, id));
        for (column, value) in changes.iter().filter(|(column, _)| column != VERSION) {
            let Some(column) = table.column(column) else { continue };
            update.values(assignments(column, value).into_iter().map(|(c, v)| (c, v.into())));
        }
        update.value(name(VERSION), version);
        if self.dialect() == Dialect::Postgres {
            update.value(name(XACT), Expr::cust(CURRENT_XACT));
        }
        self.execute(&update)?;
        self.note_rights(table)?;
        self.note_currency(table);
        Ok(version)
    }

    /// Removes a row and leaves its tombstone. `now` in milliseconds.
    pub fn remove(&self, table: &Table, current: &Row, id: Uuid, now: i64) -> Result<()> {
        let mut delete = Query::delete();
        delete.from_table(name(&table.logical_name)).and_where(key_is(table, id));
        self.execute(&delete)?;
        self.note_rights(table)?;
        self.note_currency(table);
        self.bury(table, id, Ownership::of(current), Reason::Deleted, now)
    }
}

pub(super) fn key_is(table: &Table, id: Uuid) -> SimpleExpr {
    Expr::col(name(&table.primary_id)).eq(id_value(id))
}
