//! Guessing passwords: failed sign-ins are counted, and after some of them the next has to wait.
//!
//! Three counts over a sliding window: of a name from one address, of a name from everywhere, of an address.
//! The second is larger than the first, so that somebody who guesses cannot easily lock the real user out.

use flette_odata::ODataError;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Failures that are remembered, milliseconds.
pub const WINDOW_MILLIS: i64 = 300_000;
/// Failures of one name from one address within the window.
pub const FAILURES_MAX: usize = 10;
/// Failures of one name from everywhere, and of one address, within the window.
pub const FAILURES_SPREAD_MAX: usize = 100;
/// Names and addresses that are remembered. Beyond it all are forgotten: memory is worth more than a count
/// that somebody with that many addresses can evade anyway.
const KEYS_MAX: usize = 100_000;

/// Failed sign-ins of the last minutes.
#[derive(Debug, Default)]
pub struct Attempts {
    failures: Mutex<HashMap<Key, Vec<i64>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A user name, hashed: what somebody types there may be a password.
    NameFrom([u8; 32], Option<IpAddr>),
    Name([u8; 32]),
    Address(IpAddr),
}

impl Key {
    fn of(user_name: &str, from: Option<IpAddr>) -> Vec<(Key, usize)> {
        let name = super::token::digest(user_name.to_lowercase().as_bytes());
        let mut keys =
            vec![(Key::NameFrom(name, from), FAILURES_MAX), (Key::Name(name), FAILURES_SPREAD_MAX)];
        keys.extend(from.map(|address| (Key::Address(address), FAILURES_SPREAD_MAX)));
        keys
    }
}

impl Attempts {
    /// Whether somebody may try to sign in. `now` in milliseconds.
    ///
    /// # Errors
    /// How many seconds to wait.
    pub fn check(&self, user_name: &str, from: Option<IpAddr>, now: i64) -> Result<(), i64> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = Key::of(user_name, from).into_iter().filter_map(|(key, max)| {
            let recent = failures.get(&key)?.iter().filter(|at| now - **at < WINDOW_MILLIS);
            let mut recent: Vec<i64> = recent.copied().collect();
            recent.sort_unstable();
            // When the count falls below the limit again.
            let at = recent.len().checked_sub(max)?;
            recent.get(at).map(|oldest| (oldest + WINDOW_MILLIS - now + 999) / 1000)
        });
        waits.max().map_or(Ok(()), Err)
    }

    /// Notes a failed sign-in. `now` in milliseconds.
    pub fn failed(&self, user_name: &str, from: Option<IpAddr>, now: i64) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= KEYS_MAX {
            failures.retain(|_, times| times.iter().any(|at| now - at < WINDOW_MILLIS));
        }
        if failures.len() >= KEYS_MAX {
            failures.clear();
        }
        for (key, max) in Key::of(user_name, from) {
            let times = failures.entry(key).or_default();
            times.retain(|at| now - at < WINDOW_MILLIS);
            if times.len() < max {
                times.push(now);
            }
        }
    }

    /// Forgets the failures of a name from an address: its user came in.
    pub fn succeeded(&self, user_name: &str, from: Option<IpAddr>) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((key, _)) = Key::of(user_name, from).into_iter().next() {
            failures.remove(&key);
        }
    }
}

/// 429: somebody has to wait before the next attempt.
pub fn too_many_attempts() -> ODataError {
    ODataError::new(429, "0x8005f103", "Too many requests. Signing in failed too often; try again later.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_name_has_so_many_failures_from_one_address() {
        let attempts = Attempts::default();
        for at in 0..FAILURES_MAX {
            assert_eq!(attempts.check("anna", address(1), 1000), Ok(()), "after {at}");
            attempts.failed("Anna", address(1), 1000);
        }
        assert_eq!(attempts.check("anna", address(1), 1000), Err(300));
        assert_eq!(attempts.check("anna", address(1), 1000 + WINDOW_MILLIS - 1), Err(1));
        assert_eq!(attempts.check("anna", address(1), 1000 + WINDOW_MILLIS), Ok(()));
        assert_eq!(attempts.check("anna", address(2), 1000), Ok(()), "elsewhere she is free");
        assert_eq!(attempts.check("ola", address(1), 1000), Ok(()));
    }

    #[test]
    fn guesses_spread_over_addresses_and_names_are_counted_too() {
        let attempts = Attempts::default();
        for at in 0..FAILURES_SPREAD_MAX {
            assert_eq!(attempts.check("anna", address(255), 0), Ok(()), "after {at}");
            attempts.failed("anna", address(u8::try_from(at % 200).unwrap()), 0);
        }
        assert_eq!(attempts.check("anna", address(255), 0), Err(300));
        let attempts = Attempts::default();
        for at in 0..FAILURES_SPREAD_MAX {
            assert_eq!(attempts.check("ola", address(1), 0), Ok(()), "after {at}");
            attempts.failed(&format!("name{at}"), address(1), 0);
        }
        assert_eq!(attempts.check("ola", address(1), 0), Err(300));
    }

    #[test]
    fn success_forgets_and_memory_is_bounded() {
        let attempts = Attempts::default();
        for _ in 0..FAILURES_MAX - 1 {
            attempts.failed("anna", address(1), 0);
        }
        attempts.succeeded("anna", address(1));
        attempts.failed("anna", address(1), 0);
        assert_eq!(attempts.check("anna", address(1), 0), Ok(()));
        for number in 0..KEYS_MAX {
            attempts.failed(&format!("n{number}"), None, 0);
        }
        assert!(attempts.failures.lock().unwrap().len() <= KEYS_MAX + 3);
    }
}
