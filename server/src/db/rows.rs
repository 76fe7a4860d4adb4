//! Single rows: read, insert, update, delete; and who sees which.

use super::cells::{assignments, id_value, Projection};
use super::changes::Reason;
use super::layout::{CURRENT_XACT, XACT};
use super::{name, Dialect, Reader, Writer};
use flette_odata::error::Result;
use flette_odata::{Column, EntityRef, Row, Table, Uuid, Value};
use sea_query::{Expr, Query, SimpleExpr};

/// Column that says to which business unit a row belongs.
pub const OWNING_UNIT: &str = "owningbusinessunit";
/// Column that holds a row's version.
pub const VERSION: &str = "versionnumber";

/// Which rows somebody sees. The one predicate of reads, counts, feeds and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All.
    Everything,
    /// Rows that belong to this business unit, and rows that belong to nobody.
    BusinessUnit(Uuid),
}

impl Sight {
    /// The condition on rows of a table, which stands under `alias` in the statement; `None` when all are seen.
    pub(crate) fn condition(&self, table: &Table, alias: &str) -> Option<SimpleExpr> {
        match self {
            Sight::BusinessUnit(unit) if table.owned => {
                Some(Expr::col((name(alias), name(OWNING_UNIT))).eq(id_value(*unit)))
            }
            Sight::Everything | Sight::BusinessUnit(_) => None,
        }
    }

    /// Whether the values of a column are hidden: they read as null.
    pub fn masks(&self, _: &Table, _: &Column) -> bool {
        false
    }
}

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
        Ok(version)
    }

    /// Changes columns of a row under the next version, which is returned. A row that changes its business
    /// unit leaves a tombstone for the old one. `now` in milliseconds.
    pub fn update(
        &self,
        table: &Table,
        current: &Stored,
        id: Uuid,
        changes: &[(String, Value)],
        now: i64,
    ) -> Result<i64> {
        let unit = lookup_id(&current.row, OWNING_UNIT);
        let moved = changes.iter().any(|(column, value)| {
            column == OWNING_UNIT && !matches!(value, Value::Lookup(to) if Some(to.id) == unit)
        });
        if moved {
            self.bury(table, id, unit, Reason::Changed, now)?;
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
        Ok(version)
    }

    /// Removes a row and leaves its tombstone. `now` in milliseconds.
    pub fn remove(&self, table: &Table, current: &Row, id: Uuid, now: i64) -> Result<()> {
        let mut delete = Query::delete();
        delete.from_table(name(&table.logical_name)).and_where(key_is(table, id));
        self.execute(&delete)?;
        self.bury(table, id, lookup_id(current, OWNING_UNIT), Reason::Deleted, now)
    }
}

pub(super) fn key_is(table: &Table, id: Uuid) -> SimpleExpr {
    Expr::col(name(&table.primary_id)).eq(id_value(id))
}
