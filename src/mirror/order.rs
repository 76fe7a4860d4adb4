//! Orders a selection: the first rows by one or several columns.
//!
//! Each row gets a number that orders as the first column's value does as far as 128 bits can tell; the values
//! themselves are compared only where these numbers are equal.

use super::column::{Cell, Column, Data};
use super::{MirrorTable, RowAt};
use flette_odata::query::OrderBy;
use flette_odata::{collate, Decimal, Value};
use std::cmp::Ordering;

/// So many times the rows that are wanted are kept before those that come too late are thrown out: each row then costs
/// the same, whatever the order in which they come.
const KEPT_FACTOR: usize = 4;
/// And never fewer than these, so that a short list is not tidied over and over.
const KEPT_MIN: usize = 16;

/// A row on its way to its place.
#[derive(Debug, Clone, Copy)]
struct Keyed {
    key: u128,
    at: RowAt,
}

/// One column of the order, found in every segment once.
struct OrderColumn<'a> {
    columns: Vec<Option<&'a Column>>,
    is_key: bool,
    descending: bool,
}

impl MirrorTable {
    /// The first `limit` rows of `selection` (all of them without one), ordered by `orderby` as
    /// [`flette_odata::collate::value_order`] compares, ties by id ascending: a total order.
    pub fn order(&self, selection: Vec<RowAt>, orderby: &[OrderBy], limit: Option<usize>) -> Vec<RowAt> {
        let columns: Vec<OrderColumn<'_>> = orderby.iter().map(|by| self.order_column(by)).collect();
        let limit = limit.unwrap_or(usize::MAX);
        let Some(last) = limit.checked_sub(1) else { return Vec::new() };
        let compare =
            |a: &Keyed, b: &Keyed| a.key.cmp(&b.key).then_with(|| self.compare_rows(&columns, a.at, b.at));
        let kept_max = limit.saturating_mul(KEPT_FACTOR).max(KEPT_MIN);
        let mut rows: Vec<Keyed> = Vec::with_capacity(kept_max.min(selection.len()));
        // Nothing with a larger key is among the first.
        let mut bound = u128::MAX;
        for at in selection {
            let key = columns.first().map_or(0, |column| self.key(column, at));
            if key > bound {
                continue;
            }
            rows.push(Keyed { key, at });
            if rows.len() == kept_max {
                let (_, nth, _) = rows.select_nth_unstable_by(last, compare);
                bound = nth.key;
                rows.truncate(limit);
            }
        }
        rows.sort_unstable_by(compare);
        rows.truncate(limit);
        rows.into_iter().map(|row| row.at).collect()
    }

    fn order_column(&self, by: &OrderBy) -> OrderColumn<'_> {
        let columns = self.slots.iter().map(|slot| self.stored(&slot.segment, &by.column)).collect();
        let is_key = by.column == self.schema.primary_id;
        OrderColumn { columns, is_key, descending: by.descending }
    }

    fn key(&self, column: &OrderColumn<'_>, at: RowAt) -> u128 {
        let key = match (column.is_key, column.columns[at.slot as usize]) {
            (true, _) => half(self.id_at(at).as_u128()),
            (false, Some(stored)) => ascending_key(stored, at.row as usize),
            (false, None) => 0,
        };
        if column.descending {
            !key
        } else {
            key
        }
    }

    fn compare_rows(&self, columns: &[OrderColumn<'_>], a: RowAt, b: RowAt) -> Ordering {
        for column in columns {
            let order = match column.is_key {
                true => self.id_at(a).cmp(&self.id_at(b)),
                false => {
                    let [left, right] = [a, b].map(|at| (column.columns[at.slot as usize], at.row as usize));
                    compare_cells(left, right)
                }
            };
            match (order, column.descending) {
                (Ordering::Equal, _) => {}
                (order, true) => return order.reverse(),
                (order, false) => return order,
            }
        }
        self.id_at(a).cmp(&self.id_at(b))
    }
}

fn compare_cells(left: (Option<&Column>, usize), right: (Option<&Column>, usize)) -> Ordering {
    // Folded texts are at hand; everything else is cheap to compare as values.
    if let (Some(a), Some(b)) = (left.0, right.0) {
        if let (Data::Text(texts_a), Data::Text(texts_b)) = (a.data(), b.data()) {
            let folded_a = (!a.is_null(left.1)).then(|| texts_a.folded_row(left.1));
            let folded_b = (!b.is_null(right.1)).then(|| texts_b.folded_row(right.1));
            return folded_a.cmp(&folded_b);
        }
    }
    let [left, right] = [left, right].map(|(column, row)| column.map_or(Cell::Null, |c| c.cell(row)));
    match (left, right) {
        (Cell::Lookup(_, a), Cell::Lookup(_, b)) => a.cmp(&b),
        (left, right) => collate::value_order(&left.to_value(), &right.to_value()),
    }
}

/// Shifts a key down so that 0 is left for null. The lost bits are compared as values.
fn half(key: u128) -> u128 {
    (key >> 1) | NOT_NULL
}

const NOT_NULL: u128 = 1 << 127;

/// Orders as the value does, weakly: unequal keys order as the values, equal keys tell nothing.
fn ascending_key(column: &Column, row: usize) -> u128 {
    if let (Data::Text(texts), false) = (column.data(), column.is_null(row)) {
        let text = texts.folded_row(row).as_bytes();
        let mut first = [0; 16];
        let len = text.len().min(first.len());
        first[..len].copy_from_slice(&text[..len]);
        return half(u128::from_be_bytes(first));
    }
    match column.cell(row) {
        Cell::Null => 0,
        Cell::Bool(bit) => half(u128::from(bit) << 1),
        Cell::Int(number) | Cell::DateTime(number) => signed(i128::from(number)),
        Cell::Date(days) => signed(i128::from(days)),
        Cell::Decimal(number) => signed(whole_units(number)),
        Cell::Double(number) => half(double_bits(number)),
        Cell::Lookup(_, id) | Cell::Guid(id) => half(id.as_u128()),
        // Columns of text were dealt with above.
        Cell::Text(_) => NOT_NULL,
    }
}

fn signed(number: i128) -> u128 {
    // Well inside 126 bits, so doubling before `half` loses nothing.
    let offset = 1u128 << 100;
    half(offset.saturating_add_signed(number.clamp(-(1 << 99), 1 << 99)) << 1)
}

/// The number in units of 10^-4, rounded down: below 2^100 for all but absurd sums, which are clamped.
fn whole_units(number: Decimal) -> i128 {
    const SCALE: u8 = 4;
    let power = |digits: u8| 10i128.pow(u32::from(digits));
    match number.scale().checked_sub(SCALE) {
        Some(cut) => number.mantissa().div_euclid(power(cut)),
        None => number.mantissa().saturating_mul(power(SCALE - number.scale())),
    }
}

/// IEEE 754 totalOrder as an unsigned number, both zeros being one.
fn double_bits(number: f64) -> u128 {
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    u128::from(ordered) << 1
}

/// For callers that merge rows of their own into an ordered selection.
impl MirrorTable {
    /// How a row compares with another one, given by its values, in the order that [`MirrorTable::order`] makes.
    pub fn compare_with(&self, at: RowAt, orderby: &[OrderBy], other: &dyn Fn(&str) -> Value) -> Ordering {
        for by in orderby {
            let order = collate::value_order(&self.cell(at, &by.column), &other(&by.column));
            match (order, by.descending) {
                (Ordering::Equal, _) => {}
                (order, true) => return order.reverse(),
                (order, false) => return order,
            }
        }
        let id = Value::Guid(self.id_at(at));
        collate::value_order(&id, &other(&self.schema.primary_id))
    }
}
