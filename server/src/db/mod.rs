//! The database: everything SQL stands behind this module, so that another database can come beside SQLite.
//!
//! One writer at a time, any number of readers, each with a snapshot of its own. SQL is built by
//! `sea-query` from names of the schema; what users send is bound, never glued.

pub mod cells;
pub mod changes;
pub mod filter;
mod functions;
mod layout;
pub mod listing;
pub mod meta;
pub mod rows;
pub mod sessions;

use flette_odata::error::Result;
use flette_odata::{ODataError, Schema};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use sea_query::{
    Alias, DeleteStatement, InsertStatement, SelectStatement, SqliteQueryBuilder, UpdateStatement,
};
use sea_query_rusqlite::{RusqliteBinder, RusqliteValues};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Connections for readers; a further reader waits for one.
const READERS_MAX: usize = 4;
/// How long a statement waits for a lock that another process holds.
const BUSY_MILLIS_MAX: u64 = 10_000;
/// Prepared statements kept per connection.
const STATEMENTS_CACHED: usize = 256;

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `sqlite:PATH`: a file, made when it is not there.
    File(PathBuf),
    /// `sqlite::memory:`: gone when the process ends.
    Memory,
}

impl std::str::FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Location, String> {
        match text.strip_prefix("sqlite:") {
            Some(":memory:") => Ok(Location::Memory),
            Some(path) if !path.is_empty() => Ok(Location::File(path.trim_start_matches("//").into())),
            _ => Err("expected sqlite:PATH or sqlite::memory:".to_owned()),
        }
    }
}

/// An open database with its tables in place.
pub struct Database {
    schema: Arc<Schema>,
    writer: Mutex<Connection>,
    /// `None`: readers share the writer's connection (a memory database has only one).
    readers: Option<Readers>,
}

struct Readers {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

/// One snapshot of the database.
pub struct Reader<'c> {
    connection: &'c Connection,
    /// The server's schema.
    pub schema: &'c Schema,
}

/// One transaction that writes. What is done through it is kept only when the closure that got it succeeds.
pub struct Writer<'c> {
    reader: Reader<'c>,
}

impl<'c> std::ops::Deref for Writer<'c> {
    type Target = Reader<'c>;

    fn deref(&self) -> &Reader<'c> {
        &self.reader
    }
}

impl Database {
    /// Opens a database, creates or completes its tables and gives it an identity when it is new.
    ///
    /// # Errors
    /// 500 when the file cannot be opened, or is not a database of this server.
    pub fn open(location: &Location, schema: Arc<Schema>, organization: &str) -> Result<Database> {
        let writer = connect(location).map_err(failed)?;
        let count = if matches!(location, Location::File(_)) { READERS_MAX } else { 0 };
        let database = Database { schema, writer: Mutex::new(writer), readers: None };
        database.write(|writer| {
            layout::create(writer)?;
            meta::found(writer, organization)
        })?;
        let idle = (0..count).map(|_| connect(location)).collect::<rusqlite::Result<Vec<_>>>();
        let readers = Readers { idle: Mutex::new(idle.map_err(failed)?), returned: Condvar::new() };
        Ok(Database { readers: (count > 0).then_some(readers), ..database })
    }

    /// The schema the tables were made from.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Runs `work` on one snapshot. Blocks the thread.
    ///
    /// # Errors
    /// What `work` returns; 500 or 503 when the database fails or stays locked.
    pub fn read<T>(&self, work: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        let Some(readers) = &self.readers else {
            let mut connection = lock(&self.writer);
            return self.snapshot(&mut connection, work);
        };
        let mut idle = lock(&readers.idle);
        let mut connection = loop {
            match idle.pop() {
                Some(connection) => break connection,
                None => idle = readers.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(idle);
        // A panic in `work` must not lose the connection: the pool would run dry.
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.snapshot(&mut connection, work)));
        lock(&readers.idle).push(connection);
        readers.returned.notify_one();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn snapshot<T>(&self, connection: &mut Connection, work: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        let transaction = connection.transaction().map_err(failed)?;
        work(&Reader { connection: &transaction, schema: &self.schema })
    }

    /// Runs `work` in one transaction: all of it is durable when this returns `Ok`, none of it otherwise.
    /// Blocks the thread.
    ///
    /// # Errors
    /// What `work` returns; 500 or 503 when the database fails or stays locked.
    pub fn write<T>(&self, work: impl FnOnce(&Writer) -> Result<T>) -> Result<T> {
        let mut connection = lock(&self.writer);
        let transaction: Transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let reader = Reader { connection: &transaction, schema: &self.schema };
        let result = work(&Writer { reader })?;
        transaction.commit().map_err(failed)?;
        Ok(result)
    }
}

/// A panic elsewhere rolled its transaction back; the connection behind the lock is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(location: &Location) -> rusqlite::Result<Connection> {
    let connection = match location {
        Location::Memory => Connection::open_in_memory()?,
        Location::File(path) => {
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
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    functions::register(&connection)?;
    Ok(connection)
}

/// The answer for a failure of the database itself; the cause goes to the log. SQLite's texts name tables
/// and columns, never values.
pub(crate) fn failed(error: rusqlite::Error) -> ODataError {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    tracing::error!(%error, "database failed");
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => {
            ODataError::new(503, "0x80044151", "The database is busy. Try again later.")
        }
        _ => ODataError::new(500, "0x80044150", "The database could not carry out the request."),
    }
}

/// A statement with its values, ready for the database.
pub(crate) trait Statement {
    /// SQL text and bound values.
    fn sql(&self) -> (String, RusqliteValues);
}

macro_rules! statement {
    ($($kind:ty),*) => {$(
        impl Statement for $kind {
            fn sql(&self) -> (String, RusqliteValues) {
                self.build_rusqlite(SqliteQueryBuilder)
            }
        }
    )*};
}
statement!(SelectStatement, InsertStatement, UpdateStatement, DeleteStatement);

/// A name in SQL.
pub(crate) fn name(text: &str) -> Alias {
    Alias::new(text)
}

impl Reader<'_> {
    /// Calls `each` for every row of the answer, until it says `false`.
    pub(crate) fn each(
        &self,
        statement: &dyn Statement,
        mut each: impl FnMut(&rusqlite::Row) -> Result<bool>,
    ) -> Result<()> {
        let (sql, values) = statement.sql();
        let mut prepared = self.connection.prepare_cached(&sql).map_err(failed)?;
        let mut rows = prepared.query(&*values.as_params()).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            if !each(row)? {
                break;
            }
        }
        Ok(())
    }

    /// The first row of the answer, read by `read`.
    pub(crate) fn first<T>(
        &self,
        statement: &dyn Statement,
        read: impl FnOnce(&rusqlite::Row) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let (mut found, mut read) = (None, Some(read));
        self.each(statement, |row| {
            if let Some(read) = read.take() {
                found = Some(read(row).map_err(failed)?);
            }
            Ok(false)
        })?;
        Ok(found)
    }

    /// Every row of the answer, read by `read`.
    pub(crate) fn all<T>(
        &self,
        statement: &dyn Statement,
        read: impl Fn(&rusqlite::Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(statement, |row| {
            found.push(read(row).map_err(failed)?);
            Ok(true)
        })?;
        Ok(found)
    }
}

impl Writer<'_> {
    /// Carries out a statement; how many rows it touched.
    pub(crate) fn execute(&self, statement: &dyn Statement) -> Result<usize> {
        let (sql, values) = statement.sql();
        let mut prepared = self.connection.prepare_cached(&sql).map_err(failed)?;
        prepared.execute(&*values.as_params()).map_err(failed)
    }

    /// Carries out a statement that defines tables. Its text holds names of the schema only.
    pub(crate) fn define(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(failed)
    }
}
