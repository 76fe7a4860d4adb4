//! URLs of what is pulled.

use crate::model::Millis;
use flette_odata::edm::Table;
use flette_odata::time::format_datetime;
use uuid::Uuid;

/// All rows of a table, with these properties.
pub fn collection_url(root: &str, table: &Table, columns: &[String]) -> String {
    format!("{root}{}?$select={}", table.set_name, columns.join(","))
}

/// Rows changed at `since` or later, in an order that stands still while pages are read.
pub fn sweep_url(root: &str, table: &Table, columns: &[String], since: Millis) -> String {
    format!(
        "{}&$filter=modifiedon%20ge%20{}&$orderby=modifiedon%20asc,{}%20asc",
        collection_url(root, table, columns),
        format_datetime(since.0),
        table.primary_id
    )
}

/// One row.
pub fn row_url(root: &str, table: &Table, id: Uuid) -> String {
    format!("{root}{}({id})", table.set_name)
}
