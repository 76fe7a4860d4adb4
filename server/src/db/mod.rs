//! The database: everything SQL stands behind this module, for SQLite and PostgreSQL alike.
//!
//! A read sees one snapshot. A write is one transaction: on SQLite there is one writer at a time, on
//! PostgreSQL many, whose transactions are serializable and run again when they disturb each other. SQL is
//! built by `sea-query` from names of the schema; what users send is bound, never glued. The schema may
//! change while the server runs, and every transaction sees the one that fits its snapshot.

mod alike;
pub mod cells;
pub mod changes;
mod cluster;
mod currency;
pub mod definition_changes;
mod definitions;
mod dialect;
mod driver;
pub mod figures;
mod fold;
mod known;
mod layout;
mod like;
mod location;
pub mod meta;
mod pool;
pub mod position;
pub mod query;
pub mod receipts;
pub mod rights;
pub mod rows;
pub mod sessions;
mod stamps;
#[cfg(test)]
mod tests;

pub use location::{Location, Options};

pub(crate) use dialect::{order, Dialect, Storage};
pub(crate) use driver::{SqlRow, SqlValue, Statement};

use driver::{Connection, Purpose};
use figures::Figures;
use flette_odata::error::Result;
use flette_odata::rules::money::Currency;
use flette_odata::Schema;
use known::{Answers, Known};
use pool::{lock, Pool};
use sea_query::Alias;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often a transaction is run at most, when others come in between.
const ATTEMPTS_MAX: u32 = 12;
/// After so many attempts beside others, a writer runs alone.
const ATTEMPTS_BESIDE_OTHERS: u32 = 5;
/// Longest pause before the second attempt; it doubles with every further one.
const PAUSE_MILLIS_MAX: u64 = 4;
/// The pause stops growing after so many doublings.
const PAUSE_DOUBLINGS_MAX: u32 = 5;

/// An open database with its tables in place.
pub struct Database {
    readers: Arc<Pool>,
    /// The readers' pool itself for a database in memory, which has one connection only.
    writers: Arc<Pool>,
    known: Mutex<Known>,
    figures: Figures,
}

/// One snapshot of the database.
pub struct Reader<'c> {
    connection: &'c Connection,
    /// The schema that fits this snapshot.
    pub schema: &'c Schema,
    /// Grows with every change of the schema.
    pub schema_version: i64,
    known: &'c Known,
}

/// One transaction that writes. What is done through it is kept only when the closure that got it succeeds.
pub struct Writer<'c> {
    reader: Reader<'c>,
    /// See [`Writer::base_currency`].
    base_currency: Cell<Option<Option<Currency>>>,
    /// The schema that this transaction has made.
    changed: RefCell<Option<Known>>,
}

impl<'c> Writer<'c> {
    fn new(reader: Reader<'c>) -> Writer<'c> {
        Writer { reader, base_currency: Cell::new(None), changed: RefCell::default() }
    }
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection, known: &'c Known) -> Reader<'c> {
        Reader { connection, schema: &known.schema, schema_version: known.version, known }
    }

    /// What was answered of this snapshot's schema.
    pub(crate) fn answers(&self) -> &'c Answers {
        &self.known.answers
    }
}

impl<'c> std::ops::Deref for Writer<'c> {
    type Target = Reader<'c>;

    fn deref(&self) -> &Reader<'c> {
        &self.reader
    }
}

impl Database {
    /// Opens a database, creates or completes its tables and gives it an identity when it is new. `schema` is
    /// the server's own: what of it the database does not have yet is added.
    ///
    /// # Errors
    /// 500 when it cannot be opened, or is not a database of this server; 503 when it cannot be reached.
    pub fn open(location: &Location, schema: Arc<Schema>, organization: &str) -> Result<Database> {
        Database::open_with(location, schema, organization, &Options::default())
    }

    /// The same with limits of one's own.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_with(
        location: &Location,
        schema: Arc<Schema>,
        organization: &str,
        options: &Options,
    ) -> Result<Database> {
        let (readers, writers) = location::pools(location, options)?;
        let own = Known::new(0, schema.clone());
        let known = Mutex::new(own.clone());
        let database = Database { readers, writers, known, figures: Figures::default() };
        database.transact(&database.writers, &mut |connection| {
            connection.begin(Purpose::Found, None)?;
            let writer = Writer::new(Reader::new(connection, &own));
            layout::create_own(&writer)?;
            meta::found(&writer, organization)?;
            definitions::merge(&writer, &schema)?;
            cluster::check(&writer)?;
            connection.commit()
        })?;
        database.read(|_| Ok(()))?;
        Ok(database)
    }

    /// Opens a copy of this database. What is known of the one is taken for known of the other, so that nothing has to be
    /// read, compared or completed before it is used.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_copy(&self, location: &Location) -> Result<Database> {
        let (readers, writers) = location::pools(location, &Options::default())?;
        let known = Mutex::new(lock(&self.known).clone());
        let database = Database { readers, writers, known, figures: Figures::default() };
        database.read(|_| Ok(()))?;
        Ok(database)
    }

    /// The schema as this process knows it. Others may have changed it since: in a transaction, ask
    /// [`Reader::schema`].
    pub fn schema(&self) -> Arc<Schema> {
        lock(&self.known).schema.clone()
    }

    /// Whether only one transaction writes at a time.
    pub(crate) fn has_one_writer(&self) -> bool {
        self.writers.connections_max() == 1
    }

    /// What was counted since this process opened the database.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Runs `work` on one snapshot. Blocks the thread. On PostgreSQL `work` may be run again when a
    /// connection was lost or the tables changed under it.
    ///
    /// # Errors
    /// What `work` returns; 500 or 503 when the database fails.
    pub fn read<T>(&self, mut work: impl FnMut(&Reader) -> Result<T>) -> Result<T> {
        self.figures.began(figures::Purpose::Read);
        self.transact(&self.readers, &mut |connection| {
            let known = self.begin(connection, Purpose::Read)?;
            work(&Reader::new(connection, &known))
        })
    }

    /// Runs `work` in one transaction: all of it is durable when this returns `Ok`, none of it otherwise.
    /// Blocks the thread. On PostgreSQL `work` is run again, in a new transaction, when another one came in
    /// between: it must begin from nothing each time.
    ///
    /// # Errors
    /// What `work` returns; 500 or 503 when the database fails, or others come in between again and again.
    pub fn write<T>(&self, mut work: impl FnMut(&Writer) -> Result<T>) -> Result<T> {
        let mut attempts = 0;
        self.figures.began(figures::Purpose::Write);
        self.transact(&self.writers, &mut |connection| {
            let purpose = match attempts < ATTEMPTS_BESIDE_OTHERS {
                true => Purpose::Write,
                false => Purpose::WriteAlone,
            };
            attempts += 1;
            let known = self.begin(connection, purpose)?;
            let writer = Writer::new(Reader::new(connection, &known));
            let result = work(&writer)?;
            connection.commit()?;
            if let Some(changed) = writer.changed.take() {
                self.learn(&changed);
            }
            Ok(result)
        })
    }

    /// Runs a whole transaction, and again while that helps.
    fn transact<T>(&self, pool: &Pool, run: &mut dyn FnMut(&Connection) -> Result<T>) -> Result<T> {
        for attempt in 1.. {
            let lease = pool.take()?;
            let lent = self.figures.lend();
            let connection = lease.connection()?;
            let result = run(connection);
            // What was done after a failure is worth nothing, whatever came of it.
            let Some(failure) = connection.failure() else { return result };
            // Somebody may have taken the key just now: the next run sees that, and answers as it should.
            let race = failure == driver::Failure::Duplicate
                && attempt == 1
                && connection.dialect() == Dialect::Postgres;
            drop(lease);
            drop(lent);
            if !(race || failure.may_run_again()) || attempt >= ATTEMPTS_MAX {
                return Err(failure.error());
            }
            self.figures.again();
            std::thread::sleep(pause(attempt));
        }
        Err(driver::Failure::Busy.error())
    }

    /// Begins a transaction and finds the schema that fits its snapshot.
    fn begin(&self, connection: &Connection, purpose: Purpose) -> Result<Known> {
        let version = connection.begin(purpose, Some(&definitions::version_query()))?;
        let version = definitions::parse_version(version.as_deref());
        let known = lock(&self.known).clone();
        if known.version == version {
            return Ok(known);
        }
        let stored = Reader::new(connection, &known).stored_schema()?;
        let fresh = Known::new(version, Arc::new(stored));
        self.learn(&fresh);
        Ok(fresh)
    }

    fn learn(&self, fresh: &Known) {
        let mut known = lock(&self.known);
        // An older snapshot needs an older schema, for itself only.
        if known.version < fresh.version {
            known.clone_from(fresh);
        }
    }
}

/// By chance, so that those who disturbed each other do not meet again.
fn pause(attempt: u32) -> Duration {
    let mut chance = [0; 8];
    // Without chance the pause is its longest: still a pause.
    let part = match getrandom::fill(&mut chance) {
        Ok(()) => u64::from_le_bytes(chance) % 1000,
        Err(_) => 999,
    };
    let longest = PAUSE_MILLIS_MAX << attempt.min(PAUSE_DOUBLINGS_MAX);
    Duration::from_micros(longest * (part + 1))
}

/// A name in SQL.
pub(crate) fn name(text: &str) -> Alias {
    Alias::new(text)
}

impl Reader<'_> {
    /// Whose SQL is spoken.
    pub(crate) fn dialect(&self) -> Dialect {
        self.connection.dialect()
    }

    /// Calls `each` for every row of the answer, until it says `false`.
    pub(crate) fn each(
        &self,
        statement: &dyn Statement,
        mut each: impl FnMut(&SqlRow) -> Result<bool>,
    ) -> Result<()> {
        self.connection.each(statement, &mut |row| each(&row))
    }

    /// The first row of the answer, read by `read`.
    pub(crate) fn first<T>(
        &self,
        statement: &dyn Statement,
        read: impl FnOnce(&SqlRow) -> T,
    ) -> Result<Option<T>> {
        let (mut found, mut read) = (None, Some(read));
        self.each(statement, |row| {
            found = read.take().map(|read| read(row));
            Ok(false)
        })?;
        Ok(found)
    }

    /// Every row of the answer, read by `read`.
    pub(crate) fn all<T>(&self, statement: &dyn Statement, read: impl Fn(&SqlRow) -> T) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(statement, |row| {
            found.push(read(row));
            Ok(true)
        })?;
        Ok(found)
    }
}

impl Writer<'_> {
    /// Carries out a statement; how many rows it touched.
    pub(crate) fn execute(&self, statement: &dyn Statement) -> Result<usize> {
        self.connection.execute(statement)
    }

    /// Carries out statements that define tables. Their text holds names of the schema only.
    pub(crate) fn define(&self, sql: &str) -> Result<()> {
        self.connection.define(sql)
    }
}
