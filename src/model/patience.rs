//! How long the server wants to be left alone. Pure.

use super::Millis;
use serde::{Deserialize, Serialize};

/// Longest wait that a server's `Retry-After` is believed, milliseconds: what people made meanwhile should leave today.
pub const PATIENCE_MILLIS_MAX: u64 = 15 * 60 * 1000;

/// A wish for patience and when it was heard, by this device's clock (RFC 9110, 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    since: Millis,
    millis: u64,
}

impl Patience {
    /// What an answer at `now` asked for, at most [`PATIENCE_MILLIS_MAX`].
    pub fn asked(millis: u64, now: Millis) -> Patience {
        Patience { since: now, millis: millis.min(PATIENCE_MILLIS_MAX) }
    }

    /// What is left of it, milliseconds; `None` when nothing is. A clock that was set back ends it.
    pub fn left(self, now: Millis) -> Option<u64> {
        let waited = u64::try_from(now.0.checked_sub(self.since.0)?).ok()?;
        self.millis.checked_sub(waited).filter(|left| *left > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_runs_out_and_is_bounded() {
        let left = |asked: u64, now: i64| Patience::asked(asked, Millis(1_000)).left(Millis(now));
        assert_eq!(left(7_000, 1_000), Some(7_000));
        assert_eq!(left(7_000, 7_999), Some(1));
        assert_eq!(left(7_000, 8_000), None);
        assert_eq!(left(7_000, i64::MAX), None);
        assert_eq!(left(0, 1_000), None);
        assert_eq!(left(u64::MAX, 1_000), Some(PATIENCE_MILLIS_MAX));
    }

    #[test]
    fn a_clock_that_was_set_back_ends_it() {
        assert_eq!(Patience::asked(7_000, Millis(1_000)).left(Millis(999)), None);
        assert_eq!(Patience::asked(7_000, Millis(i64::MAX)).left(Millis(i64::MIN)), None);
    }
}
