//! The server: rows with versions, conditional requests, receipts.

use crate::{FIELDS, ROWS};

/// A row as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// Number of the write that made this version; the etag.
    pub version: u8,
    /// When that was.
    pub modified: u8,
    /// Who made the row.
    pub maker: u8,
    /// Values. 0 is what stood there in the beginning; others are the numbers of the operations that wrote them.
    pub fields: [u8; FIELDS],
}

/// What is known of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// Never heard of.
    Never,
    /// It stands.
    Live(Row),
    /// Deleted by the write with this number.
    Gone(u8),
}

/// What is done to a row. Old values are those of the fields before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Deed {
    Create([u8; FIELDS]),
    /// Old and new value of each field that is edited.
    Update([Option<(u8, u8)>; FIELDS]),
    Delete,
}

/// A request for one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    /// Which device sends it.
    pub device: u8,
    /// Which row.
    pub row: u8,
    /// Its operation id: `Repeatability-Request-ID`.
    pub op: u8,
    /// What is to be done.
    pub deed: Deed,
    /// `If-Match`; a create goes with `If-None-Match: *`.
    pub base: u8,
    /// Numbers of the operations that it stands for, one bit each.
    pub covers: u16,
    /// Whether none of them was sent before.
    pub first: bool,
}

/// What the server says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// 200 with the row.
    Done(Row),
    /// 204: it is deleted.
    Deleted,
    /// 412 of a create: there is such a row.
    Exists,
    /// 412 of anything else: the row has changed.
    Changed,
    /// 404
    Missing,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Crm {
    /// The rows.
    pub rows: [Standing; ROWS],
    /// Writes so far.
    pub version: u8,
    /// Whether it keeps receipts (OASIS Repeatable Requests).
    pub keeps_receipts: bool,
    /// Answers to writes that had an effect, by operation id, in order of it.
    pub receipts: Vec<(u8, Verdict)>,
    /// Values that ever stood in a field, one bit each.
    pub stood: [[u16; FIELDS]; ROWS],
    /// Broken for good: a value that was applied twice, or a row that came back.
    pub broken: Option<&'static str>,
}

impl Crm {
    /// A server with its first row, or all of them.
    pub fn new(live: usize, keeps_receipts: bool) -> Crm {
        let row = Row { version: 0, modified: 0, maker: 0, fields: [0; FIELDS] };
        let standing = |at| if at < live { Standing::Live(row) } else { Standing::Never };
        Crm {
            rows: std::array::from_fn(standing),
            version: 0,
            keeps_receipts,
            receipts: Vec::new(),
            stood: [[1; FIELDS]; ROWS],
            broken: None,
        }
    }

    /// Carries out a request that arrives at a time.
    pub fn answer(&mut self, request: &Request, now: u8) -> Verdict {
        if let Some(receipt) = self.receipt(request.op) {
            return receipt;
        }
        let at = usize::from(request.row);
        let Some(standing) = self.rows.get(at).copied() else { return Verdict::Missing };
        let version = self.version + 1;
        let verdict = match (request.deed, standing) {
            (Deed::Create(_), Standing::Live(_)) => return Verdict::Exists,
            (Deed::Create(fields), Standing::Never | Standing::Gone(_)) => {
                if matches!(standing, Standing::Gone(_)) {
                    self.broken = Some("I-9: a deleted row came back");
                }
                let row = Row { version, modified: now, maker: request.device, fields };
                self.write(at, row, [true; FIELDS])
            }
            (Deed::Update(_) | Deed::Delete, Standing::Never | Standing::Gone(_)) => return Verdict::Missing,
            (Deed::Update(_) | Deed::Delete, Standing::Live(row)) if row.version != request.base => {
                return Verdict::Changed;
            }
            (Deed::Update(edits), Standing::Live(row)) => {
                let mut fields = row.fields;
                for (field, edit) in fields.iter_mut().zip(edits) {
                    *field = edit.map_or(*field, |(_, new)| new);
                }
                let row = Row { version, modified: now, fields, ..row };
                self.write(at, row, edits.map(|edit| edit.is_some()))
            }
            (Deed::Delete, Standing::Live(_)) => {
                self.rows[at] = Standing::Gone(version);
                Verdict::Deleted
            }
        };
        self.version = version;
        if self.keeps_receipts {
            self.receipts.push((request.op, verdict));
            self.receipts.sort_unstable();
        }
        verdict
    }

    fn receipt(&self, op: u8) -> Option<Verdict> {
        self.receipts.iter().find(|(of, _)| *of == op).map(|(_, verdict)| *verdict)
    }

    fn write(&mut self, at: usize, row: Row, written: [bool; FIELDS]) -> Verdict {
        let before = self.rows[at];
        for (field, is_written) in written.into_iter().enumerate().filter(|(_, is_written)| *is_written) {
            let value = row.fields[field];
            let stands = matches!(before, Standing::Live(old) if old.fields[field] == value);
            let bit = 1 << value;
            if is_written && value != 0 && !stands && self.stood[at][field] & bit != 0 {
                self.broken = Some("I-4: a value was applied twice");
            }
            self.stood[at][field] |= bit;
        }
        self.rows[at] = Standing::Live(row);
        Verdict::Done(row)
    }

    /// Whether a request can never have an effect any more, whenever it arrives.
    pub fn is_dead(&self, request: &Request) -> bool {
        if self.receipt(request.op).is_some() {
            return true;
        }
        match (request.deed, self.rows[usize::from(request.row)]) {
            // Refused while the row stands, it may still arrive after its deletion.
            (Deed::Create(_), _) => false,
            (Deed::Update(_) | Deed::Delete, Standing::Live(row)) => row.version != request.base,
            // An update may wait for a row that is still to be made.
            (Deed::Update(_) | Deed::Delete, Standing::Never) => false,
            (Deed::Update(_) | Deed::Delete, Standing::Gone(_)) => true,
        }
    }
}
