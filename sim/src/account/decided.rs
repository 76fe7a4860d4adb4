//! What users decided of conflicts, and whether it came true.

use super::{text_of, Account, Deed, Record, Said, Testimony};
use flette_odata::Uuid;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A decision that counts.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Place of the device.
    pub device: usize,
    /// The conflict's id.
    pub conflict: String,
    /// `local` or `server`.
    pub take: &'static str,
    /// The conflicts that the device knew by then.
    pub known: BTreeSet<String>,
    /// Place of the change that it made, if it made one.
    pub record: Option<usize>,
}

impl Account {
    /// A user chooses a side, by the place of the change that this is. What he chose may stand a second time, and is written
    /// now; when, is not asked.
    pub fn chooses(&mut self, record: Option<usize>) {
        let of = record.and_then(|at| self.records.get(at));
        let values: Vec<String> =
            of.into_iter().flat_map(|record| record.deed.values()).map(|(_, value)| value.clone()).collect();
        self.times.retain(|value, _| !values.contains(value));
        self.chosen.extend(record);
    }

    /// A user decided.
    pub fn decides(&mut self, decision: Decision) {
        self.decisions.push(decision);
    }

    /// How often a value may come to stand once more, since somebody chose it in a conflict.
    pub(super) fn times_chosen(&self, row: Uuid, column: &str, value: &str) -> usize {
        let made = self.chosen.iter().filter_map(|at| self.records.get(*at));
        made.filter(|record| record.deed.writes(row, column, value)).count()
    }

    /// Whether a value may have come to stand by more than one device: one wrote it, and somebody at another one chose it in a
    /// conflict.
    pub(super) fn is_of_several(&self, row: Uuid, column: &str, value: &str) -> bool {
        let writes = |record: &&Record| record.deed.writes(row, column, value);
        let chosen = self.chosen.iter().filter_map(|at| self.records.get(*at)).filter(writes);
        let writers: BTreeSet<usize> =
            self.records.iter().filter(writes).map(|record| record.device).collect();
        let online = !self
            .records
            .iter()
            .enumerate()
            .any(|(at, record)| writes(&record) && !self.chosen.contains(&at));
        chosen.count() > 0 && (writers.len() > 1 || online)
    }

    /// Whether what a device's user decided is known to be decided, and stands: on the server, until somebody wrote over it, in
    /// the journal, or as the side of a later conflict. `log` is what `GET /flette/conflicts` says.
    ///
    /// # Errors
    /// The first decision that went without a trace.
    pub fn decisions_stand(&self, device: usize, log: &Json, told: &Testimony) -> Result<(), String> {
        for decision in self.decisions.iter().filter(|decision| decision.device == device) {
            let record = decision.record.and_then(|at| self.records.get(at));
            if record.is_some_and(|record| record.said != Said::Done) {
                continue;
            }
            let mut all = log["conflicts"].as_array().into_iter().flatten();
            let logged = all.find(|conflict| conflict["id"] == decision.conflict.as_str());
            if logged.is_none_or(|conflict| conflict["resolved"] != decision.take || conflict["open"] == true)
            {
                return Err(format!(
                    "I-1: device {device} does not know that {} was decided: {logged:?}",
                    decision.conflict
                ));
            }
            let Some(record) = record.filter(|_| self.stood_before.is_empty()) else { continue };
            if let Some(how) = self.is_undone(record, &decision.known, told) {
                return Err(format!("a decision: device {device} took {record:?}, and {how}"));
            }
        }
        Ok(())
    }

    /// How the row stands where it is not as was decided, nor waits to be, nor met with somebody else's change.
    fn is_undone(&self, record: &Record, known: &BTreeSet<String>, told: &Testimony) -> Option<String> {
        let row = record.deed.row();
        if let Deed::Delete { .. } = record.deed {
            let there =
                self.known.contains(&row) && !self.gone.contains(&row) && !self.was_out_of_sight(record);
            let traced = told.holds_entries(row) || told.logs_anew(row, None, known);
            return (there && !traced).then(|| format!("{row} is still there"));
        }
        if self.deleted_by(record.device, row) {
            return None;
        }
        record.deed.values().iter().find_map(|(column, value)| {
            let later = self.written_after(record, column);
            let traced =
                |value: &str| told.journal_mentions(row, value) || told.logs_anew(row, Some(value), known);
            if later.iter().any(|value| traced(value)) {
                return None;
            }
            let history = self.history.get(&(row, (*column).to_owned()));
            let last = history.and_then(|values| values.last());
            let Some(last) = last else { return Some(format!("{value} of {column} never stood")) };
            let stood = |value: &&String| history.is_some_and(|values| values.contains(value));
            if !later.iter().any(|value| stood(&value)) {
                return Some(format!("{value} of {column} never stood"));
            }
            // What he wrote before he decided must not stand in the end, unless somebody chose it.
            let mut own = self.records.iter().filter(|other| other.device == record.device);
            let own_before = own.any(|other| other.deed.writes(row, column, last));
            let undone = own_before
                && !later.contains(last)
                && self.times_chosen(row, column, last) == 0
                && !self.comes_with_another_line(record.device, row, column);
            undone.then(|| format!("{last} stands, which he wrote before"))
        })
    }

    /// Whether a line of an address may have come back with somebody else's edit of another one: the lines are one value.
    fn comes_with_another_line(&self, device: usize, row: Uuid, column: &str) -> bool {
        let is_line = |column: &str| column.starts_with("address1_");
        let others =
            self.history.iter().filter(|((of, name), _)| *of == row && name != column && is_line(name));
        is_line(column)
            && others.filter_map(|(_, values)| values.last()).any(|last| !self.wrote(device, last))
    }

    /// What a device's user wrote into a column with a change or after it.
    pub(super) fn written_after(&self, record: &Record, column: &str) -> Vec<String> {
        let values = self.later_of(record).flat_map(|other| other.deed.values());
        let values = values.filter(|(name, _)| *name == column);
        values.map(|(_, value)| value.clone()).collect()
    }
}

impl Testimony {
    /// Whether the journal holds a change of a row.
    fn holds_entries(&self, row: Uuid) -> bool {
        let mut entries = self.journal["entries"].as_array().into_iter().flatten();
        entries.any(|entry| entry["id"].as_str() == Some(&row.to_string()))
    }

    /// Whether the journal holds a value of a row.
    fn journal_mentions(&self, row: Uuid, value: &str) -> bool {
        let entries = self.journal["entries"].as_array().into_iter().flatten();
        let mut fields = entries
            .filter(|entry| entry["id"].as_str() == Some(&row.to_string()))
            .filter_map(|entry| entry["fields"].as_array())
            .flatten();
        fields.any(|field| text_of(&field["new"]).as_deref() == Some(value))
    }

    /// Whether the conflict log holds a row, and a value of it, in a conflict that is not among the known ones.
    fn logs_anew(&self, row: Uuid, value: Option<&str>, known: &BTreeSet<String>) -> bool {
        let mut conflicts = self.export["conflicts"].as_array().into_iter().flatten();
        conflicts.any(|conflict| {
            let text = conflict.to_string();
            let is_new = conflict["id"].as_str().is_some_and(|id| !known.contains(id));
            is_new && text.contains(&row.to_string()) && value.is_none_or(|value| text.contains(value))
        })
    }
}
