//! What is known of the difference between the server's clock and this device's, from what answers say of the time.
//!
//! After Marzullo, "Maintaining the Time in a Distributed System" (1984): each answer bounds the difference from both
//! sides, and the truth lies where all bounds agree. A `Date` bounds it to a second and the way there and back; answers that
//! fall differently into the server's seconds cut that down.

use super::Millis;
use serde::{Deserialize, Serialize};

/// A device shows whole milliseconds: what it shows is behind by less than this.
const GRAIN_MILLIS: i64 = 1;
/// `Date` cuts off parts of a second.
const SECOND_MILLIS: i64 = 1_000;
/// Two clocks that nobody sets part by up to a millisecond in so many: 100 ppm, which is a poor quartz.
const DRIFT: i64 = 10_000;

/// What one answer says of the server's clock: at some moment between `sent` and `received`, on this device's clock, it
/// stood between `from` and `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When the request left, by this device.
    pub sent: Millis,
    /// When the answer was here, by this device.
    pub received: Millis,
    /// The server's clock, at least.
    pub from: Millis,
    /// The server's clock, at most.
    pub to: Millis,
}

impl Heard {
    /// From a `Date`, which tells the second.
    pub fn in_second(sent: Millis, received: Millis, date: Millis) -> Heard {
        Heard { sent, received, from: date, to: Millis(date.0.saturating_add(SECOND_MILLIS - 1)) }
    }

    /// From a server that tells the millisecond.
    pub fn exactly(sent: Millis, received: Millis, at: Millis) -> Heard {
        Heard { sent, received, from: at, to: at }
    }

    /// What the server's clock had reached when the request left, at least: nothing that was committed later is missing in
    /// what is asked for from then on.
    pub fn when_sent(&self) -> Millis {
        let way_millis = self.received.0.saturating_sub(self.sent.0).max(0);
        Millis(self.from.0.saturating_sub(way_millis))
    }

    /// Where the server's time minus the device's lies by this answer alone; `None` when it was received before it was
    /// sent: then the device's clock was set in between.
    fn bounds(&self) -> Option<Bounds> {
        (self.sent <= self.received).then(|| Bounds {
            least_millis: self.from.0.saturating_sub(self.received.0).saturating_sub(GRAIN_MILLIS),
            most_millis: self.to.0.saturating_sub(self.sent.0).saturating_add(GRAIN_MILLIS),
            at: self.received,
        })
    }
}

/// Server time minus device time. Nothing is known of it before the first answer: it counts as none then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offset {
    known: Option<Bounds>,
}

/// Between which values it lies, both included, as of a moment on the device's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Bounds {
    least_millis: i64,
    most_millis: i64,
    at: Millis,
}

impl Offset {
    /// The least that the offset can be, milliseconds: the device's time plus this never lies ahead of the server's.
    ///
    /// Not the middle, though that errs by half as much. A stamp that lies ahead can be later than what somebody made of the
    /// very edit that it stands on, when the server has taken that edit and its answer was lost: the edit then counts as the
    /// newer one and is asked for again. No such thing comes of a stamp that lies behind: it loses against
    /// what somebody else wrote up to as much earlier without having seen it, the loser stands in the conflict log, and the
    /// bound comes nearer with every answer.
    pub fn least_millis(&self) -> i64 {
        self.known.map_or(0, |known| known.least_millis)
    }

    /// How much is not known, milliseconds: no more than the last answer alone left open. `None` before the first answer.
    pub fn open_millis(&self) -> Option<i64> {
        self.known.map(|known| known.most_millis.saturating_sub(known.least_millis))
    }

    /// What is known after one more answer: where it agrees with what was known before, which grows wide with time, since
    /// no two clocks go alike. Where it does not agree, one of the clocks was set, and the answer counts alone.
    #[must_use]
    pub fn after(self, heard: &Heard) -> Offset {
        let Some(told) = heard.bounds() else { return self };
        let agreed = self.known.and_then(|known| known.aged(told.at).and(&told));
        Offset { known: Some(agreed.unwrap_or(told)) }
    }
}

impl Bounds {
    /// As wide as drift can have made it by a moment. What is less than a millisecond of drift stays to be counted later.
    fn aged(self, now: Millis) -> Bounds {
        let elapsed_millis = now.0.saturating_sub(self.at.0);
        let drift_millis = elapsed_millis.saturating_abs() / DRIFT;
        let counted_millis = drift_millis.saturating_mul(DRIFT).saturating_mul(elapsed_millis.signum());
        Bounds {
            least_millis: self.least_millis.saturating_sub(drift_millis),
            most_millis: self.most_millis.saturating_add(drift_millis),
            at: Millis(self.at.0.saturating_add(counted_millis)),
        }
    }

    /// Where both hold, as of the first one's moment.
    fn and(self, other: &Bounds) -> Option<Bounds> {
        let least_millis = self.least_millis.max(other.least_millis);
        let most_millis = self.most_millis.min(other.most_millis);
        (least_millis <= most_millis).then_some(Bounds { least_millis, most_millis, at: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a device hears whose clock lies `offset` behind the server's, of an answer that was on its way that long.
    fn answer(sent: i64, offset: i64, (there, back): (i64, i64)) -> Heard {
        let date = (sent + offset + there).div_euclid(1000) * 1000;
        Heard::in_second(Millis(sent), Millis(sent + there + back), Millis(date))
    }

    fn after(answers: &[Heard]) -> Offset {
        answers.iter().fold(Offset::default(), |known, heard| known.after(heard))
    }

    #[test]
    fn one_date_leaves_a_second_and_the_way_open() {
        let offset = after(&[Heard::in_second(Millis(100), Millis(140), Millis(7_000))]);
        assert_eq!((offset.least_millis(), offset.open_millis()), (7_000 - 140 - 1, Some(999 + 40 + 2)));
        assert_eq!((Offset::default().least_millis(), Offset::default().open_millis()), (0, None));
    }

    #[test]
    fn an_answer_that_tells_the_millisecond_leaves_the_way_open() {
        let offset = after(&[Heard::exactly(Millis(100), Millis(140), Millis(7_123))]);
        assert_eq!((offset.least_millis(), offset.open_millis()), (7_123 - 140 - 1, Some(40 + 2)));
    }

    #[test]
    fn dates_that_fall_differently_into_seconds_leave_little_open() {
        let known = |answers: i64| {
            let heard: Vec<Heard> = (0..answers).map(|n| answer(n * 937, 86_400_321, (8, 5))).collect();
            after(&heard).open_millis().unwrap()
        };
        let open: Vec<i64> = [1, 4, 16, 60].into_iter().map(known).collect();
        assert!(open.windows(2).all(|pair| pair[1] < pair[0]), "{open:?}");
        assert!(open[3] <= 100, "{open:?}");
    }

    #[test]
    fn a_clock_that_was_set_is_believed_at_once() {
        let known =
            after(&[answer(1_000, 300, (5, 5)), answer(1_950, 300, (5, 5)), answer(2_620, 300, (5, 5))]);
        let set = answer(2_700, 86_400_000, (5, 5));
        assert_eq!(known.after(&set), after(&[set]));
        // In the middle of a request it teaches nothing.
        let torn = Heard::in_second(Millis(9_000), Millis(8_000), Millis(0));
        assert_eq!(known.after(&torn), known);
    }

    #[test]
    fn what_was_known_grows_wide_while_nothing_is_heard() {
        let exact = Heard::exactly(Millis(0), Millis(0), Millis(50));
        let hour = 3_600_000;
        // A `Date` that says nothing new an hour later: the clocks may have parted by 360 ms by then.
        let known = after(&[exact, Heard::in_second(Millis(hour), Millis(hour), Millis(hour))]);
        assert_eq!(known.open_millis(), Some(50 + 360 + 1 + 1));
        // However often it is heard meanwhile.
        let often: Vec<Heard> = (1..=3_600)
            .map(|n| Heard::in_second(Millis(n * 1000), Millis(n * 1000), Millis(n * 1000)))
            .collect();
        assert_eq!(often.iter().fold(after(&[exact]), |k, heard| k.after(heard)).open_millis(), Some(412));
    }

    /// Pauses before requests and both ways, milliseconds.
    fn traffic() -> impl Strategy<Value = Vec<(i64, (i64, i64))>> {
        prop::collection::vec((0_i64..20_000, (0_i64..400, 0_i64..400)), 1..60)
    }

    proptest! {
        /// Whatever the ways there and back: never ahead, behind by a second and the way at most, and never less sure.
        #[test]
        fn it_never_lies_ahead_and_the_error_only_shrinks(
            traffic in traffic(), offset in any::<i32>(), start in any::<i32>()
        ) {
            let (offset, mut now, mut known) = (i64::from(offset), i64::from(start), Offset::default());
            let (mut open, mut way_millis_min) = (1_000_000, 1_000_000);
            for (pause, (there, back)) in traffic {
                now += pause;
                known = known.after(&answer(now, offset, (there, back)));
                now += there + back;
                way_millis_min = way_millis_min.min(there + back);
                let behind = offset - known.least_millis();
                prop_assert!((0..=1_001 + way_millis_min).contains(&behind), "{behind}");
                // But for what drift may have done: none is here, but it is not known that there is none.
                prop_assert!(known.open_millis().unwrap() <= open + 2 * (pause + there + back) / DRIFT + 2);
                open = known.open_millis().unwrap();
            }
        }

        /// A clock that goes wrong by 100 ppm, as it is allowed to.
        #[test]
        fn drift_does_not_make_it_lie_ahead(traffic in traffic(), fast in any::<bool>()) {
            let (mut now, mut known) = (0_i64, Offset::default());
            let offset = |now: i64| if fast { -(now / DRIFT) } else { now / DRIFT };
            for (pause, way) in traffic {
                now += pause * 100;
                known = known.after(&answer(now, offset(now), way));
                now += way.0 + way.1;
                let behind = offset(now) - known.least_millis();
                prop_assert!((-2..=1_003 + way.0 + way.1).contains(&behind), "{behind}");
            }
        }

        /// A clock that is set at any moment between two answers: after the next one the error is that of one answer.
        #[test]
        fn after_a_jump_one_answer_is_enough(
            before in traffic(), jump in any::<i32>(), way in (0_i64..400, 0_i64..400)
        ) {
            let (mut now, offset, mut known) = (0_i64, 5_000_i64, Offset::default());
            for (pause, way) in before {
                now += pause;
                known = known.after(&answer(now, offset, way));
                now += way.0 + way.1;
            }
            let (now, offset) = (now + i64::from(jump), offset - i64::from(jump));
            known = known.after(&answer(now, offset, way));
            let behind = offset - known.least_millis();
            prop_assert!(behind.abs() <= 1_001 + way.0 + way.1, "{behind}");
            prop_assert!(known.open_millis().unwrap() <= 1_001 + way.0 + way.1);
        }

        /// A server that tells the millisecond leaves nothing open but the way of the fastest answer.
        #[test]
        fn exact_answers_leave_the_fastest_way(traffic in traffic(), offset in any::<i32>()) {
            let (offset, mut now, mut known) = (i64::from(offset), 0_i64, Offset::default());
            let way_millis_min = traffic.iter().map(|(_, way)| way.0 + way.1).min().unwrap();
            for (pause, (there, back)) in traffic {
                now += pause;
                let at = Millis(now + offset + there);
                known = known.after(&Heard::exactly(Millis(now), Millis(now + there + back), at));
                now += there + back;
            }
            let drift_millis = now / DRIFT + 1;
            prop_assert!((0..=way_millis_min + 1 + drift_millis).contains(&(offset - known.least_millis())));
        }
    }
}
