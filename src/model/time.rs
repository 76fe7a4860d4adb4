//! Two kinds of time that must not be mixed: what this device's clock says, and what the server's rows say.

use serde::{Deserialize, Serialize};

/// This device's wall clock, corrected or not, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Millis(pub i64);

/// A time the server stamped on a row or field, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Dataverse stamps whole seconds: such a stamp counts to the end of its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerTime(pub i64);

impl ServerTime {
    /// The last millisecond that the stamp can mean.
    pub fn end(self) -> Millis {
        match self.0.rem_euclid(1000) {
            0 => Millis(self.0.saturating_add(999)),
            _ => Millis(self.0),
        }
    }
}
