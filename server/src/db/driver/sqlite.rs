//! SQLite: one connection to a file or to memory.

use super::bind::Bound;
use super::{functions, refuse_null_characters, Failure, Purpose, SqlRow};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use sea_query::{Value, Values};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a statement waits for a lock that another process holds.
const BUSY_MILLIS_MAX: u64 = 10_000;
/// Pause before a database is asked once more to log ahead.
const LOG_AHEAD_PAUSE_MILLIS: u64 = 5;
/// Prepared statements kept per connection.
const STATEMENTS_CACHED: usize = 256;
/// Instructions of SQLite's machine between two looks at the clock.
const INSTRUCTIONS_PER_LOOK: i32 = 10_000;
/// A deadline that never comes.
const NEVER: u64 = u64::MAX;

/// A connection.
pub(in crate::db) struct Session {
    connection: Connection,
    opened: Instant,
    /// When the statement under way must be done, milliseconds after `opened`.
    deadline: Arc<AtomicU64>,
    statement_millis_max: u64,
}

type Outcome<T> = std::result::Result<T, Failure>;

impl Session {
    /// Opens a file, or a database of its own in memory.
    pub(in crate::db) fn open(path: Option<&Path>, statement_millis_max: u64) -> Outcome<Session> {
        let opened = Instant::now();
        let deadline = Arc::new(AtomicU64::new(NEVER));
        let connection = connect(path).map_err(failed)?;
        let limit = deadline.clone();
        let late = move || millis_since(opened) >= limit.load(Ordering::Relaxed);
        connection.progress_handler(INSTRUCTIONS_PER_LOOK, Some(late));
        Ok(Session { connection, opened, deadline, statement_millis_max })
    }

    pub(super) fn begin(&self, purpose: Purpose, fact: Option<(String, Values)>) -> Outcome<Option<String>> {
        let begin = match purpose {
            Purpose::Read => "BEGIN",
            Purpose::Write | Purpose::WriteAlone | Purpose::Found => "BEGIN IMMEDIATE",
        };
        self.connection.execute_batch(begin).map_err(failed)?;
        let mut answer = None;
        if let Some((sql, values)) = fact {
            self.each(&sql, &values.0, &mut |row| {
                answer = row.text(0).map(str::to_owned);
                false
            })?;
        }
        Ok(answer)
    }

    pub(super) fn commit(&self) -> Outcome<()> {
        self.connection.execute_batch("COMMIT").map_err(failed)
    }

    pub(super) fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            if let Err(error) = self.connection.execute_batch("ROLLBACK") {
                tracing::error!(%error, "a transaction could not be rolled back");
            }
        }
    }

    pub(super) fn each(
        &self,
        sql: &str,
        values: &[Value],
        each: &mut dyn FnMut(SqlRow) -> bool,
    ) -> Outcome<()> {
        refuse_null_characters(values)?;
        let mut prepared = self.connection.prepare_cached(sql).map_err(failed)?;
        let bound = rusqlite::params_from_iter(values.iter().map(Bound));
        let mut rows = prepared.query(bound).map_err(failed)?;
        loop {
            // Each step has the whole time: what is done with a row in between is not the statement's.
            match self.timed(|| rows.next()).map_err(failed)? {
                Some(row) if each(SqlRow::Sqlite(row)) => {}
                Some(_) | None => return Ok(()),
            }
        }
    }

    pub(super) fn execute(&self, sql: &str, values: &[Value]) -> Outcome<usize> {
        refuse_null_characters(values)?;
        let mut prepared = self.connection.prepare_cached(sql).map_err(failed)?;
        let bound = rusqlite::params_from_iter(values.iter().map(Bound));
        self.timed(|| prepared.execute(bound)).map_err(failed)
    }

    pub(super) fn define(&self, sql: &str) -> Outcome<()> {
        self.connection.execute_batch(sql).map_err(failed)
    }

    fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.deadline.load(Ordering::Relaxed);
        let limit = millis_since(self.opened).saturating_add(self.statement_millis_max);
        self.deadline.store(limit, Ordering::Relaxed);
        let result = work();
        self.deadline.store(before, Ordering::Relaxed);
        result
    }
}

fn millis_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(NEVER - 1)
}

fn connect(path: Option<&Path>) -> rusqlite::Result<Connection> {
    let connection = match path {
        None => Connection::open_in_memory()?,
        Some(path) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(path, flags)?
        }
    };
    connection.busy_timeout(Duration::from_millis(BUSY_MILLIS_MAX))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // WAL: readers never wait for the writer. FULL: the log is synced at every commit, so what was
    // acknowledged survives the loss of power, not only of the process.
    log_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    functions::register(&connection)?;
    Ok(connection)
}

/// Where two processes open a new database at once, SQLite refuses one of them the change to WAL without waiting
/// (<https://www.sqlite.org/c3ref/busy_handler.html>: no handler is called where that could be a deadlock).
fn log_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        let done = connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
        match done {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && millis_since(started) < BUSY_MILLIS_MAX =>
            {
                std::thread::sleep(Duration::from_millis(LOG_AHEAD_PAUSE_MILLIS));
            }
            done => return done,
        }
    }
}

/// The cause goes to the log. SQLite's texts name tables and columns, never values.
fn failed(error: rusqlite::Error) -> Failure {
    let failure = match error.sqlite_error() {
        Some(code) if code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY => Failure::Duplicate,
        Some(code) if code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => Failure::Duplicate,
        Some(code) => match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Failure::Busy,
            ErrorCode::OperationInterrupted => Failure::TooLong,
            _ => Failure::Other,
        },
        None => Failure::Other,
    };
    tracing::error!(%error, "database failed");
    failure
}
