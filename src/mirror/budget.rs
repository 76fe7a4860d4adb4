//! Which unpacked columns are forgotten when more bytes are held than is allowed: those of the tables that nobody
//! asked for longest, and of one table those that nobody read longest. They are unpacked again when read. What one
//! request reads stays until it has ended, so a request may hold its own columns beyond the budget.

use super::MirrorTable;
use flette_odata::ordered;

/// Unpacked bytes that may be kept whatever the size of the mirror: filter, order and shown columns of a list over
/// 100,000 rows are below that, and with the packed bytes of those rows it stays below 0.6 of their JSON.
pub const UNPACKED_BYTES_MIN: usize = 16 << 20;

/// A larger mirror may keep this part of its packed bytes unpacked: one over so many. Columns that lists need are a
/// small part of all, and a million rows stay far below 1 GiB.
const PACKED_PART: usize = 2;

/// How many unpacked bytes may be kept of tables with so many packed bytes.
pub fn unpacked_bytes_max(packed: usize) -> usize {
    UNPACKED_BYTES_MIN.max(packed / PACKED_PART)
}

/// One unpacked column of one segment.
struct Held {
    /// Requests since anything of its table was read, and since it was: what goes first has the highest.
    idle: (u32, u32),
    bytes: usize,
    /// Table, slot, column.
    place: (usize, usize, usize),
}

/// When too much is unpacked, this part of the budget is made free at once, one over so many: whoever reads rows here and
/// there would else have every request look for what to forget.
const FREED_PART: usize = 8;

/// To be called when a request has ended. Leaves at most `bytes_max` unpacked.
pub fn keep_within(tables: &mut [&mut MirrorTable], bytes_max: usize) {
    let all_bytes: usize = tables.iter().map(|table| table.plain_bytes()).sum();
    tables.iter_mut().for_each(|table| table.is_large = all_bytes > bytes_max);
    let mut bytes: usize = tables.iter_mut().map(|table| table.grow_older()).sum();
    if bytes <= bytes_max {
        return;
    }
    let mut all = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        let held = table.held(number);
        let idle = held.iter().map(|held| held.idle.1).min().unwrap_or(0);
        all.extend(held.into_iter().map(|held| Held { idle: (idle, held.idle.1), ..held }));
    }
    // Of those as old as each other the largest go first, so that few must.
    let all = ordered::list(all, |a: &Held, b: &Held| {
        b.idle.cmp(&a.idle).then(b.bytes.cmp(&a.bytes)).then(a.place.cmp(&b.place))
    });
    let bytes_kept = bytes_max - bytes_max / FREED_PART;
    for held in all {
        if bytes <= bytes_kept {
            break;
        }
        let (table, slot, column) = held.place;
        tables[table].slots[slot].segment.forget(column);
        bytes -= held.bytes;
    }
}

impl MirrorTable {
    /// Bytes of columns that are unpacked now.
    pub fn unpacked_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.segment.unpacked_bytes()).sum()
    }

    /// Bytes of all of its columns unpacked, near enough.
    fn plain_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.plain_bytes).sum()
    }

    /// A request has ended. Gives the bytes of columns that are unpacked.
    fn grow_older(&mut self) -> usize {
        self.requests = self.requests.wrapping_add(1);
        let request = self.requests;
        self.slots.iter_mut().map(|slot| slot.segment.grow_older(request)).sum()
    }

    fn held(&self, table: usize) -> Vec<Held> {
        let mut held = Vec::new();
        for (at, slot) in self.slots.iter().enumerate() {
            slot.segment.each_unpacked(self.requests, |column, idle, bytes| {
                held.push(Held { idle: (0, idle), bytes, place: (table, at, column) });
            });
        }
        held
    }
}
