//! One local operation that the server has not accepted yet.

use crate::error::{Error, Result};
use crate::model::{json, Change, ChangeSetId, ETag, Hlc, Key, Millis, OpId, Reason, Row, Seq};
use serde::{Deserialize, Serialize};

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryState {
    /// Not sent since it was made or merged.
    Waiting,
    /// Sent; no answer was seen. It may or may not have been applied, and is never rewritten in place by a later edit.
    Sent,
    /// Refused for good; waits for a human.
    Parked(Reason),
}

/// One journal entry. Stored as one value, committed with strict durability before the app hears of success; that it was sent may
/// stand beside it (`replica/marks.rs`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the journal.
    pub seq: Seq,
    /// The operation's identity towards the server.
    pub op: OpId,
    /// The row.
    pub key: Key,
    /// What happens to the row.
    pub change: Change,
    /// When the user did it.
    pub at: Hlc,
    /// The row's etag that the edit builds upon; none for a row the server does not know yet.
    pub base: Option<ETag>,
    /// Entries of one change set reach the server together.
    pub change_set: Option<ChangeSetId>,
    /// Where it stands.
    pub state: EntryState,
    /// Of a row that the server hears of through others only: the activity of a party, the two rows of a pair. They must
    /// stand before it. Empty for every other row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Key>,
    /// Of a new row: it was sent as one to which the server gives an id. It is asked for in the same way until it is answered,
    /// whatever the schema says by then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub added: bool,
    /// Server time, as well as known, at which it was sent for the first time under its operation. Of no account while it waits;
    /// none for what was sent before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent: Option<Millis>,
    /// The row as it was when the edit was made, where the mirror has moved on before the edit has met what is new; of account as long
    /// as the edit builds upon this version. Of a party that is taken out always, since its set may come to hold it under another id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<(ETag, Row)>>,
}

impl Entry {
    /// Whether the entry waits for a human.
    pub fn is_parked(&self) -> bool {
        matches!(self.state, EntryState::Parked(_))
    }

    /// What [`Entry::before`] holds, if it is of account.
    pub fn row_before(&self) -> Option<&Row> {
        let (etag, row) = self.before.as_deref()?;
        (self.base.as_ref() == Some(etag)).then_some(row)
    }

    /// The entry once it was sent: as one to which the server gives an id (`added`), and when for the first time.
    #[must_use]
    pub fn sent(self, added: bool, first_sent: Option<Millis>) -> Entry {
        Entry { state: EntryState::Sent, added, first_sent, ..self }
    }

    /// The entry's key in the store: `seq`, big endian, so that keys order as entries do.
    pub fn store_key(seq: Seq) -> Vec<u8> {
        seq.0.to_be_bytes().to_vec()
    }

    /// The stored form.
    ///
    /// # Errors
    /// Never for an entry made by this crate; serialisation is fallible by type.
    pub fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::unreadable("journal entry", &e))
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the bytes are no entry.
    pub fn decode(bytes: &[u8]) -> Result<Entry> {
        json::read(bytes).map_err(|e| Error::unreadable("journal entry", &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_entry_is_not_quoted() {
        let error = Entry::decode(br#"{"seq":"Jane Doe"}"#).unwrap_err();
        assert!(!error.to_string().contains("Jane"), "{error}");
    }
}
