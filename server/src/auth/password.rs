//! Passwords: Argon2id with the parameters OWASP gives as minimum (19 MiB, two passes, one lane).

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::Argon2;
use flette_odata::error::Result;
use flette_odata::ODataError;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

/// Longest password that is looked at, bytes: hashing must not be a way to keep the server busy.
const PASSWORD_LENGTH_MAX: usize = 1024;

/// Passwords checked at once: each takes a core and 19 MiB.
const CHECKS_MAX: usize = 4;
/// Checks that wait for their turn. Beyond it the answer is to come again: threads that wait would be missed
/// by everybody else.
const CHECKS_WAITING_MAX: usize = 64;

/// Keeps a storm of sign-ins from taking all threads and memory.
#[derive(Debug)]
struct Gate {
    state: Mutex<GateState>,
    freed: Condvar,
}

#[derive(Debug)]
struct GateState {
    inside: usize,
    waiting: usize,
}

impl Gate {
    const fn new() -> Gate {
        Gate { state: Mutex::new(GateState { inside: 0, waiting: 0 }), freed: Condvar::new() }
    }

    /// Runs `work` when there is room; `None` when too many wait already.
    fn pass<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.inside >= CHECKS_MAX {
            if state.waiting >= CHECKS_WAITING_MAX {
                return None;
            }
            state.waiting += 1;
            while state.inside >= CHECKS_MAX {
                state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.waiting -= 1;
        }
        state.inside += 1;
        drop(state);
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        self.state.lock().unwrap_or_else(PoisonError::into_inner).inside -= 1;
        self.freed.notify_one();
        match done {
            Ok(done) => Some(done),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Hashes a password with a new salt, in PHC form. Takes tens of milliseconds on purpose.
///
/// # Errors
/// 500 when the system gives no random bytes.
pub fn hash_password(password: &str) -> Result<String> {
    let failed = || ODataError::new(500, "0x80040216", "The password could not be hashed.");
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| failed())?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| failed())?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|_| failed())?;
    Ok(hash.to_string())
}

/// Whether a password fits a hash. Without a hash the work is done all the same, so that time does not tell
/// which user names exist.
///
/// # Errors
/// 503 when too many wait for the same.
pub(super) fn verify(hash: Option<&str>, password: &str) -> Result<bool> {
    static GATE: Gate = Gate::new();
    let busy = || ODataError::new(503, "0x8005f103", "Too many requests. Try again later.");
    GATE.pass(|| fits(hash, password)).ok_or_else(busy)
}

fn fits(hash: Option<&str>, password: &str) -> bool {
    static NOBODY: OnceLock<Option<String>> = OnceLock::new();
    let nobody = NOBODY.get_or_init(|| hash_password("").ok());
    if password.len() > PASSWORD_LENGTH_MAX {
        return false;
    }
    let Some(stored) = hash.or(nobody.as_deref()) else { return false };
    let parsed = PasswordHash::new(stored);
    let fits = parsed.is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok());
    fits && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_fits() {
        let hash = hash_password("flette").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(Some(&hash), "flette").unwrap());
        assert!(!verify(Some(&hash), "Flette").unwrap());
        assert!(!verify(Some(&hash), "").unwrap());
        assert!(!verify(Some("nonsense"), "flette").unwrap());
        assert!(!verify(None, "").unwrap());
    }

    #[test]
    fn so_many_checks_run_and_so_many_wait_and_the_next_is_sent_away() {
        static GATE: Gate = Gate::new();
        static OPEN: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
        let state = || {
            let state = GATE.state.lock().unwrap();
            (state.inside, state.waiting)
        };
        let work = || {
            let open = OPEN.0.lock().unwrap();
            drop(OPEN.1.wait_while(open, |open| !*open).unwrap());
        };
        let all = CHECKS_MAX + CHECKS_WAITING_MAX;
        let threads: Vec<_> = (0..all).map(|_| std::thread::spawn(move || GATE.pass(work))).collect();
        while state() != (CHECKS_MAX, CHECKS_WAITING_MAX) {
            std::thread::yield_now();
        }
        assert_eq!(GATE.pass(|| ()), None);
        *OPEN.0.lock().unwrap() = true;
        OPEN.1.notify_all();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap().is_some()));
        assert_eq!(state(), (0, 0));
        assert_eq!(GATE.pass(|| ()), Some(()));
    }
}
