//! New rows to which the server gives ids: which of them a row on the server is, and what they are called from then on.

use super::{Account, Deed, Record, Said};
use flette_odata::Uuid;

impl Account {
    /// A device's row is called `to` from here on.
    pub fn renamed(&mut self, device: usize, (from, to): (Uuid, Uuid)) {
        let turn = |id: &mut Uuid| *id = if *id == from { to } else { *id };
        for record in self.records.iter_mut().filter(|record| record.device == device) {
            match &mut record.deed {
                Deed::Create { row, parent, .. } | Deed::Edit { row, parent, .. } => {
                    turn(row);
                    parent.iter_mut().for_each(turn);
                }
                Deed::Delete { row } => turn(row),
            }
        }
        self.parents.renamed((from, to));
    }

    /// The server made a device's new row under an id, which the device may never hear of.
    pub fn is_made_as(&mut self, row: Uuid, id: Uuid) {
        self.ids.entry(row).or_default().insert(id);
    }

    /// Whether a value stood in a device's row, under whichever id.
    pub(super) fn stood_somewhere(&self, row: Uuid, column: &str, value: &str) -> bool {
        let mut ids = self.ids.get(&row).into_iter().flatten().chain([&row]);
        ids.any(|id| self.stood(*id, column, value))
    }

    /// The row of a change that makes one.
    pub fn made_by(&self, record: usize) -> Option<Uuid> {
        self.records.get(record).filter(|record| makes(record)).map(|record| record.deed.row())
    }

    /// Whose new row it is that holds one of these values: device and row; of several the one of which nothing stood on the
    /// server yet.
    ///
    /// # Errors
    /// I-3: a value that was refused stands on the server.
    pub fn maker_of(&self, values: &[String]) -> Result<Option<(usize, Uuid)>, String> {
        let holds = |record: &&Record| record.deed.values().iter().any(|(_, value)| values.contains(value));
        let refused = |record: &&Record| matches!(record.said, Said::Refused(_));
        let of_all = || self.records.iter().rev().filter(holds);
        let made = |record: &Record| {
            let place = |other: &Record| (other.device, other.deed.row());
            let mut others = self.records.iter().filter(|other| makes(other));
            others.any(|other| place(other) == place(record))
        };
        let rows = || of_all().filter(|record| !refused(record) && made(record));
        let first = rows().find(|record| !self.known.contains(&record.deed.row())).or_else(|| rows().next());
        match (first, of_all().find(refused)) {
            (Some(record), _) => Ok(Some((record.device, record.deed.row()))),
            (None, Some(record)) => Err(format!("I-3: {:?} was refused, and its row was made", record.deed)),
            (None, None) => Ok(None),
        }
    }

    /// Whether the server may make a device's new row a second time, although the first one stands there: it was asked and
    /// does not know it any more.
    pub fn may_be_made_again(&self, device: usize, row: Uuid) -> bool {
        let makes = |record: &&Record| record.device == device && record.deed.row() == row && makes(record);
        let begun = self.records.iter().find(makes).map(|record| record.begun);
        self.by_rows || self.receipts_forgotten > begun
    }

    /// Whether a row stands on the server.
    pub fn stands_there(&self, row: Uuid) -> bool {
        self.known.contains(&row) && !self.gone.contains(&row)
    }

    /// Whether a device's user wants a row deleted, or one that takes it along.
    pub fn is_unwanted(&self, device: usize, row: Uuid) -> bool {
        self.deleted_by(device, row)
    }
}

fn makes(record: &Record) -> bool {
    matches!(record.deed, Deed::Create { .. })
}
