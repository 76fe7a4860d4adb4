//! When the next round is due. Pure.

use super::Report;
use crate::model::Millis;

/// A round at least this often, milliseconds.
pub const ROUND_INTERVAL_MILLIS: i64 = 15 * 60 * 1000;
/// First wait after a failed round, milliseconds.
pub const BACKOFF_MILLIS_MIN: i64 = 2_000;
/// Longest wait after failed rounds, milliseconds.
pub const BACKOFF_MILLIS_MAX: i64 = 15 * 60 * 1000;
/// Doublings after which the longest wait is reached in any case.
const DOUBLINGS_MAX: u32 = 20;

/// How long to wait after `failures` failed rounds in a row (at least 1), milliseconds: doubled each time, bounded, and
/// spread over the upper half by `chance`, so that devices cut off together don't come back together.
pub fn backoff_millis(failures: u32, chance: u16) -> i64 {
    let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
    let whole = BACKOFF_MILLIS_MIN.saturating_mul(1 << doublings).min(BACKOFF_MILLIS_MAX);
    let half = whole / 2;
    half + half * i64::from(chance) / i64::from(u16::MAX)
}

/// When to call `round` again after a round that ended at `now`. `failures` counts the rounds in a row that were not
/// `ok`, this one included. `None`: not before the user has signed in again.
pub fn next_round_at(report: &Report, failures: u32, now: Millis, chance: u16) -> Option<Millis> {
    if report.signed_out {
        return None;
    }
    if report.more {
        return Some(now);
    }
    if report.ok {
        return Some(Millis(now.0.saturating_add(ROUND_INTERVAL_MILLIS)));
    }
    let own = backoff_millis(failures.max(1), chance);
    let asked = report.retry_after_millis.map_or(0, |wait| i64::try_from(wait).unwrap_or(i64::MAX));
    Some(Millis(now.0.saturating_add(own.max(asked))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_bounds_and_spread_over_the_upper_half() {
        let spread = |failures| (backoff_millis(failures, 0), backoff_millis(failures, u16::MAX));
        assert_eq!(spread(0), (1000, 2000));
        assert_eq!(spread(1), (1000, 2000));
        assert_eq!(spread(2), (2000, 4000));
        assert_eq!(spread(5), (16_000, 32_000));
        assert_eq!(spread(u32::MAX), (BACKOFF_MILLIS_MAX / 2, BACKOFF_MILLIS_MAX));
    }

    #[test]
    fn the_next_round_follows_from_how_this_one_ended() {
        let at =
            |report: Report, failures| next_round_at(&report, failures, Millis(1_000_000), 0).map(|m| m.0);
        let failed = Report::default();
        assert_eq!(at(Report { ok: true, ..Report::default() }, 0), Some(1_000_000 + ROUND_INTERVAL_MILLIS));
        assert_eq!(at(Report { more: true, ..Report::default() }, 0), Some(1_000_000));
        assert_eq!(at(failed.clone(), 1), Some(1_001_000));
        assert_eq!(at(Report { retry_after_millis: Some(90_000), ..failed.clone() }, 1), Some(1_090_000));
        assert_eq!(at(Report { retry_after_millis: Some(1), ..failed.clone() }, 3), Some(1_004_000));
        assert_eq!(at(Report { signed_out: true, ..failed }, 1), None);
    }
}
