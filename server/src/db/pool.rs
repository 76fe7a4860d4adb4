//! Connections that are kept open and lent out, one at a time each.

use super::driver::{Connection, Failure};
use flette_odata::error::Result;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long somebody waits for a connection.
const WAIT_SECONDS_MAX: u64 = 30;

/// How a connection is made.
type Connect = Box<dyn Fn() -> std::result::Result<Connection, Failure> + Send + Sync>;

/// Up to `connections_max` connections.
pub(super) struct Pool {
    connect: Connect,
    connections_max: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    open: usize,
}

impl Pool {
    pub(super) fn new(connections_max: usize, connect: Connect) -> Pool {
        Pool { connect, connections_max, state: Mutex::default(), returned: Condvar::new() }
    }

    pub(super) fn connections_max(&self) -> usize {
        self.connections_max
    }

    /// Lends a connection; makes one when none is idle and there may be one more, else waits.
    ///
    /// # Errors
    /// 503 when none comes back in time, or none can be made.
    pub(super) fn take(&self) -> Result<Lease<'_>> {
        let limit = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX);
        let mut state = lock(&self.state);
        loop {
            while let Some(connection) = state.idle.pop() {
                if connection.is_alive() {
                    return Ok(Lease { pool: self, connection: Some(connection) });
                }
                state.open -= 1;
            }
            if state.open < self.connections_max {
                state.open += 1;
                drop(state);
                // The place is given back when no connection can be made.
                let mut lease = Lease { pool: self, connection: None };
                lease.connection = Some((self.connect)().map_err(Failure::error)?);
                return Ok(lease);
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::Busy.error());
            }
            state = self.returned.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A connection on loan. It goes back when this is dropped, without a transaction: also when whoever has it
/// panics.
pub(super) struct Lease<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
}

impl Lease<'_> {
    /// The connection.
    ///
    /// # Errors
    /// Never: it is there until the loan ends.
    pub(super) fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| Failure::Lost.error())
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(|connection| {
            connection.roll_back();
            connection.is_alive()
        });
        let mut state = lock(&self.pool.state);
        match connection {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}

/// A panic elsewhere left nothing half done behind these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
