//! Hybrid logical clock: stamps of local edits that never run backwards, on corrected wall-clock time.
//!
//! After Kulkarni et al., "Logical Physical Clocks" (2014). Stamps of other devices do not all travel to this one, but no
//! server shows what was edited later than it says it is: their receive rule holds for that. Beyond it, what the server says
//! corrects the wall clock by an offset ([`Offset`]).

use super::{DeviceId, Heard, Millis, Offset};
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

/// Gives out stamps. Persist it together with each entry it stamped, so that stamps stay monotone over restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HlcClock {
    last: Hlc,
    #[serde(default)]
    offset: Offset,
    /// What the server's clock said when it last showed anything, if it ever told the time.
    #[serde(default)]
    shown: Option<Shown>,
}

/// The server's clock when it showed something: between these, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    from: Millis,
    to: Millis,
}

impl HlcClock {
    /// A clock that has not measured anything: offset 0.
    pub fn new(device: DeviceId) -> HlcClock {
        HlcClock { last: Hlc { device, ..Hlc::default() }, offset: Offset::default(), shown: None }
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
    ///
    /// Where the server tells the millisecond such a stamp never lies ahead of its clock, unless the device's was set since
    /// the last answer. Where it tells the second, what it has shown may be of the end of that second, so the stamp may lie
    /// ahead to there: no further than times of whole seconds count that others get within it.
    pub fn stamp(&mut self, now: Millis) -> Hlc {
        let shown = self.shown.map_or(Millis(i64::MIN), |shown| shown.to);
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

    /// A moment that the server's clock has reached `now`, the latest that is certain; `None` while that clock is not known.
    /// Never before what the last answer said, however the device's clock was set since.
    pub fn reached(&self, now: Millis) -> Option<Millis> {
        self.shown.map(|shown| shown.from.max(self.corrected(now)))
    }

    /// Learns from an answer: how far the clocks are apart, and when at the latest anything in it was edited.
    pub fn hear(&mut self, heard: &Heard) {
        self.offset = self.offset.after(heard);
        self.shown = Some(Shown { from: heard.from, to: heard.to });
    }

    /// Device time `now` corrected to the server's, of which it never lies ahead ([`Offset::least_millis`]).
    pub fn corrected(&self, now: Millis) -> Millis {
        Millis(now.0.saturating_add(self.offset.least_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that heard one `Date`.
    fn heard(sent: i64, received: i64, date: i64) -> HlcClock {
        let mut clock = HlcClock::new(DeviceId(1));
        clock.hear(&Heard::in_second(Millis(sent), Millis(received), Millis(date)));
        clock
    }

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
    fn what_the_server_has_reached_is_never_said_too_late() {
        assert_eq!(HlcClock::new(DeviceId(1)).reached(Millis(7)), None);
        let day = 86_400_000;
        let clock = heard(day, day + 10, 50_000);
        assert_eq!(clock.reached(Millis(day + 5)), Some(Millis(50_000)));
        assert_eq!(clock.reached(Millis(day + 611)), Some(Millis(50_600)));
        // Set back by a day: the server's clock was not.
        assert_eq!(clock.reached(Millis(5)), Some(Millis(50_000)));
    }

    #[test]
    fn what_is_made_of_what_was_shown_is_stamped_after_it() {
        let mut clock = heard(53_000, 53_010, 53_000);
        // Set back since, which nothing told yet.
        assert_eq!(clock.stamp(Millis(20_000)).wall, Millis(53_999));
        assert_eq!(clock.stamp(Millis(55_011)).wall, Millis(55_000));
        // A server that was wrong and was set right is believed.
        clock.hear(&Heard::in_second(Millis(56_000), Millis(56_000), Millis(9_000_000)));
        clock.hear(&Heard::in_second(Millis(60_000), Millis(60_000), Millis(60_000)));
        assert_eq!(clock.stamp(Millis(61_001)).wall, Millis(61_000));
    }

    #[test]
    fn where_the_millisecond_is_told_no_stamp_lies_ahead() {
        let mut clock = HlcClock::new(DeviceId(1));
        clock.hear(&Heard::exactly(Millis(1_000), Millis(1_040), Millis(500_123)));
        // At that moment the server's clock stands between 500,123 and 500,164.
        assert_eq!(clock.stamp(Millis(1_040)).wall, Millis(500_123));
        assert_eq!(clock.stamp(Millis(1_100)).wall, Millis(500_182));
    }

    use proptest::prelude::*;

    proptest! {
        /// Whatever the device's clock does, whatever was heard, and however often the clock was stored and read.
        #[test]
        fn stamps_never_run_backwards(
            steps in prop::collection::vec((any::<i32>(), any::<i32>(), 0_u8..4), 1..40)
        ) {
            let mut clock = HlcClock::new(DeviceId(3));
            let mut last: Option<Hlc> = None;
            for (now, server, kind) in steps {
                let (now, server) = (Millis(i64::from(now)), Millis(i64::from(server)));
                match kind {
                    0 => clock.hear(&Heard::in_second(now, Millis(now.0 + 20), server)),
                    1 => clock.hear(&Heard::exactly(now, Millis(now.0 + 20), server)),
                    2 => clock = serde_json::from_slice(&serde_json::to_vec(&clock).unwrap()).unwrap(),
                    _ => {}
                }
                let stamp = clock.stamp(now);
                prop_assert!(last.is_none_or(|last| last < stamp), "{last:?} {stamp:?}");
                prop_assert_eq!(stamp.device, DeviceId(3));
                last = Some(stamp);
            }
        }

        /// Two devices pull and edit in turn, with clocks wrong by anything and any ways there and back: what one makes
        /// of what the other one's edit came to is stamped later, and no stamp lies ahead of the server's clock.
        #[test]
        fn what_was_seen_is_older_than_what_is_made_of_it(
            wrong in (any::<i32>(), any::<i32>()),
            turns in prop::collection::vec((0_usize..2, 0_i64..3_000, (0_i64..400, 0_i64..400)), 1..30)
        ) {
            let offsets = [i64::from(wrong.0), i64::from(wrong.1)];
            let mut clocks = [HlcClock::new(DeviceId(1)), HlcClock::new(DeviceId(2))];
            let (mut now, mut seen) = (1_000_000_i64, i64::MIN);
            for (device, pause, (there, back)) in turns {
                now += pause;
                let here = |server: i64| Millis(server - offsets[device]);
                let ready = now + there;
                clocks[device].hear(&Heard::exactly(here(now), here(ready + back), Millis(ready)));
                now = ready + back + pause % 7;
                let stamp = clocks[device].stamp(here(now));
                // The counter parts stamps of one millisecond, here only: told are milliseconds.
                prop_assert!(stamp.wall.0 >= seen, "{seen} {stamp:?}");
                prop_assert!(stamp.wall.0 <= now, "{now} {stamp:?}");
                seen = stamp.wall.0;
                now += 1;
            }
        }
    }
}
