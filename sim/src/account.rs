//! What users did, what the server ever said, and whether the two can be reconciled. Knows HTTP answers only, nothing
//! of how an engine works.

mod addresses;
mod decided;
mod deletions;
mod given;
mod parents;
mod testimony;
mod verdicts;

pub use decided::Decision;
pub use parents::{NOTHING, PARENT, PARENT_ID};
pub use testimony::{is_about, Testimony};

use addresses::Addresses;
use flette_odata::Uuid;
use parents::Parents;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Columns that are written, all of them text, and each value only once.
pub const COLUMNS: [&str; 5] = ["lastname", "telephone1", "jobtitle", "address1_city", "address1_line1"];

/// A custom column that comes and goes, by the names that it is given one after the other.
pub const MEMOS: [&str; 3] = ["new_memo", "new_note", "new_remark"];

/// A custom choice whose options come to an end. Each is chosen once.
pub const CHOICE: &str = "new_choice";

/// A value as the account keeps it: texts as they are, numbers in digits.
pub fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Tables with set and key, and the columns of them that are watched.
pub const WATCHED: [(&str, &str, &str); 2] =
    [("accounts", "accountid", "name"), ("contacts", "contactid", COLUMNS[0])];

/// What a user wanted to do to a row.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum Deed {
    Create { row: Uuid, values: Vec<(&'static str, String)>, parent: Option<Uuid> },
    Edit { row: Uuid, values: Vec<(&'static str, String)>, parent: Option<Uuid> },
    Delete { row: Uuid },
}

impl Deed {
    /// The row.
    pub fn row(&self) -> Uuid {
        match self {
            Deed::Create { row, .. } | Deed::Edit { row, .. } | Deed::Delete { row } => *row,
        }
    }

    /// Whether it writes a value.
    fn writes(&self, row: Uuid, column: &str, value: &str) -> bool {
        let is_it = |(name, written): &(&'static str, String)| *name == column && written == value;
        self.row() == row && self.values().iter().any(is_it)
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

/// What a user saw of a row: columns with a text in them.
pub type Seen = BTreeMap<String, String>;

/// What comes into sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// A row, for some users.
    Row(Uuid),
    /// What the user of a device may read.
    Device(usize),
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
    /// Number of the change set that it is a part of.
    pub set: Option<usize>,
    /// What the user saw of the row when he began, where nothing else went on at the device until the answer.
    pub seen: Option<Seen>,
    /// When it was begun and when answered, in ticks of the account.
    begun: u64,
    ended: Option<u64>,
    /// The true time when it was begun, and that when it was acknowledged, if the device knew it and stamped the change itself.
    at: i64,
    until: Option<i64>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// In the order in which they were begun.
    pub records: Vec<Record>,
    /// Every value that stood on the server, by row and column, in order.
    history: BTreeMap<(Uuid, String), Vec<String>>,
    /// Rows that stood on the server.
    known: BTreeSet<Uuid>,
    /// Rows that stood there and went.
    gone: BTreeSet<Uuid>,
    /// When values were written, from and to, of those who know the time.
    times: BTreeMap<String, (i64, i64)>,
    /// What stood and what went in databases that others took the place of.
    stood_before: BTreeSet<(Uuid, String, String)>,
    gone_before: BTreeSet<Uuid>,
    /// Rows that stood in such a database and not in the one that took its place, and when they were made again.
    lost: BTreeMap<Uuid, Option<u64>>,
    /// Values stood there between two looks: the history has gaps.
    gaps: bool,
    /// What apps wrote past their devices, over whatever stood there: the line may bring it once more, and nothing guards it.
    plain: BTreeSet<(Uuid, String, String)>,
    /// Columns that devices write over whatever stands there: by their profiles this device's value wins.
    insisting: BTreeSet<(usize, String)>,
    /// When a row, or all that a device's user sees, may have come back into sight; of each the last time.
    regained: BTreeMap<Sight, u64>,
    /// The server keeps no times of fields: a row's last change stands for all of them.
    by_rows: bool,
    /// When the server forgot its receipts last.
    receipts_forgotten: Option<u64>,
    /// When people online deleted rows.
    deleted_online: BTreeMap<Uuid, i64>,
    /// Columns that were dropped once.
    dropped: BTreeSet<String>,
    /// Whose deletion takes a row along.
    parents: Parents,
    addresses: Addresses,
    /// Ids that the server gave to new rows of devices.
    ids: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// What users decided of conflicts.
    decisions: Vec<Decision>,
    /// Changes that are decisions, by their place.
    chosen: Vec<usize>,
    ticks: u64,
}

/// What the server ever said, up to some moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    history: BTreeMap<(Uuid, String), Vec<String>>,
    known: BTreeSet<Uuid>,
    gone: BTreeSet<Uuid>,
}

impl Account {
    /// Changes begin, each with what the user saw before; several are a change set. The place of the first one.
    pub fn begin(&mut self, device: usize, deeds: Vec<(Deed, Option<Seen>)>, at: i64) -> usize {
        let first = self.records.len();
        let set = (deeds.len() > 1).then_some(first);
        self.ticks += 1;
        for (deed, seen) in deeds {
            if let Some(parent) = deed.parent() {
                self.parents.wants(deed.row(), parent);
            }
            let (said, begun) = (Said::Nothing, self.ticks);
            self.records.push(Record { device, deed, said, set, seen, begun, ended: None, at, until: None });
        }
        first
    }

    /// Something else went on while a change was under way: what the user saw may not be what he wrote upon.
    pub fn blur(&mut self, at: usize) {
        if let Some(record) = self.records.get_mut(at) {
            record.seen = None;
        }
    }

    /// A change was answered; what it was. `now` is the true time, if the device knows it and stamped the change itself.
    pub fn end(&mut self, at: usize, said: Said, now: Option<i64>) -> Option<Deed> {
        self.ticks += 1;
        let record = self.records.get_mut(at)?;
        (record.said, record.ended) = (said, Some(self.ticks));
        record.until = now.filter(|_| said == Said::Done);
        if let (Said::Done, Some(now)) = (said, now) {
            let from = record.at;
            self.times.extend(record.deed.values().iter().map(|(_, value)| (value.clone(), (from, now))));
        }
        Some(record.deed.clone())
    }

    /// The server keeps no times of fields and no receipts, so who wrote a field last cannot be asked of it, nor what became of
    /// a request.
    pub fn goes_by_rows(&mut self) {
        self.by_rows = true;
    }

    /// The server does not know any more what it was asked before.
    pub fn forgets_receipts(&mut self) {
        self.ticks += 1;
        self.receipts_forgotten = Some(self.ticks);
    }

    /// A column is dropped, with all that stood in it.
    pub fn drops(&mut self, column: &str) {
        self.dropped.insert(column.to_owned());
    }

    /// Whether the user of a device has deleted there what a row hangs on: it went along.
    pub fn went_along(&self, device: usize, row: Uuid) -> bool {
        let deletes = |record: &Record, gone: Uuid| {
            let said = record.device == device && record.said == Said::Done;
            said && matches!(record.deed, Deed::Delete { row } if row == gone)
        };
        let mut line = self.parents.line(row).into_iter().filter(|above| *above != row);
        line.any(|gone| self.records.iter().any(|record| deletes(record, gone)))
    }

    /// Whether a request that is sent again must be answered as it was the first time.
    pub fn has_receipts(&self) -> bool {
        !self.by_rows
    }

    /// A device's own values win in these columns, now or later.
    pub fn insists<'c>(&mut self, device: usize, columns: impl Iterator<Item = &'c str>) {
        self.insisting.extend(columns.map(|column| (device, column.to_owned())));
    }

    /// When a device's user wrote anything is not known any more.
    pub fn forgets_times(&mut self, device: usize) {
        for record in self.records.iter_mut().filter(|record| record.device == device) {
            record.until = None;
            for (_, value) in record.deed.values() {
                self.times.remove(value);
            }
        }
    }

    /// Somebody online did something.
    pub fn online(&mut self, deed: &Deed, now: i64) {
        if let Some(parent) = deed.parent() {
            self.parents.wants(deed.row(), parent);
        }
        if let Deed::Delete { row } = deed {
            self.deleted_online.insert(*row, now);
        }
        self.times.extend(deed.values().iter().map(|(_, value)| (value.clone(), (now, now))));
    }

    /// A value was written once more by somebody else, under another name.
    pub fn copied(&mut self, value: &str, now: i64) {
        if let Some((_, to)) = self.times.get_mut(value) {
            *to = now;
        }
    }

    /// A user made a new row of his device one with another: what he did to the first he did to the second. `now` as in
    /// [`Account::end`]: that is when he says so of the second.
    pub fn merged(&mut self, device: usize, (here, there): (Uuid, Uuid), now: Option<i64>) {
        self.ticks += 1;
        for record in self.records.iter_mut().filter(|record| record.device == device) {
            if let Deed::Create { parent: Some(parent), row, .. }
            | Deed::Edit { parent: Some(parent), row, .. } = &mut record.deed
            {
                if *parent == here {
                    *parent = there;
                    self.parents.wants(*row, there);
                }
            }
            if record.deed.row() != here {
                continue;
            }
            record.deed = match std::mem::replace(&mut record.deed, Deed::Delete { row: there }) {
                Deed::Create { values, parent, .. } | Deed::Edit { values, parent, .. } => {
                    Deed::Edit { row: there, values, parent }
                }
                Deed::Delete { .. } => Deed::Delete { row: there },
            };
            // What he wrote upon is another row, and he writes it now; and it is sent by itself.
            (record.seen, record.set, record.until) = (None, None, None);
            (record.begun, record.ended) = (self.ticks, record.ended.map(|_| self.ticks));
            for (_, value) in record.deed.values() {
                match (self.times.get_mut(value), now) {
                    (Some((_, to)), Some(now)) => *to = now,
                    (Some(_), None) => drop(self.times.remove(value)),
                    (None, _) => {}
                }
            }
        }
    }

    /// Looks at all rows of the server.
    ///
    /// # Errors
    /// What no server may show.
    pub fn watch(&mut self, rows: &BTreeMap<Uuid, BTreeMap<String, String>>) -> Result<(), String> {
        for (id, row) in rows {
            if self.gone.contains(id) {
                self.may_return(*id)?;
            }
            self.known.insert(*id);
            if let Some(back @ None) = self.lost.get_mut(id) {
                *back = Some(self.ticks);
            }
            for (column, value) in row {
                if column == PARENT_ID {
                    self.parents.stands(*id, value.parse().unwrap_or_default());
                    continue;
                }
                let cell = (*id, column.clone());
                let before = self.history.get(&cell).map_or(&[][..], Vec::as_slice);
                if before.last() == Some(value) {
                    continue;
                }
                if before.contains(value) && !self.may_stand_again(&cell, value, before) {
                    return Err(format!("I-4: {value} of {column} of {id} was applied twice: {before:?}"));
                }
                self.history.entry(cell).or_default().push(value.clone());
            }
            self.is_whole(*id, row)?;
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

    /// The lines of an address are one value: with one of them the others may come back. What was carried out and
    /// overwritten before its device heard of it cannot be told from what never arrived, and is asked for once more as far
    /// as it wins: by the rule `local` it always does, and against what another device put in its place by that rule, as
    /// that may be the older one. And of two conflicting values users may take the one that stood before. What an app writes past
    /// its device, over whatever stands there, comes twice where the line brings it twice.
    fn may_stand_again(&self, (row, column): &(Uuid, String), value: &str, before: &[String]) -> bool {
        let insists = || self.insisting.iter().any(|(_, insisted)| insisted == column);
        let stood = before.iter().filter(|stood| *stood == value).count();
        let unknown = || self.by_rows && self.dropped.contains(column);
        let plain = || stood == 1 && self.plain.contains(&(*row, column.clone(), value.to_owned()));
        column.starts_with("address1_")
            || insists()
            || unknown()
            || plain()
            || stood <= self.times_chosen(*row, column, value)
    }

    /// I-9. Without receipts nobody can tell a create that never arrived from one whose row is gone, where the feed does not tell
    /// of the latter: it is asked again, as the former would have to be.
    fn may_return(&mut self, row: Uuid) -> Result<(), String> {
        let makes = |record: &Record| matches!(record.deed, Deed::Create { row: made, .. } if made == row);
        let untold =
            |record: &Record| self.by_rows || self.receipts_forgotten.is_some_and(|at| at > record.begun);
        if !self.records.iter().any(|record| makes(record) && untold(record)) {
            return Err(format!("I-9: row {row} is back from the dead"));
        }
        self.gone.remove(&row);
        let columns: Vec<String> =
            self.history.keys().filter(|(id, _)| *id == row).map(|(_, column)| column.clone()).collect();
        for column in columns {
            let values = self.history.remove(&(row, column.clone())).unwrap_or_default();
            self.stood_before.extend(values.into_iter().map(|value| (row, column.clone(), value)));
        }
        self.gone_before.insert(row);
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
        let lost = self.known.difference(&to.known).map(|row| (*row, None));
        self.lost.extend(lost);
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
        self.gaps = true;
        self.stood_before.insert((row, column.to_owned(), value.to_owned()));
    }

    /// An app wrote a value past its device, over whatever stood there.
    pub fn written_plainly(&mut self, (row, column): (Uuid, &str), value: &str) {
        self.plain.insert((row, column.to_owned(), value.to_owned()));
    }

    /// Rows that some users did not see may be in their sight again.
    pub fn regains(&mut self, sight: Sight) {
        self.ticks += 1;
        self.regained.insert(sight, self.ticks);
    }

    /// Whether the row of a change may have come back into its user's sight since it was begun.
    fn was_out_of_sight(&self, record: &Record) -> bool {
        let since = |sight: Sight| self.regained.get(&sight).is_some_and(|at| *at > record.begun);
        since(Sight::Row(record.deed.row())) || since(Sight::Device(record.device))
    }

    /// Somebody saw a row go.
    pub fn goes(&mut self, row: Uuid) {
        self.gone_before.insert(row);
    }

    /// Whether a device wrote a value after it had begun to write another one: what was passed on to the server may be answered
    /// after a later change that was not.
    pub fn wrote_later(
        &self,
        device: usize,
        (row, column): (Uuid, &str),
        (value, later): (&str, &str),
    ) -> bool {
        let begun = |value: &str| {
            let of_device = self.records.iter().enumerate().filter(|(_, record)| record.device == device);
            let writes = of_device.filter(|(_, record)| record.deed.writes(row, column, value));
            writes.map(|(at, record)| (record.begun, at)).max()
        };
        begun(later) > begun(value)
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
        self.parents.line(row).into_iter().any(|id| {
            let deletes = |record: &&Record| matches!(record.deed, Deed::Delete { row } if row == id);
            let mut of_device = self.records.iter().filter(|record| record.device == device);
            of_device.any(|record| deletes(&record) && !matches!(record.said, Said::Refused(_)))
        })
    }
}
