//! The first rows by one or several columns.
//!
//! Each row gets a number that orders as the first column's value does as far as 64 bits can tell; the values
//! themselves are compared only where these numbers are equal.

use super::bytes::stored;
use super::column::{Cell, Column, Data};
use super::{Condition, MirrorTable, RowAt};
use flette_odata::query::OrderBy;
use flette_odata::{collate, Decimal, Uuid, Value};
use std::cmp::Ordering;

/// So many times the rows that are wanted are kept before those that come too late are thrown out: each row then costs
/// the same, whatever the order in which they come.
const KEPT_FACTOR: usize = 4;
/// And never fewer than these, so that a short list is not tidied over and over.
const KEPT_MIN: usize = 16;

/// A row on its way to its place.
#[derive(Debug, Clone, Copy)]
struct Keyed {
    key: u64,
    at: RowAt,
}

/// One column of the order, found in every segment once.
struct OrderColumn<'a> {
    columns: Vec<Option<&'a Column>>,
    is_key: bool,
    descending: bool,
}

/// The first rows so far.
struct First<'a> {
    mirror: &'a MirrorTable,
    columns: Vec<OrderColumn<'a>>,
    limit: usize,
    kept_max: usize,
    rows: Vec<Keyed>,
    /// Nothing with a larger key is among the first.
    bound: u64,
}

impl<'a> First<'a> {
    fn new(mirror: &'a MirrorTable, orderby: &[OrderBy], limit: usize) -> First<'a> {
        let columns = orderby.iter().map(|by| mirror.order_column(by)).collect();
        let kept_max = limit.saturating_mul(KEPT_FACTOR).max(KEPT_MIN);
        First { mirror, columns, limit, kept_max, rows: Vec::new(), bound: u64::MAX }
    }

    fn offer(&mut self, at: RowAt) {
        let key = self.columns.first().map_or(0, |column| self.mirror.key(column, at));
        if key > self.bound || self.limit == 0 {
            return;
        }
        self.rows.push(Keyed { key, at });
        if self.rows.len() == self.kept_max {
            self.tidy();
        }
    }

    /// Throws out what is not among the first.
    fn tidy(&mut self) {
        let Some(last) = self.limit.checked_sub(1).filter(|last| *last < self.rows.len()) else { return };
        let (mirror, columns) = (self.mirror, &self.columns);
        let (_, nth, _) = self.rows.select_nth_unstable_by(last, |a, b| mirror.compare_keyed(columns, a, b));
        self.bound = nth.key;
        self.rows.truncate(self.limit);
    }

    fn finish(mut self) -> Vec<RowAt> {
        let (mirror, columns) = (self.mirror, &self.columns);
        self.rows.sort_unstable_by(|a, b| mirror.compare_keyed(columns, a, b));
        self.rows.truncate(self.limit);
        self.rows.into_iter().map(|row| row.at).collect()
    }
}

impl MirrorTable {
    /// The first `limit` rows of `selection` (all of them without one), ordered by `orderby` as
    /// [`flette_odata::collate::value_order`] compares, ties by id ascending: a total order.
    pub fn order(&self, selection: Vec<RowAt>, orderby: &[OrderBy], limit: Option<usize>) -> Vec<RowAt> {
        let mut first = First::new(self, orderby, limit.unwrap_or(usize::MAX));
        selection.into_iter().for_each(|at| first.offer(at));
        first.finish()
    }

    /// The same of the rows that [`MirrorTable::select_where`] gives.
    pub fn first_where(
        &self,
        condition: Option<&Condition>,
        skip: &[Uuid],
        orderby: &[OrderBy],
        limit: usize,
    ) -> Vec<RowAt> {
        let mut first = First::new(self, orderby, limit);
        self.each_selection(condition, skip, |slot, rows| {
            rows.each_one(|row| first.offer(RowAt { slot, row: stored(row) }));
        });
        first.finish()
    }

    fn order_column(&self, by: &OrderBy) -> OrderColumn<'_> {
        let columns = self.slots.iter().map(|slot| self.stored(&slot.segment, &by.column)).collect();
        let is_key = by.column == self.schema.primary_id;
        OrderColumn { columns, is_key, descending: by.descending }
    }

    fn key(&self, column: &OrderColumn<'_>, at: RowAt) -> u64 {
        let key = match (column.is_key, column.columns[at.slot as usize]) {
            (true, _) => id_key(self.id_at(at)),
            (false, Some(stored)) => ascending_key(stored, at.row as usize),
            (false, None) => 0,
        };
        if column.descending {
            !key
        } else {
            key
        }
    }

    fn compare_keyed(&self, columns: &[OrderColumn<'_>], a: &Keyed, b: &Keyed) -> Ordering {
        a.key.cmp(&b.key).then_with(|| self.compare_rows(columns, a.at, b.at))
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

/// Shifts a key down so that 0 is left for null. The lost bit is compared as a value.
fn half(key: u64) -> u64 {
    (key >> 1) | NOT_NULL
}

const NOT_NULL: u64 = 1 << 63;

/// Orders as the value does, weakly: unequal keys order as the values, equal keys tell nothing.
fn ascending_key(column: &Column, row: usize) -> u64 {
    if column.is_null(row) {
        return 0;
    }
    match column.data() {
        Data::Nothing => 0,
        Data::Text(texts) => text_key(texts.folded_row(row)),
        Data::Int(numbers) => signed(numbers.get(row)),
        Data::Decimal(numbers) => signed(whole_units(numbers.get(row))),
        Data::Double(numbers) => half(double_bits(numbers[row])),
        Data::Bool(bits) => half(u64::from(bits.get(row)) << 1),
        Data::Lookup(lookups) | Data::Guid(lookups) => id_key(lookups.parts(row).1),
    }
}

fn text_key(text: &str) -> u64 {
    let text = text.as_bytes();
    if let Some(first) = text.first_chunk() {
        return half(u64::from_be_bytes(*first));
    }
    let mut first = [0; 8];
    first[..text.len()].copy_from_slice(text);
    half(u64::from_be_bytes(first))
}

fn id_key(id: Uuid) -> u64 {
    half(id.as_u64_pair().0)
}

/// Numbers beyond 2^62 either way have one key.
fn signed(number: i64) -> u64 {
    const OFFSET: i64 = 1 << 62;
    half(number.clamp(-OFFSET, OFFSET - 1).wrapping_add(OFFSET).unsigned_abs() << 1)
}

/// The number in units of 10^-4, rounded down; sums that are too large for 64 bits have one key.
fn whole_units(number: Decimal) -> i64 {
    const SCALE: u8 = 4;
    let power = |digits: u8| 10i128.pow(u32::from(digits));
    let units = match number.scale().checked_sub(SCALE) {
        Some(cut) => number.mantissa().div_euclid(power(cut)),
        None => number.mantissa().saturating_mul(power(SCALE - number.scale())),
    };
    i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX })
}

/// IEEE 754 totalOrder as an unsigned number, both zeros being one.
fn double_bits(number: f64) -> u64 {
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
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
