//! Which cells a statement reads, and how they become values again.

use super::level::{Level, Place};
use crate::db::layout::is_polymorphic;
use crate::db::{name, SqlRow, SqlValue};
use flette_odata::render::Cell;
use flette_odata::{Column, ColumnKind, Decimal, Uuid, Value};
use sea_query::{Expr, SelectStatement, SimpleExpr};

/// The cells a statement reads after its first SQL columns, in order.
pub struct Projection<'t> {
    slots: Vec<Slot<'t>>,
    width: usize,
}

struct Slot<'t> {
    column: &'t Column,
    at: usize,
    target: Target<'t>,
}

enum Target<'t> {
    None,
    Fixed(&'t str),
    /// The SQL column after the id.
    Beside,
}

impl<'t> Projection<'t> {
    /// Nothing yet, after as many SQL columns of another kind.
    pub(crate) fn after(width: usize) -> Projection<'t> {
        Projection { slots: Vec::new(), width }
    }

    /// Adds a cell to the projection and its SQL columns to the statement, each under the name that
    /// [`sql_column`] gives its place; a cell may be added twice.
    pub(crate) fn add(
        &mut self,
        statement: &mut SelectStatement,
        level: &Level<'t>,
        place: Place,
        column: &'t Column,
    ) {
        let value = level.column(place, column);
        let target = is_polymorphic(column).then(|| level.target(place, column));
        self.add_as(statement, column, value, target);
    }

    /// The same for any expression that gives values of a column; `target` gives the table of a lookup that
    /// may point to several.
    pub(crate) fn add_as(
        &mut self,
        statement: &mut SelectStatement,
        column: &'t Column,
        value: SimpleExpr,
        target: Option<SimpleExpr>,
    ) {
        let at = self.width;
        self.width += 1;
        statement.expr_as(value, name(&sql_column(at)));
        let kind = match (&column.kind, target) {
            (ColumnKind::Lookup { .. }, Some(target)) => {
                statement.expr_as(target, name(&sql_column(self.width)));
                self.width += 1;
                Target::Beside
            }
            (ColumnKind::Lookup { targets }, None) => {
                targets.first().map_or(Target::None, |target| Target::Fixed(&target.table))
            }
            _ => Target::None,
        };
        self.slots.push(Slot { column, at, target: kind });
    }

    /// Leaves one SQL column to the caller.
    pub(crate) fn skip(&mut self) {
        self.width += 1;
    }

    /// Cells so far.
    pub(crate) fn cells(&self) -> usize {
        self.slots.len()
    }

    /// SQL columns of the statement so far.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The cell in place `at`, counted in cells as they were added.
    pub(crate) fn cell<'r>(&'r self, row: &SqlRow<'r>, at: usize) -> Cell<'r> {
        match self.slots.get(at) {
            Some(slot) => slot.cell(row),
            None => Cell::Null,
        }
    }

    /// The same, owned.
    pub(crate) fn value(&self, row: &SqlRow, at: usize) -> Value {
        Value::from(self.cell(row, at))
    }
}

/// Name of a statement's SQL column, by its place.
pub(crate) fn sql_column(at: usize) -> String {
    format!("c{at}")
}

/// All SQL columns of a statement that stands in `FROM` under an alias, in order.
pub(crate) fn select_all(statement: &mut SelectStatement, alias: &str, width: usize) {
    for at in 0..width {
        statement.expr(Expr::col((name(alias), name(&sql_column(at)))));
    }
}

impl Slot<'_> {
    fn cell<'r>(&'r self, row: &SqlRow<'r>) -> Cell<'r> {
        match (&self.column.kind, row.value(self.at)) {
            (ColumnKind::Id | ColumnKind::Guid, SqlValue::Bytes(bytes)) => {
                Uuid::from_slice(bytes).map_or(Cell::Null, Cell::Guid)
            }
            (ColumnKind::Lookup { .. }, SqlValue::Bytes(bytes)) => {
                let table = match self.target {
                    Target::Fixed(table) => Some(table),
                    Target::Beside => row.text(self.at + 1),
                    Target::None => None,
                };
                match (Uuid::from_slice(bytes), table) {
                    (Ok(id), Some(table)) => Cell::Lookup { table, id },
                    _ => Cell::Null,
                }
            }
            (
                ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::MultiPicklist { .. },
                SqlValue::Text(text),
            ) => Cell::Text(text),
            (ColumnKind::Decimal { .. } | ColumnKind::Money { .. }, SqlValue::Decimal(number)) => {
                Cell::Decimal(number)
            }
            (ColumnKind::Decimal { .. } | ColumnKind::Money { .. }, SqlValue::Text(text)) => {
                Decimal::parse(text).map_or(Cell::Null, Cell::Decimal)
            }
            (ColumnKind::Double { .. }, SqlValue::Real(number)) => Cell::Double(number),
            (ColumnKind::Boolean { .. }, SqlValue::Int(number)) => Cell::Bool(number != 0),
            (ColumnKind::DateTime, SqlValue::Int(at)) => Cell::DateTime(at),
            (ColumnKind::Date, SqlValue::Int(days)) => i32::try_from(days).map_or(Cell::Null, Cell::Date),
            (
                ColumnKind::Integer { .. }
                | ColumnKind::BigInt
                | ColumnKind::Picklist { .. }
                | ColumnKind::State { .. }
                | ColumnKind::Status { .. },
                SqlValue::Int(number),
            ) => Cell::Int(number),
            _ => Cell::Null,
        }
    }
}
