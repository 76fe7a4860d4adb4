//! Where names mean something in a statement: a table under an alias of its own, and the rows that paths join
//! to it.
//!
//! The two questions "which rows may the caller read" and "which of their cells" are asked here and nowhere
//! else, so that select, filter, order and group cannot tell more than a plain read would.

use crate::db::layout::{is_polymorphic, target_column};
use crate::db::name;
use crate::db::rows::Sight;
use crate::db::{Dialect, Storage};
use flette_odata::error::Result;
use flette_odata::{Column, ODataError, Schema, Table};
use sea_query::{Expr, JoinType, SelectStatement, SimpleExpr};
use std::cell::Cell;

/// Most tables that paths and lambdas add to one statement. Far above what people write; SQLite joins 64.
pub const RELATED_MAX: u32 = 32;

/// What one statement is made in.
pub(crate) struct Scope<'s> {
    /// The server's schema.
    pub schema: &'s Schema,
    /// Who asks.
    pub sight: &'s Sight,
    /// Which SQL is spoken.
    pub dialect: Dialect,
    aliases: Cell<u32>,
    related: Cell<u32>,
}

impl<'s> Scope<'s> {
    /// A new statement.
    pub fn new(schema: &'s Schema, sight: &'s Sight, dialect: Dialect) -> Scope<'s> {
        Scope { schema, sight, dialect, aliases: Cell::new(0), related: Cell::new(0) }
    }

    /// A table under a fresh alias.
    pub fn level(&'s self, table: &'s Table) -> Level<'s> {
        let base = Spot { table, alias: self.alias(), joined: None };
        Level { scope: self, spots: vec![base] }
    }

    /// A fresh alias.
    pub fn alias(&self) -> String {
        let number = self.aliases.get();
        self.aliases.set(number + 1);
        format!("t{number}")
    }

    /// Counts one more table that is brought in.
    ///
    /// # Errors
    /// 400 beyond [`RELATED_MAX`].
    pub fn relate(&self) -> Result<()> {
        let number = self.related.get() + 1;
        self.related.set(number);
        match number > RELATED_MAX {
            true => Err(ODataError::bad_request(format!(
                "The query refers to related tables more than {RELATED_MAX} times."
            ))),
            false => Ok(()),
        }
    }
}

/// A table of a statement, with what paths join to it.
pub(crate) struct Level<'s> {
    scope: &'s Scope<'s>,
    spots: Vec<Spot<'s>>,
}

struct Spot<'s> {
    table: &'s Table,
    alias: String,
    joined: Option<Joined<'s>>,
}

struct Joined<'s> {
    from: Place,
    navigation: &'s str,
    on: SimpleExpr,
}

/// One of a level's tables: its own, or one that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// The level's own table.
pub(crate) const BASE: Place = Place(0);

impl<'s> Level<'s> {
    fn spot(&self, place: Place) -> &Spot<'s> {
        // Places are given out by this level only, for spots that it has.
        &self.spots[place.0]
    }

    /// The table in a place.
    pub fn table(&self, place: Place) -> &'s Table {
        self.spot(place).table
    }

    /// The alias of the table in a place.
    pub fn alias(&self, place: Place) -> &str {
        &self.spot(place).alias
    }

    /// The value of a column as the caller may see it.
    pub fn column(&self, place: Place, column: &Column) -> SimpleExpr {
        let spot = self.spot(place);
        match self.scope.sight.masks(spot.table, column) {
            true => self.dialect().null(Storage::of(&column.kind)),
            false => Expr::col((name(&spot.alias), name(&column.logical_name))).into(),
        }
    }

    /// The name of the table a lookup points to, as text.
    pub fn target(&self, place: Place, column: &Column) -> SimpleExpr {
        let spot = self.spot(place);
        match self.scope.sight.masks(spot.table, column) {
            true => self.dialect().null(Storage::Text),
            false => Expr::col((name(&spot.alias), name(&target_column(column)))).into(),
        }
    }

    /// What a column is compared, ordered and grouped by.
    pub(crate) fn key(&self, place: Place, column: &Column) -> SimpleExpr {
        self.dialect().key_of(Storage::of(&column.kind), self.column(place, column))
    }

    /// The primary key of the table in a place: null where a path leads nowhere.
    pub(crate) fn id(&self, place: Place) -> SimpleExpr {
        let spot = self.spot(place);
        Expr::col((name(&spot.alias), name(&spot.table.primary_id))).into()
    }

    /// What the statement is made in.
    pub(crate) fn scope(&self) -> &'s Scope<'s> {
        self.scope
    }

    /// Which SQL is spoken.
    pub(crate) fn dialect(&self) -> Dialect {
        self.scope.dialect
    }

    /// A column of the schema, in a place.
    pub fn find(&self, place: Place, logical_name: &str) -> Option<&'s Column> {
        self.table(place).column(logical_name)
    }

    /// The place that a single-valued navigation property leads to: the row behind it, or a row of nulls when
    /// there is none that the caller sees.
    ///
    /// # Errors
    /// 400 when the schema has no such property, or too many tables would be joined.
    pub fn through(&mut self, from: Place, navigation: &'s str) -> Result<Place> {
        let same = |joined: &Joined| joined.from == from && joined.navigation == navigation;
        if let Some(at) = self.spots.iter().position(|spot| spot.joined.as_ref().is_some_and(same)) {
            return Ok(Place(at));
        }
        self.scope.relate()?;
        let (column, table) = single_valued(self.scope.schema, self.table(from), navigation)?;
        let alias = self.scope.alias();
        let mut on = Expr::col((name(&alias), name(&table.primary_id))).eq(self.column(from, column));
        if is_polymorphic(column) {
            on = on.and(self.target(from, column).eq(table.logical_name.as_str()));
        }
        if let Some(seen) = self.scope.sight.condition(table, &alias) {
            on = on.and(seen);
        }
        self.spots.push(Spot { table, alias, joined: Some(Joined { from, navigation, on }) });
        Ok(Place(self.spots.len() - 1))
    }

    /// Follows several navigation properties from the level's own table.
    ///
    /// # Errors
    /// As [`Level::through`].
    pub fn along(&mut self, path: &'s [String]) -> Result<Place> {
        path.iter().try_fold(BASE, |place, navigation| self.through(place, navigation))
    }

    /// Adds the level's tables to a statement, and the condition that its own rows are seen. Call it when
    /// every condition, column and order of the level has been made: they may have joined tables.
    pub fn add_to(&self, statement: &mut SelectStatement) {
        let base = self.spot(BASE);
        statement.from_as(name(&base.table.logical_name), name(&base.alias));
        for spot in &self.spots {
            if let Some(joined) = &spot.joined {
                let table = name(&spot.table.logical_name);
                statement.join_as(JoinType::LeftJoin, table, name(&spot.alias), joined.on.clone());
            }
        }
        if let Some(seen) = self.scope.sight.condition(base.table, &base.alias) {
            statement.and_where(seen);
        }
    }
}

/// The lookup and the table behind a single-valued navigation property.
///
/// # Errors
/// 400 when the schema has no such property.
pub fn single_valued<'s>(
    schema: &'s Schema,
    table: &'s Table,
    navigation: &str,
) -> Result<(&'s Column, &'s Table)> {
    let found = table.navigation(navigation).and_then(|(column, targets)| {
        let target = schema.table(&targets.first()?.table)?;
        Some((column, target))
    });
    found.ok_or_else(|| missing(table, navigation))
}

/// 400: the schema has no such navigation property.
pub(super) fn missing(table: &Table, navigation: &str) -> ODataError {
    ODataError::bad_request(format!(
        "Could not find a property named '{navigation}' on type 'Microsoft.Dynamics.CRM.{}'.",
        table.logical_name
    ))
}
