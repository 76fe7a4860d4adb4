//! SQL tables and indexes, made from the schema: created, completed, changed and dropped.

mod own;
mod union;

pub(super) use own::{
    create_own, COUNTER, CREDENTIAL, CURRENT_XACT, DEFINITION, DEFINITION_CHANGE, META, RECEIPT, SESSION,
    TOMBSTONE, VERSIONS,
};
pub(super) use union::{create_views, drop_views, views_depend_on};

use super::driver::{DECIMAL, TEXT};
use super::{name, Dialect, Reader, Storage, Writer};
use flette_odata::error::Result;
use flette_odata::{Column, ColumnKind, Schema, Table};
use sea_query::{ColumnDef, Expr, Func, PostgresQueryBuilder, Query, SqliteQueryBuilder, Table as Sql};
use std::collections::BTreeSet;

/// Column beside those of the schema: when each column of a row was changed, where that is known.
pub(super) const STAMPS: &str = "flette_stamps";
/// Column beside those of the schema, on PostgreSQL: the transaction that changed the row last.
pub(super) const XACT: &str = "flette_xact";
/// Longest text, in UTF-16 units, that has an index: PostgreSQL takes entries of up to 2704 bytes.
const INDEXED_TEXT_LENGTH_MAX: u32 = 850;

/// Name of the SQL column that holds the target table of a lookup with several.
pub(super) fn target_column(column: &Column) -> String {
    format!("{}_table", column.logical_name)
}

/// Whether a lookup may point to several tables, so that the table has to be kept beside the id.
pub(super) fn is_polymorphic(column: &Column) -> bool {
    match &column.kind {
        ColumnKind::Lookup { targets } => targets.iter().any(|t| t.table != targets[0].table),
        _ => false,
    }
}

/// How an SQL column is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SqlKind {
    /// A value of the schema.
    Of(Storage),
    /// Text that is compared exactly: names, hashes, words.
    Word,
    /// The transaction that wrote the row, on PostgreSQL.
    Xact,
}

/// A column of an SQL table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SqlColumn {
    name: String,
    kind: SqlKind,
    primary: bool,
    needed: bool,
}

impl SqlColumn {
    fn new(name: &str, kind: SqlKind) -> SqlColumn {
        SqlColumn { name: name.to_owned(), kind, primary: false, needed: false }
    }

    fn definition(&self, dialect: Dialect) -> ColumnDef {
        let mut column = ColumnDef::new(name(&self.name));
        let collated = |column: &mut ColumnDef, collation: &str| {
            column.text().extra(format!("COLLATE {collation}"));
        };
        match (self.kind, dialect) {
            (SqlKind::Of(Storage::Id), Dialect::Sqlite) => column.blob(),
            (SqlKind::Of(Storage::Id), Dialect::Postgres) => column.custom(name("bytea")),
            (SqlKind::Of(Storage::Text), Dialect::Sqlite) => {
                collated(&mut column, TEXT);
                &mut column
            }
            (SqlKind::Of(Storage::Text) | SqlKind::Word, Dialect::Postgres) => {
                collated(&mut column, "\"C\"");
                &mut column
            }
            (SqlKind::Word, Dialect::Sqlite) => column.text(),
            (SqlKind::Of(Storage::Decimal), Dialect::Sqlite) => {
                collated(&mut column, DECIMAL);
                &mut column
            }
            (SqlKind::Of(Storage::Decimal), Dialect::Postgres) => column.custom(name("numeric")),
            (SqlKind::Of(Storage::Real), _) => column.double(),
            (SqlKind::Of(Storage::Whole), _) => column.big_integer(),
            (SqlKind::Xact, _) => column.big_integer().default(Expr::cust(own::CURRENT_XACT)),
        };
        if self.needed {
            column.not_null();
        }
        if self.primary {
            column.not_null().primary_key();
        }
        column
    }
}

/// An index: columns and whether a combination may occur once only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SqlIndex {
    name: String,
    table: String,
    columns: Vec<(String, bool)>,
    unique: bool,
}

impl SqlIndex {
    /// `columns` with whether each is a text of the schema.
    fn new(table: &str, columns: &[(&str, bool)]) -> SqlIndex {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        SqlIndex {
            name: short(&format!("{table}_by_{}", names.join("_"))),
            table: table.to_owned(),
            columns: columns.iter().map(|(name, text)| ((*name).to_owned(), *text)).collect(),
            unique: false,
        }
    }

    /// `sea-query` cannot say where nulls stand in an index. All names are of the schema, and quoted.
    fn create(&self, dialect: Dialect) -> String {
        let key = |(column, text): &(String, bool)| match (dialect, text) {
            (Dialect::Sqlite, _) => quoted(column),
            (Dialect::Postgres, false) => format!("{} NULLS FIRST", quoted(column)),
            (Dialect::Postgres, true) => format!("{}({}) NULLS FIRST", super::dialect::FOLD, quoted(column)),
        };
        let keys: Vec<String> = self.columns.iter().map(key).collect();
        format!(
            "CREATE {}INDEX IF NOT EXISTS {} ON {} ({})",
            if self.unique { "UNIQUE " } else { "" },
            quoted(&self.name),
            quoted(&self.table),
            keys.join(", ")
        )
    }

    fn drop(&self) -> String {
        format!("DROP INDEX IF EXISTS {}", quoted(&self.name))
    }
}

/// A name as SQL reads it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// PostgreSQL cuts names after 63 bytes; a cut one ends in a number made of the whole.
fn short(text: &str) -> String {
    const NAME_BYTES_MAX: usize = 63;
    if text.len() <= NAME_BYTES_MAX {
        return text.to_owned();
    }
    let hash = crate::schema::id_of(text).simple().to_string();
    let start: String = text.chars().take(NAME_BYTES_MAX - 9).filter(char::is_ascii).collect();
    format!("{start}_{}", &hash[..8])
}

/// SQL columns of a table, in order.
fn sql_columns(table: &Table, dialect: Dialect) -> Vec<SqlColumn> {
    let mut all = Vec::new();
    for column in &table.columns {
        let kind = SqlKind::Of(Storage::of(&column.kind));
        let primary = column.logical_name == table.primary_id;
        all.push(SqlColumn { primary, ..SqlColumn::new(&column.logical_name, kind) });
        if is_polymorphic(column) {
            all.push(SqlColumn::new(&target_column(column), SqlKind::Word));
        }
    }
    all.push(SqlColumn::new(STAMPS, SqlKind::Word));
    if dialect == Dialect::Postgres {
        all.push(SqlColumn::new(XACT, SqlKind::Xact));
    }
    all
}

/// Whether a column can be in an index.
fn is_indexable(column: &Column) -> bool {
    match column.kind {
        ColumnKind::Text { length_max, .. } => length_max <= INDEXED_TEXT_LENGTH_MAX,
        ColumnKind::Memo { .. } => false,
        _ => true,
    }
}

/// Indexes: the version (the feed), lookups (cascades, "my rows of"), the name and the time of change
/// (lists), alternate keys, which may occur once.
fn sql_indexes(table: &Table, dialect: Dialect) -> Vec<SqlIndex> {
    let indexed = table.columns.iter().filter(|column| {
        let name = column.logical_name.as_str();
        name == "versionnumber"
            || name == "modifiedon"
            || name == table.primary_name && is_indexable(column)
            || column.is_lookup() && !matches!(name, "createdby" | "modifiedby" | "owninguser")
    });
    let one = |column: &Column| {
        let text = Storage::of(&column.kind) == Storage::Text;
        SqlIndex::new(&table.logical_name, &[(&column.logical_name, text)])
    };
    let mut all: Vec<SqlIndex> = indexed.map(one).collect();
    for key in &table.keys {
        let columns: Vec<&Column> = key.columns.iter().filter_map(|name| table.column(name)).collect();
        if columns.len() == key.columns.len() && columns.iter().all(|column| is_indexable(column)) {
            let text = |column: &Column| Storage::of(&column.kind) == Storage::Text;
            let columns: Vec<_> = columns.iter().map(|c| (c.logical_name.as_str(), text(c))).collect();
            let name = short(&format!("{}_key_{}", table.logical_name, key.name));
            all.push(SqlIndex { name, unique: true, ..SqlIndex::new(&table.logical_name, &columns) });
        }
    }
    if dialect == Dialect::Postgres {
        all.push(SqlIndex::new(&table.logical_name, &[(XACT, false), ("versionnumber", false)]));
    }
    all
}

fn create_table(writer: &Writer, table: &str, columns: &[SqlColumn]) -> Result<()> {
    let dialect = writer.dialect();
    let mut statement = Sql::create();
    statement.table(name(table)).if_not_exists();
    for column in columns {
        statement.col(column.definition(dialect));
    }
    writer.define(&match dialect {
        Dialect::Sqlite => statement.to_string(SqliteQueryBuilder),
        Dialect::Postgres => statement.to_string(PostgresQueryBuilder),
    })
}

/// Creates an SQL table, or adds the columns it lacks.
fn complete(writer: &Writer, table: &str, columns: &[SqlColumn]) -> Result<()> {
    let there = writer.sql_columns(table)?;
    if there.is_empty() {
        return create_table(writer, table, columns);
    }
    let dialect = writer.dialect();
    for column in columns.iter().filter(|column| !there.contains(&column.name)) {
        let mut statement = Sql::alter();
        statement.table(name(table)).add_column(column.definition(dialect));
        writer.define(&match dialect {
            Dialect::Sqlite => statement.to_string(SqliteQueryBuilder),
            Dialect::Postgres => statement.to_string(PostgresQueryBuilder),
        })?;
    }
    Ok(())
}

impl Reader<'_> {
    /// Names of the columns that an SQL table has; none when there is no such table.
    fn sql_columns(&self, table: &str) -> Result<BTreeSet<String>> {
        let mut query = Query::select();
        match self.dialect() {
            Dialect::Sqlite => query
                .column(name("name"))
                .from_function(Func::cust(name("pragma_table_info")).arg(table), name("columns")),
            Dialect::Postgres => query
                .column(name("attname"))
                .from(name("pg_attribute"))
                .and_where(Expr::col(name("attrelid")).eq(Func::cust(name("to_regclass")).arg(quoted(table))))
                .and_where(Expr::col(name("attnum")).gt(0i64))
                .and_where(Expr::col(name("attisdropped")).not()),
        };
        Ok(self.all(&query, |row| row.string(0))?.into_iter().collect())
    }
}

/// Creates the SQL table of a table and its indexes, or what of them is missing. Unions are views: see
/// [`create_views`].
pub(super) fn create(writer: &Writer, table: &Table) -> Result<()> {
    if table.union {
        return Ok(());
    }
    let dialect = writer.dialect();
    complete(writer, &table.logical_name, &sql_columns(table, dialect))?;
    sql_indexes(table, dialect).iter().try_for_each(|index| create_index(writer, index))
}

/// PostgreSQL would lock the table to find out that the index is there.
fn create_index(writer: &Writer, index: &SqlIndex) -> Result<()> {
    let dialect = writer.dialect();
    if dialect == Dialect::Postgres {
        let mut query = Query::select();
        let found = Func::cust(name("to_regclass")).arg(quoted(&index.name));
        query.expr(Expr::expr(found).is_not_null());
        if writer.first(&query, |row| row.int(0))?.flatten() == Some(1) {
            return Ok(());
        }
    }
    writer.define(&index.create(dialect))
}

/// Makes the SQL table of `old` that of `new`: columns and indexes come and go.
pub(super) fn change(writer: &Writer, old: &Table, new: &Table) -> Result<()> {
    if new.union {
        return Ok(());
    }
    let dialect = writer.dialect();
    let keep = sql_indexes(new, dialect);
    for index in sql_indexes(old, dialect).iter().filter(|index| !keep.contains(index)) {
        writer.define(&index.drop())?;
    }
    let keep = sql_columns(new, dialect);
    for column in sql_columns(old, dialect) {
        if !keep.iter().any(|kept| kept.name == column.name) {
            drop_column(writer, &old.logical_name, &column.name)?;
        }
    }
    create(writer, new)?;
    // A lookup that has several targets now had one: rows that point somewhere point there.
    for column in new.columns.iter().filter(|column| is_polymorphic(column)) {
        let before = old.column(&column.logical_name).filter(|before| !is_polymorphic(before));
        let Some(ColumnKind::Lookup { targets }) = before.map(|before| &before.kind) else { continue };
        let Some(target) = targets.first() else { continue };
        let mut update = Query::update();
        update
            .table(name(&new.logical_name))
            .value(name(&target_column(column)), target.table.as_str())
            .and_where(Expr::col(name(&column.logical_name)).is_not_null());
        writer.execute(&update)?;
    }
    Ok(())
}

fn drop_column(writer: &Writer, table: &str, column: &str) -> Result<()> {
    writer.define(&format!("ALTER TABLE {} DROP COLUMN {}", quoted(table), quoted(column)))
}

/// Drops the SQL table of a table, with its rows.
pub(super) fn drop(writer: &Writer, table: &Table) -> Result<()> {
    if table.union {
        return Ok(());
    }
    writer.define(&format!("DROP TABLE IF EXISTS {}", quoted(&table.logical_name)))
}

/// Builds every index anew: the folds they are made of have changed.
fn rebuild_indexes(writer: &Writer, schema: &Schema) -> Result<()> {
    let dialect = writer.dialect();
    for index in schema.tables.iter().filter(|t| !t.union).flat_map(|t| sql_indexes(t, dialect)) {
        writer.define(&format!("DROP INDEX IF EXISTS {}", quoted(&index.name)))?;
        writer.define(&index.create(dialect))?;
    }
    Ok(())
}
