//! The drivers: one connection to SQLite or PostgreSQL, behind the same words. Nothing outside this folder
//! knows which crate speaks to the database.

mod bind;
mod failure;
mod functions;
pub(super) mod postgres;
mod row;
pub(super) mod sqlite;

pub(super) use failure::Failure;
pub(crate) use row::{SqlRow, SqlValue};

use super::dialect::Dialect;
use flette_odata::error::Result;
use sea_query::{
    DeleteStatement, InsertStatement, PostgresQueryBuilder, SelectStatement, SqliteQueryBuilder,
    UpdateStatement, Values, WithQuery,
};
use std::cell::Cell;

pub(super) use functions::{CONTAINS, DECIMAL, ENDS_WITH, LIKE, STARTS_WITH, SUM, TEXT};

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One snapshot, nothing written.
    Read,
    /// Writing beside other writers, where the database has several.
    Write,
    /// Writing while no other writer does.
    WriteAlone,
    /// Making the server's own tables, while nobody else does.
    Found,
}

/// A statement with its values, ready for the database.
pub(crate) trait Statement {
    /// SQL text and bound values.
    fn sql(&self, dialect: Dialect) -> (String, Values);
}

macro_rules! statement {
    ($($kind:ty),*) => {$(
        impl Statement for $kind {
            fn sql(&self, dialect: Dialect) -> (String, Values) {
                match dialect {
                    Dialect::Sqlite => self.build(SqliteQueryBuilder),
                    Dialect::Postgres => self.build(PostgresQueryBuilder),
                }
            }
        }
    )*};
}
statement!(SelectStatement, InsertStatement, UpdateStatement, DeleteStatement, WithQuery);

/// One connection. A failure inside a transaction is remembered until the next one begins: nothing of the
/// transaction may be kept then, whatever its code made of the error.
pub(super) struct Connection {
    session: Session,
    failure: Cell<Option<Failure>>,
}

enum Session {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
}

impl Connection {
    pub(super) fn sqlite(session: sqlite::Session) -> Connection {
        Connection { session: Session::Sqlite(session), failure: Cell::new(None) }
    }

    pub(super) fn postgres(session: postgres::Session) -> Connection {
        Connection { session: Session::Postgres(session), failure: Cell::new(None) }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self.session {
            Session::Sqlite(_) => Dialect::Sqlite,
            Session::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The first failure since the transaction began.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get()
    }

    /// Whether the connection can still be used.
    pub(super) fn is_alive(&self) -> bool {
        match &self.session {
            Session::Sqlite(_) => true,
            Session::Postgres(session) => session.is_alive(),
        }
    }

    fn keep<T>(&self, outcome: std::result::Result<T, Failure>) -> Result<T> {
        outcome.map_err(|failure| {
            if self.failure.get().is_none() {
                self.failure.set(Some(failure));
            }
            failure.error()
        })
    }

    /// Begins a transaction and asks its first question, `fact`, in one go: the answer's one text.
    pub(super) fn begin(&self, purpose: Purpose, fact: Option<&dyn Statement>) -> Result<Option<String>> {
        self.failure.set(None);
        let fact = fact.map(|statement| statement.sql(self.dialect()));
        self.keep(match &self.session {
            Session::Sqlite(session) => session.begin(purpose, fact),
            Session::Postgres(session) => session.begin(purpose, fact),
        })
    }

    /// Keeps what the transaction did. On `Ok` it is durable.
    pub(super) fn commit(&self) -> Result<()> {
        if let Some(failure) = self.failure.get() {
            return Err(failure.error());
        }
        self.keep(match &self.session {
            Session::Sqlite(session) => session.commit(),
            Session::Postgres(session) => session.commit(),
        })
    }

    /// Gives up a transaction that is still open.
    pub(super) fn roll_back(&self) {
        match &self.session {
            Session::Sqlite(session) => session.roll_back(),
            Session::Postgres(session) => session.roll_back(),
        }
    }

    /// Calls `each` for every row of the answer, until it says `false`. `each` may ask further questions.
    pub(super) fn each(
        &self,
        statement: &dyn Statement,
        each: &mut dyn FnMut(SqlRow) -> Result<bool>,
    ) -> Result<()> {
        let (sql, values) = statement.sql(self.dialect());
        match &self.session {
            Session::Sqlite(session) => {
                // An error of `each` itself is no failure of the database.
                let mut refused = None;
                let outcome = session.each(&sql, &values.0, &mut |row| match each(row) {
                    Ok(more) => more,
                    Err(error) => {
                        refused = Some(error);
                        false
                    }
                });
                match refused {
                    Some(error) => Err(error),
                    None => self.keep(outcome),
                }
            }
            Session::Postgres(session) => {
                // Read as a whole: `each` may ask further questions over the same connection.
                for row in self.keep(session.query(&sql, &values.0))? {
                    if !each(SqlRow::Postgres(&row))? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Carries out a statement; how many rows it touched.
    pub(super) fn execute(&self, statement: &dyn Statement) -> Result<usize> {
        let (sql, values) = statement.sql(self.dialect());
        self.keep(match &self.session {
            Session::Sqlite(session) => session.execute(&sql, &values.0),
            Session::Postgres(session) => session.execute(&sql, &values.0),
        })
    }

    /// Carries out statements that define tables, however long they take.
    pub(super) fn define(&self, sql: &str) -> Result<()> {
        self.keep(match &self.session {
            Session::Sqlite(session) => session.define(sql),
            Session::Postgres(session) => session.define(sql),
        })
    }
}

/// PostgreSQL keeps no U+0000 in a text, so no database of this server does.
fn refuse_null_characters(values: &[sea_query::Value]) -> std::result::Result<(), Failure> {
    let holds = |value: &sea_query::Value| match value {
        sea_query::Value::String(Some(text)) => text.contains('\0'),
        _ => false,
    };
    match values.iter().any(holds) {
        true => Err(Failure::Text),
        false => Ok(()),
    }
}
