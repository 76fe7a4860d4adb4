//! Whether what users did and what stands in the end can be reconciled.

use super::testimony::holds;
use super::{is_about, text_of, Account, Deed, Record, Said, Testimony};
use crate::profiles::Profiles;
use flette::model::Rule;
use flette_odata::Uuid;
use serde_json::Value as Json;

/// Times of writing that are less apart may be told in either order, milliseconds: what devices know of the time is as
/// exact as their requests are fast.
pub(super) const APART_MILLIS: i64 = 500;

impl Account {
    /// Whether of two conflicting values the right one won: by the rule that is set, else the one that was written later
    /// (I-25), where both times are known and far enough apart. `log` is what `GET /flette/conflicts` says.
    ///
    /// # Errors
    /// The first conflict that was decided wrongly.
    pub fn judge(&self, device: usize, log: &Json, profiles: &Profiles) -> Result<(), String> {
        for conflict in log["conflicts"].as_array().into_iter().flatten() {
            let text = |name: &str| conflict[name].as_str().unwrap_or_default();
            let (table, field) = (text("table"), text("field"));
            if text("kind") == "deleted-here" && profiles.rule(table, None) == Some(Rule::Local) {
                return Err(format!(
                    "a deletion lost on device {device} although its rule is local: {conflict}"
                ));
            }
            // The lines of an address are one value, and have one time. What waited when a column began to come down only
            // lost whatever the rule; so did what waited when a column was dropped, where there is no value of the server's.
            let is_merged = text("kind") == "field" && is_single(&conflict) && !conflict["server"].is_null();
            if !is_merged || !profiles.always_both_ways(table, field) {
                continue;
            }
            let Some(rule) = profiles.rule(table, Some(field)) else { continue };
            let right = match rule {
                Rule::Newest if self.by_rows => None,
                Rule::Newest => self.later(conflict),
                Rule::Local => Some("local"),
                Rule::Server | Rule::Manual => Some("server"),
            };
            if right.is_some_and(|right| conflict["winner"] != right) {
                let promise = if rule == Rule::Newest { "I-25" } else { "a rule" };
                return Err(format!(
                    "{promise}: {rule:?} was to win of {field} of {}, and did not on device {device}: {conflict}",
                    text("row")
                ));
            }
            if conflict["open"] != (rule == Rule::Manual && conflict["resolved"].is_null()) {
                return Err(format!("device {device} leaves the wrong conflicts to a human: {conflict}"));
            }
        }
        Ok(())
    }

    /// Which side of a conflict was written later, where that is known.
    fn later(&self, conflict: &Json) -> Option<&'static str> {
        let time = |side: &str| self.times.get(&text_of(&conflict[side])?);
        let (local, server) = (time("local")?, time("server")?);
        match () {
            () if local.0 > server.1 + APART_MILLIS => Some("local"),
            () if server.0 > local.1 + APART_MILLIS => Some("server"),
            () => None,
        }
    }

    /// Whether every acknowledged change of a device can be found again (I-1, I-6). How many were looked for. `shown`: the
    /// server shows its user a row. One that is out of his sight is gone for him, and the server says so of it: a deletion is done
    /// then, also where the row comes back into his sight.
    ///
    /// # Errors
    /// The first one that went without a trace.
    pub fn settle(
        &self,
        device: usize,
        told: &Testimony,
        shown: &dyn Fn(Uuid) -> bool,
    ) -> Result<usize, String> {
        let mut looked_for = 0;
        let own = || self.records.iter().filter(|record| record.device == device);
        for record in own().filter(|record| record.said == Said::Done) {
            let row = record.deed.row();
            looked_for += 1;
            if let Deed::Delete { .. } = record.deed {
                let went = self.gone.contains(&row) || self.gone_before.contains(&row);
                let lost = self.was_not_there(record) || self.was_out_of_sight(record);
                let stands = self.known.contains(&row) && !went && !lost;
                if stands && !told.tells_deletion(row) && shown(row) {
                    return Err(format!(
                        "I-6: the deletion of {row} by device {device} went without a trace"
                    ));
                }
                continue;
            }
            let is_gone = || self.deleted_by(device, row) && self.may_be_gone(record, told, shown);
            if !self.parent_is_found(record, told) && !is_gone() {
                return Err(format!(
                    "I-6: what {row} was to hang on, acknowledged by device {device}, went without a trace: {record:?}"
                ));
            }
            for (column, value) in record.deed.values() {
                let values = self.later_of(record).flat_map(|later| later.deed.values());
                let mut later = values.filter(|(name, _)| name == column).map(|(_, value)| value.as_str());
                let found = later
                    .any(|value| self.stood(row, column, value) || told.mentions(row, Some((column, value))));
                if !(found || is_gone()) {
                    return Err(format!(
                        "I-6: {value} of {column} of {row}, acknowledged by device {device}, went without a trace"
                    ));
                }
            }
        }
        Ok(looked_for)
    }

    /// A change and what its user wrote to its row after it or at the same time: what he wrote over himself needs no trace of its own.
    pub(super) fn later_of<'a>(&'a self, record: &'a Record) -> impl Iterator<Item = &'a Record> {
        let before = |other: &Record| other.ended.is_some_and(|ended| ended < record.begun);
        let own = self.records.iter().filter(|other| other.device == record.device);
        own.filter(move |other| {
            let same = other.deed.row() == record.deed.row() && !matches!(other.said, Said::Refused(_));
            same && !before(other)
        })
    }

    /// Whether a row that its device wanted deleted went, or may yet, or is not to be seen: what was edited before went with it. A
    /// deletion that lost takes nothing along.
    fn may_be_gone(&self, record: &Record, told: &Testimony, shown: &dyn Fn(Uuid) -> bool) -> bool {
        let row = record.deed.row();
        let mut line = self.parents.line(row).into_iter();
        let went = |id: &Uuid| self.gone.contains(id) || self.gone_before.contains(id);
        !self.known.contains(&row)
            || line.any(|id| went(&id) || told.tells_deletion_that_waits(id))
            || !shown(row)
            || self.was_out_of_sight(record)
            || self.was_not_there(record)
    }

    /// Whether a change is about a row that was lost with a database, and had not been made again when the change began.
    fn was_not_there(&self, record: &Record) -> bool {
        self.lost.get(&record.deed.row()).is_some_and(|back| back.is_none_or(|back| record.begun < back))
    }

    /// Whether a conflict is none: the user saw the server's value, and wrote over it knowingly (L-4: of several edits the
    /// oldest value counts). After a restore values come back, and so does one that somebody chose in a conflict: nothing can be said
    /// of these.
    ///
    /// # Errors
    /// The first conflict that is none.
    pub fn are_conflicts(&self, device: usize, log: &Json, profiles: &Profiles) -> Result<(), String> {
        if self.was_restored() {
            return Ok(());
        }
        for conflict in fields_of(log).filter(is_single) {
            let (Some(field), Some(server)) = (conflict["field"].as_str(), text_of(&conflict["server"]))
            else {
                continue;
            };
            // What waited when its column was set to come down only did not meet with anything.
            let table = conflict["table"].as_str().unwrap_or_default();
            if conflict["server_at"].is_null() && !profiles.always_both_ways(table, field) {
                continue;
            }
            let row: Uuid = conflict["row"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
            let Some(local) = text_of(&conflict["local"]) else { continue };
            // What he saw afterwards was no news to him either, but that was when it had won.
            // That he chose it again in this very conflict is later, whether or not the change itself was acknowledged.
            let mut of_device = self.records.iter().filter(|record| record.device == device);
            let until = of_device.find(|record| record.deed.writes(row, field, &local));
            let Some(until) = until.map(|record| record.begun) else { continue };
            let known = self.acknowledged(device).any(|record| {
                let edits = record.deed.values().iter().any(|(column, _)| *column == field);
                record.begun <= until && edits && record.saw(row, field, &server)
            });
            let came_back = self.times_chosen(row, field, &server) > 0;
            if known && !came_back && !self.wrote(device, &server) {
                return Err(format!(
                    "L-4: device {device} logs a conflict with what its user had seen: {conflict}"
                ));
            }
        }
        Ok(())
    }

    /// Whether everything that others wrote and a device wrote over without its user having seen it stands in the device's
    /// conflict log (I-6). Columns in `but` are not looked at.
    ///
    /// # Errors
    /// The first value that went without a trace.
    pub fn nothing_unseen_was_overwritten(
        &self,
        device: usize,
        log: &Json,
        but: &[&str],
    ) -> Result<(), String> {
        for ((row, column), values) in &self.history {
            if self.gaps || but.contains(&column.as_str()) || column.starts_with("address1_") {
                continue;
            }
            for pair in values.windows(2) {
                let [before, after] = pair else { continue };
                let writes = |record: &&Record| record.deed.writes(*row, column, after);
                let Some(record) = self.acknowledged(device).find(writes) else { continue };
                // Whatever became of the change for which he looked.
                let mut of_device = self.records.iter().filter(|other| other.device == device);
                let seen = of_device.any(|other| other.saw(*row, column, before));
                // Of edits of a field that became one, the first was made upon what the server had.
                let unknown = self.records.iter().any(|other| {
                    let edits = other.deed.values().iter().any(|(name, _)| name == column);
                    other.device == device && other.deed.row() == *row && edits && other.seen.is_none()
                });
                let of_another = self.is_of_several(*row, column, after);
                if record.seen.is_none() || unknown || seen || of_another || self.wrote(device, before) {
                    continue;
                }
                let logged = fields_of(log).any(|conflict| {
                    conflict["row"].as_str() == Some(&row.to_string())
                        && conflict["field"] == column.as_str()
                        && text_of(&conflict["server"]).as_ref() == Some(before)
                        && (conflict["winner"] == "local" || conflict["resolved"] == "local")
                });
                if !logged {
                    return Err(format!(
                        "I-6: {before} of {column} of {row} was overwritten with {after} by device {device}, whose user \
                         never saw it, and stands in no conflict log"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether change sets stayed whole: with one of its changes parked, the others wait too, and none of them was applied.
    /// But when all of it was carried out, and what is parked are values of columns that go (`going`): the device had not
    /// heard of the first before the values were gone from its sight, and was right to ask for them once more. Nor where nobody can
    /// tell the device: without receipts, or when they were forgotten since, or when requests arrive `late`, one of them after its
    /// double was refused.
    ///
    /// # Errors
    /// The first change set that was torn.
    pub fn sets_are_whole(
        &self,
        device: usize,
        told: &Testimony,
        (going, late): (&[&str], bool),
    ) -> Result<(), String> {
        let parked =
            |record: &&Record| told.about(&record.deed, true).any(|entry| !self.came_along(record, entry));
        for record in self.acknowledged(device).filter(|record| record.set.is_some()).filter(parked) {
            for other in self.acknowledged(device).filter(|other| other.set == record.set) {
                let row = other.deed.row();
                if told.about(&other.deed, false).any(|entry| !self.came_along(other, entry)) {
                    return Err(format!(
                        "a change set was torn: {} is parked, and {row} of the same change set is not",
                        record.deed.row()
                    ));
                }
                // What was chosen in a conflict was sent by itself.
                let chosen = |column: &str, value: &str| self.times_chosen(row, column, value) > 0;
                let stood = |(column, value): &&(&str, String)| {
                    self.stood(row, column, value) && !chosen(column, value)
                };
                let value = other.deed.values().iter().find(stood);
                let forgotten = self.receipts_forgotten.is_some_and(|at| at > record.begun);
                let unheard = self.by_rows || forgotten || late || self.set_waits_for(record, told, going);
                let went = unheard && self.set_was_carried_out(record, told);
                if let (Some((column, value)), false) = (value, self.was_restored() || went) {
                    return Err(format!(
                        "a change set was torn: {} is parked, and {value} of {column} of {row} stood on the server",
                        record.deed.row()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether an entry is a later change of the row, and holds nothing of this one but lines of the address, which are one
    /// value: with one of them the others come along. Or what was chosen in a conflict since.
    fn came_along(&self, record: &Record, entry: &Json) -> bool {
        let own = |name: &str| !name.starts_with("address1_");
        let of_it = record.deed.values().iter().filter(|(name, value)| holds(entry, name, value));
        let chosen = |name: &str, value: &str| self.times_chosen(record.deed.row(), name, value) > 0;
        if of_it.clone().count() > 0 && of_it.clone().all(|(name, value)| chosen(name, value)) {
            return true;
        }
        // A deletion that was chosen in a conflict goes by itself, too.
        let chosen = self.chosen.iter().filter_map(|at| self.records.get(*at));
        let mut chosen = chosen.filter(|other| other.device == record.device && other.begun > record.begun);
        let deletes = |deed: &Deed| matches!(deed, Deed::Delete { .. });
        if deletes(&record.deed) && chosen.any(|other| deletes(&other.deed) && is_about(entry, &other.deed)) {
            return true;
        }
        let later = self.acknowledged(record.device).filter(|other| other.begun > record.begun);
        let lines = of_it.clone().count() > 0 && of_it.clone().all(|(name, _)| !own(name));
        lines && later.into_iter().any(|other| is_about(entry, &other.deed))
    }

    /// Whether a row of the change set of a change is parked, and with it the others, for what is in these columns.
    fn set_waits_for(&self, record: &Record, told: &Testimony, columns: &[&str]) -> bool {
        let mut set = self.acknowledged(record.device).filter(|other| other.set == record.set);
        set.any(|other| told.holds_any(&other.deed, columns))
    }

    /// Whether everything in the change set of a change stood on the server, but what had lost to a newer value before and is
    /// in the conflict log.
    fn set_was_carried_out(&self, record: &Record, told: &Testimony) -> bool {
        let set = || self.acknowledged(record.device).filter(|other| other.set == record.set);
        set().all(|other| match &other.deed {
            Deed::Delete { row } => self.gone.contains(row),
            // It went with what it hangs on, which its user deleted with it or since, before anybody could see it.
            Deed::Create { row, parent: Some(_), .. } if self.deleted_by(record.device, *row) => true,
            // He deleted what he had edited: it need not have been sent before.
            Deed::Edit { row, .. } if self.deleted_by(record.device, *row) => true,
            Deed::Create { row, values, .. } | Deed::Edit { row, values, .. } => {
                // Of his edits of a field that became one, the last was sent, or lost.
                values.iter().all(|(column, _)| {
                    let written = self.written_after(other, column);
                    let stood = |value: &String| self.stood_somewhere(*row, column, value);
                    written.iter().any(|value| stood(value) || told.logs(*row, value))
                })
            }
        })
    }

    fn acknowledged(&self, device: usize) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.device == device && record.said == Said::Done)
    }

    pub(super) fn wrote(&self, device: usize, value: &str) -> bool {
        let of_device = self.records.iter().filter(|record| record.device == device);
        of_device.flat_map(|record| record.deed.values()).any(|(_, own)| own == value)
    }

    pub(super) fn was_restored(&self) -> bool {
        !self.stood_before.is_empty()
    }
}

impl Record {
    fn saw(&self, row: Uuid, column: &str, value: &str) -> bool {
        let seen = self.seen.as_ref().filter(|_| self.deed.row() == row);
        seen.and_then(|seen| seen.get(column)).is_some_and(|seen| seen == value)
    }
}

/// Conflicts about a field.
fn fields_of(log: &Json) -> impl Iterator<Item = &Json> {
    let all = log["conflicts"].as_array().into_iter().flatten();
    all.filter(|conflict| conflict["kind"] == "field")
}

/// The lines of an address are one value.
fn is_single(conflict: &&Json) -> bool {
    !conflict["field"].as_str().is_some_and(|field| field.starts_with("address1_"))
}
