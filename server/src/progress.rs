//! What somebody who waits for long work reads: rows, rate, time left.

use std::time::Duration;

/// Shortest time between two lines, milliseconds.
const LINE_MILLIS_MIN: u128 = 1000;

/// Long work under way.
#[derive(Debug)]
pub struct Progress {
    what: String,
    last_told: Option<Duration>,
}

impl Progress {
    /// Work that has begun; `what` stands before every line.
    pub fn new(what: impl Into<String>) -> Progress {
        Progress { what: what.into(), last_told: None }
    }

    /// The line to show after so many of so many rows and so much time: one in a second at most, and one at
    /// the end.
    pub fn line(&mut self, done: u64, total: u64, elapsed: Duration) -> Option<String> {
        let is_due =
            self.last_told.is_none_or(|told| elapsed.saturating_sub(told).as_millis() >= LINE_MILLIS_MIN);
        if done < total && !is_due {
            return None;
        }
        self.last_told = Some(elapsed);
        let millis = elapsed.as_millis().max(1);
        let rate = u128::from(done) * 1000 / millis;
        let rest = match done {
            done if done >= total => format!("took {}", shown(elapsed)),
            0 => "just begun".to_owned(),
            done => {
                let left = u128::from(total - done) * millis / u128::from(done);
                let left = Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
                format!("{} left", shown(left))
            }
        };
        Some(format!("{}: {done} of {total} rows, {rate} rows/s, {rest}", self.what))
    }
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rows_rate_and_time_left() {
        let mut progress = Progress::new("demo");
        let mut check = |done: u64, millis: u64, expected: Option<&str>| {
            let line = progress.line(done, 1000, Duration::from_millis(millis));
            assert_eq!(line.as_deref(), expected, "{done} after {millis}");
        };
        check(0, 0, Some("demo: 0 of 1000 rows, 0 rows/s, just begun"));
        check(100, 999, None);
        check(100, 1000, Some("demo: 100 of 1000 rows, 100 rows/s, 9 s left"));
        check(200, 1999, None);
        check(200, 2000, Some("demo: 200 of 1000 rows, 100 rows/s, 8 s left"));
        check(1000, 2001, Some("demo: 1000 of 1000 rows, 499 rows/s, took 2 s"));
        let mut progress = Progress::new("long");
        let line = progress.line(1000, 1_000_000, Duration::from_secs(10)).unwrap();
        assert!(line.ends_with("2 h 46 min left"), "{line}");
        let line = progress.line(100_000, 1_000_000, Duration::from_secs(50)).unwrap();
        assert!(line.ends_with("7 min 30 s left"), "{line}");
    }
}
