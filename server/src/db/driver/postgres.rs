//! PostgreSQL: one connection. Its messages are carried by a runtime of the database's own, so that a caller
//! may wait for answers on any thread, one of another runtime included.

use super::bind::Bound;
use super::{refuse_null_characters, Failure, Purpose};
use futures_util::future::join;
use sea_query::{Value, Values};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

/// How long making a connection may take.
const CONNECT_SECONDS_MAX: u64 = 10;
/// How long the other side may be silent before the connection counts as lost.
const SILENCE_SECONDS_MAX: u64 = 60;
/// How long a statement waits for a lock.
const LOCK_MILLIS_MAX: u64 = 10_000;
/// How long a transaction may stay open while nothing is asked in it.
const IDLE_MINUTES_MAX: u64 = 10;
/// Prepared statements kept per connection.
const STATEMENTS_CACHED: usize = 256;
/// Lock under which the server's own tables are made; any number that nobody else uses.
const FOUNDING_LOCK: i64 = 0x666c_6574_7465;
/// Table that writers lock: together, or one alone.
pub(in crate::db) const TURN: &str = "flette_turn";

type Outcome<T> = std::result::Result<T, Failure>;

/// Makes connections.
pub(in crate::db) struct Connector {
    config: Config,
    /// `None` once the database is being closed.
    runtime: Option<Runtime>,
    statement_millis_max: u64,
}

impl Connector {
    /// Reads a URL (`postgres://user@host:port/database`) and starts what carries messages.
    pub(in crate::db) fn new(url: &str, statement_millis_max: u64) -> Outcome<Connector> {
        let mut config: Config = url.parse().map_err(|_| {
            tracing::error!("the database's URL cannot be understood");
            Failure::Other
        })?;
        config
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .tcp_user_timeout(Duration::from_secs(SILENCE_SECONDS_MAX))
            .keepalives_idle(Duration::from_secs(SILENCE_SECONDS_MAX))
            .application_name("flette-server");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("flette-postgres")
            .enable_all()
            .build()
            .map_err(|error| {
                tracing::error!(%error, "no thread for the database");
                Failure::Other
            })?;
        Ok(Connector { config, runtime: Some(runtime), statement_millis_max })
    }

    /// Makes a connection.
    pub(in crate::db) fn connect(&self) -> Outcome<Session> {
        let runtime = self.runtime.as_ref().ok_or(Failure::Lost)?;
        let config = self.config.clone();
        let connecting = runtime.spawn(async move {
            let (client, connection) = config.connect(NoTls).await?;
            // Ends when the client is dropped, or the connection is lost.
            tokio::spawn(connection);
            Ok::<Client, tokio_postgres::Error>(client)
        });
        let client =
            pollster::block_on(connecting).map_err(|_| Failure::Lost)?.map_err(|error| failed(&error))?;
        // Without `jit = off` a small table that has to be read as a whole, which `enable_seqscan = off` makes look
        // dear, costs the compilation of its statement: hundreds of milliseconds.
        let settings = format!(
            "SET jit = off; SET statement_timeout = {}; SET lock_timeout = {LOCK_MILLIS_MAX}; \
             SET idle_in_transaction_session_timeout = '{IDLE_MINUTES_MAX}min'; \
             SET client_min_messages = warning; SET timezone = 'UTC'",
            self.statement_millis_max
        );
        pollster::block_on(client.batch_execute(&settings)).map_err(|error| failed(&error))?;
        Ok(Session { client, statements: RefCell::default(), open: Cell::new(false) })
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        // Must not wait: the database may be dropped on a thread of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A connection.
pub(in crate::db) struct Session {
    client: Client,
    statements: RefCell<HashMap<String, Statement>>,
    /// Whether a transaction may be open.
    open: Cell<bool>,
}

impl Session {
    pub(super) fn is_alive(&self) -> bool {
        !self.client.is_closed()
    }

    fn forget_statements(&self) {
        self.statements.borrow_mut().clear();
    }

    pub(super) fn begin(&self, purpose: Purpose, fact: Option<(String, Values)>) -> Outcome<Option<String>> {
        // LOCK comes before the first question: the snapshot is taken after the turn has come. Sequential
        // scans would make a serializable transaction depend on whole tables.
        let serializable = |mode: &str| {
            format!(
                "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL enable_seqscan = off; LOCK TABLE {TURN} IN {mode} MODE"
            )
        };
        let begin = match purpose {
            Purpose::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
            Purpose::Write => serializable("ROW SHARE"),
            Purpose::WriteAlone => serializable("EXCLUSIVE"),
            Purpose::Found => format!("BEGIN; SELECT pg_advisory_xact_lock({FOUNDING_LOCK})"),
        };
        self.open.set(true);
        let Some((sql, values)) = fact else {
            return self.batch(&begin).map(|()| None);
        };
        let statement = self.prepared(&sql)?;
        let bound: Vec<Bound> = values.0.iter().map(Bound).collect();
        // Both are sent before either is answered: one way to the database instead of two.
        let (begun, rows) = pollster::block_on(join(
            self.client.batch_execute(&begin),
            self.client.query(&statement, &parameters(&bound)),
        ));
        begun.map_err(|error| self.failed(&error))?;
        let rows = rows.map_err(|error| self.failed(&error))?;
        Ok(rows.first().and_then(|row| row.try_get::<_, Option<String>>(0).ok()).flatten())
    }

    pub(super) fn commit(&self) -> Outcome<()> {
        self.batch("COMMIT").map_err(|failure| match failure {
            Failure::Lost => Failure::Unknown,
            other => other,
        })?;
        self.open.set(false);
        Ok(())
    }

    pub(super) fn roll_back(&self) {
        if self.open.replace(false) {
            // On a lost connection the other side does it by itself.
            let _ = pollster::block_on(self.client.batch_execute("ROLLBACK"));
        }
    }

    pub(super) fn query(&self, sql: &str, values: &[Value]) -> Outcome<Vec<Row>> {
        refuse_null_characters(values)?;
        let statement = self.prepared(sql)?;
        let bound: Vec<Bound> = values.iter().map(Bound).collect();
        pollster::block_on(self.client.query(&statement, &parameters(&bound))).map_err(|e| self.failed(&e))
    }

    pub(super) fn execute(&self, sql: &str, values: &[Value]) -> Outcome<usize> {
        refuse_null_characters(values)?;
        let statement = self.prepared(sql)?;
        let bound: Vec<Bound> = values.iter().map(Bound).collect();
        let touched = pollster::block_on(self.client.execute(&statement, &parameters(&bound)));
        touched.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)).map_err(|error| self.failed(&error))
    }

    pub(super) fn define(&self, sql: &str) -> Outcome<()> {
        self.forget_statements();
        self.batch(&format!("SET LOCAL statement_timeout = 0; {sql}"))
    }

    fn batch(&self, sql: &str) -> Outcome<()> {
        pollster::block_on(self.client.batch_execute(sql)).map_err(|error| self.failed(&error))
    }

    fn prepared(&self, sql: &str) -> Outcome<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = pollster::block_on(self.client.prepare(sql)).map_err(|error| self.failed(&error))?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS_CACHED {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn failed(&self, error: &tokio_postgres::Error) -> Failure {
        let failure = failed(error);
        if failure == Failure::Stale {
            self.forget_statements();
        }
        failure
    }
}

fn parameters<'b>(bound: &'b [Bound]) -> Vec<&'b (dyn ToSql + Sync)> {
    bound.iter().map(|one| one as &(dyn ToSql + Sync)).collect()
}

/// The cause goes to the log: PostgreSQL's code and the names it gives, never its messages, which quote
/// values.
fn failed(error: &tokio_postgres::Error) -> Failure {
    let Some(cause) = error.as_db_error() else {
        tracing::error!(closed = error.is_closed(), "the database was not reached");
        return match error.is_closed() || error.code().is_none() {
            true => Failure::Lost,
            false => Failure::Other,
        };
    };
    let failure = failure_of(cause.code());
    let (code, table, constraint) = (cause.code().code(), cause.table(), cause.constraint());
    match failure {
        Failure::Conflict => tracing::debug!(code, "a transaction has to run again"),
        _ => tracing::error!(code, table, constraint, "database failed"),
    }
    failure
}

/// What an SQLSTATE means (PostgreSQL's manual, appendix A).
fn failure_of(state: &SqlState) -> Failure {
    match *state {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Failure::Conflict,
        SqlState::UNIQUE_VIOLATION => Failure::Duplicate,
        SqlState::QUERY_CANCELED => Failure::TooLong,
        SqlState::LOCK_NOT_AVAILABLE | SqlState::TOO_MANY_CONNECTIONS | SqlState::OUT_OF_MEMORY => {
            Failure::Busy
        }
        SqlState::UNDEFINED_TABLE
        | SqlState::UNDEFINED_COLUMN
        | SqlState::UNDEFINED_OBJECT
        | SqlState::FEATURE_NOT_SUPPORTED => Failure::Stale,
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Failure::Lost,
        SqlState::CHARACTER_NOT_IN_REPERTOIRE | SqlState::UNTRANSLATABLE_CHARACTER => Failure::Text,
        _ if state.code().starts_with("08") => Failure::Lost,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_says_whether_to_run_again() {
        for (code, expected) in [
            ("40001", Failure::Conflict),
            ("40P01", Failure::Conflict),
            ("23505", Failure::Duplicate),
            ("57014", Failure::TooLong),
            ("55P03", Failure::Busy),
            ("53300", Failure::Busy),
            ("42P01", Failure::Stale),
            ("42703", Failure::Stale),
            ("0A000", Failure::Stale),
            ("57P01", Failure::Lost),
            ("08006", Failure::Lost),
            ("22021", Failure::Text),
            ("22003", Failure::Other),
        ] {
            assert_eq!(failure_of(&SqlState::from_code(code)), expected, "{code}");
        }
    }
}
