//! What users did, what the server ever said, and whether the two can be reconciled. Knows HTTP answers only, nothing
//! of how an engine works.

use flette_odata::Uuid;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Columns that are written, all of them text, and each value only once.
pub const COLUMNS: [&str; 5] = ["lastname", "telephone1", "jobtitle", "address1_city", "address1_line1"];

/// A custom column that comes and goes.
pub const MEMO: &str = "new_memo";

/// Times of writing that are less apart may be told in either order, milliseconds: what devices know of the time is as
/// exact as their requests are fast.
const APART_MILLIS: i64 = 60_000;

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
    /// The row.
    pub fn row(&self) -> Uuid {
        match self {
            Deed::Create { row, .. } | Deed::Edit { row, .. } | Deed::Delete { row } => *row,
        }
    }

    /// What is written, by column.
    pub fn values(&self) -> &[(&'static str, String)] {
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
    /// The true time when it was begun.
    at: i64,
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
    /// The same of databases that others took the place of.
    /// When values were written, from and to, of those who know the time.
    times: BTreeMap<String, (i64, i64)>,
    stood_before: BTreeSet<(Uuid, String, String)>,
    gone_before: BTreeSet<Uuid>,
    /// Whose deletion takes a row along.
    parents: BTreeMap<Uuid, Uuid>,
    ticks: u64,
}

/// What the server ever said, up to some moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    history: BTreeMap<(Uuid, String), Vec<String>>,
    known: BTreeSet<Uuid>,
    gone: BTreeSet<Uuid>,
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
    pub fn begin(&mut self, device: usize, deed: Deed, at: i64) -> usize {
        if let Deed::Create { row, parent: Some(parent), .. } = &deed {
            self.parents.insert(*row, *parent);
        }
        self.ticks += 1;
        self.records.push(Record { device, deed, said: Said::Nothing, begun: self.ticks, ended: None, at });
        self.records.len() - 1
    }

    /// A change was answered; what it was. `now` is the true time, if the device knows it and stamped the change itself.
    pub fn end(&mut self, at: usize, said: Said, now: Option<i64>) -> Option<Deed> {
        self.ticks += 1;
        let record = self.records.get_mut(at)?;
        (record.said, record.ended) = (said, Some(self.ticks));
        if let (Said::Done, Some(now)) = (said, now) {
            let from = record.at;
            self.times.extend(record.deed.values().iter().map(|(_, value)| (value.clone(), (from, now))));
        }
        Some(record.deed.clone())
    }

    /// Somebody online did something.
    pub fn online(&mut self, deed: &Deed, now: i64) {
        self.times.extend(deed.values().iter().map(|(_, value)| (value.clone(), (now, now))));
    }

    /// Whether of two conflicting values the one won that was written later (I-25), where both times are known and far
    /// enough apart. `log` is what `GET /flette/conflicts` says.
    ///
    /// # Errors
    /// The first conflict that was decided wrongly.
    pub fn judge(&self, device: usize, log: &Json) -> Result<(), String> {
        let all = log["conflicts"].as_array().into_iter().flatten();
        // The lines of an address are one value, and have one time.
        let own =
            |conflict: &&Json| !conflict["field"].as_str().unwrap_or("address1_").starts_with("address1_");
        for conflict in all.filter(own) {
            let time = |side: &str| self.times.get(conflict[side].as_str()?);
            let (Some(local), Some(server)) = (time("local"), time("server")) else { continue };
            let later = if local.0 > server.1 + APART_MILLIS {
                "local"
            } else if server.0 > local.1 + APART_MILLIS {
                "server"
            } else {
                continue;
            };
            if conflict["winner"] != later {
                return Err(format!(
                    "I-25: {} of {} was written later, and lost on device {device}: {conflict}",
                    conflict[later], conflict["field"]
                ));
            }
        }
        Ok(())
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

    /// What the server ever said up to now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { history: self.history.clone(), known: self.known.clone(), gone: self.gone.clone() }
    }

    /// The server's database is that of an earlier moment. What stood in between counts as having stood.
    pub fn restored(&mut self, to: Snapshot) {
        for ((row, column), values) in std::mem::replace(&mut self.history, to.history) {
            let stood = values.into_iter().map(|value| (row, column.clone(), value));
            self.stood_before.extend(stood);
        }
        self.known = to.known;
        self.gone_before.extend(std::mem::replace(&mut self.gone, to.gone));
    }

    /// A device lost everything: nobody knows any more what it acknowledged and did not send.
    pub fn evicted(&mut self, device: usize) {
        let of_device = self.records.iter_mut().filter(|record| record.device == device);
        of_device.filter(|record| record.said == Said::Done).for_each(|record| record.said = Said::Nothing);
    }

    /// Somebody saw a value stand on the server, or be taken over by it, at a moment between two looks.
    pub fn stands(&mut self, row: Uuid, column: &str, value: &str) {
        self.stood_before.insert((row, column.to_owned(), value.to_owned()));
    }

    /// Somebody saw a row go.
    pub fn goes(&mut self, row: Uuid) {
        self.gone_before.insert(row);
    }

    fn stood(&self, row: Uuid, column: &str, value: &str) -> bool {
        let history = self.history.get(&(row, column.to_owned()));
        history.is_some_and(|values| values.iter().any(|v| v == value))
            || self.stood_before.contains(&(row, column.to_owned(), value.to_owned()))
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
                let went = self.gone.contains(&row) || self.gone_before.contains(&row);
                let stands = self.known.contains(&row) && !went;
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
