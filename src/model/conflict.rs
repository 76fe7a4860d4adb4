//! The conflict log's records: what lost, against what, and when.

use super::{EntityRef, FieldEdit, Hlc, Key, OpId, Row, ServerTime, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One of the two sides of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// This device's user.
    Local,
    /// The CRM server, that is some other user.
    Server,
}

/// What the two sides did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Clash {
    /// Both changed one column, to different values.
    Field {
        /// Logical name of the column.
        name: String,
        /// The local value.
        local: Value,
        /// The server's value.
        server: Value,
    },
    /// Edited here, deleted there: the row is gone; it is kept here as the user saw it, to create it again.
    DeletedThere {
        /// The row with its local edits.
        row: Row,
        /// The local edits.
        edits: Vec<FieldEdit>,
    },
    /// Deleted here, edited there.
    DeletedHere,
}

impl Clash {
    /// `field`, `deleted-there` or `deleted-here`.
    pub fn kind(&self) -> &'static str {
        match self {
            Clash::Field { .. } => "field",
            Clash::DeletedThere { .. } => "deleted-there",
            Clash::DeletedHere => "deleted-here",
        }
    }
}

/// One record of the conflict log: durable until the user deletes the replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Identity; time-ordered.
    pub id: Uuid,
    /// The row.
    pub key: Key,
    /// What clashed.
    pub clash: Clash,
    /// Stamp of the local edit.
    pub local_at: Hlc,
    /// The server's stamp, where it told one.
    pub server_at: Option<ServerTime>,
    /// Who last changed the row on the server, where it told.
    pub server_author: Option<EntityRef>,
    /// The local operation.
    pub op: OpId,
    /// Which side's value stands.
    pub winner: Side,
    /// Whether it was left to a human: the server's value stands only until one has chosen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub manual: bool,
    /// What the user chose afterwards, if anything.
    pub resolved: Option<Side>,
}

impl Conflict {
    /// Whether it waits for a human to choose.
    pub fn is_open(&self) -> bool {
        self.manual && self.resolved.is_none()
    }
}
