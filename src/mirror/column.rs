//! One column: its type, how it is built, and how it reads once sealed.

use super::bits::Bits;
use super::bytes::{Damage, Reader};
use super::lookup::{LookupBuilder, Lookups};
use super::number::{read_doubles, write_doubles, Decimals, Ints};
use super::text::{TextBuilder, Texts};
use crate::model::{planted, Bug};
use flette_odata::{ColumnKind, Decimal, Uuid, Value};

/// How a column is stored. The numbers are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Id = 1,
    Text = 2,
    Int = 3,
    Decimal = 4,
    Double = 5,
    Bool = 6,
    DateTime = 7,
    Date = 8,
    Lookup = 9,
    /// Since format 2.
    Guid = 10,
}

impl Kind {
    pub(super) fn of(kind: &ColumnKind) -> Kind {
        match kind {
            ColumnKind::Id => Kind::Id,
            ColumnKind::Guid => Kind::Guid,
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::MultiPicklist { .. } => {
                Kind::Text
            }
            ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Picklist { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. } => Kind::Int,
            ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => Kind::Decimal,
            ColumnKind::Double { .. } => Kind::Double,
            ColumnKind::Boolean { .. } => Kind::Bool,
            ColumnKind::DateTime => Kind::DateTime,
            ColumnKind::Date => Kind::Date,
            ColumnKind::Lookup { .. } => Kind::Lookup,
        }
    }

    pub(super) fn code(self) -> u8 {
        self as u8
    }

    pub(super) fn from_code(code: u8) -> Option<Kind> {
        [
            Kind::Id,
            Kind::Text,
            Kind::Int,
            Kind::Decimal,
            Kind::Double,
            Kind::Bool,
            Kind::DateTime,
            Kind::Date,
            Kind::Lookup,
            Kind::Guid,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
    }
}

/// A value on its way into or out of a column: as [`Value`], but borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Double(f64),
    Text(&'a str),
    DateTime(i64),
    Date(i32),
    Lookup(&'a str, Uuid),
    Guid(Uuid),
}

impl<'a> Cell<'a> {
    /// A value as a column of `kind` takes it; `None` when it does not fit.
    pub(super) fn of(value: &'a Value, kind: Kind) -> Option<Cell<'a>> {
        Some(match (kind, value) {
            (_, Value::Null) => Cell::Null,
            (Kind::Bool, Value::Bool(value)) => Cell::Bool(*value),
            (Kind::Int, Value::Int(number)) => Cell::Int(*number),
            (Kind::Decimal, Value::Decimal(number)) => Cell::Decimal(*number),
            (Kind::Decimal, Value::Int(number)) => Cell::Decimal(Decimal::from(*number)),
            (Kind::Double, Value::Double(number)) if number.is_finite() => Cell::Double(*number),
            (Kind::Text, Value::Text(text)) => Cell::Text(text),
            (Kind::DateTime, Value::DateTime(millis)) => Cell::DateTime(*millis),
            (Kind::Date, Value::Date(days)) => Cell::Date(*days),
            (Kind::Lookup, Value::Lookup(target)) => Cell::Lookup(&target.table, target.id),
            (Kind::Guid, Value::Guid(id)) => Cell::Guid(*id),
            _ => return None,
        })
    }

    pub(super) fn to_value(self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Bool(value) => Value::Bool(value),
            Cell::Int(number) => Value::Int(number),
            Cell::Decimal(number) => Value::Decimal(number),
            Cell::Double(number) => Value::Double(number),
            Cell::Text(text) => Value::Text(text.to_owned()),
            Cell::DateTime(millis) => Value::DateTime(millis),
            Cell::Date(days) => Value::Date(days),
            Cell::Lookup(table, id) => Value::Lookup(flette_odata::EntityRef { table: table.to_owned(), id }),
            Cell::Guid(id) => Value::Guid(id),
        }
    }
}

/// A column that rows can still be added to.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    pub(super) kind: Kind,
    nulls: Bits,
    data: Building,
    /// Nulls after the last value. Most columns of most rows are empty, so they are counted first and written down when
    /// a value follows.
    nulls_behind: usize,
}

#[derive(Debug)]
enum Building {
    Text(TextBuilder),
    /// Whole numbers, options, instants, days.
    Int(Vec<i64>),
    Decimal(Vec<Decimal>),
    Double(Vec<f64>),
    Bool(Bits),
    Lookup(LookupBuilder),
    /// Ids that lead nowhere: stored as lookups of a table without a name.
    Guid(LookupBuilder),
}

/// Name of the table of ids that lead nowhere.
const NOWHERE: &str = "";

impl ColumnBuilder {
    pub(super) fn new(kind: Kind) -> ColumnBuilder {
        let data = match kind {
            // The key has a place of its own in a segment; its column stays empty.
            Kind::Id | Kind::Int | Kind::DateTime | Kind::Date => Building::Int(Vec::new()),
            Kind::Text => Building::Text(TextBuilder::default()),
            Kind::Decimal => Building::Decimal(Vec::new()),
            Kind::Double => Building::Double(Vec::new()),
            Kind::Bool => Building::Bool(Bits::default()),
            Kind::Lookup => Building::Lookup(LookupBuilder::default()),
            Kind::Guid => Building::Guid(LookupBuilder::default()),
        };
        ColumnBuilder { kind, nulls: Bits::default(), data, nulls_behind: 0 }
    }

    /// How many rows have a value or null so far.
    pub(super) fn len(&self) -> usize {
        self.nulls.len() + self.nulls_behind
    }

    /// Appends nulls until there are `rows`.
    pub(super) fn pad(&mut self, rows: usize) {
        self.nulls_behind += rows.saturating_sub(self.len());
    }

    /// Writes the nulls down that were only counted.
    fn settle(&mut self) {
        for _ in 0..std::mem::take(&mut self.nulls_behind) {
            self.nulls.push(true);
            self.data.push_null();
        }
    }

    /// Appends a value of the column's own kind; anything else counts as null.
    pub(super) fn push(&mut self, cell: Cell<'_>) {
        if let Cell::Null = cell {
            self.nulls_behind += 1;
            return;
        }
        self.settle();
        let null = match (&mut self.data, cell) {
            (Building::Text(texts), Cell::Text(text)) => {
                texts.push(text);
                false
            }
            (Building::Int(numbers), Cell::Int(number) | Cell::DateTime(number)) => {
                numbers.push(number);
                false
            }
            (Building::Int(numbers), Cell::Date(days)) => {
                numbers.push(i64::from(days));
                false
            }
            (Building::Decimal(numbers), Cell::Decimal(number)) => {
                numbers.push(if planted(Bug::DecimalThroughFloat) { rounded(number) } else { number });
                false
            }
            (Building::Double(numbers), Cell::Double(number)) => {
                numbers.push(number);
                false
            }
            (Building::Bool(bits), Cell::Bool(bit)) => {
                bits.push(bit);
                false
            }
            (Building::Lookup(lookups), Cell::Lookup(table, id)) => {
                let table = lookups.table(table);
                lookups.push(table, id);
                false
            }
            (Building::Guid(ids), Cell::Guid(id)) => {
                let table = ids.table(NOWHERE);
                ids.push(table, id);
                false
            }
            (data, _) => {
                data.push_null();
                true
            }
        };
        self.nulls.push(null);
    }

    pub(super) fn get(&self, row: usize) -> Value {
        if row >= self.nulls.len() || self.nulls.get(row) {
            return Value::Null;
        }
        match &self.data {
            Building::Text(texts) => Value::Text(texts.get(row).to_owned()),
            Building::Int(numbers) => int_cell(self.kind, numbers[row]).to_value(),
            Building::Decimal(numbers) => Value::Decimal(numbers[row]),
            Building::Double(numbers) => Value::Double(numbers[row]),
            Building::Bool(bits) => Value::Bool(bits.get(row)),
            Building::Lookup(lookups) => Value::Lookup(lookups.get(row)),
            Building::Guid(ids) => Value::Guid(ids.get(row).id),
        }
    }

    /// Smallest and largest number of a column of whole numbers; `None` for other kinds and without any value.
    pub(super) fn range(&self) -> Option<(i64, i64)> {
        match &self.data {
            Building::Int(numbers) => {
                let present = || numbers.iter().enumerate().filter(|(row, _)| !self.nulls.get(*row));
                let numbers = || present().map(|(_, number)| *number);
                numbers().min().zip(numbers().max())
            }
            _ => None,
        }
    }

    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        if self.nulls.count() + self.nulls_behind == self.len() && self.len() > 0 {
            return out.push(NULLS_ALL);
        }
        self.settle();
        match self.nulls.count() {
            0 => out.push(NULLS_NONE),
            _ => {
                out.push(NULLS_SOME);
                self.nulls.write(out);
            }
        }
        match &self.data {
            Building::Text(texts) => texts.write(&self.nulls, out),
            Building::Int(numbers) => Ints::masked(numbers, &self.nulls).write(out),
            Building::Decimal(numbers) => Decimals::new(numbers).write(out),
            Building::Double(numbers) => write_doubles(numbers, out),
            Building::Bool(bits) => bits.write(out),
            Building::Lookup(lookups) | Building::Guid(lookups) => lookups.write(out),
        }
    }
}

impl Building {
    fn push_null(&mut self) {
        match self {
            Building::Text(texts) => texts.push_null(),
            Building::Int(numbers) => numbers.push(0),
            Building::Decimal(numbers) => numbers.push(Decimal::from(0)),
            Building::Double(numbers) => numbers.push(0.0),
            Building::Bool(bits) => bits.push(false),
            Building::Lookup(lookups) | Building::Guid(lookups) => lookups.push_null(),
        }
    }
}

pub(super) const NULLS_NONE: u8 = 0;
pub(super) const NULLS_ALL: u8 = 1;
pub(super) const NULLS_SOME: u8 = 2;

pub(super) fn int_cell(kind: Kind, number: i64) -> Cell<'static> {
    match kind {
        Kind::DateTime => Cell::DateTime(number),
        Kind::Date => i32::try_from(number).map_or(Cell::Null, Cell::Date),
        Kind::Id
        | Kind::Text
        | Kind::Int
        | Kind::Decimal
        | Kind::Double
        | Kind::Bool
        | Kind::Lookup
        | Kind::Guid => Cell::Int(number),
    }
}

/// A sealed column, unpacked.
#[derive(Debug)]
pub(super) struct Column {
    kind: Kind,
    rows: usize,
    /// Rows without a value; `None` where every row has one.
    nulls: Option<Bits>,
    data: Data,
}

/// What a sealed column holds.
#[derive(Debug)]
pub(super) enum Data {
    /// No row has a value.
    Nothing,
    Text(Texts),
    Int(Ints),
    Decimal(Decimals),
    Double(Vec<f64>),
    Bool(Bits),
    Lookup(Lookups),
    Guid(Lookups),
}

impl Column {
    /// A column without any value.
    pub(super) fn nothing(kind: Kind, rows: usize) -> Column {
        Column { kind, rows, nulls: Some(Bits::all(rows)), data: Data::Nothing }
    }

    pub(super) fn read(bytes: &[u8], kind: Kind, rows: usize) -> Result<Column, Damage> {
        let mut reader = Reader::new(bytes);
        let nulls = match reader.u8()? {
            NULLS_NONE => None,
            NULLS_ALL => {
                reader.finish()?;
                return Ok(Column::nothing(kind, rows));
            }
            NULLS_SOME => Some(Bits::read(&mut reader, rows)?),
            _ => return Err(Damage("unknown kind of nulls")),
        };
        let data = match kind {
            Kind::Text => Data::Text(Texts::read(&mut reader, rows)?),
            Kind::Id | Kind::Int | Kind::DateTime | Kind::Date => Data::Int(Ints::read(&mut reader, rows)?),
            Kind::Decimal => Data::Decimal(Decimals::read(&mut reader, rows)?),
            Kind::Double => Data::Double(read_doubles(&mut reader, rows)?),
            Kind::Bool => Data::Bool(Bits::read(&mut reader, rows)?),
            Kind::Lookup => Data::Lookup(Lookups::read(&mut reader, rows)?),
            Kind::Guid => Data::Guid(Lookups::read(&mut reader, rows)?),
        };
        reader.finish()?;
        Ok(Column { kind, rows, nulls, data })
    }

    pub(super) fn data(&self) -> &Data {
        &self.data
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.get(row))
    }

    /// Rows without a value.
    pub(super) fn nulls(&self) -> Bits {
        self.nulls.clone().unwrap_or_else(|| Bits::none(self.rows))
    }

    pub(super) fn cell(&self, row: usize) -> Cell<'_> {
        if self.is_null(row) {
            return Cell::Null;
        }
        match &self.data {
            Data::Nothing => Cell::Null,
            Data::Text(texts) => Cell::Text(texts.get(row)),
            Data::Int(numbers) => int_cell(self.kind, numbers.get(row)),
            Data::Decimal(numbers) => Cell::Decimal(numbers.get(row)),
            Data::Double(numbers) => Cell::Double(numbers[row]),
            Data::Bool(bits) => Cell::Bool(bits.get(row)),
            Data::Lookup(lookups) => {
                let (table, id) = lookups.parts(row);
                Cell::Lookup(table, id)
            }
            Data::Guid(ids) => Cell::Guid(ids.parts(row).1),
        }
    }

    /// A number below the second one given, the same for two rows exactly when they store the same value; `None` where
    /// the column has none at hand.
    pub(super) fn code(&self, row: usize) -> Option<(usize, usize)> {
        let (code, codes) = match &self.data {
            Data::Nothing => (0, 0),
            Data::Text(texts) => texts.code(row)?,
            Data::Int(numbers) => numbers.code(row)?,
            Data::Bool(bits) => (usize::from(bits.get(row)), 2),
            Data::Lookup(lookups) | Data::Guid(lookups) => lookups.code(row),
            Data::Decimal(_) | Data::Double(_) => return None,
        };
        // No value is a value of its own.
        Some((if self.is_null(row) { codes } else { code }, codes + 1))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nulls.as_ref().map_or(0, Bits::heap_bytes)
            + match &self.data {
                Data::Nothing => 0,
                Data::Text(texts) => texts.heap_bytes(),
                Data::Int(numbers) => numbers.heap_bytes(),
                Data::Decimal(numbers) => numbers.heap_bytes(),
                Data::Double(numbers) => numbers.capacity() * size_of::<f64>(),
                Data::Bool(bits) => bits.heap_bytes(),
                Data::Lookup(lookups) | Data::Guid(lookups) => lookups.heap_bytes(),
            }
    }
}
/// A decimal that was a float on its way, cut off where its digits end: for a planted bug.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the loss is the bug")]
fn rounded(number: Decimal) -> Decimal {
    let unit = 10f64.powi(i32::from(number.scale()));
    let float = number.mantissa() as f64 / unit;
    Decimal::new((float * unit) as i128, number.scale()).unwrap_or(number)
}
