//! Values on their way into SQL and back.

use super::layout::{is_polymorphic, target_column};
use super::{name, SqlRow, SqlValue};
use flette_odata::render::Cell;
use flette_odata::{Column, ColumnKind, EntityRef, Table, Uuid, Value};
use sea_query::{Alias, SelectStatement};

/// A null of any type.
pub(crate) fn null() -> sea_query::Value {
    sea_query::Value::BigInt(None)
}

/// An id as it is kept: 16 bytes, which order as `Uuid` does.
pub(crate) fn id_value(id: Uuid) -> sea_query::Value {
    id.as_bytes().to_vec().into()
}

/// A value as its column keeps it (a lookup's id; its table stands in a column of its own).
pub(crate) fn to_sql(value: &Value) -> sea_query::Value {
    match value {
        Value::Null => null(),
        Value::Bool(value) => i64::from(*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Decimal(value) => value.to_string().into(),
        Value::Double(value) => (*value).into(),
        Value::Text(value) => value.clone().into(),
        Value::Guid(value) => id_value(*value),
        Value::DateTime(value) => (*value).into(),
        Value::Date(value) => i64::from(*value).into(),
        Value::Lookup(value) => id_value(value.id),
    }
}

/// SQL columns and values that a column's value takes: one, or two for a lookup with several targets.
pub(crate) fn assignments(column: &Column, value: &Value) -> Vec<(Alias, sea_query::Value)> {
    let mut all = vec![(name(&column.logical_name), to_sql(value))];
    if is_polymorphic(column) {
        let table = match value {
            Value::Lookup(to) => to.table.clone().into(),
            _ => null(),
        };
        all.push((name(&target_column(column)), table));
    }
    all
}

/// Which SQL columns a query reads, and how they become cells.
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
    /// Reads these columns, in this order; a column may occur twice.
    pub fn new(columns: impl IntoIterator<Item = &'t Column>) -> Projection<'t> {
        let (mut slots, mut width) = (Vec::new(), 0);
        for column in columns {
            let target = match &column.kind {
                ColumnKind::Lookup { .. } if is_polymorphic(column) => Target::Beside,
                ColumnKind::Lookup { targets } => Target::Fixed(&targets[0].table),
                _ => Target::None,
            };
            let at = width;
            width += if matches!(target, Target::Beside) { 2 } else { 1 };
            slots.push(Slot { column, at, target });
        }
        Projection { slots, width }
    }

    /// Every column of a table.
    pub fn all(table: &'t Table) -> Projection<'t> {
        Projection::new(&table.columns)
    }

    /// SQL columns taken; further ones of the same statement follow after them.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds the SQL columns to a statement.
    pub(crate) fn select(&self, statement: &mut SelectStatement) {
        for slot in &self.slots {
            statement.column(name(&slot.column.logical_name));
            if matches!(slot.target, Target::Beside) {
                statement.column(name(&target_column(slot.column)));
            }
        }
    }

    /// The cell in place `at` (counted in columns, not SQL columns) of a row.
    pub(crate) fn cell<'r>(&'r self, row: &SqlRow<'r>, at: usize) -> Cell<'r> {
        match self.slots.get(at) {
            Some(slot) => slot.cell(row),
            None => Cell::Null,
        }
    }

    /// The same, owned.
    pub(crate) fn value(&self, row: &SqlRow, at: usize) -> Value {
        to_value(self.cell(row, at))
    }
}

impl Slot<'_> {
    fn cell<'r>(&'r self, row: &SqlRow<'r>) -> Cell<'r> {
        match (&self.column.kind, row.value(self.at)) {
            (_, SqlValue::Null) => Cell::Null,
            (ColumnKind::Id | ColumnKind::Guid, SqlValue::Bytes(bytes)) => {
                uuid(bytes).map_or(Cell::Null, Cell::Guid)
            }
            (ColumnKind::Lookup { .. }, SqlValue::Bytes(bytes)) => {
                let table = match self.target {
                    Target::Fixed(table) => Some(table),
                    Target::Beside => row.text(self.at + 1),
                    Target::None => None,
                };
                match (uuid(bytes), table) {
                    (Some(id), Some(table)) => Cell::Lookup { table, id },
                    _ => Cell::Null,
                }
            }
            (
                ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::MultiPicklist { .. },
                SqlValue::Text(text),
            ) => Cell::Text(text),
            (ColumnKind::Decimal { .. } | ColumnKind::Money { .. }, _) => {
                row.decimal(self.at).map_or(Cell::Null, Cell::Decimal)
            }
            (ColumnKind::Double { .. }, _) => row.real(self.at).map_or(Cell::Null, Cell::Double),
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

/// An id from its 16 bytes.
pub(crate) fn uuid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

/// An owned value.
pub fn to_value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(value) => Value::Bool(value),
        Cell::Int(value) => Value::Int(value),
        Cell::Decimal(value) => Value::Decimal(value),
        Cell::Double(value) => Value::Double(value),
        Cell::Text(value) => Value::Text(value.to_owned()),
        Cell::Guid(value) => Value::Guid(value),
        Cell::DateTime(value) => Value::DateTime(value),
        Cell::Date(value) => Value::Date(value),
        Cell::Lookup { table, id } => Value::Lookup(EntityRef { table: table.to_owned(), id }),
    }
}
