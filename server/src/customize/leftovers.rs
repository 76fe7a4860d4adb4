//! Rows that name a table or column which is gone: what was shown of it, and who might do what with it. They go in the
//! same transaction, so that one of the same name that comes later begins without them.

use crate::db::rows::Sight;
use crate::db::Writer;
use flette_odata::error::Result;
use flette_odata::{Schema, Table, Value};

/// Tables whose rows name a table, with the column that does.
const NAMING: [(&str, &str); 5] = [
    ("systemform", "objecttypecode"),
    ("savedquery", "returnedtypecode"),
    ("userquery", "returnedtypecode"),
    ("roleprivilege", "objecttypecode"),
    (PERMISSION, "entityname"),
];
/// The table whose rows name a column too.
const PERMISSION: &str = "fieldpermission";

/// Removes rows that name what `before` had and `after` has not.
pub(super) fn remove(writer: &Writer, before: &Schema, after: &Schema, now: i64) -> Result<()> {
    for old in &before.tables {
        match after.table(&old.logical_name) {
            None => {
                for (table, column) in NAMING {
                    naming(writer, after, (table, column, &old.logical_name), now, |_| true)?;
                }
            }
            Some(new) if old.columns.iter().any(|column| is_gone(&column.logical_name, new)) => {
                let named = (PERMISSION, "entityname", old.logical_name.as_str());
                naming(writer, after, named, now, |column| is_gone(column, new))?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_gone(column: &str, table: &Table) -> bool {
    table.column(column).is_none()
}

/// Removes the rows that name a table, and in `attributelogicalname` a column that is `gone`.
fn naming(
    writer: &Writer,
    schema: &Schema,
    (holder, column, name): (&str, &str, &str),
    now: i64,
    gone: impl Fn(&str) -> bool,
) -> Result<()> {
    let Some(table) = schema.table(holder) else { return Ok(()) };
    for id in writer.ids_with(table, column, name)? {
        let Some(stored) = writer.row(table, id, &Sight::Everything)? else { continue };
        let of = stored.row.get("attributelogicalname").and_then(Value::as_text).unwrap_or_default();
        if gone(&of.to_lowercase()) {
            writer.remove(table, &stored.row, id, now)?;
        }
    }
    Ok(())
}
