//! What a feed tells of a table: rows that came or changed, and rows that are gone for its reader.
//!
//! A first read tells of everything in sight. A delta tells what lies between what the bearer of its token
//! saw then and sees now: rows that changed; and, when rights changed, rows that came into sight or left it
//! although nobody touched them. All of it comes in the order of changes, so that one place says where a
//! page ends.

use super::found::{Found, Ordered, Selection};
use super::level::{Scope, BASE};
use crate::db::cells::id_value;
use crate::db::changes::{Reason, Tombstone};
use crate::db::layout::TOMBSTONE;
use crate::db::position::{self, Place, Position};
use crate::db::rights::{condition as seen, condition_on, Sight};
use crate::db::rows::VERSION;
use crate::db::{name, Reader};
use crate::rights::{Reach, View};
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::known_versions::KnownVersions;
use flette_odata::{Column, Table, Uuid};
use sea_query::{Expr, Query, SimpleExpr};
use std::sync::Arc;

/// Name of the column that says what becomes of a row.
const FATE: &str = "flette_fate";

/// One read of a feed, page after page.
#[derive(Debug, Clone, Copy)]
pub struct Feed<'f> {
    /// The table.
    pub table: &'f Table,
    /// Rows that interest; a filter over the row's own columns.
    pub filter: Option<&'f Filter>,
    /// Who reads.
    pub caller: Uuid,
    /// What the caller sees at this moment: nothing else is shown.
    pub now: &'f View,
    /// What this read is about: what the caller saw at its first page.
    pub read: &'f View,
    /// What a delta goes out from; none for a first read.
    pub before: Option<Before<'f>>,
    /// Where this read ends; fixed by its first page.
    pub until: &'f Position,
    /// The last change that was told; the default before the first.
    pub from: Place,
    /// Versions of rows that need not be told. Not all are left out here: whoever is told looks at them, too.
    pub known: &'f KnownVersions,
}

/// What the bearer of a delta token saw, and when.
#[derive(Debug, Clone, Copy)]
pub struct Before<'f> {
    /// Rows and columns.
    pub view: &'f View,
    /// Where the token's read ended.
    pub until: &'f Position,
    /// Whether a page of that read was told under other rights: nobody knows what was told, so every row comes again, and
    /// everything that was in sight and is not told now goes.
    pub torn: bool,
    /// Whether other columns of the answer are masked now: every row comes again.
    pub remasked: bool,
    /// Whether the filter looks at a column that is masked otherwise now: it is judged anew.
    pub refiltered: bool,
}

impl Before<'_> {
    /// Whether rows that nobody touched have to be told of.
    pub fn is_other(&self, read: &View) -> bool {
        self.torn || self.view.reach != read.reach || self.remasked || self.refiltered
    }
}

/// What a feed says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The row as a whole.
    Told,
    /// It is gone for the reader.
    Gone,
}

/// Conditions on rows.
struct Conditions {
    told: SimpleExpr,
    gone: SimpleExpr,
}

/// Every row, with the columns that a view masks.
fn every_row(view: &View) -> Sight {
    Sight::Past(Arc::new(View { reach: Reach::All, masked: view.masked.clone() }))
}

impl Feed<'_> {
    fn seen(&self, view: &View, alias: &str) -> SimpleExpr {
        seen(&view.reach, self.table, alias).unwrap_or_else(|| Expr::value(true))
    }

    /// The filter as it is judged in a view. The first alias of a statement is the same in each.
    fn fits(&self, reader: &Reader, view: &View) -> Result<Option<SimpleExpr>> {
        let sight = every_row(view);
        let scope = Scope::new(reader.schema, &sight, reader.dialect());
        let mut level = scope.level(self.table);
        self.filter.map(|filter| level.condition(filter)).transpose()
    }

    fn conditions(&self, reader: &Reader, alias: &str) -> Result<Conditions> {
        let dialect = reader.dialect();
        let read = self.seen(self.read, alias);
        let fits = self.fits(reader, self.now)?;
        let in_time = self.until.told(dialect, alias, VERSION);
        let mut told = read.clone().and(in_time.clone());
        if let Some(fits) = &fits {
            told = told.and(fits.clone());
        }
        if self.now.reach != self.read.reach {
            told = told.and(self.seen(self.now, alias));
        }
        let Some(before) = &self.before else { return Ok(Conditions { told, gone: Expr::value(false) }) };
        // One range only: each number of them would be another statement to prepare.
        if let Some(widest) = self.known.widest() {
            let version = || Expr::col((name(alias), name(VERSION)));
            told = told.and(version().lt(*widest.start()).or(version().gt(*widest.end())));
        }
        let changed = before.until.untold(dialect, alias, VERSION);
        // Rows that nobody touched come when they were not seen before, or looked otherwise.
        let told = match before.is_other(self.read) {
            false => told.and(changed.clone()),
            true if before.remasked || before.torn => told,
            true => told.and(changed.clone().or(self.came(before, reader, alias)?)),
        };
        // A row that nobody touched was told before only when it fitted then.
        let known = match self.fits(reader, before.view)? {
            Some(fitted) if !before.torn => changed.clone().or(fitted),
            _ => Expr::value(true),
        };
        // Also what changed since the first page: the next token knows nothing of what was seen before it.
        let mut gone = match before.view.reach == self.read.reach {
            true => Expr::value(false),
            false => self.seen(before.view, alias).and(not(read.clone())).and(known.clone()),
        };
        if let Some(fits) = fits {
            let unfit = read.and(not(fits)).and(in_time);
            gone = gone.or(unfit.and(if before.refiltered || before.torn { known } else { changed }));
        }
        Ok(Conditions { told, gone })
    }

    /// Rows that were not told before, although nobody touched them since.
    fn came(&self, before: &Before, reader: &Reader, alias: &str) -> Result<SimpleExpr> {
        let unseen = not(self.seen(before.view, alias));
        Ok(match self.fits(reader, before.view)?.filter(|_| before.refiltered) {
            Some(fitted) => unseen.or(not(fitted)),
            None => unseen,
        })
    }
}

/// Two-valued: what is unknown does not hold, so that its negation does.
fn not(condition: SimpleExpr) -> SimpleExpr {
    Expr::expr(flag(condition)).eq(0i64)
}

/// 1 or 0. Written out: PostgreSQL would take values that are bound here for texts.
fn flag(condition: SimpleExpr) -> SimpleExpr {
    Expr::case(condition, Expr::cust("1")).finally(Expr::cust("0")).into()
}

impl Reader<'_> {
    /// Calls `each` for rows that a feed has to tell of, in the order of their versions, at most `limit`.
    ///
    /// # Errors
    /// What `each` returns; 500 or 503 when the database fails.
    pub fn feed(
        &self,
        feed: &Feed,
        limit: u64,
        columns: &[&Column],
        mut each: impl FnMut(Found, Fate) -> Result<bool>,
    ) -> Result<()> {
        let sight = every_row(feed.now);
        let scope = Scope::new(self.schema, &sight, self.dialect());
        let level = scope.level(feed.table);
        let alias = level.alias(BASE);
        let Conditions { told, gone } = feed.conditions(self, alias)?;
        let Selection { mut statement, projection, cells } =
            Selection::new(&level, level.id(BASE), columns, Ordered::ByChange);
        level.add_to(&mut statement);
        statement.expr_as(flag(told.clone()), name(FATE)).and_where(told.or(gone)).limit(limit);
        if feed.from != Place::default() {
            statement.and_where(position::later(self.dialect(), feed.from, alias, VERSION));
        }
        // Said apart, for the index: without other rights only what changed is told.
        if let Some(before) = feed.before.as_ref().filter(|before| !before.is_other(feed.read)) {
            statement.and_where(before.until.untold(self.dialect(), alias, VERSION));
        }
        position::order(&mut statement, self.dialect(), VERSION);
        let fate_at = projection.width();
        self.each(&statement, |row| {
            let fate = match row.int(fate_at) {
                Some(1) => Fate::Told,
                _ => Fate::Gone,
            };
            each(Found::new(row, &projection, cells), fate)
        })
    }

    /// Rows that are gone altogether, or moved out of what was seen before or is seen now, in order, at most `limit`. Rows
    /// that [`Reader::feed`] tells of are left out.
    ///
    /// # Errors
    /// 500 or 503 when the database fails.
    pub fn departures(&self, feed: &Feed, limit: u64) -> Result<Vec<Tombstone>> {
        let Some(before) = &feed.before else { return Ok(Vec::new()) };
        let tomb = |column: &str| Expr::col((name(TOMBSTONE), name(column)));
        let row_id = Expr::col((name(&feed.table.logical_name), name(&feed.table.primary_id)));
        let mut present = Query::select();
        present
            .expr(Expr::cust("1"))
            .from(name(&feed.table.logical_name))
            .and_where(row_id.equals((name(TOMBSTONE), name("id"))))
            .and_where(
                feed.seen(before.view, &feed.table.logical_name)
                    .or(feed.seen(feed.read, &feed.table.logical_name)),
            );
        let mut query = Query::select();
        let dialect = self.dialect();
        query
            .columns(["id", "reason", "version"].map(name))
            .from(name(TOMBSTONE))
            .and_where(tomb("table_name").eq(feed.table.logical_name.as_str()))
            .and_where(before.until.untold(dialect, TOMBSTONE, "version"))
            .and_where(Expr::exists(present).not())
            .limit(limit);
        position::select(&mut query, dialect);
        position::order(&mut query, dialect, "version");
        if feed.from != Place::default() {
            query.and_where(position::later(dialect, feed.from, TOMBSTONE, "version"));
        }
        if before.view.reach == feed.read.reach {
            query.and_where(feed.until.told(dialect, TOMBSTONE, "version"));
        }
        // Also what was not in sight then: who has more rights since, or had some in between, may know a row that came and went, since
        // he made it.
        let seen = |view: &View| condition_on(&view.reach, TOMBSTONE, ("owner", "business_unit"));
        match (seen(before.view), seen(feed.read)) {
            // Whoever sees all loses a row by its deletion only.
            (None, _) | (_, None) => query.and_where(tomb("reason").eq(Reason::Deleted.as_str())),
            (Some(then), Some(now)) => {
                let own = tomb("owner").eq(id_value(feed.caller));
                query.and_where(then.or(now).or(own))
            }
        };
        self.all(&query, |row| Tombstone {
            place: position::place(row, 2),
            id: row.id(0).unwrap_or_default(),
            reason: Reason::parse(row.text(1)),
        })
    }
}
