//! What users did, what the server ever said, and whether the two can be reconciled. Knows HTTP answers only, nothing
//! of how an engine works.

use flette_odata::Uuid;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Columns that are written, all of them text, and each value only once.
pub const COLUMNS: [&str; 5] = ["lastname", "telephone1", "jobtitle", "address1_city", "address1_line1"];

/// Tables with set and key, and the columns of them that are watched.
pub const WATCHED: [(&str, &str, &str); 2] =
    [("accounts", "accountid", "name"), ("contacts", "contactid", COLUMNS[0])];

/// What a user wanted to do to a row.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum Deed {
    Create { row: Uuid, values: Vec<(&'static str, String)>, parent: Option<Uuid> },
    Edit { row: Uuid, values: Vec<(&'static str, String)> },
    Delete { row: Uuid },
}

impl Deed {
    fn row(&self) -> Uuid {
        match self {
            Deed::Create { row, .. } | Deed::Edit { row, .. } | Deed::Delete { row } => *row,
        }
    }

    fn values(&self) -> &[(&'static str, String)] {
        match self {
            Deed::Create { values, .. } | Deed::Edit { values, .. } => values,
            Deed::Delete { .. } => &[],
        }
    }
}

/// What became of it at the front door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// No answer yet, or never: it may have happened.
    Nothing,
    /// 2xx: it counts.
    Done,
    /// Refused: nothing happened.
    Refused(u16),
}

/// One change of a user.
#[derive(Debug, Clone)]
pub struct Record {
    /// Place of the device.
    pub device: usize,
    /// What it was.
    pub deed: Deed,
    /// The answer.
    pub said: Said,
    /// When it was begun and when answered, in ticks of the account.
    begun: u64,
    ended: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Account {
    /// In the order in which they were begun.
    pub records: Vec<Record>,
    /// Every value that stood on the server, by row and column, in order.
    history: BTreeMap<(Uuid, String), Vec<String>>,
    /// Rows that stood on the server.
    known: BTreeSet<Uuid>,
    /// Rows that stood there and went.
    gone: BTreeSet<Uuid>,
    /// Whose deletion takes a row along.
    parents: BTreeMap<Uuid, Uuid>,
    ticks: u64,
}

/// What a device says of itself at the end.
pub struct Testimony {
    /// `GET /flette/journal`
    pub journal: Json,
    /// `GET /flette/export`
    pub export: Json,
}

impl Account {
    /// A change begins; its place.
    pub fn begin(&mut self, device: usize, deed: Deed) -> usize {
        if let Deed::Create { row, parent: Some(parent), .. } = &deed {
            self.parents.insert(*row, *parent);
        }
        self.ticks += 1;
        self.records.push(Record { device, deed, said: Said::Nothing, begun: self.ticks, ended: None });
        self.records.len() - 1
    }

    /// A change was answered; what it was.
    pub fn end(&mut self, at: usize, said: Said) -> Option<Deed> {
        self.ticks += 1;
        let record = self.records.get_mut(at)?;
        (record.said, record.ended) = (said, Some(self.ticks));
        Some(record.deed.clone())
    }

    /// Looks at all rows of the server.
    ///
    /// # Errors
    /// What no server may show.
    pub fn watch(&mut self, rows: &BTreeMap<Uuid, BTreeMap<String, String>>) -> Result<(), String> {
        for (id, row) in rows {
            if self.gone.contains(id) {
                return Err(format!("I-9: row {id} is back from the dead"));
            }
            self.known.insert(*id);
            for (column, value) in row {
                let history = self.history.entry((*id, column.clone())).or_default();
                if history.last() == Some(value) {
                    continue;
                }
                // The lines of an address are one value: with one of them the others may come back.
                if history.contains(value) && !column.starts_with("address1_") {
                    return Err(format!("I-4: {value} of {column} of {id} was applied twice: {history:?}"));
                }
                history.push(value.clone());
            }
        }
        self.gone.extend(self.known.iter().filter(|id| !rows.contains_key(*id)));
        for record in &self.records {
            let Said::Refused(status) = record.said else { continue };
            for (column, value) in record.deed.values() {
                if self.stood(record.deed.row(), column, value) {
                    return Err(format!("I-3: {value} was refused with {status} and stands on the server"));
                }
            }
        }
        Ok(())
    }

    fn stood(&self, row: Uuid, column: &str, value: &str) -> bool {
        let history = self.history.get(&(row, column.to_owned()));
        history.is_some_and(|values| values.iter().any(|v| v == value))
    }

    /// Whether a row ever went.
    pub fn is_gone(&self, row: Uuid) -> bool {
        self.gone.contains(&row)
    }

    /// Whether a device wanted a row deleted, or one that takes it along.
    fn deleted_by(&self, device: usize, row: Uuid) -> bool {
        let mut line = std::iter::successors(Some(row), |id| self.parents.get(id).copied());
        line.any(|id| {
            let deletes = |record: &&Record| matches!(record.deed, Deed::Delete { row } if row == id);
            let mut of_device = self.records.iter().filter(|record| record.device == device);
            of_device.any(|record| deletes(&record) && !matches!(record.said, Said::Refused(_)))
        })
    }

    /// Whether every acknowledged change of a device can be found again (I-1, I-6). How many were looked for.
    ///
    /// # Errors
    /// The first one that went without a trace.
    pub fn settle(&self, device: usize, told: &Testimony) -> Result<usize, String> {
        let mut looked_for = 0;
        let own = || self.records.iter().filter(|record| record.device == device);
        for record in own().filter(|record| record.said == Said::Done) {
            let row = record.deed.row();
            looked_for += 1;
            if let Deed::Delete { .. } = record.deed {
                let stands = self.known.contains(&row) && !self.gone.contains(&row);
                if stands && !told.mentions(row, None) {
                    return Err(format!(
                        "I-6: the deletion of {row} by device {device} went without a trace"
                    ));
                }
                continue;
            }
            for (column, value) in record.deed.values() {
                // What the same user wrote over it himself, then or at the same time, needs no trace of its own.
                let before = |other: &Record| other.ended.is_some_and(|ended| ended < record.begun);
                let later = own().filter(|other| !before(other)).flat_map(|later| {
                    let same = later.deed.row() == row && !matches!(later.said, Said::Refused(_));
                    let values = later.deed.values().iter().filter(move |(name, _)| same && name == column);
                    values.map(|(_, value)| value.as_str())
                });
                let found = later
                    .into_iter()
                    .any(|value| self.stood(row, column, value) || told.mentions(row, Some((column, value))));
                if !found && !self.deleted_by(device, row) {
                    return Err(format!(
                        "I-6: {value} of {column} of {row}, acknowledged by device {device}, went without a trace"
                    ));
                }
            }
        }
        Ok(looked_for)
    }
}

impl Testimony {
    /// Whether journal or conflict log speak of a row, or of a value that was written there.
    fn mentions(&self, row: Uuid, written: Option<(&str, &str)>) -> bool {
        let row = row.to_string();
        let list = |name: &str| self.export.get(name).and_then(Json::as_array).into_iter().flatten();
        list("entries").chain(list("conflicts")).any(|item| {
            let text = item.to_string();
            text.contains(&row) && written.is_none_or(|(_, value)| text.contains(&format!("\"{value}\"")))
        })
    }

    /// Rows that wait for a human, and those that wait for them.
    pub fn waiting(&self) -> BTreeSet<String> {
        let entries = || self.journal["entries"].as_array().into_iter().flatten();
        let id = |entry: &Json| entry["id"].as_str().unwrap_or_default().to_owned();
        let mut waiting: BTreeSet<String> =
            entries().filter(|entry| entry["state"] == "parked").map(id).collect();
        loop {
            let before = waiting.len();
            for entry in entries().filter(|entry| entry["kind"] == "create") {
                let text = entry["fields"].to_string();
                if waiting.iter().any(|id| text.contains(id.as_str())) {
                    waiting.insert(id(entry));
                }
            }
            if waiting.len() == before {
                return waiting;
            }
        }
    }

    /// Rows with entries that wait for nothing.
    pub fn left(&self) -> Vec<String> {
        let waiting = self.waiting();
        let entries = self.journal["entries"].as_array().into_iter().flatten();
        let ids = entries.filter_map(|entry| entry["id"].as_str());
        ids.filter(|id| !waiting.contains(*id)).map(str::to_owned).collect()
    }
}
