//! Query functions rewritten to plain conditions, when it is known who asks, and when.

use super::Filter;
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use uuid::Uuid;

/// Who asks, and when.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
    /// The caller's `systemuserid`.
    pub user: Uuid,
    /// The caller's business unit.
    pub business_unit: Uuid,
    /// The caller's teams.
    pub teams: &'a [Uuid],
    /// Minutes to add to UTC for the caller's calendar.
    pub utc_offset_minutes: i32,
    /// Ids that answer a question about a hierarchy.
    pub hierarchy: &'a dyn Fn(&HierarchyQuestion) -> Result<Vec<Uuid>>,
}

/// Which rows stand above or under a row, that row itself never among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HierarchyQuestion {
    /// Logical name of the table.
    pub table: String,
    /// The table's lookup to itself (`parentaccountid`) that makes the hierarchy.
    pub parent: String,
    /// The row asked about.
    pub id: Uuid,
    /// Whether the rows above are asked for; else those under it.
    pub above: bool,
}

/// The same condition without [`Filter::Function`].
///
/// # Errors
/// 400 when a function does not fit its column; what the callback gives.
pub fn resolve(filter: &Filter, table: &Table, schema: &Schema, at: &Circumstances<'_>) -> Result<Filter> {
    let all = |items: &[Filter]| -> Result<Vec<Filter>> {
        items.iter().map(|item| resolve(item, table, schema, at)).collect()
    };
    Ok(match filter {
        Filter::And(items) => Filter::And(all(items)?),
        Filter::Or(items) => Filter::Or(all(items)?),
        Filter::Not(inner) => Filter::Not(Box::new(resolve(inner, table, schema, at)?)),
        Filter::Through { .. } | Filter::Any { .. } | Filter::Function { .. } => {
            return Err(ODataError::not_implemented("Query functions are not supported."))
        }
        Filter::Compare { .. }
        | Filter::CompareColumns { .. }
        | Filter::Text { .. }
        | Filter::HasValues { .. }
        | Filter::Always(_) => filter.clone(),
    })
}
