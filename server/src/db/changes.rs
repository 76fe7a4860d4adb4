//! Versions and tombstones: what the feed of changes is made of.
//!
//! Every change takes the next number of one counter, inside its transaction. It makes the row's etag. How
//! far somebody has seen the changes is another matter: see `position`.

use super::cells::id_value;
use super::layout::{COUNTER, TOMBSTONE, VERSIONS, XACT};
use super::meta::Fact;
use super::position::{Place, Position};
use super::rights::Ownership;
use super::{name, Dialect, Reader, SqlRow, Writer};
use flette_odata::error::Result;
use flette_odata::planted::{planted, Bug};
use flette_odata::{ODataError, Table, Uuid};
use sea_query::{Expr, Func, Query};

/// How long a deletion is told, unless somebody chooses otherwise.
pub const TOMBSTONE_DAYS: i64 = 90;
const DAY_MILLIS: i64 = 86_400_000;

/// Why a row is no longer in somebody's feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The row is gone.
    Deleted,
    /// The row left the owner or the business unit that the tombstone names.
    Changed,
}

impl Reason {
    /// From the word, as the database keeps it.
    pub(super) fn parse(word: Option<&str>) -> Reason {
        match word {
            Some(flette_odata::delta::TOMBSTONE_CHANGED) => Reason::Changed,
            _ => Reason::Deleted,
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Deleted => flette_odata::delta::TOMBSTONE_DELETED,
            Reason::Changed => flette_odata::delta::TOMBSTONE_CHANGED,
        }
    }
}

/// A row that is gone for its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// When, in the order of changes.
    pub place: Place,
    /// Which row.
    pub id: Uuid,
    /// Why.
    pub reason: Reason,
}

impl Reader<'_> {
    /// The version of the latest change in this snapshot.
    pub fn version(&self) -> Result<i64> {
        let mut query = Query::select();
        match self.dialect() {
            Dialect::Sqlite => query.column(name("value")).from(name(COUNTER)),
            Dialect::Postgres => query.column(name("last_value")).from(name(VERSIONS)),
        };
        Ok(self.first(&query, |row| row.int(0))?.flatten().unwrap_or_default())
    }

    /// Where this snapshot ends: everything it shows is before, whatever is committed later is not.
    pub fn position(&self) -> Result<Position> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(Position::after_version(self.version()?));
        }
        let mut query = Query::select();
        query.expr(Expr::cust("pg_current_snapshot()::text"));
        let snapshot = self.first(&query, |row| row.string(0))?.unwrap_or_default();
        let position = Position::of_snapshot(&snapshot);
        let position = match planted(Bug::CommitsOutOfOrder) {
            true => position.map(Position::with_all_over),
            false => position,
        };
        position.ok_or_else(|| ODataError::new(500, "0x80044150", "The database's snapshot cannot be read."))
    }

    /// The last change (see [`Position::is_beyond`]) whose tombstone may be lost, if any: a position that is
    /// not beyond it is worth nothing.
    pub fn tombstone_floor(&self) -> Result<Option<i64>> {
        Ok(self.fact(Fact::TombstoneFloor)?.and_then(|text| text.parse().ok()))
    }
}

impl Writer<'_> {
    /// Takes the next version.
    pub(super) fn next_version(&self) -> Result<i64> {
        let next = |row: &SqlRow| row.int(0);
        let version = match self.dialect() {
            Dialect::Sqlite => {
                let mut update = Query::update();
                update
                    .table(name(COUNTER))
                    .value(name("value"), Expr::col(name("value")).add(1i64))
                    .returning_col(name("value"));
                self.first(&update, next)?
            }
            Dialect::Postgres => {
                let mut query = Query::select();
                query.expr(Func::cust(name("nextval")).arg(Expr::val(VERSIONS).cast_as(name("regclass"))));
                self.first(&query, next)?
            }
        };
        Ok(version.flatten().unwrap_or_default())
    }

    /// Notes that a row is gone for those who saw it by its owner or business unit. `now` in milliseconds.
    pub(super) fn bury(
        &self,
        table: &Table,
        id: Uuid,
        was: Ownership,
        reason: Reason,
        now: i64,
    ) -> Result<()> {
        let version = self.next_version()?;
        let mut insert = Query::insert();
        insert
            .into_table(name(TOMBSTONE))
            .columns(["version", "table_name", "id", "business_unit", "owner", "reason", "at"].map(name))
            .values_panic([
                version.into(),
                table.logical_name.as_str().into(),
                id_value(id).into(),
                was.unit.map_or_else(super::cells::null, id_value).into(),
                was.owner.map_or_else(super::cells::null, id_value).into(),
                reason.as_str().into(),
                now.into(),
            ]);
        self.execute(&insert).map(drop)
    }

    /// Forgets deletions older than so many days and raises the floor accordingly.
    pub fn purge_tombstones(&self, now: i64, days: i64) -> Result<()> {
        let old = Expr::col(name("at")).lt(now.saturating_sub(days.saturating_mul(DAY_MILLIS)));
        let change = match self.dialect() {
            Dialect::Sqlite => "version",
            Dialect::Postgres => XACT,
        };
        let mut query = Query::select();
        query.expr(Expr::col(name(change)).max()).from(name(TOMBSTONE)).and_where(old.clone());
        let Some(floor) = self.first(&query, |row| row.int(0))?.flatten() else {
            return Ok(());
        };
        // Tombstones of one transaction may be older than others that were written before it.
        let floor = floor.max(self.tombstone_floor()?.unwrap_or_default());
        self.set_fact(Fact::TombstoneFloor, &floor.to_string())?;
        self.execute(Query::delete().from_table(name(TOMBSTONE)).and_where(old)).map(drop)
    }
}
