//! What a local operation does to a row.

use super::{Row, Value};
use serde::{Deserialize, Serialize};

/// One column's edit. `old` is the value the user saw when editing: the base of the three-way merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FieldEdit {
    pub name: String,
    pub old: Value,
    pub new: Value,
}

/// What an entry does to its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// A new row with these columns; those that the server computes are among them as far as known.
    Create(Row),
    /// Changed columns only, each at most once.
    Update(Vec<FieldEdit>),
    /// The row goes.
    Delete,
}

impl Change {
    /// Whether it deletes the row.
    pub fn is_delete(&self) -> bool {
        matches!(self, Change::Delete)
    }

    /// `create`, `update` or `delete`.
    pub fn kind(&self) -> &'static str {
        match self {
            Change::Create(_) => "create",
            Change::Update(_) => "update",
            Change::Delete => "delete",
        }
    }
}

/// Why an entry is parked: the server's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Reason {
    pub status: u16,
    pub code: String,
    pub message: String,
}

/// Duplicate detection found another row.
const DUPLICATE_FOUND: &str = "0x80040333";
/// A unique key is taken.
const KEY_TAKEN: &str = "0x80060892";

/// The code of what cannot be sent since a table is not in the offline scope. The server knows no such code.
const OUT_OF_SCOPE: &str = "OutOfScope";
/// The code of what may have been carried out, and nobody can find out. The server knows no such code.
const UNCLEAR: &str = "Unclear";

impl Reason {
    /// No request can be made of an entry.
    pub fn unsendable(message: String) -> Reason {
        Reason { status: 0, code: String::new(), message }
    }

    /// The same, since a table is not in the offline scope: `what` says which, and what needs it.
    pub fn out_of_scope(what: &str) -> Reason {
        let message = format!("{what} is not in the offline scope.");
        Reason { code: OUT_OF_SCOPE.to_owned(), ..Reason::unsendable(message) }
    }

    /// Whether it is a table that was missing here: one that comes into scope may be that.
    pub fn is_out_of_scope(&self) -> bool {
        self.status == 0 && self.code == OUT_OF_SCOPE
    }

    /// The same, since it may have been carried out before, and there is nothing to find that out by.
    pub fn unclear(message: String) -> Reason {
        Reason { code: UNCLEAR.to_owned(), ..Reason::unsendable(message) }
    }

    /// Whether it may have been carried out before: only a human sends that again.
    pub fn is_unclear(&self) -> bool {
        self.status == 0 && self.code == UNCLEAR
    }

    /// What kind of refusal it is: `duplicate`, `forbidden`, `missing`, `taken`, `too-large`, `unsendable` (no request
    /// could be made of it) or `refused`.
    pub fn class(&self) -> &'static str {
        let is = |code: &str| self.code.eq_ignore_ascii_case(code);
        match self.status {
            _ if is(DUPLICATE_FOUND) || is(KEY_TAKEN) => "duplicate",
            0 => "unsendable",
            403 => "forbidden",
            404 => "missing",
            409 | 412 => "taken",
            413 => "too-large",
            _ => "refused",
        }
    }
}
