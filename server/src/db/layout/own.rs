//! The server's own tables, beside those of the schema.

use super::{complete, create_index, rebuild_indexes, SqlColumn, SqlIndex, SqlKind, XACT};
use crate::db::driver::postgres::TURN;
use crate::db::meta::Fact;
use crate::db::{fold, Dialect, Storage, Writer};
use flette_odata::error::Result;
use flette_odata::ODataError;

/// The counter every change takes its version from, on SQLite.
pub(in crate::db) const COUNTER: &str = "flette_counter";
/// The sequence every change takes its version from, on PostgreSQL.
pub(in crate::db) const VERSIONS: &str = "flette_versions";
/// Facts about the database: key and value.
pub(in crate::db) const META: &str = "flette_meta";
/// Tables of the schema, as JSON.
pub(in crate::db) const DEFINITION: &str = "flette_definition";
/// Definitions that changed: id, the schema's version then, kind, whether it is gone.
pub(in crate::db) const DEFINITION_CHANGE: &str = "flette_definition_change";
/// Rows that are gone, or left somebody's sight.
pub(in crate::db) const TOMBSTONE: &str = "flette_tombstone";
/// Who may sign in.
pub(in crate::db) const CREDENTIAL: &str = "flette_credential";
/// What became of requests that may be repeated.
pub(in crate::db) const RECEIPT: &str = "flette_receipt";
/// Sessions and tokens, hashed.
pub(in crate::db) const SESSION: &str = "flette_session";

/// Number of the transaction under way, which PostgreSQL knows.
pub(in crate::db) const CURRENT_XACT: &str = "(pg_current_xact_id()::text::bigint)";

/// The layout of these tables. It grows when a column's meaning changes, so that an older server does not
/// open what it would misread; missing tables and columns are added without.
const LAYOUT: i64 = 1;

fn key(name: &str, kind: SqlKind) -> SqlColumn {
    SqlColumn { primary: true, ..SqlColumn::new(name, kind) }
}

fn needed(name: &str, kind: SqlKind) -> SqlColumn {
    SqlColumn { needed: true, ..SqlColumn::new(name, kind) }
}

fn open(name: &str, kind: SqlKind) -> SqlColumn {
    SqlColumn::new(name, kind)
}

/// Tables and their columns. A column that is added later must be `open`.
fn tables(dialect: Dialect) -> Vec<(&'static str, Vec<SqlColumn>)> {
    const ID: SqlKind = SqlKind::Of(Storage::Id);
    const TEXT: SqlKind = SqlKind::Of(Storage::Text);
    const WHOLE: SqlKind = SqlKind::Of(Storage::Whole);
    const WORD: SqlKind = SqlKind::Word;
    let mut tombstone = vec![
        key("version", WHOLE),
        needed("table_name", WORD),
        needed("id", ID),
        open("business_unit", ID),
        open("owner", ID),
        needed("reason", WORD),
        needed("at", WHOLE),
    ];
    let mut all = vec![
        (META, vec![key("key", WORD), needed("value", WORD)]),
        (
            DEFINITION,
            vec![
                key("name", WORD),
                needed("position", WHOLE),
                needed("definition", WORD),
                open("built_in", WORD),
            ],
        ),
        (
            DEFINITION_CHANGE,
            vec![
                key("id", ID),
                needed("version", WHOLE),
                needed("kind", WORD),
                needed("gone", WHOLE),
                needed("at", WHOLE),
            ],
        ),
        (CREDENTIAL, vec![key("name", TEXT), needed("user_id", ID), needed("password", WORD)]),
        (
            SESSION,
            vec![key("hash", ID), needed("kind", WORD), needed("user_id", ID), needed("expires", WHOLE)],
        ),
    ];
    all.push((
        RECEIPT,
        vec![
            key("id", ID),
            needed("fingerprint", ID),
            needed("status", WHOLE),
            needed("headers", WORD),
            needed("body", ID),
            open("table_name", WORD),
            open("row_id", ID),
            needed("at", WHOLE),
        ],
    ));
    match dialect {
        Dialect::Sqlite => all.push((COUNTER, vec![key("id", WHOLE), needed("value", WHOLE)])),
        Dialect::Postgres => {
            tombstone.push(open(XACT, SqlKind::Xact));
            all.push((TURN, vec![open("nothing", WHOLE)]));
        }
    }
    all.push((TOMBSTONE, tombstone));
    all
}

fn indexes(dialect: Dialect) -> Vec<SqlIndex> {
    let mut all = vec![
        SqlIndex::new(TOMBSTONE, &[("table_name", false), ("version", false)]),
        SqlIndex::new(TOMBSTONE, &[("at", false)]),
        SqlIndex::new(SESSION, &[("expires", false)]),
    ];
    if dialect == Dialect::Postgres {
        let columns = [("table_name", false), (XACT, false), ("version", false)];
        all.push(SqlIndex::new(TOMBSTONE, &columns));
        all.push(receipts_by_time());
    }
    all
}

/// SQLite keeps rows in the order in which they came, which is that of their times: there, each request would pay for the index and
/// nobody needs it (`receipts.rs`).
fn receipts_by_time() -> SqlIndex {
    SqlIndex::new(RECEIPT, &[("at", false)])
}

/// Creates or completes the server's own tables.
///
/// # Errors
/// 500 when a newer server made the database.
pub(in crate::db) fn create_own(writer: &Writer) -> Result<()> {
    let dialect = writer.dialect();
    for (table, columns) in tables(dialect) {
        complete(writer, table, &columns)?;
    }
    indexes(dialect).iter().try_for_each(|index| create_index(writer, index))?;
    if dialect == Dialect::Sqlite {
        writer.define(&receipts_by_time().drop())?;
    }
    let known = writer.fact(Fact::Layout)?.and_then(|text| text.parse::<i64>().ok());
    if known.is_some_and(|known| known > LAYOUT) {
        return Err(ODataError::new(500, "0x80044150", "The database belongs to a newer server."));
    }
    writer.set_fact(Fact::Layout, &LAYOUT.to_string())?;
    if dialect == Dialect::Postgres {
        writer.define(&format!("CREATE SEQUENCE IF NOT EXISTS {VERSIONS}"))?;
        create_fold(writer)?;
    }
    Ok(())
}

/// Teaches PostgreSQL to fold text. When the folds are no longer those of a former server, indexes over them
/// are built anew.
fn create_fold(writer: &Writer) -> Result<()> {
    let (known, current) = (writer.fact(Fact::Fold)?, fold::fingerprint());
    if known.as_ref() == Some(&current) {
        return Ok(());
    }
    writer.define(&fold::definition())?;
    if known.is_some() {
        rebuild_indexes(writer, &writer.stored_schema()?)?;
    }
    writer.set_fact(Fact::Fold, &current)
}
