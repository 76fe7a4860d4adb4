//! The segments of one table, seen as one.

use super::bits::Bits;
use super::bytes::stored;
use super::column::{Cell, Column, Kind};
use super::lookup::hash_id;
use super::Segment;
use flette_odata::ordered;
use flette_odata::{Row, Table, Uuid, Value};
use hashbrown::hash_table::Entry;
use hashbrown::HashTable;
use std::collections::HashMap;

/// Where a live row stands. Good until the table changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowAt {
    pub(super) slot: u32,
    pub(super) row: u32,
}

/// One segment and which of its rows count.
#[derive(Debug)]
pub(super) struct Slot {
    /// `None` for a slot whose segment went: it has no rows, and waits for the next segment.
    pub(super) number: Option<u64>,
    pub(super) segment: Segment,
    /// Rows that no newer item supersedes and that are no tombstones.
    pub(super) live: Bits,
    /// Bytes of all of its columns unpacked.
    pub(super) plain_bytes: usize,
}

/// The mirror of one table.
///
/// Reading never changes what is read: a query that runs without a pause sees one point in time.
#[derive(Debug)]
pub struct MirrorTable {
    pub(super) schema: Table,
    pub(super) slots: Vec<Slot>,
    /// Newest item of each id, tombstones included. Ids stand in the segments, not here.
    index: HashTable<RowAt>,
    /// How many older items of an id there are besides the newest, for ids that have any.
    superseded: HashMap<Uuid, u32>,
    live: usize,
    /// Whether not everything may be kept unpacked. Then a row that is read as a whole leaves its segment packed.
    pub(super) is_large: bool,
    /// How many requests have ended, for what is unpacked to grow older.
    pub(super) requests: u32,
}

impl MirrorTable {
    /// An empty mirror of `table`.
    pub fn new(table: &Table) -> MirrorTable {
        MirrorTable {
            schema: table.clone(),
            slots: Vec::new(),
            index: HashTable::new(),
            superseded: HashMap::new(),
            live: 0,
            is_large: false,
            requests: 0,
        }
    }

    /// The schema changed; columns whose type changed read as `Null` until pulled again.
    pub fn set_schema(&mut self, table: &Table) {
        self.schema = table.clone();
    }

    /// Adds a segment. Of one id the item with the highest number counts, and within a segment the last: the order of
    /// adding does not matter. A number that is there already is replaced.
    pub fn add(&mut self, number: u64, segment: Segment) {
        if self.slot_of(number).is_some() {
            self.remove(&[number]);
        }
        let live = Bits::none(segment.rows());
        let plain_bytes = segment.plain_bytes();
        let slot = Slot { number: Some(number), segment, live, plain_bytes };
        let at = self.slots.iter().position(|slot| slot.number.is_none()).unwrap_or(self.slots.len());
        match self.slots.get_mut(at) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.index_slot(at);
    }

    /// Takes segments out again; whatever they superseded counts again.
    pub fn remove(&mut self, numbers: &[u64]) {
        self.slots.retain(|slot| slot.number.is_some_and(|number| !numbers.contains(&number)));
        self.index.clear();
        self.superseded.clear();
        self.live = 0;
        for at in 0..self.slots.len() {
            self.slots[at].live = Bits::none(self.slots[at].segment.rows());
            self.index_slot(at);
        }
    }

    fn index_slot(&mut self, at: usize) {
        let MirrorTable { slots, index, superseded, live, .. } = self;
        let slot = stored(at);
        index.reserve(slots[at].segment.rows(), |at| hash_id(id_of(slots, *at)));
        for row in 0..slots[at].segment.rows() {
            let id = slots[at].segment.id(row);
            let place = RowAt { slot, row: stored(row) };
            let same = |other: &RowAt| id_of(slots, *other) == id;
            match index.entry(hash_id(id), same, |at| hash_id(id_of(slots, *at))) {
                Entry::Occupied(mut entry) => {
                    *superseded.entry(id).or_default() += 1;
                    let before = *entry.get();
                    let number = slots[at].number;
                    let older = &mut slots[before.slot as usize];
                    // Within the segment itself the later row counts.
                    if older.number > number {
                        continue;
                    }
                    if older.live.get(before.row as usize) {
                        older.live.clear(before.row as usize);
                        *live -= 1;
                    }
                    *entry.get_mut() = place;
                }
                Entry::Vacant(entry) => {
                    entry.insert(place);
                }
            }
            if !slots[at].segment.is_tombstone(row) {
                slots[at].live.set(row);
                *live += 1;
            }
        }
    }

    /// Takes segments out of which every item that counts comes back with the next segment that is added. Costs as
    /// much as they have items, whatever the size of the table.
    pub(super) fn vacate(&mut self, numbers: &[u64]) {
        for number in numbers {
            let Some(at) = self.slot_of(*number) else { continue };
            let MirrorTable { slots, index, superseded, live, .. } = self;
            for row in 0..slots[at].segment.rows() {
                let id = slots[at].segment.id(row);
                let place = RowAt { slot: stored(at), row: stored(row) };
                match index.find_entry(hash_id(id), |other| *other == place) {
                    Ok(entry) => drop(entry.remove()),
                    Err(_) => forget_one(superseded, id),
                }
            }
            *live -= slots[at].live.count();
            let (segment, live) = (Segment::nothing(), Bits::default());
            slots[at] = Slot { number: None, segment, live, plain_bytes: 0 };
        }
    }

    /// How many older items of this id there are besides the newest.
    pub(super) fn superseded(&self, id: Uuid) -> u32 {
        self.superseded.get(&id).copied().unwrap_or(0)
    }

    /// The slot of a segment.
    pub(super) fn slot_of(&self, number: u64) -> Option<usize> {
        self.slots.iter().position(|slot| slot.number == Some(number))
    }

    /// Numbers of all segments, ascending.
    pub fn numbers(&self) -> Vec<u64> {
        ordered::list(self.slots.iter().filter_map(|slot| slot.number).collect(), Ord::cmp)
    }

    /// Live rows.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is no live row.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether a live row has this id.
    pub fn contains(&self, id: Uuid) -> bool {
        self.find(id).is_some()
    }

    /// Where the live row of this id stands.
    pub fn find(&self, id: Uuid) -> Option<RowAt> {
        let at = self.newest(id)?;
        self.slots[at.slot as usize].live.get(at.row as usize).then_some(at)
    }

    /// Etag of a live row; `None` also where the server gave none.
    pub fn etag(&self, id: Uuid) -> Option<String> {
        let at = self.find(id)?;
        self.segment(at).etag(at.row as usize)
    }

    /// All known columns of a live row.
    pub fn row(&self, id: Uuid) -> Option<Row> {
        self.find(id).map(|at| self.row_at(at))
    }

    /// Id of a row.
    pub fn id_at(&self, at: RowAt) -> Uuid {
        id_of(&self.slots, at)
    }

    /// Etag of a row; empty where the server gave none.
    pub fn etag_at(&self, at: RowAt) -> String {
        self.segment(at).etag(at.row as usize).unwrap_or_default()
    }

    /// All known columns of a row: those of the schema that its segment has with the same type.
    pub fn row_at(&self, at: RowAt) -> Row {
        self.part_of_row(at, self.schema.columns.iter().map(|column| column.logical_name.as_str()))
    }

    /// The key of a row, and those of these columns that are known.
    pub fn part_of_row<'n>(&self, at: RowAt, columns: impl Iterator<Item = &'n str>) -> Row {
        let reading = self.reading(at);
        let columns = columns.filter_map(|name| {
            let stored = reading.segment.find(name, self.kind(name)?)?;
            Some((name.to_owned(), reading.with_cell(stored, |cell| cell.to_value())))
        });
        ordered::map(columns.chain([(self.schema.primary_id.clone(), Value::Guid(self.id_at(at)))]))
    }

    /// Whether all of these columns of a row are known, with the types that are given here.
    pub fn knows_all(&self, at: RowAt, columns: &[flette_odata::Column]) -> bool {
        let segment = self.segment(at);
        let mut near = 0;
        columns.iter().filter(|column| column.logical_name != self.schema.primary_id).all(|column| {
            let stored = segment.find_near(near, &column.logical_name, Kind::of(&column.kind));
            near = stored.map_or(near, |stored| stored + 1);
            stored.is_some()
        })
    }

    /// One row about to be read as a whole, or much of it.
    pub(super) fn reading(&self, at: RowAt) -> Reading<'_> {
        let segment = self.segment(at);
        Reading { segment, row: at.row as usize, alone: self.is_large && segment.takes_one_alone() }
    }

    /// One column's value by logical name; `Null` where it is not known.
    pub fn cell(&self, at: RowAt, column: &str) -> Value {
        if column == self.schema.primary_id {
            return Value::Guid(self.id_at(at));
        }
        let stored = self.stored(self.segment(at), column);
        stored.map_or(Cell::Null, |column| column.cell(at.row as usize)).to_value()
    }

    /// Ids of all live rows, in no order.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.slots.iter().flat_map(|slot| slot.live.ones().map(|row| slot.segment.id(row)))
    }

    /// Bytes of its segments as they are stored.
    pub fn stored_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.segment.stored_bytes()).sum()
    }

    /// Bytes held in memory now.
    pub fn heap_bytes(&self) -> usize {
        let slots = self.slots.iter().map(|slot| slot.segment.heap_bytes() + slot.live.heap_bytes());
        slots.sum::<usize>()
            + self.index.capacity() * (size_of::<RowAt>() + 1)
            + self.superseded.capacity() * (size_of::<(Uuid, u32)>() + 1)
    }

    /// The newest item of this id, be it a row or a tombstone.
    pub(super) fn newest(&self, id: Uuid) -> Option<RowAt> {
        self.index.find(hash_id(id), |at| id_of(&self.slots, *at) == id).copied()
    }

    /// How the schema stores a column; `None` for the key and for unknown columns.
    pub(super) fn kind(&self, column: &str) -> Option<Kind> {
        let kind = self.schema.column(column).map(|column| Kind::of(&column.kind));
        kind.filter(|_| column != self.schema.primary_id)
    }

    /// A segment's column of this name, if it has the type that the schema gives it now.
    pub(super) fn stored<'a>(&self, segment: &'a Segment, column: &str) -> Option<&'a Column> {
        segment.find(column, self.kind(column)?).map(|at| segment.column(at))
    }

    pub(super) fn segment(&self, at: RowAt) -> &Segment {
        &self.slots[at.slot as usize].segment
    }
}

/// One row that is read.
pub(super) struct Reading<'s> {
    segment: &'s Segment,
    row: usize,
    /// Whether its segment stays packed.
    alone: bool,
}

impl Reading<'_> {
    /// See [`Segment::find_near`].
    pub(super) fn find_near(&self, near: usize, name: &str, kind: Kind) -> Option<usize> {
        self.segment.find_near(near, name, kind)
    }

    /// Hands the value of a column of its segment over.
    pub(super) fn with_cell<T>(&self, column: usize, read: impl FnOnce(Cell<'_>) -> T) -> T {
        match self.alone {
            true => self.segment.with_cell_alone(self.row, column, read),
            false => read(self.segment.column(column).cell(self.row)),
        }
    }
}

fn id_of(slots: &[Slot], at: RowAt) -> Uuid {
    slots[at.slot as usize].segment.id(at.row as usize)
}

/// One of an id's older items went.
fn forget_one(superseded: &mut HashMap<Uuid, u32>, id: Uuid) {
    if let Some(count) = superseded.get_mut(&id) {
        *count -= 1;
        if *count == 0 {
            superseded.remove(&id);
        }
    }
}
