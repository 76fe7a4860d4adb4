//! Time: one true one, and what the devices think.

use std::cell::Cell;

/// A day of 2026, milliseconds since 1970.
const START_MILLIS: i64 = 1_774_000_000_000;

/// The true time.
#[derive(Debug)]
pub enum Clock {
    /// It stands until it is moved.
    Simulated(Cell<i64>),
    /// That of this machine, which nobody moves.
    OfTheSystem,
}

impl Clock {
    /// A clock that stands at a moment until it is moved.
    pub fn at(millis: i64) -> Clock {
        Clock::Simulated(Cell::new(millis))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn now(&self) -> i64 {
        match self {
            Clock::Simulated(now) => now.get(),
            Clock::OfTheSystem => flette_server::web::now(),
        }
    }

    /// Time passes.
    pub fn advance(&self, millis: usize) {
        if let Clock::Simulated(now) = self {
            now.set(now.get().saturating_add(i64::try_from(millis).unwrap_or(0)));
        }
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::at(START_MILLIS)
    }
}
