//! Places in the feed of changes.
//!
//! What a client has seen is a [`Position`]. On SQLite it is a number: there is one writer at a time, so
//! changes are committed in the order of their versions. On PostgreSQL versions are handed out in another
//! order than transactions are committed, so a position is a snapshot: which transactions were over when it
//! was taken (PostgreSQL's manual, "System Information Functions", `pg_snapshot`). What one snapshot shows
//! and an earlier one does not is exactly what was committed in between, whichever version it has.

use super::layout::XACT;
use super::{name, Dialect, SqlRow};
use sea_query::{Expr, NullOrdering, Order, SelectStatement, SimpleExpr};
use serde::{Deserialize, Serialize};

/// Most transactions that a snapshot may hold to be under way. Each has a connection of its own.
pub(super) const UNDER_WAY_MAX: usize = 1000;

/// Everything up to here was told. Opaque: its text is for tokens, and goes to and fro.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position {
    /// Every change below was told; a version on SQLite, a transaction on PostgreSQL.
    first_open: i64,
    /// No change from here on was told.
    end: i64,
    /// Transactions in between that were under way, in rising order.
    under_way: Vec<i64>,
}

/// One change's place among the others of a stretch: transaction (0 on SQLite) and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Place(pub i64, pub i64);

impl Position {
    /// Before the first change.
    pub const START: Position = Position { first_open: 0, end: 0, under_way: Vec::new() };

    /// On SQLite: after the change with this version.
    pub(super) fn after_version(version: i64) -> Position {
        Position { first_open: version + 1, end: version + 1, under_way: Vec::new() }
    }

    /// On PostgreSQL: from a snapshot's text, `xmin:xmax:xip,xip…`.
    pub(super) fn of_snapshot(text: &str) -> Option<Position> {
        let mut parts = text.split(':');
        let (first_open, end) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let under_way = parts.next()?.split(',').filter(|part| !part.is_empty());
        let under_way = under_way.map(|part| part.parse().ok()).collect::<Option<Vec<i64>>>()?;
        Position { first_open, end, under_way }.checked()
    }

    /// For a bug that is planted only: as if all that was under way had been told.
    pub(super) fn with_all_over(self) -> Position {
        Position { first_open: self.end, end: self.end, under_way: Vec::new() }
    }

    /// Numbers that make sense: a token may come from anywhere.
    fn checked(self) -> Option<Position> {
        let rising = self.under_way.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = |xact: &i64| (self.first_open..self.end).contains(xact);
        let sound = 0 <= self.first_open
            && self.first_open <= self.end
            && self.under_way.len() <= UNDER_WAY_MAX
            && self.under_way.iter().all(inside);
        (rising && sound).then_some(self)
    }

    /// Whether this position can be earlier than `other`: one beyond it is from another database.
    pub fn is_within(&self, other: &Position) -> bool {
        self.end <= other.end
    }

    /// Whether everything up to a change was told: its version on SQLite, its transaction on PostgreSQL.
    pub fn is_beyond(&self, change: i64) -> bool {
        self.first_open > change
    }

    /// Condition on rows or tombstones: their change was told by this position's time. `table` is the name
    /// of the table, or its alias; `version` the column of the version.
    pub(super) fn told(&self, dialect: Dialect, table: &str, version: &str) -> SimpleExpr {
        let column = column(dialect, table, version);
        let before = column.clone().lt(self.end);
        match self.under_way.is_empty() {
            true => before,
            false => before.and(column.is_not_in(self.under_way.iter().copied())),
        }
    }

    /// Condition: their change was not told by then.
    pub(super) fn untold(&self, dialect: Dialect, table: &str, version: &str) -> SimpleExpr {
        let column = column(dialect, table, version);
        let after = column.clone().gte(self.end);
        match self.under_way.is_empty() {
            true => after,
            // The first part bounds the search in the index.
            false => column
                .clone()
                .gte(self.first_open)
                .and(after.or(column.is_in(self.under_way.iter().copied()))),
        }
    }
}

/// What positions are made of.
fn column(dialect: Dialect, table: &str, version: &str) -> Expr {
    match dialect {
        Dialect::Sqlite => Expr::col((name(table), name(version))),
        Dialect::Postgres => Expr::col((name(table), name(XACT))),
    }
}

/// Adds what [`place`] reads after the version to the columns of a query.
pub(super) fn select(query: &mut SelectStatement, dialect: Dialect) {
    if dialect == Dialect::Postgres {
        query.column(name(XACT));
    }
}

/// The place of a change whose version is in column `at`.
pub(super) fn place(row: &SqlRow, at: usize) -> Place {
    let transaction = match row {
        SqlRow::Sqlite(_) => None,
        SqlRow::Postgres(_) => row.int(at + 1),
    };
    Place(transaction.unwrap_or_default(), row.int(at).unwrap_or_default())
}

/// Orders a query by place.
pub(super) fn order(query: &mut SelectStatement, dialect: Dialect, version: &str) {
    if dialect == Dialect::Postgres {
        query.order_by_with_nulls(name(XACT), Order::Asc, NullOrdering::First);
    }
    query.order_by_with_nulls(name(version), Order::Asc, NullOrdering::First);
}

/// Condition: changes after a place, in that order.
pub(super) fn later(dialect: Dialect, place: Place, table: &str, version: &str) -> SimpleExpr {
    let column = |column: &str| Expr::col((name(table), name(column)));
    let Place(xact, number) = place;
    match dialect {
        Dialect::Sqlite => column(version).gt(number),
        Dialect::Postgres => Expr::tuple([column(XACT).into(), column(version).into()])
            .gt(Expr::tuple([Expr::val(xact).into(), Expr::val(number).into()])),
    }
}

/// `end`, or `first_open.end.xact.xact…`: digits and points.
impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.under_way.is_empty() && self.first_open == self.end {
            return write!(f, "{}", self.end);
        }
        write!(f, "{}.{}", self.first_open, self.end)?;
        self.under_way.iter().try_for_each(|xact| write!(f, ".{xact}"))
    }
}

impl std::str::FromStr for Position {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Position, &'static str> {
        const UNREADABLE: &str = "not a position";
        // Digits only: no sign, no blank.
        let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => part.parse().map_err(|_| UNREADABLE),
            false => Err(UNREADABLE),
        };
        let numbers = text.splitn(UNDER_WAY_MAX + 3, '.').map(number).collect::<Result<Vec<i64>, _>>()?;
        let position = match *numbers.as_slice() {
            [] => return Err(UNREADABLE),
            [end] => Position { first_open: end, end, under_way: Vec::new() },
            [first_open, end, ref rest @ ..] => Position { first_open, end, under_way: rest.to_vec() },
        };
        position.checked().ok_or(UNREADABLE)
    }
}

impl TryFrom<String> for Position {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Position, &'static str> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> String {
        position.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text_and_others_are_refused() {
        fn check(text: &str, expected: Option<&str>) {
            let read = text.parse::<Position>().ok().map(|position| position.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
        check("0", Some("0"));
        check("17", Some("17"));
        check("17.17", Some("17"));
        check("15.17", Some("15.17"));
        check("15.20.15.18", Some("15.20.15.18"));
        for text in ["", "-1", "+1", "1.", "a", "1 ", "17.15", "15.20.18.15", "15.20.20", "15.20.14", "1e3"] {
            check(text, None);
        }
        check("99999999999999999999", None);
        let many = |count: usize| {
            let inside: Vec<String> = (1..=count).map(|n| n.to_string()).collect();
            format!("1.9999.{}", inside.join("."))
        };
        check(&many(UNDER_WAY_MAX), Some(&many(UNDER_WAY_MAX)));
        check(&many(UNDER_WAY_MAX + 1), None);
    }

    #[test]
    fn a_snapshot_is_read_and_positions_are_told_apart() {
        let snapshot = |text: &str| Position::of_snapshot(text).unwrap();
        assert_eq!(snapshot("10:10:").to_string(), "10");
        assert_eq!(snapshot("10:14:10,12").to_string(), "10.14.10.12");
        assert!(Position::of_snapshot("10:14").is_none());
        assert!(Position::of_snapshot("14:10:").is_none());
        let (early, late) = (snapshot("10:14:10,12"), snapshot("12:20:12"));
        assert!(early.is_within(&late) && !late.is_within(&early) && early.is_within(&early));
        assert!(early.is_beyond(9) && !early.is_beyond(10));
        assert!(Position::START.is_within(&early));
        assert_eq!(Position::after_version(7).to_string(), "8");
    }
}
