//! The record beside the tables of a durable store: which database this is, how often it was committed to, and by whom
//! lately. It is read and written in the transaction of every commit, which makes it the compare-and-swap, the fence
//! against a client that believes itself alone, and the witness of commits whose outcome never arrived.

use super::Revision;

/// Marks one commit of one handle; chance, so that no two commits share it.
pub type Nonce = [u8; 16];

/// How many of the latest commits are remembered by their nonce. A commit of unknown outcome can be looked up until
/// that many others have landed on top of it.
pub const COMMITS_REMEMBERED: usize = 16;

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 16;
const REVISION_BYTES: usize = 8;

/// The record. Format: one byte `FORMAT`, birth, revision as 8 bytes big-endian, nonces from the latest back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    birth: Nonce,
    revision: Revision,
    latest: Vec<Nonce>,
}

/// What a commit finds when it looks at the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The store is at the expected revision, and this commit has not been written.
    Current,
    /// This very commit has been written, by an earlier try.
    Landed,
    /// The store has moved on, and this commit has not been written.
    Stale,
    /// The store has moved on so far that it no longer remembers whether this commit is in it.
    Forgotten,
}

impl Ledger {
    /// The ledger of a new database.
    pub fn new(birth: Nonce) -> Ledger {
        Ledger { birth, revision: Revision(0), latest: Vec::new() }
    }

    /// What the database was given when it was made: another value is another database under the same name.
    pub fn birth(&self) -> Nonce {
        self.birth
    }

    /// How many commits the store has seen.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Where the commit `nonce`, made for `expected`, stands.
    pub fn standing(&self, expected: Revision, nonce: &Nonce) -> Standing {
        if self.revision <= expected {
            return if self.revision == expected { Standing::Current } else { Standing::Stale };
        }
        let others = self.revision.0 - expected.0 - 1;
        let place = usize::try_from(others).unwrap_or(usize::MAX);
        match self.latest.get(place) {
            Some(landed) if landed == nonce => Standing::Landed,
            Some(_) => Standing::Stale,
            None => Standing::Forgotten,
        }
    }

    /// The ledger with one commit more.
    pub fn after(mut self, nonce: Nonce) -> Ledger {
        self.revision = Revision(self.revision.0.saturating_add(1));
        self.latest.insert(0, nonce);
        self.latest.truncate(COMMITS_REMEMBERED);
        self
    }

    /// The record's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.birth);
        bytes.extend(self.revision.0.to_be_bytes());
        bytes.extend(self.latest.iter().flatten());
        bytes
    }

    /// Reads a record; `None` when it is damaged or of a format this code does not know.
    pub fn from_bytes(bytes: &[u8]) -> Option<Ledger> {
        let (&format, rest) = bytes.split_first()?;
        let (&birth, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let (&revision, rest) = rest.split_first_chunk::<REVISION_BYTES>()?;
        let nonces = rest.chunks_exact(NONCE_BYTES);
        let whole = format == FORMAT && nonces.remainder().is_empty();
        let latest: Vec<Nonce> = nonces.map(Nonce::try_from).collect::<Result<_, _>>().ok()?;
        let revision = u64::from_be_bytes(revision);
        let remembered = usize::try_from(revision).unwrap_or(usize::MAX).min(COMMITS_REMEMBERED);
        (whole && latest.len() == remembered).then_some(Ledger {
            birth,
            revision: Revision(revision),
            latest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(byte: u8) -> Nonce {
        [byte; NONCE_BYTES]
    }

    fn ledger_after(commits: u8) -> Ledger {
        (1..=commits).fold(Ledger::new(nonce(0)), |ledger, byte| ledger.after(nonce(byte)))
    }

    #[test]
    fn a_commit_is_told_whether_it_landed_until_sixteen_others_did() {
        let cases = [
            (0, 0, 1, Standing::Current),
            (1, 0, 1, Standing::Landed),
            (1, 0, 9, Standing::Stale),
            (1, 1, 2, Standing::Current),
            (1, 2, 2, Standing::Stale),
            (5, 0, 1, Standing::Landed),
            (5, 1, 1, Standing::Stale),
            (5, 4, 5, Standing::Landed),
            (16, 0, 1, Standing::Landed),
            (17, 0, 1, Standing::Forgotten),
            (17, 1, 2, Standing::Landed),
        ];
        for (commits, expected, mark, standing) in cases {
            let ledger = ledger_after(commits);
            let found = ledger.standing(Revision(expected), &nonce(mark));
            assert_eq!(found, standing, "{commits} commits, expected {expected}, nonce {mark}");
        }
        assert_eq!(ledger_after(3).standing(Revision(u64::MAX), &nonce(1)), Standing::Stale);
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        for commits in [0, 1, 15, 16, 17, 40] {
            let ledger = ledger_after(commits);
            assert_eq!(ledger.revision(), Revision(commits.into()));
            assert_eq!(Ledger::from_bytes(&ledger.to_bytes()), Some(ledger));
        }
    }

    #[test]
    fn damaged_records_are_refused() {
        let bytes = ledger_after(2).to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(Ledger::from_bytes(&bytes[..length]), None, "{length} bytes");
        }
        let longer = [bytes.as_slice(), &nonce(7)].concat();
        assert_eq!(Ledger::from_bytes(&longer), None);
        let other_format = [&[2], &bytes[1..]].concat();
        assert_eq!(Ledger::from_bytes(&other_format), None);
    }
}
