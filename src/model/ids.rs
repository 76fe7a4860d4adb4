//! Identities: of rows, entries, operations and devices.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One row: logical name of its table, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Key {
    pub table: String,
    pub id: Uuid,
}

impl Key {
    /// The key of row `id` of `table`.
    pub fn new(table: impl Into<String>, id: Uuid) -> Key {
        Key { table: table.into(), id }
    }
}

/// Position in the journal; grows by one per entry and is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Seq(pub u64);

/// Identity of one local operation; stays the same however often it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpId(pub Uuid);

/// Identity of a change set: its entries reach the server together or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangeSetId(pub Uuid);

/// Identity of this replica among the user's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct DeviceId(pub u64);

/// Opaque server version of one row, such as `W/"468026"`. Compared for equality only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ETag(pub String);
