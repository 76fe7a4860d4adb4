//! Rows that are alike in some columns, and how many there are.

use super::{name, Reader, Storage};
use flette_odata::error::Result;
use flette_odata::{Table, Uuid, Value};
use sea_query::{Expr, Query};

impl Reader<'_> {
    /// Whether several rows have the same values in all of these columns. A null is like nothing.
    ///
    /// # Errors
    /// 500 when the database fails.
    pub fn has_doubles(&self, table: &Table, columns: &[String]) -> Result<bool> {
        let mut query = Query::select();
        query.expr(Expr::col(name(&table.primary_id)).count()).from(name(&table.logical_name));
        for column in columns.iter().filter_map(|name| table.column(name)) {
            query.and_where(Expr::col(name(&column.logical_name)).is_not_null());
            query.add_group_by([self.dialect().key(column)]);
        }
        query.and_having(Expr::expr(Expr::col(name(&table.primary_id)).count()).gt(1i64)).limit(1);
        Ok(self.first(&query, |_| ())?.is_some())
    }

    /// The rows that have a text in a column.
    ///
    /// # Errors
    /// 500 when the database fails.
    pub fn ids_with(&self, table: &Table, column: &str, text: &str) -> Result<Vec<Uuid>> {
        let dialect = self.dialect();
        let mut query = Query::select();
        query.column(name(&table.primary_id)).from(name(&table.logical_name)).and_where(
            Expr::expr(dialect.key_at(Storage::Text, name(column)))
                .eq(dialect.bound(&Value::Text(text.to_owned()))),
        );
        self.all(&query, |row| row.id(0).unwrap_or_default())
    }

    /// Rows of a table.
    ///
    /// # Errors
    /// 500 when the database fails.
    pub fn total(&self, table: &Table) -> Result<i64> {
        let mut query = Query::select();
        query.expr(Expr::col(name(&table.primary_id)).count()).from(name(&table.logical_name));
        Ok(self.first(&query, |row| row.int(0))?.flatten().unwrap_or_default())
    }
}
