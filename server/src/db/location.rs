//! Where the data is, and how its connections are made.

use super::driver::{postgres, sqlite, Connection};
use super::pool::Pool;
use flette_odata::error::Result;
use std::path::PathBuf;
use std::sync::Arc;

/// Readers at once; a further one waits. SQLite's share two or four cores with it, PostgreSQL has its own.
const SQLITE_READERS_MAX: usize = 4;
const POSTGRES_READERS_MAX: usize = 8;
/// Writers at once.
const POSTGRES_WRITERS_MAX: usize = 8;
/// How long one statement may take.
const STATEMENT_MILLIS_MAX: u64 = 60_000;

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `sqlite:PATH`: a file, made when it is not there.
    File(PathBuf),
    /// `sqlite::memory:`: gone when the process ends.
    Memory,
    /// `postgres://…`, with the user's name and perhaps a password: never shown.
    Postgres(String),
}

impl std::str::FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Location, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Location::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(":memory:") => Ok(Location::Memory),
            Some(path) if !path.is_empty() => Ok(Location::File(path.trim_start_matches("//").into())),
            _ => Err("expected sqlite:PATH, sqlite::memory: or postgres://USER@HOST/DATABASE".to_owned()),
        }
    }
}

/// Limits of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long one statement may take, milliseconds.
    pub statement_millis_max: u64,
    /// Readers at once, on PostgreSQL.
    pub readers_max: usize,
    /// Writers at once, on PostgreSQL.
    pub writers_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            statement_millis_max: STATEMENT_MILLIS_MAX,
            readers_max: POSTGRES_READERS_MAX,
            writers_max: POSTGRES_WRITERS_MAX,
        }
    }
}

/// Connections for readers, and for writers.
pub(super) fn pools(location: &Location, options: &Options) -> Result<(Arc<Pool>, Arc<Pool>)> {
    let limit = options.statement_millis_max;
    match location {
        Location::Memory => {
            let open = move || sqlite::Session::open(None, limit).map(Connection::sqlite);
            let pool = Arc::new(Pool::new(1, Box::new(open)));
            Ok((pool.clone(), pool))
        }
        Location::File(path) => {
            let pool = |connections_max: usize| {
                let path = path.clone();
                let open = move || sqlite::Session::open(Some(&path), limit).map(Connection::sqlite);
                Arc::new(Pool::new(connections_max, Box::new(open)))
            };
            Ok((pool(SQLITE_READERS_MAX), pool(1)))
        }
        Location::Postgres(url) => {
            let connector = postgres::Connector::new(url, limit).map_err(|failure| failure.error())?;
            let connector = Arc::new(connector);
            let pool = |connections_max: usize| {
                let connector = connector.clone();
                let connect = move || connector.connect().map(Connection::postgres);
                Arc::new(Pool::new(connections_max.max(1), Box::new(connect)))
            };
            Ok((pool(options.readers_max), pool(options.writers_max)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_file_memory_or_a_server() {
        fn check(text: &str, expected: Option<Location>) {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
        check("sqlite::memory:", Some(Location::Memory));
        check("sqlite:a/b.sqlite", Some(Location::File("a/b.sqlite".into())));
        check("sqlite://a.sqlite", Some(Location::File("a.sqlite".into())));
        check("postgres://u@h/d", Some(Location::Postgres("postgres://u@h/d".into())));
        check("postgresql://u@h/d", Some(Location::Postgres("postgresql://u@h/d".into())));
        check("sqlite:", None);
        check("mysql://u@h/d", None);
        check("", None);
    }
}
