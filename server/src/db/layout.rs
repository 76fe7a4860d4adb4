//! SQL tables and indexes, made from the schema, and the server's own tables.

use super::{functions, name, Writer};
use flette_odata::error::Result;
use flette_odata::{Column, ColumnKind, Table};
use sea_query::{
    ColumnDef, Index, IndexCreateStatement, SqliteQueryBuilder, Table as Sql, TableCreateStatement,
};

/// The counter every change takes its version from.
pub(super) const COUNTER: &str = "flette_counter";
/// Facts about the database: key and value.
pub(super) const META: &str = "flette_meta";
/// Rows that are gone, or left somebody's sight.
pub(super) const TOMBSTONE: &str = "flette_tombstone";
/// Who may sign in.
pub(super) const CREDENTIAL: &str = "flette_credential";
/// Sessions and tokens, hashed.
pub(super) const SESSION: &str = "flette_session";

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

/// Creates what is missing.
pub(super) fn create(writer: &Writer) -> Result<()> {
    for statement in own_tables() {
        writer.define(&statement.to_string(SqliteQueryBuilder))?;
    }
    for index in own_indexes() {
        writer.define(&index.to_string(SqliteQueryBuilder))?;
    }
    for table in &writer.schema.tables {
        writer.define(&table_statement(table).to_string(SqliteQueryBuilder))?;
        for index in indexes(table) {
            writer.define(&index.to_string(SqliteQueryBuilder))?;
        }
    }
    Ok(())
}

fn table_statement(table: &Table) -> TableCreateStatement {
    let mut statement = Sql::create();
    statement.table(name(&table.logical_name)).if_not_exists();
    for column in &table.columns {
        let mut definition = ColumnDef::new(name(&column.logical_name));
        match &column.kind {
            ColumnKind::Id => definition.blob().not_null().primary_key(),
            ColumnKind::Guid | ColumnKind::Lookup { .. } => definition.blob(),
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::MultiPicklist { .. } => {
                definition.text().extra(format!("COLLATE {}", functions::TEXT))
            }
            ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => {
                definition.text().extra(format!("COLLATE {}", functions::DECIMAL))
            }
            ColumnKind::Double { .. } => definition.double(),
            ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Boolean { .. }
            | ColumnKind::DateTime
            | ColumnKind::Date
            | ColumnKind::Picklist { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. } => definition.big_integer(),
        };
        statement.col(&mut definition);
        if is_polymorphic(column) {
            statement.col(ColumnDef::new(name(&target_column(column))).text());
        }
    }
    statement
}

/// Indexes: the version (the feed), lookups (cascades, "my rows of"), the name and the time of change
/// (lists).
fn indexes(table: &Table) -> Vec<IndexCreateStatement> {
    let indexed = table.columns.iter().filter(|column| {
        let name = column.logical_name.as_str();
        name == "versionnumber"
            || name == "modifiedon"
            || name == table.primary_name
            || column.is_lookup() && !matches!(name, "createdby" | "modifiedby" | "owninguser")
    });
    indexed.map(|column| index(&table.logical_name, &[&column.logical_name])).collect()
}

fn index(table: &str, columns: &[&str]) -> IndexCreateStatement {
    let mut statement = Index::create();
    statement.if_not_exists().name(format!("{table}_by_{}", columns.join("_"))).table(name(table));
    for column in columns {
        statement.col(name(column));
    }
    statement
}

fn own_tables() -> Vec<TableCreateStatement> {
    let table = |name_: &str, columns: &mut [&mut ColumnDef]| {
        let mut statement = Sql::create();
        statement.table(name(name_)).if_not_exists();
        for column in columns {
            statement.col(&mut **column);
        }
        statement
    };
    let column = |name_: &str| ColumnDef::new(name(name_));
    vec![
        table(
            COUNTER,
            &mut [column("id").big_integer().primary_key(), column("value").big_integer().not_null()],
        ),
        table(META, &mut [column("key").text().primary_key(), column("value").text().not_null()]),
        table(
            TOMBSTONE,
            &mut [
                column("version").big_integer().primary_key(),
                column("table_name").text().not_null(),
                column("id").blob().not_null(),
                column("business_unit").blob(),
                column("reason").text().not_null(),
                column("at").big_integer().not_null(),
            ],
        ),
        table(
            CREDENTIAL,
            &mut [
                column("name").text().extra(format!("COLLATE {}", functions::TEXT)).primary_key(),
                column("user_id").blob().not_null(),
                column("password").text().not_null(),
                column("everything").big_integer().not_null(),
            ],
        ),
        table(
            SESSION,
            &mut [
                column("hash").blob().primary_key(),
                column("kind").text().not_null(),
                column("user_id").blob().not_null(),
                column("expires").big_integer().not_null(),
            ],
        ),
    ]
}

fn own_indexes() -> Vec<IndexCreateStatement> {
    vec![
        index(TOMBSTONE, &["table_name", "version"]),
        index(TOMBSTONE, &["at"]),
        index(SESSION, &["expires"]),
    ]
}
