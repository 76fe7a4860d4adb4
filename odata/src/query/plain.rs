//! Queries that a plain list answers: columns of a table's own rows, and rows behind its lookups.

use super::{Expand, Query};

impl Query {
    /// What the query asks for beyond conditions on and orders by a row's own columns, and single lookups
    /// expanded with `$select`; `None` when that is all.
    pub fn beyond_plain(&self) -> Option<&'static str> {
        if self.apply.is_some() {
            return Some("$apply");
        }
        if self.fetch.is_some() {
            return Some("fetchXml");
        }
        if self.saved.is_some() {
            return Some("Running a view");
        }
        if self.filter.as_ref().is_some_and(|filter| !filter.is_of_one_row()) {
            return Some("A path, lambda or query function in $filter");
        }
        if self.orderby.iter().any(|by| !by.path.is_empty()) {
            return Some("Ordering by a column of another table");
        }
        if self.expand.iter().any(|expand| !is_plain(expand)) {
            return Some("$expand of a collection, of references or in several levels");
        }
        None
    }
}

fn is_plain(expand: &Expand) -> bool {
    !expand.collection && !expand.reference_only && expand.expand.is_empty()
}
