//! Some columns of a table, found in every segment once: what many rows are read through without copying values.

use super::column::Cell as Stored;
use super::{MirrorTable, RowAt};
use flette_odata::render::Cell;

/// See the module.
#[derive(Debug)]
pub struct Cells<'m> {
    mirror: &'m MirrorTable,
    /// By column, then by segment.
    places: Vec<Place>,
}

/// What tells a value from the others of its column and segment without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The segment: codes of different ones have nothing to do with each other.
    pub slot: usize,
    /// The same for two rows exactly when the same value is stored.
    pub code: usize,
    /// Codes are below this.
    pub codes: usize,
}

#[derive(Debug)]
enum Place {
    Key,
    /// Index of the block in each segment; none where the segment does not have the column.
    Blocks(Vec<Option<usize>>),
}

impl MirrorTable {
    /// One value by logical name; null where it is not known.
    pub fn borrowed(&self, at: RowAt, column: &str) -> Cell<'_> {
        let segment = self.segment(at);
        match self.stored(segment, column) {
            Some(stored) => stored.cell(at.row as usize).into(),
            None if column == self.schema.primary_id => Cell::Guid(segment.id(at.row as usize)),
            None => Cell::Null,
        }
    }

    /// A reader of these columns, given by logical name.
    pub fn cells<'n>(&self, columns: impl IntoIterator<Item = &'n str>) -> Cells<'_> {
        let place = |column: &str| match column == self.schema.primary_id {
            true => Place::Key,
            false => {
                let kind = self.kind(column);
                let find = |slot: &super::table::Slot| slot.segment.find(column, kind?);
                Place::Blocks(self.slots.iter().map(find).collect())
            }
        };
        Cells { mirror: self, places: columns.into_iter().map(place).collect() }
    }
}

impl<'m> Cells<'m> {
    /// The value of the column in place `column` of those asked for; null where it is not known.
    pub fn cell(&self, at: RowAt, column: usize) -> Cell<'m> {
        let segment = &self.mirror.slots[at.slot as usize].segment;
        match self.places.get(column) {
            Some(Place::Key) => Cell::Guid(segment.id(at.row as usize)),
            Some(Place::Blocks(blocks)) => match blocks[at.slot as usize] {
                Some(block) => segment.column(block).cell(at.row as usize).into(),
                None => Cell::Null,
            },
            None => Cell::Null,
        }
    }
}

impl Cells<'_> {
    /// The code of a value, where the column is stored with codes.
    pub fn code(&self, at: RowAt, column: usize) -> Option<Code> {
        let slot = at.slot as usize;
        let (code, codes) = match self.places.get(column)? {
            Place::Key => return None,
            Place::Blocks(blocks) => match blocks[slot] {
                Some(block) => self.mirror.slots[slot].segment.column(block).code(at.row as usize)?,
                None => (0, 1),
            },
        };
        Some(Code { slot, code, codes })
    }
}

impl<'a> From<Stored<'a>> for Cell<'a> {
    fn from(stored: Stored<'a>) -> Cell<'a> {
        match stored {
            Stored::Null => Cell::Null,
            Stored::Bool(value) => Cell::Bool(value),
            Stored::Int(number) => Cell::Int(number),
            Stored::Decimal(number) => Cell::Decimal(number),
            Stored::Double(number) => Cell::Double(number),
            Stored::Text(text) => Cell::Text(text),
            Stored::Guid(id) => Cell::Guid(id),
            Stored::DateTime(at) => Cell::DateTime(at),
            Stored::Date(days) => Cell::Date(days),
            Stored::Lookup(table, id) => Cell::Lookup { table, id },
        }
    }
}
