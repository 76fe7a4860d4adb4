//! The schema as the database keeps it: one definition per table, and how it changes.
//!
//! The server's own schema is what a new database begins with. When a newer server brings tables or columns
//! that the database does not have, they are added when it is opened; what was customised stays.

use super::known::Known;
use super::layout::{self, DEFINITION, META};
use super::meta::Fact;
use super::{name, Reader, Writer};
use flette_odata::error::Result;
use flette_odata::{Column, ODataError, Schema, Table};
use sea_query::{Expr, OnConflict, Order, Query, SelectStatement};
use std::sync::Arc;

/// Row of [`DEFINITION`] for what of a schema belongs to no single table.
const REST: &str = "";

/// Asks for the version of the schema.
pub(super) fn version_query() -> SelectStatement {
    let mut query = Query::select();
    query
        .column(name("value"))
        .from(name(META))
        .and_where(Expr::col(name("key")).eq(Fact::SchemaVersion.key()));
    query
}

/// Reads the answer; a database without a schema has version 0.
pub(super) fn parse_version(text: Option<&str>) -> i64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// A stored definition: as it is now, and as the server brought it.
struct Stored {
    name: String,
    definition: String,
    built_in: Option<String>,
}

impl Reader<'_> {
    fn definitions(&self) -> Result<Vec<Stored>> {
        let mut query = Query::select();
        query
            .columns(["name", "definition", "built_in"].map(name))
            .from(name(DEFINITION))
            .order_by(name("position"), Order::Asc)
            .order_by(name("name"), Order::Asc);
        self.all(&query, |row| Stored {
            name: row.string(0),
            definition: row.string(1),
            built_in: row.text(2).map(str::to_owned),
        })
    }

    /// The schema that the database holds in this snapshot, with what this transaction did to it.
    ///
    /// # Errors
    /// 500 when a definition cannot be read.
    pub fn stored_schema(&self) -> Result<Schema> {
        let mut schema = Schema::default();
        let mut tables = Vec::new();
        for stored in self.definitions()? {
            match stored.name.as_str() {
                REST => schema = read(&stored.definition)?,
                _ => tables.push(read::<Table>(&stored.definition)?),
            }
        }
        schema.tables = tables;
        Ok(schema)
    }
}

fn read<T: serde::de::DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        tracing::error!(%error, "a definition in the database cannot be read");
        ODataError::new(500, "0x80044150", "A definition in the database cannot be read.")
    })
}

fn write<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|_| ODataError::new(500, "0x80044150", "A definition cannot be written."))
}

impl Writer<'_> {
    /// Makes the database's schema `new`: SQL tables, columns and indexes are created, changed and dropped as
    /// needed. [`Reader::schema`] of this transaction stays as it was; later ones see the new one.
    ///
    /// # Errors
    /// 500 when a column would have to hold another kind of value than it does; nothing may be kept then.
    pub fn save_schema(&self, new: &Schema) -> Result<()> {
        self.replace_schema(&self.current_schema(), new)
    }

    /// [`Writer::save_schema`], where the schema as it is in this transaction is at hand.
    ///
    /// # Errors
    /// As [`Writer::save_schema`].
    pub(crate) fn replace_schema(&self, old: &Schema, new: &Schema) -> Result<()> {
        let views_change = layout::views_depend_on(old, new);
        if views_change {
            layout::drop_views(self, old)?;
        }
        for table in old.tables.iter().filter(|table| new.table(&table.logical_name).is_none()) {
            self.remove_definition(table)?;
        }
        for table in &new.tables {
            match old.table(&table.logical_name) {
                Some(before) if before == table => {}
                before => self.put(table, before, None)?,
            }
        }
        let rest = |schema: &Schema| Schema { tables: Vec::new(), ..schema.clone() };
        if rest(old) != rest(new) {
            self.put_rest(new)?;
        }
        if views_change {
            layout::create_views(self, new)?;
        }
        let version = self.raise_schema_version()?;
        *self.changed.borrow_mut() = Some(Known::new(version, Arc::new(new.clone())));
        Ok(())
    }

    /// The schema as this transaction has made it so far.
    pub(crate) fn current_schema(&self) -> Arc<Schema> {
        match &*self.changed.borrow() {
            Some(changed) => changed.schema.clone(),
            None => self.known.schema.clone(),
        }
    }

    /// Creates a table, or makes the one of the same name what is given. See [`Writer::save_schema`].
    ///
    /// # Errors
    /// As [`Writer::save_schema`].
    pub fn save_table(&self, table: &Table) -> Result<()> {
        let stored = self.current_schema();
        let mut new = Schema::clone(&stored);
        match new.tables.iter_mut().find(|known| known.logical_name == table.logical_name) {
            Some(known) => known.clone_from(table),
            None => new.tables.push(table.clone()),
        }
        self.replace_schema(&stored, &new)
    }

    /// Drops a table with its rows.
    ///
    /// # Errors
    /// 500 when the database fails.
    pub fn drop_table(&self, logical_name: &str) -> Result<()> {
        let stored = self.current_schema();
        let mut new = Schema::clone(&stored);
        new.tables.retain(|table| table.logical_name != logical_name);
        self.replace_schema(&stored, &new)
    }

    fn remove_definition(&self, table: &Table) -> Result<()> {
        layout::drop(self, table)?;
        let mut delete = Query::delete();
        delete
            .from_table(name(DEFINITION))
            .and_where(Expr::col(name("name")).eq(table.logical_name.as_str()));
        self.execute(&delete).map(drop)
    }

    /// Stores a definition and shapes the SQL table. `built_in`: the definition that the server brings.
    fn put(&self, table: &Table, before: Option<&Table>, built_in: Option<&str>) -> Result<()> {
        match before {
            None => layout::create(self, table)?,
            Some(before) => {
                check_kinds(before, table)?;
                layout::change(self, before, table)?;
            }
        }
        self.put_definition(&table.logical_name, &write(table)?, built_in)
    }

    fn put_rest(&self, schema: &Schema) -> Result<()> {
        let rest = Schema { tables: Vec::new(), ..schema.clone() };
        self.put_definition(REST, &write(&rest)?, None)
    }

    fn put_definition(&self, key: &str, definition: &str, built_in: Option<&str>) -> Result<()> {
        let mut last = Query::select();
        last.expr(Expr::col(name("position")).max()).from(name(DEFINITION));
        let position = self.first(&last, |row| row.int(0))?.flatten().unwrap_or_default() + 1;
        let mut insert = Query::insert();
        let mut update = vec![name("definition")];
        if built_in.is_some() {
            update.push(name("built_in"));
        }
        insert
            .into_table(name(DEFINITION))
            .columns(["name", "position", "definition", "built_in"].map(name))
            .values_panic([
                key.into(),
                position.into(),
                definition.into(),
                built_in.map(str::to_owned).into(),
            ])
            .on_conflict(OnConflict::column(name("name")).update_columns(update).to_owned());
        self.execute(&insert).map(drop)
    }

    /// Lets others know that the schema changed; its version from now on.
    fn raise_schema_version(&self) -> Result<i64> {
        let version = self.fact(Fact::SchemaVersion)?;
        let next = parse_version(version.as_deref()) + 1;
        self.set_fact(Fact::SchemaVersion, &next.to_string())?;
        Ok(next)
    }
}

/// A column keeps its kind of value for life.
fn check_kinds(before: &Table, after: &Table) -> Result<()> {
    let differs = |column: &&Column| {
        let storage = |column: &Column| super::Storage::of(&column.kind);
        before.column(&column.logical_name).is_some_and(|b| storage(b) != storage(column))
    };
    match after.columns.iter().find(differs) {
        Some(column) => Err(ODataError::new(
            500,
            "0x80044150",
            format!("The column {} of {} cannot change its type.", column.logical_name, after.logical_name),
        )),
        None => Ok(()),
    }
}

/// Brings the server's own schema into the database: all of it when it is new, else what changed since the
/// server that opened it last.
pub(super) fn merge(writer: &Writer, own: &Schema) -> Result<()> {
    let stored = writer.definitions()?;
    let mut fresh = Vec::new();
    for table in &own.tables {
        let built_in = write(table)?;
        let known = stored.iter().find(|stored| stored.name == table.logical_name);
        if known.is_none_or(|known| known.built_in.as_ref() != Some(&built_in)) {
            fresh.push((table, built_in, known));
        }
    }
    let current = writer.stored_schema()?;
    let rest = with_rest(&current, own);
    if fresh.is_empty() && rest == current {
        return Ok(());
    }
    layout::drop_views(writer, &current)?;
    for (table, built_in, known) in fresh {
        match known {
            Some(known) => {
                let current: Table = read(&known.definition)?;
                // A definition that a former server wrote and this one cannot read any more counts as
                // customised.
                let before = known.built_in.as_deref().and_then(|json| serde_json::from_str(json).ok());
                let mut merged = merged(&current, before.as_ref().unwrap_or(&current), table);
                leave_out_doubled_keys(writer, &current, &mut merged)?;
                writer.put(&merged, Some(&current), Some(&built_in))?;
            }
            None => writer.put(table, None, Some(&built_in))?,
        }
    }
    writer.put_rest(&rest)?;
    layout::create_views(writer, &writer.stored_schema()?)?;
    writer.raise_schema_version()?;
    // What a newer server brings is noted nowhere: who knows an older schema reads it all anew.
    let version = writer.fact(Fact::SchemaVersion)?.unwrap_or_default();
    writer.set_fact(Fact::DefinitionFloor, &version)
}

/// Takes new alternate keys out of a table whose rows have the same values in their columns: a database that was right
/// for the server before is right for this one.
fn leave_out_doubled_keys(writer: &Writer, current: &Table, merged: &mut Table) -> Result<()> {
    for key in merged.keys.clone() {
        let is_new = !current.keys.contains(&key);
        // A new column has no values yet.
        let is_filled = key.columns.iter().all(|column| current.column(column).is_some());
        if is_new && is_filled && writer.has_doubles(current, &key.columns)? {
            tracing::warn!(
                table = merged.logical_name,
                key = key.name,
                "left out: rows have the same values"
            );
            merged.keys.retain(|kept| *kept != key);
        }
    }
    Ok(())
}

/// A schema with what of the server's own belongs to no single table and is not there yet.
fn with_rest(current: &Schema, own: &Schema) -> Schema {
    let mut all = current.clone();
    for pairs in &own.many_to_many {
        if !all.many_to_many.iter().any(|known| known.relationship == pairs.relationship) {
            all.many_to_many.push(pairs.clone());
        }
    }
    for options in &own.option_sets {
        if !all.option_sets.iter().any(|known| known.name == options.name) {
            all.option_sets.push(options.clone());
        }
    }
    all
}

/// A table as it is now, with what the server changed between `before` and `own`. Where the table was
/// customised, that stays; columns that the server gave up stay, for what is in them.
fn merged(current: &Table, before: &Table, own: &Table) -> Table {
    let without_columns = |table: &Table| Table { columns: Vec::new(), ..table.clone() };
    let mut merged = match without_columns(current) == without_columns(before) {
        true => without_columns(own),
        false => without_columns(current),
    };
    let customised =
        |column: &Column| before.column(&column.logical_name).is_none_or(|before| before != column);
    for column in &current.columns {
        let newer = own.column(&column.logical_name).filter(|_| !customised(column));
        let storage = |column: &Column| super::Storage::of(&column.kind);
        let newer = newer.filter(|newer| storage(newer) == storage(column));
        merged.columns.push(newer.unwrap_or(column).clone());
    }
    for column in &own.columns {
        if merged.column(&column.logical_name).is_none() {
            merged.columns.push(column.clone());
        }
    }
    merged
}

#[cfg(test)]
mod tests;
