//! Conditions on the rows of one table for which the other tables were asked already: what is known of those comes as
//! sets of ids and values.

use super::bits::Bits;
use super::column::Data;
use super::table::Slot;
use super::{IdSet, MirrorTable};
use flette_odata::collate::Key;
use flette_odata::filter::{holds, Filter};
use flette_odata::render::Cell;
use flette_odata::Uuid;
use std::borrow::Cow;
use std::collections::HashSet;

/// See the module.
#[derive(Debug, Clone)]
pub enum Condition<'f> {
    /// What a row alone tells ([`Filter::is_of_one_row`]).
    Plain(Cow<'f, Filter>),
    /// All hold.
    And(Vec<Condition<'f>>),
    /// At least one holds.
    Or(Vec<Condition<'f>>),
    /// Does not hold.
    Not(Box<Condition<'f>>),
    /// The row is one of these.
    Among(IdSet),
    /// A lookup points to one of these rows, of a table or of whichever.
    Leads {
        /// Logical name of the lookup.
        column: Cow<'f, str>,
        /// Logical name of the table.
        table: Option<Cow<'f, str>>,
        /// The rows.
        ids: IdSet,
    },
    /// A column's value is one of these; never holds for null.
    OneOf {
        /// Logical name.
        column: Cow<'f, str>,
        /// The values.
        values: HashSet<Key>,
    },
}

impl Condition<'_> {
    /// Whether one row meets it.
    pub fn holds<'c>(&self, id: Uuid, cell: &dyn Fn(&str) -> Cell<'c>) -> bool {
        match self {
            Condition::Plain(filter) => holds(filter, cell),
            Condition::And(parts) => parts.iter().all(|part| part.holds(id, cell)),
            Condition::Or(parts) => parts.iter().any(|part| part.holds(id, cell)),
            Condition::Not(inner) => !inner.holds(id, cell),
            Condition::Among(ids) => ids.contains(id),
            Condition::Leads { column, table, ids } => match cell(column) {
                Cell::Lookup { table: to, id } => {
                    table.as_ref().is_none_or(|table| table == to) && ids.contains(id)
                }
                _ => false,
            },
            Condition::OneOf { column, values } => match cell(column) {
                Cell::Null => false,
                value => values.contains(&Key::of(value)),
            },
        }
    }
}

impl MirrorTable {
    /// The segment's rows that meet the condition; those that are not live may be in or out.
    pub(super) fn meeting(&self, condition: &Condition, slot: &Slot) -> Bits {
        let segment = &slot.segment;
        let rows = segment.rows();
        match condition {
            Condition::Plain(filter) => self.evaluate(filter, slot),
            Condition::And(parts) => {
                let mut all = slot.live.clone();
                for part in parts {
                    if all.is_none() {
                        break;
                    }
                    all.and(&self.meeting(part, slot));
                }
                all
            }
            Condition::Or(parts) => {
                let mut any = Bits::none(rows);
                parts.iter().for_each(|part| any.or(&self.meeting(part, slot)));
                any
            }
            Condition::Not(inner) => {
                let mut rows = self.meeting(inner, slot);
                rows.negate();
                rows
            }
            Condition::Among(ids) => Bits::from_fn(rows, |row| ids.contains(segment.id(row))),
            Condition::Leads { column, table, ids } => match self.stored(segment, column) {
                Some(column) => match column.data() {
                    Data::Lookup(lookups) => {
                        let mut found = lookups.leading_to(table.as_deref(), |id| ids.contains(id));
                        found.and_not(&column.nulls());
                        found
                    }
                    _ => Bits::none(rows),
                },
                None => Bits::none(rows),
            },
            Condition::OneOf { column, values } => {
                let stored = self.stored(segment, column);
                let is_key = **column == *self.schema.primary_id;
                let mut found = Bits::none(rows);
                for row in slot.live.ones() {
                    let cell = match stored {
                        Some(stored) => stored.cell(row).into(),
                        None if is_key => Cell::Guid(segment.id(row)),
                        None => Cell::Null,
                    };
                    if cell != Cell::Null && values.contains(&Key::of(cell)) {
                        found.set(row);
                    }
                }
                found
            }
        }
    }
}
