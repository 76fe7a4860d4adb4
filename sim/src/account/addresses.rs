//! The lines of an address are one value: no two of them come to stand side by side unless somebody wrote one upon the other.

use super::{Account, Record};
use flette_odata::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// The lines that are written.
const LINES: [&str; 2] = ["address1_city", "address1_line1"];

/// City and line; empty where nothing stands.
type Address = [String; 2];

/// Addresses that stood on the server, by row, and the last one.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    stood: BTreeMap<Uuid, (BTreeSet<Address>, Address)>,
    /// Lines are not always one value: some device keeps one of them only, or tells one of them only.
    apart: bool,
}

impl Addresses {
    /// Whether an address has just come to stand for the first time; gives it with the one before.
    fn news(&mut self, row: Uuid, values: &BTreeMap<String, String>) -> Option<(Address, Address)> {
        let now = LINES.map(|line| values.get(line).cloned().unwrap_or_default());
        let (stood, last) = self.stood.entry(row).or_default();
        let before = std::mem::replace(last, now.clone());
        (stood.insert(now.clone()) && before != now).then_some((before, now))
    }
}

impl Account {
    /// Columns that do not go both ways on some device, now or later.
    pub fn goes_one_way(&mut self, columns: &[&str]) {
        self.addresses.apart |= columns.iter().any(|column| LINES.contains(column));
    }

    /// Looks at the address of a row on the server.
    ///
    /// # Errors
    /// An address that nobody wrote.
    pub(super) fn is_whole(&mut self, row: Uuid, values: &BTreeMap<String, String>) -> Result<(), String> {
        let Some((before, now)) = self.addresses.news(row, values) else { return Ok(()) };
        if self.addresses.apart || self.gaps {
            return Ok(());
        }
        let stands = &now;
        let written = |line: usize| {
            let writes = move |record: &&Record| record.deed.writes(row, LINES[line], &stands[line]);
            self.records.iter().filter(writes)
        };
        let new: Vec<usize> = (0..LINES.len()).filter(|line| now[*line] != before[*line]).collect();
        // Whoever writes at the server writes upon what stands there.
        let by_device =
            |line: usize| written(line).next().is_some() && !self.is_plain(row, LINES[line], &now[line]);
        if !new.iter().any(|line| by_device(*line)) {
            return Ok(());
        }
        let meant = |record: &Record| {
            let Some(seen) = &record.seen else { return true };
            (0..LINES.len()).all(|line| {
                let wrote = record.deed.values().iter().find(|(column, _)| *column == LINES[line]);
                let value = wrote.map(|(_, value)| value).or_else(|| seen.get(LINES[line]));
                value.map_or("", String::as_str) == now[line]
            })
        };
        match (0..LINES.len()).flat_map(written).any(meant) {
            true => Ok(()),
            false => {
                Err(format!("a group was torn: the address {now:?} of {row} was written by nobody, and came after {before:?}"))
            }
        }
    }

    fn is_plain(&self, row: Uuid, column: &str, value: &str) -> bool {
        self.plain.contains(&(row, column.to_owned(), value.to_owned()))
    }
}
