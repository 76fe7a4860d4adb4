//! Whether a PostgreSQL database is still the one it was: a dump that was restored somewhere holds the numbers
//! of transactions of another server, or of another history.

use super::layout::{CURRENT_XACT, META, TOMBSTONE, XACT};
use super::meta::Fact;
use super::{name, Dialect, Reader, Writer};
use flette_odata::error::Result;
use sea_query::{Expr, Query, SelectStatement};

/// Where the tables are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cluster {
    /// PostgreSQL's own identifier of the server's files; empty where it is not to be had.
    system: String,
    /// Numbers of the database and of a table in it: a restored table has another one.
    place: String,
}

impl Cluster {
    fn parse(text: &str) -> Option<Cluster> {
        let (system, place) = text.split_once('/')?;
        Some(Cluster { system: system.to_owned(), place: place.to_owned() })
    }
}

fn ask(expression: &str) -> SelectStatement {
    let mut query = Query::select();
    query.expr(Expr::cust(expression));
    query
}

impl Reader<'_> {
    fn cluster(&self) -> Result<Cluster> {
        let may =
            self.first(&ask("has_function_privilege('pg_control_system()', 'execute')"), |row| row.int(0))?;
        let system = match may.flatten() {
            Some(1) => {
                let query = ask("(SELECT system_identifier::text FROM pg_control_system())");
                self.first(&query, |row| row.string(0))?.unwrap_or_default()
            }
            _ => String::new(),
        };
        let place = format!(
            "(SELECT oid::text FROM pg_database WHERE datname = current_database()) || '.' || \
             '{META}'::regclass::oid::text"
        );
        let place = self.first(&ask(&place), |row| row.string(0))?.unwrap_or_default();
        Ok(Cluster { system, place })
    }
}

/// Gives a database that was restored a new identity. On another server its rows are told as changed now:
/// their transactions are numbers of the old one, which may lie in the future here.
pub(super) fn check(writer: &Writer) -> Result<()> {
    if writer.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let current = writer.cluster()?;
    let known = writer.fact(Fact::Cluster)?.and_then(|text| Cluster::parse(&text));
    if known.as_ref() == Some(&current) {
        return Ok(());
    }
    if let Some(known) = known {
        tracing::warn!("the database was restored from a copy: clients will read everything anew");
        writer.renew_lineage()?;
        if known.system != current.system || current.system.is_empty() {
            let schema = writer.stored_schema()?;
            let tables = schema.tables.iter().filter(|table| !table.union);
            for table in tables.map(|table| table.logical_name.as_str()).chain([TOMBSTONE]) {
                let mut update = Query::update();
                update.table(name(table)).value(name(XACT), Expr::cust(CURRENT_XACT));
                writer.execute(&update)?;
            }
            // A number of the old server as well; no tombstone is lost since the identity is new.
            writer.set_fact(Fact::TombstoneFloor, "0")?;
        }
    }
    writer.set_fact(Fact::Cluster, &format!("{}/{}", current.system, current.place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_read_as_it_was_written() {
        let cluster = Cluster::parse("73/16384.2619").unwrap();
        assert_eq!((cluster.system.as_str(), cluster.place.as_str()), ("73", "16384.2619"));
        assert_eq!(Cluster::parse("/1.2").unwrap().system, "");
        assert_eq!(Cluster::parse("73"), None);
    }
}
