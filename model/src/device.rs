//! A device: mirror, journal, and what is under way. Every decision is the engine's.

use crate::crm::{Crm, Deed, Request, Row, Standing, Verdict};
use crate::{real, FIELDS, ROWS};
use flette::journal::{fold, plan};
use flette::model::{Change, OpId};
use flette::sync::{reconcile, settle, Decision, Incoming, Local, Policy};
use flette_odata::edm::Table;
use flette_odata::stamps::Stamps;

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum State {
    Waiting,
    Sent,
    Parked,
}

/// A journal entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Number of the user's operation, from 1; its sequence number, too.
    pub made: u8,
    /// Operation id.
    pub op: u8,
    /// When it was made.
    pub at: u8,
    /// Which row.
    pub row: u8,
    /// What.
    pub deed: Deed,
    /// Version that it builds upon.
    pub base: Option<u8>,
    /// Where it is.
    pub state: State,
}

/// A row whose answer was no clear one: it is read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unclear {
    /// Which row.
    pub row: u8,
    /// It was said to exist already.
    pub exists: bool,
    /// It was said to be missing.
    pub missing: bool,
    /// The server certainly did not carry the request out.
    pub refused: bool,
}

/// What a device is waiting for. It is lost when the device stops.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Between two steps of a round, or two rounds. Whether a pull came after all that was sent.
    Idle {
        /// What became of everything that was sent is known as well as a pull can tell.
        pulled: bool,
    },
    /// For the answer to a batch.
    Sent(Vec<Request>),
    /// To read rows.
    Unclear(Vec<Unclear>),
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    /// Its number.
    pub at: u8,
    /// What the server said last.
    pub mirror: [Standing; ROWS],
    /// The server's version at the last pull: the delta token.
    pub token: u8,
    /// In order.
    pub journal: Vec<Entry>,
    /// Numbers of the operations that the conflict log names as losers, one bit each.
    pub lost: u16,
    /// What is under way.
    pub stage: Stage,
}

/// Where new operation ids come from.
pub type NewOp<'a> = &'a mut u8;

impl Device {
    /// A device that has just pulled.
    pub fn new(at: u8, mirror: [Standing; ROWS]) -> Device {
        let stage = Stage::Idle { pulled: false };
        Device { at, mirror, token: 0, journal: Vec::new(), lost: 0, stage }
    }

    fn entries(&self, row: u8) -> Vec<flette::journal::Entry> {
        self.journal.iter().filter(|e| e.row == row).map(|e| real::entry(self.at, e)).collect()
    }

    /// What the user sees of a row.
    pub fn view(&self, row: u8) -> Option<[u8; FIELDS]> {
        let seen = fold(real::mirror(self.mirror[usize::from(row)]), &self.entries(row));
        seen.map(|row| real::fields(&row))
    }

    /// Whether a row has entries that wait for a human.
    pub fn is_parked(&self, row: u8) -> bool {
        self.journal.iter().any(|entry| entry.row == row && entry.state == State::Parked)
    }

    /// The user does something to a row.
    pub fn change(&mut self, row: u8, deed: Deed, made: u8, at: u8, new_op: NewOp) {
        let known = self.mirror[usize::from(row)];
        let of_row: Vec<Entry> = self.journal.iter().filter(|entry| entry.row == row).copied().collect();
        let is_new = matches!(of_row.first(), Some(Entry { deed: Deed::Create(_), .. }));
        if deed == Deed::Delete && is_new && of_row.iter().all(|entry| entry.state != State::Sent) {
            self.journal.retain(|entry| entry.row != row);
            if !matches!(known, Standing::Live(_)) {
                return;
            }
        }
        let base = match (self.journal.iter().find(|entry| entry.row == row), known) {
            (Some(first), _) => first.base,
            (None, Standing::Live(row)) => Some(row.version),
            (None, Standing::Never | Standing::Gone(_)) => None,
        };
        self.journal.push(Entry { made, op: next(new_op), at, row, deed, base, state: State::Waiting });
    }

    /// Whether anything was sent whose answer is not known.
    pub fn any_unanswered(&self) -> bool {
        self.journal.iter().any(|entry| entry.state == State::Sent)
    }

    /// Everything that changed on the server since the last pull.
    pub fn pull(&mut self, crm: &Crm, table: &Table, new_op: NewOp) {
        for row in 0..ROWS {
            let standing = crm.rows[row];
            let version = match standing {
                Standing::Never => continue,
                Standing::Live(row) => row.version,
                Standing::Gone(version) => version,
            };
            if version > self.token {
                self.meet(u8::try_from(row).unwrap_or(u8::MAX), standing, false, table, new_op);
            }
        }
        self.token = crm.version;
        self.stage = Stage::Idle { pulled: true };
    }

    /// A row as the server says it is now meets the entries of that row.
    fn meet(&mut self, row: u8, standing: Standing, refused: bool, table: &Table, new_op: NewOp) {
        let entries = self.entries(row);
        if !entries.is_empty() {
            let known = real::mirror(self.mirror[usize::from(row)]);
            let local = Local { entries: &entries, mirror: known.as_ref() };
            let decision = match standing {
                Standing::Live(live) => {
                    let (live, etag) = real::row(&live);
                    let incoming = Incoming::Row { row: &live, etag: &etag, stamps: &Stamps::default() };
                    reconcile(table, local, incoming, &Policy::default())
                }
                Standing::Never | Standing::Gone(_) => {
                    reconcile(table, local, Incoming::Gone, &Policy::default())
                }
            };
            self.decide(row, &entries, decision, refused, new_op);
        }
        self.learn(row, standing);
    }

    /// What the mirror holds of a row from now on. Of a deletion it keeps no version.
    fn learn(&mut self, row: u8, standing: Standing) {
        self.mirror[usize::from(row)] = match standing {
            Standing::Gone(_) => Standing::Gone(0),
            Standing::Live(_) | Standing::Never => standing,
        };
    }

    fn decide(
        &mut self,
        row: u8,
        entries: &[flette::journal::Entry],
        decision: Decision,
        refused: bool,
        new_op: NewOp,
    ) {
        let number = |op: OpId| {
            let entry = entries.iter().find(|entry| entry.op == op)?;
            Some(real::small_entry(entry).made)
        };
        self.lost |= real::lost(&decision, number);
        let mut kept: Vec<Entry> = Vec::new();
        for entry in &decision.keep {
            let mut small = real::small_entry(entry);
            let renew = decision.renew.contains(&entry.seq);
            if renew || (!refused && decision.merged_sent.contains(&entry.seq)) {
                small.op = next(new_op);
            }
            if refused && small.state == State::Sent {
                small.state = State::Waiting;
            }
            kept.push(small);
        }
        self.journal.retain(|entry| entry.row != row);
        self.journal.extend(kept);
        self.journal.sort_by_key(|entry| entry.made);
    }

    /// The next batch: marked as sent before the first byte leaves. Rows of unknown version are read instead.
    pub fn send(&mut self) -> Option<Vec<Request>> {
        let entries: Vec<flette::journal::Entry> =
            self.journal.iter().map(|entry| real::entry(self.at, entry)).collect();
        let (mut batch, mut unknown) = (Vec::new(), Vec::new());
        for unit in plan(&entries) {
            let needless = |entry: &Entry| unit.nothing.iter().any(|seq| seq.0 == u64::from(entry.made));
            self.journal.retain(|entry| !needless(entry));
            for request in &unit.requests {
                let row = real::row_of(&request.key);
                let is_create = matches!(request.change, Change::Create(_));
                let base = request.base.as_ref().map(real::version);
                if base.is_none() && !is_create {
                    unknown.push(Unclear { row, exists: false, missing: false, refused: false });
                    continue;
                }
                let covered = |entry: &&Entry| request.seqs.iter().any(|seq| seq.0 == u64::from(entry.made));
                let of_it: Vec<&Entry> = self.journal.iter().filter(covered).collect();
                batch.push(Request {
                    device: self.at,
                    row,
                    op: u8::try_from(request.op.0.as_u128()).unwrap_or(u8::MAX),
                    deed: real::deed(&request.change),
                    base: base.unwrap_or_default(),
                    covers: of_it.iter().fold(0, |bits, entry| bits | 1 << entry.made),
                    first: of_it.iter().all(|entry| entry.state != State::Sent),
                });
            }
        }
        for entry in self.journal.iter_mut().filter(|entry| entry.state == State::Waiting) {
            if batch.iter().any(|request| request.covers & 1 << entry.made != 0) {
                entry.state = State::Sent;
            }
        }
        if !batch.is_empty() {
            self.stage = Stage::Sent(batch.clone());
            return Some(batch);
        }
        if !unknown.is_empty() {
            self.stage = Stage::Unclear(unknown);
        }
        None
    }

    /// The answers to the batch that the device waits for.
    pub fn take_over(&mut self, answers: &[(Request, Verdict)], table: &Table, new_op: NewOp) {
        let mut unclear = Vec::new();
        for (request, verdict) in answers {
            let row = request.row;
            let refused = Unclear { row, exists: false, missing: false, refused: true };
            match verdict {
                Verdict::Done(live) => self.accepted(request, live, table, new_op),
                Verdict::Deleted => self.deleted(row),
                Verdict::Missing if request.deed == Deed::Delete => self.deleted(row),
                Verdict::Exists if request.first => self.park(request.covers),
                Verdict::Exists => unclear.push(Unclear { exists: true, ..refused }),
                Verdict::Missing => unclear.push(Unclear { missing: true, ..refused }),
                Verdict::Changed => unclear.push(refused),
            }
        }
        self.stage = match unclear.is_empty() {
            true => Stage::Idle { pulled: true },
            false => Stage::Unclear(unclear),
        };
    }

    fn accepted(&mut self, request: &Request, live: &Row, table: &Table, new_op: NewOp) {
        let entries = self.entries(request.row);
        let sent: Vec<&flette::journal::Entry> =
            entries.iter().filter(|entry| request.covers & 1 << entry.seq.0 != 0).collect();
        let meant = plan(sent.iter().copied()).into_iter().flat_map(|unit| unit.requests).next();
        if let Some(meant) = meant {
            let (row, etag) = real::row(live);
            let decision = settle(table, &meant, &entries, &row, &etag);
            self.decide(request.row, &entries, decision, false, new_op);
        }
        self.learn(request.row, Standing::Live(*live));
    }

    fn deleted(&mut self, row: u8) {
        self.journal.retain(|entry| entry.row != row);
        self.learn(row, Standing::Gone(0));
    }

    fn park(&mut self, covers: u16) {
        for entry in self.journal.iter_mut().filter(|entry| covers & 1 << entry.made != 0) {
            entry.state = State::Parked;
        }
    }

    /// Reads the rows that are unclear.
    pub fn resolve(&mut self, crm: &Crm, table: &Table, new_op: NewOp) {
        let Stage::Unclear(rows) = std::mem::replace(&mut self.stage, Stage::Idle { pulled: true }) else {
            return;
        };
        for unclear in rows {
            let standing = crm.rows[usize::from(unclear.row)];
            let Some(first) = self.journal.iter().find(|entry| entry.row == unclear.row).copied() else {
                continue;
            };
            let all = self.journal.iter().filter(|entry| entry.row == unclear.row);
            let all = all.fold(0, |bits, entry| bits | 1 << entry.made);
            match standing {
                Standing::Live(live) => {
                    let is_create = matches!(first.deed, Deed::Create(_));
                    let foreign = is_create && (first.state != State::Sent || live.maker != self.at);
                    let unchanged = first.base == Some(live.version);
                    if (unclear.missing || unclear.exists) && (foreign || unchanged) {
                        self.park(all);
                        self.learn(unclear.row, standing);
                    } else {
                        self.meet(unclear.row, standing, unclear.refused, table, new_op);
                    }
                }
                Standing::Never | Standing::Gone(_) if unclear.exists => self.park(all),
                Standing::Never | Standing::Gone(_) => {
                    self.meet(unclear.row, standing, unclear.refused, table, new_op);
                }
            }
        }
    }

    /// The device stops, or gives up waiting: what it waited for is lost.
    pub fn stop(&mut self) {
        self.stage = Stage::Idle { pulled: false };
    }
}

fn next(new_op: NewOp) -> u8 {
    *new_op += 1;
    *new_op
}
