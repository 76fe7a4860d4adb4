//! Tables whose rows are those of several others together: SQL views. They stand on the columns of the others,
//! so they are taken down before these change, and set up again after.

use super::{is_polymorphic, quoted, sql_columns, target_column, SqlColumn, SqlKind};
use crate::db::{Dialect, Storage, Writer};
use flette_odata::error::Result;
use flette_odata::{ColumnKind, Schema, Table};

/// Tables whose rows a union holds: all activities.
fn members<'s>(schema: &'s Schema, union: &'s Table) -> impl Iterator<Item = &'s Table> {
    schema.tables.iter().filter(|table| union.activity && table.activity && !table.union)
}

/// Whether any table that a view stands on, or is, differs between two schemas.
pub(in crate::db) fn views_depend_on(old: &Schema, new: &Schema) -> bool {
    fn concerned(schema: &Schema) -> impl Iterator<Item = &Table> {
        schema.tables.iter().filter(|table| table.union || table.activity)
    }
    !concerned(old).eq(concerned(new))
}

/// Takes the views of a schema down.
pub(in crate::db) fn drop_views(writer: &Writer, schema: &Schema) -> Result<()> {
    let mut unions = schema.tables.iter().filter(|table| table.union);
    unions
        .try_for_each(|table| writer.define(&format!("DROP VIEW IF EXISTS {}", quoted(&table.logical_name))))
}

/// Sets the views of a schema up.
pub(in crate::db) fn create_views(writer: &Writer, schema: &Schema) -> Result<()> {
    let dialect = writer.dialect();
    for union in schema.tables.iter().filter(|table| table.union) {
        let columns = sql_columns(union, dialect);
        let parts: Vec<String> =
            members(schema, union).map(|member| part(member, &columns, dialect)).collect();
        if !parts.is_empty() {
            let (name, parts) = (quoted(&union.logical_name), parts.join(" UNION ALL "));
            writer.define(&format!("CREATE VIEW {name} AS {parts}"))?;
        }
    }
    Ok(())
}

/// The rows of one member, with the union's columns. What the member does not have is null.
fn part(member: &Table, columns: &[SqlColumn], dialect: Dialect) -> String {
    let has = sql_columns(member, dialect);
    let one = |column: &SqlColumn| {
        let name = quoted(&column.name);
        if has.iter().any(|own| own.name == column.name && own.kind == column.kind) {
            return name;
        }
        match sole_target(member, &column.name) {
            Some((lookup, target)) => format!(
                "CASE WHEN {} IS NULL THEN NULL ELSE '{}' END AS {name}",
                quoted(lookup),
                target.replace('\'', "''")
            ),
            None => format!("CAST(NULL AS {}) AS {name}", type_name(column.kind, dialect)),
        }
    };
    let columns: Vec<String> = columns.iter().map(one).collect();
    format!("SELECT {} FROM {}", columns.join(", "), quoted(&member.logical_name))
}

/// For the column that holds a lookup's target table: the member's lookup, when it has one target only.
fn sole_target<'t>(member: &'t Table, target: &str) -> Option<(&'t str, &'t str)> {
    let column =
        member.columns.iter().find(|column| column.is_lookup() && target_column(column) == target)?;
    match &column.kind {
        ColumnKind::Lookup { targets } if !is_polymorphic(column) => {
            Some((&column.logical_name, &targets.first()?.table))
        }
        _ => None,
    }
}

fn type_name(kind: SqlKind, dialect: Dialect) -> &'static str {
    match (kind, dialect) {
        (SqlKind::Of(Storage::Id), Dialect::Sqlite) => "blob",
        (SqlKind::Of(Storage::Id), Dialect::Postgres) => "bytea",
        (SqlKind::Of(Storage::Decimal), Dialect::Postgres) => "numeric",
        (SqlKind::Of(Storage::Text | Storage::Decimal) | SqlKind::Word, _) => "text",
        (SqlKind::Of(Storage::Real), Dialect::Sqlite) => "real",
        (SqlKind::Of(Storage::Real), Dialect::Postgres) => "double precision",
        (SqlKind::Of(Storage::Whole) | SqlKind::Xact, _) => "bigint",
    }
}
