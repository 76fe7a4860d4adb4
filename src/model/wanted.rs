//! Which rows of a table go offline, as found out by a profile and the server's schema.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The rows that a profile wants of a table. One that is not asked about is wanted whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Those that pass.
    Rows {
        /// A `$filter`.
        filter: String,
        /// Logical names of the tables of which other rows decide whether a row passes. Such a row comes or goes
        /// without being changed.
        looks_at: BTreeSet<String>,
    },
    /// What is set makes no sense here.
    Unknown {
        /// Why, for people.
        why: String,
    },
}

impl Wanted {
    /// Whether rows of another table decide.
    pub fn looks_at(&self, table: &str) -> bool {
        matches!(self, Wanted::Rows { looks_at, .. } if looks_at.contains(table))
    }
}
