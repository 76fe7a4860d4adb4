//! Versions and tombstones: what the feed of changes is made of.
//!
//! Every change takes the next number of one counter, inside its transaction. It makes the row's etag. How
//! far somebody has seen the changes is another matter: see `position`.

use super::cells::id_value;
use super::layout::{COUNTER, TOMBSTONE, VERSIONS, XACT};
use super::meta::Fact;
use super::position::{self, Place, Position};
use super::rows::Sight;
use super::{name, Dialect, Reader, SqlRow, Writer};
use flette_odata::error::Result;
use flette_odata::{ODataError, Table, Uuid};
use sea_query::{Expr, Func, Query, SimpleExpr};

/// How long a deletion is told, unless somebody chooses otherwise.
pub const TOMBSTONE_DAYS: i64 = 90;
const DAY_MILLIS: i64 = 86_400_000;

/// Why a row is no longer in somebody's feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The row is gone.
    Deleted,
    /// The row left the business unit that the tombstone names.
    Changed,
}

impl Reason {
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

/// A stretch of the feed: what was committed after one position and not after another. `from` says how much
/// of it was told already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Where the last read ended.
    pub after: Position,
    /// Where this read ends.
    pub until: Position,
    /// The last change of it that was told; the default before the first.
    pub from: Place,
}

impl Stretch {
    /// All of it.
    pub fn new(after: Position, until: Position) -> Stretch {
        Stretch { after, until, from: Place::default() }
    }

    /// Condition on the changes of a table, whose version is in the column `version`.
    pub(super) fn condition(&self, dialect: Dialect, table: &str, version: &str) -> SimpleExpr {
        let within = self.until.told(dialect, table, version).and(self.after.untold(dialect, table, version));
        match self.from == Place::default() {
            true => within,
            false => within.and(position::later(dialect, self.from, table, version)),
        }
    }
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
        Position::of_snapshot(&snapshot)
            .ok_or_else(|| ODataError::new(500, "0x80044150", "The database's snapshot cannot be read."))
    }

    /// The last change (see [`Position::is_beyond`]) whose tombstone may be lost, if any: a position that is
    /// not beyond it is worth nothing.
    pub fn tombstone_floor(&self) -> Result<Option<i64>> {
        Ok(self.fact(Fact::TombstoneFloor)?.and_then(|text| text.parse().ok()))
    }

    /// Rows that went out of sight within a stretch, in order, at most `limit`. A row that is in sight
    /// (again) is left out: its own version tells of it.
    pub fn tombstones(
        &self,
        table: &Table,
        sight: &Sight,
        stretch: &Stretch,
        limit: u64,
    ) -> Result<Vec<Tombstone>> {
        let tomb = |column: &str| Expr::col((name(TOMBSTONE), name(column)));
        let row_id = Expr::col((name(&table.logical_name), name(&table.primary_id)));
        let mut seen = Query::select();
        seen.expr(Expr::val(1i64))
            .from(name(&table.logical_name))
            .and_where(row_id.equals((name(TOMBSTONE), name("id"))));
        if let Some(condition) = sight.condition(table, &table.logical_name) {
            seen.and_where(condition);
        }
        let mut query = Query::select();
        query
            .columns(["id", "reason", "version"].map(name))
            .from(name(TOMBSTONE))
            .and_where(tomb("table_name").eq(table.logical_name.as_str()))
            .and_where(stretch.condition(self.dialect(), TOMBSTONE, "version"))
            .and_where(Expr::exists(seen).not())
            .limit(limit);
        position::select(&mut query, self.dialect());
        position::order(&mut query, self.dialect(), "version");
        match sight {
            Sight::Everything => query.and_where(tomb("reason").eq(Reason::Deleted.as_str())),
            Sight::BusinessUnit(unit) => query.and_where(tomb("business_unit").eq(id_value(*unit))),
        };
        self.all(&query, |row| {
            let changed = row.text(1) == Some(Reason::Changed.as_str());
            Tombstone {
                place: position::place(row, 2),
                id: row.id(0).unwrap_or_default(),
                reason: if changed { Reason::Changed } else { Reason::Deleted },
            }
        })
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

    /// Notes that a row went out of the sight of a business unit. `now` in milliseconds.
    pub(super) fn bury(
        &self,
        table: &Table,
        id: Uuid,
        unit: Option<Uuid>,
        reason: Reason,
        now: i64,
    ) -> Result<()> {
        let version = self.next_version()?;
        let mut insert = Query::insert();
        insert
            .into_table(name(TOMBSTONE))
            .columns(["version", "table_name", "id", "business_unit", "reason", "at"].map(name))
            .values_panic([
                version.into(),
                table.logical_name.as_str().into(),
                id_value(id).into(),
                unit.map_or_else(super::cells::null, id_value).into(),
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
