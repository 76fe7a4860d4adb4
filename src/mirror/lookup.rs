//! Lookup columns: distinct targets (table and id) and a code per row.

use super::bits::Bits;
use super::bytes::{stored, Damage, Packed, Reader};
use super::text::{Mixer, TextList};
use flette_odata::{EntityRef, Uuid};
use hashbrown::HashTable;
use std::hash::Hasher;

/// Distinct targets.
#[derive(Debug, Default)]
struct Targets {
    tables: TextList,
    /// Index into `tables` and id.
    entries: Vec<(u32, Uuid)>,
}

impl Targets {
    fn get(&self, code: usize) -> EntityRef {
        let (table, id) = self.entries[code];
        EntityRef { table: self.tables.get(table as usize).to_owned(), id }
    }
}

/// A lookup column that rows can still be added to.
#[derive(Debug, Default)]
pub(super) struct LookupBuilder {
    targets: Targets,
    codes: Vec<u32>,
    known: HashTable<u32>,
}

impl LookupBuilder {
    /// Index of a target table, for [`LookupBuilder::push`].
    pub(super) fn table(&mut self, name: &str) -> u32 {
        let tables = &mut self.targets.tables;
        let known = tables.iter().position(|table| table == name);
        stored(known.unwrap_or_else(|| {
            tables.push(name);
            tables.len() - 1
        }))
    }

    pub(super) fn push(&mut self, table: u32, id: Uuid) {
        let entries = &mut self.targets.entries;
        let entry = (table, id);
        let hash = hash_id(id);
        let found = self.known.find(hash, |code| entries[*code as usize] == entry).copied();
        self.codes.push(found.unwrap_or_else(|| {
            let code = stored(entries.len());
            entries.push(entry);
            self.known.insert_unique(hash, code, |code| hash_id(entries[*code as usize].1));
            code
        }));
    }

    pub(super) fn push_null(&mut self) {
        self.codes.push(0);
    }

    pub(super) fn get(&self, row: usize) -> EntityRef {
        self.targets.get(self.codes[row] as usize)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Targets { tables, entries } = &self.targets;
        out.extend_from_slice(&stored(tables.len()).to_le_bytes());
        tables.write(out);
        out.extend_from_slice(&stored(entries.len()).to_le_bytes());
        Packed::new(entries.iter().map(|e| u64::from(e.0)), tables.len() as u64).write(out);
        entries.iter().for_each(|e| out.extend_from_slice(e.1.as_bytes()));
        Packed::new(self.codes.iter().map(|c| u64::from(*c)), entries.len().saturating_sub(1) as u64)
            .write(out);
    }
}

/// A sealed lookup column.
#[derive(Debug)]
pub(super) struct Lookups {
    targets: Targets,
    codes: Packed,
}

/// Most target tables of one column that a segment may name.
const TABLES_MAX: usize = 65_536;

impl Lookups {
    pub(super) fn read(reader: &mut Reader<'_>, rows: usize) -> Result<Lookups, Damage> {
        let table_count = reader.length()?;
        if table_count > TABLES_MAX {
            return Err(Damage("too many target tables"));
        }
        let tables = TextList::read(reader, table_count)?;
        let count = reader.length()?;
        if count > rows {
            return Err(Damage("more targets than rows"));
        }
        let table_of = Packed::read_below(reader, count, table_count)?;
        let ids = reader.take_array(count)?.map(Uuid::from_bytes);
        let entries = ids.enumerate().map(|(at, id)| (stored(table_of.index(at)), id)).collect();
        let codes = Packed::read_below(reader, rows, count)?;
        Ok(Lookups { targets: Targets { tables, entries }, codes })
    }

    /// Logical name of the target table, and id.
    pub(super) fn parts(&self, row: usize) -> (&str, Uuid) {
        let (table, id) = self.targets.entries[self.codes.index(row)];
        (self.targets.tables.get(table as usize), id)
    }

    /// The target of a row by number, and how many there are.
    pub(super) fn code(&self, row: usize) -> (usize, usize) {
        (self.codes.index(row), self.targets.entries.len())
    }

    /// Rows that point to `id`, in whatever table.
    pub(super) fn pointing_to(&self, id: Uuid) -> Bits {
        let codes = Bits::from_fn(self.targets.entries.len(), |code| self.targets.entries[code].1 == id);
        self.codes.among(&codes)
    }

    /// Rows that point to one of some rows, of a table or of whichever. Each of those is asked for once.
    pub(super) fn leading_to(&self, table: Option<&str>, wanted: impl Fn(Uuid) -> bool) -> Bits {
        let Targets { tables, entries } = &self.targets;
        let named = Bits::from_fn(tables.len(), |at| table.is_none_or(|table| table == tables.get(at)));
        let codes = Bits::from_fn(entries.len(), |code| {
            let (target, id) = entries[code];
            named.get(target as usize) && wanted(id)
        });
        self.codes.among(&codes)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.targets.tables.heap_bytes()
            + self.targets.entries.capacity() * size_of::<(u32, Uuid)>()
            + self.codes.heap_bytes()
    }
}

/// Spreads ids over 64 bits; those made in one go differ in few bytes.
pub(super) fn hash_id(id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    let mut hasher = Mixer(high);
    hasher.write_u64(0);
    hasher.write_u64(low);
    hasher.finish()
}
