//! Filters, column by column: each condition becomes a set of rows per segment, sets are combined word by word.
//!
//! What a filter means is [`flette_odata::filter::matches`]; conditions without a fast way of their own are put to it
//! row by row, so both ways agree.

use super::bits::Bits;
use super::bytes::stored;
use super::column::{Column, Data, Kind};
use super::number::Ints;
use super::table::Slot;
use super::{Condition, IdSet, MirrorTable, RowAt, Segment};
use flette_odata::collate;
use flette_odata::filter::{holds, matches, CompareOp, Filter, TextOp};
use flette_odata::ordered;
use flette_odata::render::Cell;
use flette_odata::{Uuid, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// So many ids of one column make a list.
const LIST_MIN: usize = 3;

impl MirrorTable {
    /// Live rows that pass `filter`, as [`flette_odata::filter::matches`] decides, without those named in `skip`
    /// (rows with journal entries, which the caller judges by what the app sees). In no order.
    pub fn select(&self, filter: Option<&Filter>, skip: &[Uuid]) -> Vec<RowAt> {
        let condition = filter.map(|filter| Condition::Plain(Cow::Borrowed(filter)));
        self.select_where(condition.as_ref(), skip)
    }

    /// The same for a condition that other tables were asked about.
    pub fn select_where(&self, condition: Option<&Condition>, skip: &[Uuid]) -> Vec<RowAt> {
        let mut selection = Vec::new();
        self.each_selection(condition, skip, |slot, rows| {
            selection.reserve(rows.count());
            rows.each_one(|row| selection.push(RowAt { slot, row: stored(row) }));
        });
        selection
    }

    /// How many there are.
    pub fn count_where(&self, condition: Option<&Condition>, skip: &[Uuid]) -> usize {
        let mut count = 0;
        self.each_selection(condition, skip, |_, rows| count += rows.count());
        count
    }

    /// The rows that [`MirrorTable::select_where`] gives, segment by segment.
    pub(super) fn each_selection(
        &self,
        condition: Option<&Condition>,
        skip: &[Uuid],
        mut each: impl FnMut(u32, &Bits),
    ) {
        let skipped: Vec<RowAt> = skip.iter().filter_map(|id| self.find(*id)).collect();
        let skipped = ordered::list(skipped, Ord::cmp);
        for (at, slot) in self.slots.iter().enumerate() {
            let number = stored(at);
            let mut rows = slot.live.clone();
            let first = skipped.partition_point(|place| place.slot < number);
            let skipped = skipped[first..].iter().take_while(|place| place.slot == number);
            skipped.for_each(|place| rows.clear(place.row as usize));
            if let (Some(condition), false) = (condition, rows.is_none()) {
                rows.and(&self.meeting(condition, slot));
            }
            each(number, &rows);
        }
    }

    /// How many live rows pass; see [`MirrorTable::select`].
    pub fn count(&self, filter: Option<&Filter>, skip: &[Uuid]) -> usize {
        match (filter, skip) {
            (None, []) => self.len(),
            _ => self.select(filter, skip).len(),
        }
    }

    /// The segment's rows that pass; those that are not live may be in or out.
    pub(super) fn evaluate(&self, filter: &Filter, slot: &Slot) -> Bits {
        let rows = slot.segment.rows();
        match filter {
            Filter::Always(true) => Bits::all(rows),
            Filter::Always(false) => Bits::none(rows),
            Filter::And(items) => {
                let mut all = slot.live.clone();
                for item in items {
                    if all.is_none() {
                        break;
                    }
                    all.and(&self.evaluate(item, slot));
                }
                all
            }
            Filter::Or(items) => {
                let mut any = Bits::none(rows);
                let lists = id_lists(items).into_iter();
                let lists =
                    lists.filter_map(|(column, ids)| Some((column, self.one_of(column, &ids, slot)?)));
                let lists: BTreeMap<&str, Bits> = ordered::map(lists);
                lists.values().for_each(|found| any.or(found));
                let is_left =
                    |item: &&Filter| !equals_id(item).is_some_and(|(column, _)| lists.contains_key(column));
                items.iter().filter(is_left).for_each(|item| any.or(&self.evaluate(item, slot)));
                any
            }
            Filter::Not(inner) => {
                let mut rows = self.evaluate(inner, slot);
                rows.negate();
                rows
            }
            Filter::Compare { column, op, value } => {
                self.compare(column, *op, value, slot).unwrap_or_else(|| self.evaluate_by_row(filter, slot))
            }
            Filter::Text { column, op, pattern } => {
                self.search(column, *op, pattern, slot).unwrap_or_else(|| self.evaluate_by_row(filter, slot))
            }
            Filter::CompareColumns { .. } | Filter::HasValues { .. } => self.evaluate_by_row(filter, slot),
            // What needs more than a row is made a `Condition` first.
            Filter::Through { .. } | Filter::Any { .. } | Filter::Function { .. } => Bits::none(rows),
        }
    }

    fn evaluate_by_row(&self, filter: &Filter, slot: &Slot) -> Bits {
        let segment = &slot.segment;
        let mut columns = Vec::new();
        self.resolve(filter, segment, &mut columns);
        let mut rows = Bits::none(segment.rows());
        for row in slot.live.ones() {
            let cell = |name: &str| match columns.iter().find(|(known, _)| *known == name) {
                Some((_, column)) => column.cell(row).into(),
                None if name == self.schema.primary_id => Cell::Guid(segment.id(row)),
                None => Cell::Null,
            };
            if holds(filter, &cell) {
                rows.set(row);
            }
        }
        rows
    }

    /// The columns that one condition names, as far as the segment has them.
    fn resolve<'a>(
        &self,
        filter: &'a Filter,
        segment: &'a Segment,
        columns: &mut Vec<(&'a str, &'a Column)>,
    ) {
        let mut add = |name: &'a str| columns.extend(self.stored(segment, name).map(|column| (name, column)));
        match filter {
            Filter::Compare { column, .. }
            | Filter::Text { column, .. }
            | Filter::HasValues { column, .. } => add(column),
            Filter::CompareColumns { left, right, .. } => {
                add(left);
                add(right);
            }
            Filter::And(items) | Filter::Or(items) => {
                items.iter().for_each(|item| self.resolve(item, segment, columns));
            }
            Filter::Not(inner) => self.resolve(inner, segment, columns),
            Filter::Through { .. } | Filter::Any { .. } | Filter::Function { .. } | Filter::Always(_) => {}
        }
    }

    /// A column against a literal; `None` when there is no fast way.
    fn compare(&self, name: &str, op: CompareOp, value: &Value, slot: &Slot) -> Option<Bits> {
        let segment = &slot.segment;
        let rows = segment.rows();
        if name == self.schema.primary_id {
            return compare_key(op, value, slot);
        }
        let kind = self.kind(name)?;
        let Some(at) = segment.find(name, kind) else {
            // A column that the segment does not have is null in every row.
            let holds =
                matches(&Filter::Compare { column: String::new(), op, value: value.clone() }, &|_| {
                    Value::Null
                });
            return Some(if holds { Bits::all(rows) } else { Bits::none(rows) });
        };
        let literal = int_literal(kind, value);
        if let (Some(literal), Some(range)) = (literal, segment.range(at)) {
            if out_of_range(op, literal, range) {
                return Some(Bits::none(rows));
            }
        }
        let column = segment.column(at);
        if value.is_null() {
            return compare_null(column, op);
        }
        let found = match (column.data(), value) {
            (Data::Nothing, _) => Bits::none(rows),
            (Data::Int(numbers), _) => compare_ints(numbers, op, literal?),
            (Data::Bool(bits), Value::Bool(wanted)) => match (op, wanted) {
                (CompareOp::Equal, true) | (CompareOp::NotEqual, false) => bits.clone(),
                (CompareOp::Equal, false) | (CompareOp::NotEqual, true) => {
                    let mut bits = bits.clone();
                    bits.negate();
                    bits
                }
                _ => return None,
            },
            (Data::Text(texts), Value::Text(wanted)) => {
                let wanted = collate::fold(wanted);
                let folded = texts.folded();
                texts.rows_of(match op {
                    CompareOp::Equal => folded.equal_to(&wanted),
                    _ => Bits::from_fn(folded.len(), |entry| op.holds(folded.get(entry).cmp(&*wanted))),
                })
            }
            (Data::Decimal(numbers), Value::Decimal(wanted)) => {
                Bits::from_fn(rows, |row| op.holds(numbers.get(row).cmp(wanted)))
            }
            (Data::Lookup(lookups) | Data::Guid(lookups), Value::Guid(id)) => match op {
                CompareOp::Equal => lookups.pointing_to(*id),
                CompareOp::NotEqual => {
                    let mut rows = lookups.pointing_to(*id);
                    rows.negate();
                    rows
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(settle_nulls(found, column, op == CompareOp::NotEqual))
    }

    /// Rows that are one of these, or point to one; `None` when the column holds no ids.
    fn one_of(&self, name: &str, ids: &IdSet, slot: &Slot) -> Option<Bits> {
        let segment = &slot.segment;
        if name == self.schema.primary_id {
            return Some(Bits::from_fn(segment.rows(), |row| ids.contains(segment.id(row))));
        }
        let column = self.stored(segment, name)?;
        match column.data() {
            Data::Lookup(lookups) | Data::Guid(lookups) => {
                Some(settle_nulls(lookups.leading_to(None, |id| ids.contains(id)), column, false))
            }
            _ => None,
        }
    }

    /// A text function; `None` when there is no fast way.
    fn search(&self, name: &str, op: TextOp, pattern: &str, slot: &Slot) -> Option<Bits> {
        let column = self.stored(&slot.segment, name)?;
        let Data::Text(texts) = column.data() else { return None };
        let pattern = collate::fold(pattern);
        let folded = texts.folded();
        let entries = match op {
            TextOp::Contains => folded.containing(&pattern),
            TextOp::StartsWith => {
                Bits::from_fn(folded.len(), |entry| folded.get(entry).starts_with(&*pattern))
            }
            TextOp::EndsWith => Bits::from_fn(folded.len(), |entry| folded.get(entry).ends_with(&*pattern)),
            TextOp::Like => Bits::from_fn(folded.len(), |entry| collate::like(folded.get(entry), &pattern)),
        };
        Some(settle_nulls(texts.rows_of(entries), column, false))
    }
}

/// A column and the id that it is to be.
fn equals_id(filter: &Filter) -> Option<(&str, Uuid)> {
    match filter {
        Filter::Compare { column, op: CompareOp::Equal, value: Value::Guid(id) } => Some((column, *id)),
        _ => None,
    }
}

/// Columns that may be one of many ids: each row is asked once, and not once for each of them.
fn id_lists(items: &[Filter]) -> BTreeMap<&str, IdSet> {
    let mut lists: BTreeMap<&str, IdSet> = BTreeMap::new();
    for (column, id) in items.iter().filter_map(equals_id) {
        lists.entry(column).or_default().insert(id);
    }
    lists.retain(|_, ids| ids.len() >= LIST_MIN);
    lists
}

/// Rows without a value are in or out, whatever stands in their place.
fn settle_nulls(mut rows: Bits, column: &Column, null_passes: bool) -> Bits {
    match null_passes {
        true => rows.or(&column.nulls()),
        false => rows.and_not(&column.nulls()),
    }
    rows
}

/// `eq null` and `ne null`.
fn compare_null(column: &Column, op: CompareOp) -> Option<Bits> {
    let mut rows = column.nulls();
    match op {
        CompareOp::Equal => Some(rows),
        CompareOp::NotEqual => {
            rows.negate();
            Some(rows)
        }
        CompareOp::Greater | CompareOp::GreaterOrEqual | CompareOp::Less | CompareOp::LessOrEqual => None,
    }
}

/// A literal as the number that a column of whole numbers stores for it.
fn int_literal(kind: Kind, value: &Value) -> Option<i64> {
    match (kind, value) {
        (Kind::Int, Value::Int(number)) => Some(*number),
        (Kind::DateTime, Value::DateTime(millis)) => Some(*millis),
        (Kind::Date, Value::Date(days)) => Some(i64::from(*days)),
        _ => None,
    }
}

/// Whether no number of `min..=max` passes. (Nulls pass `ne` only, which is never skipped.)
fn out_of_range(op: CompareOp, literal: i64, (min, max): (i64, i64)) -> bool {
    match op {
        CompareOp::Equal => literal < min || literal > max,
        CompareOp::NotEqual => false,
        CompareOp::Greater => max <= literal,
        CompareOp::GreaterOrEqual => max < literal,
        CompareOp::Less => min >= literal,
        CompareOp::LessOrEqual => min > literal,
    }
}

fn compare_ints(numbers: &Ints, op: CompareOp, literal: i64) -> Bits {
    let range = match op {
        CompareOp::Equal | CompareOp::NotEqual => Some((literal, literal)),
        CompareOp::Greater => literal.checked_add(1).map(|min| (min, i64::MAX)),
        CompareOp::GreaterOrEqual => Some((literal, i64::MAX)),
        CompareOp::Less => literal.checked_sub(1).map(|max| (i64::MIN, max)),
        CompareOp::LessOrEqual => Some((i64::MIN, literal)),
    };
    // Beyond the last number there is none.
    let (min, max) = range.unwrap_or((1, 0));
    let mut rows = numbers.between(min, max);
    if op == CompareOp::NotEqual {
        rows.negate();
    }
    rows
}

fn compare_key(op: CompareOp, value: &Value, slot: &Slot) -> Option<Bits> {
    let Value::Guid(wanted) = value else { return None };
    let segment = &slot.segment;
    Some(Bits::from_fn(segment.rows(), |row| op.holds(segment.id(row).cmp(wanted))))
}
