//! How many rows share a value of a column, counted by codes.

use super::bytes::stored;
use super::{Condition, MirrorTable, RowAt};
use flette_odata::Uuid;

/// Rows of one segment that store the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alike {
    /// The one with the smallest id.
    pub at: RowAt,
    /// How many there are.
    pub rows: usize,
}

impl MirrorTable {
    /// The rows that [`MirrorTable::select_where`] gives, counted by what they store in a column. Equal values of
    /// different segments are counted apart. `None` where a segment has no codes for them.
    pub fn tally(&self, column: &str, condition: Option<&Condition>, skip: &[Uuid]) -> Option<Vec<Alike>> {
        let kind = self.kind(column)?;
        let (mut all, mut coded) = (Vec::new(), true);
        self.each_selection(condition, skip, |slot, rows| {
            let segment = &self.slots[slot as usize].segment;
            let column = segment.find(column, kind).map(|at| segment.column(at));
            let mut alike: Vec<Option<Alike>> = Vec::new();
            rows.each_one(|row| {
                let Some((code, codes)) = column.map_or(Some((0, 1)), |column| column.code(row)) else {
                    coded = false;
                    return;
                };
                if alike.is_empty() {
                    alike.resize(codes, None);
                }
                let at = RowAt { slot, row: stored(row) };
                let known = alike[code].get_or_insert(Alike { at, rows: 0 });
                known.rows += 1;
                if segment.id(row) < segment.id(known.at.row as usize) {
                    known.at = at;
                }
            });
            all.extend(alike.into_iter().flatten());
        });
        coded.then_some(all)
    }
}
