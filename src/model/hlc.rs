//! Hybrid logical clock: stamps of local edits that never run backwards, on corrected wall-clock time.
//!
//! After Kulkarni et al., "Logical Physical Clocks" (2014). Stamps of other devices do not all travel to this one, but no
//! server shows what was edited later than its `Date`: their receive rule holds for that. Beyond it, server times
//! correct the wall clock by an offset.

use super::{DeviceId, Millis};
use serde::{Deserialize, Serialize};

/// Stamp of a local edit. Order: wall clock, then counter, then device; total over all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Hlc {
    /// Corrected wall clock, milliseconds.
    pub wall: Millis,
    /// Order within one millisecond, or while the wall clock stands back.
    pub counter: u32,
    /// Who made the edit.
    pub device: DeviceId,
}

/// Highest counter before the stamp's wall clock is moved on by one millisecond instead.
pub const COUNTER_MAX: u32 = 65_535;

/// Most samples of the clock offset that are kept.
const SAMPLES_MAX: usize = 8;

/// How far two good samples may differ by rounding alone, milliseconds.
const NOISE_MILLIS: i64 = 2_000;

/// One measurement of server time minus device time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Sample {
    offset_millis: i64,
    round_trip_millis: i64,
}

/// Gives out stamps. Persist it together with each entry it stamped, so that stamps stay monotone over restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HlcClock {
    last: Hlc,
    samples: Vec<Sample>,
    /// The server's `Date` when it was last heard, if it ever gave one.
    #[serde(default)]
    heard: Option<Millis>,
}

impl HlcClock {
    /// A clock that has not measured anything: offset 0.
    pub fn new(device: DeviceId) -> HlcClock {
        HlcClock { last: Hlc { device, ..Hlc::default() }, samples: Vec::new(), heard: None }
    }

    /// Takes a stamp that this clock gave out before for given out: the next one is later.
    pub fn gave(&mut self, stamp: Hlc) {
        if (stamp.wall, stamp.counter) > (self.last.wall, self.last.counter) {
            self.last = Hlc { device: self.last.device, ..stamp };
        }
    }

    /// Which device stamps.
    pub fn device(&self) -> DeviceId {
        self.last.device
    }

    /// A stamp later than every stamp given before and than all that the server has shown, at the corrected time of
    /// `now` unless that lies behind.
    pub fn stamp(&mut self, now: Millis) -> Hlc {
        let shown = self.heard.map_or(Millis(i64::MIN), |Millis(heard)| Millis(heard.saturating_add(999)));
        let wall = self.corrected(now).max(shown);
        let last = self.last;
        let (wall, counter) = if wall > last.wall {
            (wall, 0)
        } else if last.counter < COUNTER_MAX {
            (last.wall, last.counter + 1)
        } else {
            (Millis(last.wall.0.saturating_add(1)), 0)
        };
        self.last = Hlc { wall, counter, device: last.device };
        self.last
    }

    /// The latest moment at which anything can have been edited that is there `now`, on the server's clock; `None` while
    /// that clock is not known. Never before the last `Date`, however the device's clock was set since.
    pub fn latest(&self, now: Millis) -> Option<Millis> {
        self.heard.map(|heard| heard.max(self.corrected(now)))
    }

    /// Learns from a `Date` (whole seconds) that came with rows: they were edited until the end of that second.
    pub fn hear(&mut self, server_date: Millis) {
        self.heard = Some(server_date);
    }

    /// Device time `now` corrected to the server's.
    pub fn corrected(&self, now: Millis) -> Millis {
        Millis(now.0.saturating_add(self.offset_millis()))
    }

    /// Server time minus device time: that of the sample with the shortest round trip.
    pub fn offset_millis(&self) -> i64 {
        self.samples.iter().min_by_key(|s| s.round_trip_millis).map_or(0, |s| s.offset_millis)
    }

    /// Learns from one exchange: request sent, answer received, and the server's `Date` (whole seconds, so half a
    /// second is added as the best guess). An answer received before it was sent (clock jump) teaches nothing.
    pub fn measure(&mut self, sent: Millis, received: Millis, server_date: Millis) {
        let round_trip_millis = received.0.saturating_sub(sent.0);
        if round_trip_millis < 0 {
            return;
        }
        self.hear(server_date);
        let middle = sent.0.saturating_add(round_trip_millis / 2);
        let offset_millis = server_date.0.saturating_add(500).saturating_sub(middle);
        // Half a second is the resolution of `Date`: what lies within it is noise, and would make good clocks worse.
        let offset_millis = if offset_millis.abs() <= 1000 { 0 } else { offset_millis };
        // The device's clock was set since an earlier sample when the two differ by more than their trips explain.
        self.samples.retain(|sample| {
            let trips_millis = sample.round_trip_millis.saturating_add(round_trip_millis) / 2;
            let apart_millis = sample.offset_millis.saturating_sub(offset_millis).saturating_abs();
            apart_millis <= trips_millis.saturating_add(NOISE_MILLIS)
        });
        if self.samples.len() == SAMPLES_MAX {
            self.samples.remove(0);
        }
        self.samples.push(Sample { offset_millis, round_trip_millis });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_grow_when_the_wall_clock_stands_still_or_jumps_back() {
        let mut clock = HlcClock::new(DeviceId(7));
        let stamps: Vec<Hlc> =
            [1000, 1000, 400, 1001, 2, 5000].into_iter().map(|t| clock.stamp(Millis(t))).collect();
        assert!(stamps.windows(2).all(|w| w[0] < w[1]), "{stamps:?}");
        assert_eq!(stamps[5], Hlc { wall: Millis(5000), counter: 0, device: DeviceId(7) });
    }

    #[test]
    fn a_full_counter_moves_the_wall_clock_on() {
        let mut clock = HlcClock::new(DeviceId(1));
        let first = clock.stamp(Millis(10));
        for _ in 0..=COUNTER_MAX {
            clock.stamp(Millis(10));
        }
        assert_eq!(clock.stamp(Millis(10)).wall, Millis(first.wall.0 + 1));
    }

    #[test]
    fn a_wrong_device_clock_is_corrected_by_the_best_sample() {
        let mut clock = HlcClock::new(DeviceId(1));
        let day = 86_400_000;
        clock.measure(Millis(0), Millis(4000), Millis(day + 9000));
        clock.measure(Millis(5000), Millis(5010), Millis(day + 5000));
        assert_eq!(clock.offset_millis(), day + 500 - 5);
        clock.measure(Millis(9000), Millis(8000), Millis(0));
        assert_eq!(clock.offset_millis(), day + 500 - 5);
    }

    #[test]
    fn a_clock_that_was_set_right_is_believed_at_once() {
        let mut clock = HlcClock::new(DeviceId(1));
        let day = 86_400_000;
        clock.measure(Millis(0), Millis(10), Millis(day));
        clock.measure(Millis(day), Millis(day + 80), Millis(day));
        assert_eq!(clock.offset_millis(), 0);
    }

    #[test]
    fn nothing_was_edited_later_than_the_server_says_it_is_now() {
        let mut clock = HlcClock::new(DeviceId(1));
        assert_eq!(clock.latest(Millis(7)), None);
        let day = 86_400_000;
        clock.measure(Millis(day), Millis(day + 10), Millis(50_000));
        assert_eq!(clock.latest(Millis(day + 5)), Some(Millis(50_500)));
        // Set back by a day: the server's clock was not.
        assert_eq!(clock.latest(Millis(5)), Some(Millis(50_000)));
    }

    #[test]
    fn what_is_made_of_what_was_shown_is_stamped_after_it() {
        let mut clock = HlcClock::new(DeviceId(1));
        clock.measure(Millis(50_000), Millis(50_010), Millis(50_000));
        clock.hear(Millis(53_000));
        // Set back since, which nothing told yet.
        assert_eq!(clock.stamp(Millis(20_000)).wall, Millis(53_999));
        assert_eq!(clock.stamp(Millis(54_000)).wall, Millis(54_000));
        // A server that was wrong and was set right is believed.
        clock.hear(Millis(9_000_000));
        clock.hear(Millis(60_000));
        assert_eq!(clock.stamp(Millis(61_000)).wall, Millis(61_000));
    }

    use proptest::prelude::*;

    proptest! {
        /// Whatever the device's clock does, whatever was measured, and however often the clock was stored and read.
        #[test]
        fn stamps_never_run_backwards(
            steps in prop::collection::vec((any::<i32>(), any::<i32>(), 0_u8..3), 1..40)
        ) {
            let mut clock = HlcClock::new(DeviceId(3));
            let mut last: Option<Hlc> = None;
            for (now, server, kind) in steps {
                let (now, server) = (Millis(i64::from(now)), Millis(i64::from(server)));
                match kind {
                    0 => clock.measure(now, Millis(now.0 + 20), server),
                    1 => clock = serde_json::from_slice(&serde_json::to_vec(&clock).unwrap()).unwrap(),
                    _ => {}
                }
                let stamp = clock.stamp(now);
                prop_assert!(last.is_none_or(|last| last < stamp), "{last:?} {stamp:?}");
                prop_assert_eq!(stamp.device, DeviceId(3));
                last = Some(stamp);
            }
        }

        /// Two clocks that measured the same server come to the same time, however wrong they are.
        #[test]
        fn clocks_agree_once_they_have_measured(here in any::<i32>(), there in any::<i32>(), server in any::<i32>()) {
            let corrected = |error: i32| {
                let (mut clock, now) = (HlcClock::new(DeviceId(1)), Millis(i64::from(error)));
                clock.measure(now, now, Millis(i64::from(server)));
                clock.corrected(now).0
            };
            // What lies within a second of the server's clock is left alone.
            prop_assert!((corrected(here) - corrected(there)).abs() <= 2_000);
        }
    }
}
