//! Dataverse's service protection: how much one user may ask of one server within a sliding window.
//!
//! The window is kept as a ring of slots: what was asked falls out slot by slot, so that memory per user is
//! fixed. Requests refused for their number count as well: who hammers waits longer, as in Dataverse.

use flette_odata::{ODataError, Response, Uuid};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// Parts the window is kept in.
const SLOTS: usize = 60;
/// The same, to reckon with slot numbers.
const SLOT_COUNT: i64 = 60;

/// What one user may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most requests in a window. A batch is one.
    pub requests: u32,
    /// Longest execution of all requests in a window together, milliseconds.
    pub execution_millis: u64,
    /// Most requests at once.
    pub concurrent: u32,
    /// Length of the window, milliseconds.
    pub window_millis: u32,
}

impl Default for Limits {
    /// Dataverse's own.
    fn default() -> Limits {
        Limits { requests: 6000, execution_millis: 1_200_000, concurrent: 52, window_millis: 300_000 }
    }
}

impl FromStr for Limits {
    type Err = String;

    /// `requests=6000,seconds=1200,concurrent=52,window=300`; what is not named is Dataverse's.
    fn from_str(text: &str) -> Result<Limits, String> {
        let mut limits = Limits::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or("expected name=number, parted by commas")?;
            let value: u32 =
                value.parse().ok().filter(|v| *v > 0).ok_or("expected a whole number above 0")?;
            match name {
                "requests" => limits.requests = value,
                "seconds" => limits.execution_millis = u64::from(value) * 1000,
                "concurrent" => limits.concurrent = value,
                "window" => limits.window_millis = value.saturating_mul(1000),
                _ => return Err("known are requests, seconds, concurrent and window".to_owned()),
            }
        }
        Ok(limits)
    }
}

/// What a user has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remaining {
    requests: u32,
    execution_millis: u64,
}

impl Remaining {
    /// An answer that tells of it.
    pub(super) fn tell(self, response: Response) -> Response {
        let seconds = format!("{}.{:02}", self.execution_millis / 1000, self.execution_millis % 1000 / 10);
        response
            .header("x-ms-ratelimit-burst-remaining-xrm-requests", self.requests.to_string())
            .header("x-ms-ratelimit-time-remaining-xrm-requests", seconds)
    }
}

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Requests,
    Execution,
    Concurrent,
}

impl Limit {
    /// The word in the figures.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Limit::Requests => "requests",
            Limit::Execution => "execution",
            Limit::Concurrent => "concurrent",
        }
    }
}

/// A request that has to come again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) limit: Limit,
    /// When to come again, seconds from now.
    pub(super) after_seconds: i64,
}

impl Refusal {
    /// The answer Dataverse documents.
    pub(super) fn to_response(self, limits: &Limits) -> Response {
        let window = limits.window_millis / 1000;
        let (code, message) = match self.limit {
            Limit::Requests => (
                "0x80072322",
                format!(
                    "Number of requests exceeded the limit of {} over time window of {window} seconds.",
                    limits.requests
                ),
            ),
            Limit::Execution => (
                "0x80072321",
                format!(
                    "Combined execution time of incoming requests exceeded limit of {} milliseconds over time \
                     window of {window} seconds. Decrease number of concurrent requests or reduce the duration \
                     of requests and try again later.",
                    thousands(limits.execution_millis)
                ),
            ),
            Limit::Concurrent => (
                "0x80072326",
                format!("Number of concurrent requests exceeded the limit of {}.", limits.concurrent),
            ),
        };
        let response = ODataError::new(429, code, message).to_response();
        response.header("Retry-After", self.after_seconds.to_string())
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What all users asked for lately.
pub(super) struct Throttle {
    pub(super) limits: Limits,
    users: Mutex<Users>,
}

#[derive(Default)]
struct Users {
    usage: HashMap<Uuid, Usage>,
    /// Slot in which idle users were forgotten last.
    swept: i64,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Slots since 1970.
    number: i64,
    requests: u32,
    millis: u64,
}

struct Usage {
    slots: [Slot; SLOTS],
    under_way: u32,
}

impl Throttle {
    pub(super) fn new(limits: Limits) -> Throttle {
        Throttle { limits, users: Mutex::default() }
    }

    /// Lets a request of a user in; [`Throttle::leave`] must follow. `now` in milliseconds.
    ///
    /// # Errors
    /// The limit that was met; nothing follows then.
    pub(super) fn enter(&self, user: Uuid, now: i64) -> Result<Remaining, Refusal> {
        let slot = self.limits.slot(now);
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.swept != slot {
            users.swept = slot;
            users.usage.retain(|_, usage| !usage.is_idle(slot));
        }
        users.usage.entry(user).or_insert_with(Usage::new).enter(&self.limits, now)
    }

    /// A request of a user is answered; it took this long. `now` in milliseconds.
    pub(super) fn leave(&self, user: Uuid, now: i64, took_millis: u64) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(usage) = users.usage.get_mut(&user) {
            usage.under_way = usage.under_way.saturating_sub(1);
            usage.slot(self.limits.slot(now)).millis += took_millis;
        }
    }
}

impl Limits {
    fn slot_millis(&self) -> i64 {
        (i64::from(self.window_millis) / SLOT_COUNT).max(1)
    }

    fn slot(&self, now: i64) -> i64 {
        now.div_euclid(self.slot_millis())
    }
}

impl Usage {
    fn new() -> Usage {
        Usage { slots: [Slot::default(); SLOTS], under_way: 0 }
    }

    fn is_idle(&self, slot: i64) -> bool {
        self.under_way == 0 && self.recent(slot).next().is_none()
    }

    /// Slots within the window, in no order.
    fn recent(&self, slot: i64) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(move |s| slot - s.number < SLOT_COUNT && (s.requests > 0 || s.millis > 0))
    }

    fn slot(&mut self, number: i64) -> &mut Slot {
        let at = usize::try_from(number.rem_euclid(SLOT_COUNT)).unwrap_or_default();
        let slot = &mut self.slots[at];
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        slot
    }

    fn enter(&mut self, limits: &Limits, now: i64) -> Result<Remaining, Refusal> {
        let slot = limits.slot(now);
        let (requests, millis) = self
            .recent(slot)
            .fold((0u32, 0u64), |(r, m), s| (r.saturating_add(s.requests), m.saturating_add(s.millis)));
        if self.under_way >= limits.concurrent {
            return Err(Refusal { limit: Limit::Concurrent, after_seconds: 1 });
        }
        self.slot(slot).requests = self.slot(slot).requests.saturating_add(1);
        if requests >= limits.requests {
            // With this one; and the next must find room.
            let excess = u64::from(requests) + 2 - u64::from(limits.requests);
            let after_seconds = self.wait(limits, now, excess, |s| u64::from(s.requests));
            return Err(Refusal { limit: Limit::Requests, after_seconds });
        }
        if millis >= limits.execution_millis {
            let excess = millis + 1 - limits.execution_millis;
            let after_seconds = self.wait(limits, now, excess, |s| s.millis);
            return Err(Refusal { limit: Limit::Execution, after_seconds });
        }
        self.under_way += 1;
        let requests = limits.requests - requests - 1;
        Ok(Remaining { requests, execution_millis: limits.execution_millis - millis })
    }

    /// Seconds until this much has fallen out of the window.
    fn wait(&self, limits: &Limits, now: i64, mut excess: u64, of: impl Fn(&Slot) -> u64) -> i64 {
        let mut slots: Vec<&Slot> = self.recent(limits.slot(now)).collect();
        slots.sort_unstable_by_key(|s| s.number);
        let mut until = now;
        for slot in slots {
            until = (slot.number + SLOT_COUNT) * limits.slot_millis();
            let amount = of(slot);
            if amount >= excess {
                break;
            }
            excess -= amount;
        }
        ((until - now).max(0) + 999) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { requests: 10, execution_millis: 5000, concurrent: 3, window_millis: 60_000 };
    const START: i64 = 1_700_000_040_000;

    fn user(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn the_request_beyond_the_limit_is_refused_until_the_window_has_moved() {
        let throttle = Throttle::new(LIMITS);
        for at in 0..10 {
            let remaining = throttle.enter(user(1), START + at * 1000).unwrap();
            assert_eq!(i64::from(remaining.requests), 9 - at);
            throttle.leave(user(1), START + at * 1000, 0);
        }
        let refusal = throttle.enter(user(1), START + 10_000).unwrap_err();
        assert_eq!(refusal.limit, Limit::Requests);
        assert!(throttle.enter(user(2), START + 10_000).is_ok(), "another user has limits of its own");
        // The refused one counts as well: two have to fall out.
        assert_eq!(refusal.after_seconds, 51);
        let again = throttle.enter(user(1), START + 10_000).unwrap_err();
        assert_eq!(again.after_seconds, 52, "who hammers waits longer");
        let later = START + 10_000 + again.after_seconds * 1000;
        assert!(throttle.enter(user(1), later).is_ok(), "who waits is let in");
    }

    #[test]
    fn the_time_beyond_the_limit_is_refused() {
        fn check(took: u64, expected: Option<Limit>) {
            let throttle = Throttle::new(LIMITS);
            throttle.enter(user(1), START).unwrap();
            throttle.leave(user(1), START + 100, took);
            let answer = throttle.enter(user(1), START + 200);
            assert_eq!(answer.err().map(|r| r.limit), expected, "{took}");
            assert!(throttle.enter(user(1), START + 61_000).is_ok());
        }
        check(4999, None);
        check(5000, Some(Limit::Execution));
        check(5001, Some(Limit::Execution));
    }

    #[test]
    fn requests_at_once_are_counted_while_they_are_under_way() {
        let throttle = Throttle::new(LIMITS);
        for _ in 0..3 {
            throttle.enter(user(1), START).unwrap();
        }
        let refusal = throttle.enter(user(1), START).unwrap_err();
        assert_eq!(refusal, Refusal { limit: Limit::Concurrent, after_seconds: 1 });
        throttle.leave(user(1), START, 1);
        assert!(throttle.enter(user(1), START).is_ok());
    }

    #[test]
    fn refusals_are_the_three_documented_answers() {
        fn check(limit: Limit, code: &str, message: &str) {
            let answer = Refusal { limit, after_seconds: 7 }.to_response(&Limits::default());
            assert_eq!(answer.status, 429);
            assert_eq!(answer.headers.get("Retry-After"), Some("7"));
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body["error"]["code"], code);
            assert!(body["error"]["message"].as_str().unwrap().starts_with(message), "{body}");
        }
        check(
            Limit::Requests,
            "0x80072322",
            "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
        );
        check(
            Limit::Execution,
            "0x80072321",
            "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time \
             window of 300 seconds.",
        );
        check(Limit::Concurrent, "0x80072326", "Number of concurrent requests exceeded the limit of 52.");
    }

    #[test]
    fn limits_are_read_from_a_list() {
        fn check(text: &str, expected: Option<Limits>) {
            assert_eq!(text.parse::<Limits>().ok(), expected, "{text}");
        }
        check("", Some(Limits::default()));
        check("requests=5", Some(Limits { requests: 5, ..Limits::default() }));
        let all = Limits { requests: 1, execution_millis: 2000, concurrent: 3, window_millis: 4000 };
        check("requests=1,seconds=2,concurrent=3,window=4", Some(all));
        check("requests=0", None);
        check("requests", None);
        check("rows=5", None);
    }

    #[test]
    fn users_who_went_away_are_forgotten() {
        let throttle = Throttle::new(LIMITS);
        for number in 0..100 {
            throttle.enter(user(number), START).unwrap();
            throttle.leave(user(number), START, 1);
        }
        throttle.enter(user(1), START + 120_000).unwrap();
        assert_eq!(throttle.users.lock().unwrap().usage.len(), 1);
    }
}
