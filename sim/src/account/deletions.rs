//! Whether deletions were right to win: of a deletion and an edit the later one does, where both times are known (I-25).

use super::verdicts::APART_MILLIS;
use super::{Account, Deed, Record, Said};
use crate::profiles::Profiles;
use flette::model::Rule;
use flette_odata::Uuid;

impl Account {
    /// How many rows went by deletions of which the time is known. None of them may hold what was written after the latest one.
    /// `rules` tells what a device was ever set to. Where a database took the place of another one, and where the server keeps no times
    /// of fields, nothing is said.
    ///
    /// # Errors
    /// The first deletion that won and should not have.
    pub fn deletions_were_later<'p>(&self, rules: impl Fn(usize) -> &'p Profiles) -> Result<u64, String> {
        let mut judged = 0;
        if self.by_rows || self.was_restored() {
            return Ok(judged);
        }
        for row in &self.gone {
            let Some(until) = self.deleted_until(*row, &rules) else { continue };
            judged += 1;
            let of_row = self.history.range((*row, String::new())..).take_while(|((of, _), _)| of == row);
            // What others write into a column that only goes up counts for nothing where the row was deleted.
            let counts = |column: &str| {
                self.deleters(*row).all(|record| !rules(record.device).one_way().contains(&column))
            };
            for ((_, column), values) in of_row.filter(|((_, column), _)| counts(column)) {
                let written =
                    values.last().and_then(|value| self.times.get(value).map(|(from, _)| (value, from)));
                if let Some((value, _)) = written.filter(|(_, from)| **from > until + APART_MILLIS) {
                    return Err(format!(
                        "I-25: {value} of {column} of {row} was written after the deletion that took it along"
                    ));
                }
            }
        }
        Ok(judged)
    }

    /// When a row was last wanted deleted at the latest, if it went by itself, everybody who wanted that knew the time, and time decides
    /// for all of them.
    fn deleted_until<'p>(&self, row: Uuid, rules: &impl Fn(usize) -> &'p Profiles) -> Option<i64> {
        let went = |id: &Uuid| *id != row && (self.gone.contains(id) || self.gone_before.contains(id));
        if self.parents.line(row).iter().any(went) {
            return None;
        }
        let by_time = |device: usize| {
            let rule = |table: &str| rules(device).rule(table, None);
            ["account", "contact"].into_iter().all(|table| rule(table) == Some(Rule::Newest))
        };
        let mut last = self.deleted_online.get(&row).copied();
        for record in self.deleters(row) {
            // What is meant together stands or falls together, whatever is later.
            let until = record.until.filter(|_| record.set.is_none() && by_time(record.device))?;
            last = last.max(Some(until));
        }
        last
    }

    /// Deletions of a row that devices took.
    fn deleters(&self, row: Uuid) -> impl Iterator<Item = &Record> {
        let deletes = move |record: &&Record| {
            let refused = matches!(record.said, Said::Refused(_));
            matches!(record.deed, Deed::Delete { row: gone } if gone == row) && !refused
        };
        self.records.iter().filter(deletes)
    }
}
