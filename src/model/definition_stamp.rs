//! Up to where changes of the server's definitions are known.

use super::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// So long are definitions believed to be as they were where no change of them is told, milliseconds: seven days.
const BELIEVED_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;

/// What the server is asked for changes of definitions by, instead of for all definitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionStamp {
    /// `ServerVersionStamp`, opaque.
    pub stamp: String,
    /// Device time when all definitions were read last.
    pub read: Millis,
    /// Version of the engine that read them: another one may read more of them.
    pub engine: String,
    /// Tables with columns whose options are a global set's: whether a change of that is told with the table is not documented.
    pub shared_options: BTreeSet<String>,
}

impl DefinitionStamp {
    /// All definitions are read now, and were not older than the stamp.
    pub fn begin(stamp: String, now: Millis, shared_options: BTreeSet<String>) -> DefinitionStamp {
        DefinitionStamp { stamp, read: now, engine: env!("CARGO_PKG_VERSION").to_owned(), shared_options }
    }

    /// Whether changes since then are enough to know.
    pub fn is_good(&self, now: Millis) -> bool {
        let age_millis = now.0.saturating_sub(self.read.0);
        self.engine == env!("CARGO_PKG_VERSION") && (0..BELIEVED_MILLIS).contains(&age_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_good_for_seven_days_and_the_engine_that_took_it() {
        let stamp = DefinitionStamp::begin("s".to_owned(), Millis(1000), BTreeSet::new());
        let at = |now| stamp.is_good(Millis(now));
        assert!(at(1000) && at(999 + BELIEVED_MILLIS) && !at(1000 + BELIEVED_MILLIS) && !at(999));
        assert!(!DefinitionStamp { engine: "0".to_owned(), ..stamp.clone() }.is_good(Millis(1000)));
    }
}
