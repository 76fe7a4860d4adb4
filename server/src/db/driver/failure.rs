//! What can go wrong in a database, and as which answer.

use flette_odata::ODataError;

/// Why a database did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Failure {
    /// Another transaction came in between. Running the whole transaction again helps.
    Conflict,
    /// The tables are not those the statement was made for. Running the transaction again helps, with the
    /// schema as it is now.
    Stale,
    /// The connection was lost before anything was to be kept. Running the transaction again helps.
    Lost,
    /// The connection was lost while the outcome was on its way: nobody knows whether it was kept.
    Unknown,
    /// A key is taken.
    Duplicate,
    /// A lock, or a connection, was not to be had in time.
    Busy,
    /// A statement took longer than it may.
    TooLong,
    /// A text holds U+0000.
    Text,
    /// Anything else.
    Other,
}

impl Failure {
    /// Whether the transaction may be run again.
    pub(in crate::db) fn may_run_again(self) -> bool {
        match self {
            Failure::Conflict | Failure::Stale | Failure::Lost => true,
            Failure::Unknown
            | Failure::Duplicate
            | Failure::Busy
            | Failure::TooLong
            | Failure::Text
            | Failure::Other => false,
        }
    }

    /// The answer.
    pub(in crate::db) fn error(self) -> ODataError {
        let busy = |message: &str| ODataError::new(503, "0x80044151", message);
        match self {
            Failure::Conflict | Failure::Stale | Failure::Busy => {
                busy("The database is busy. Try again later.")
            }
            Failure::Lost => busy("The database cannot be reached. Try again later."),
            Failure::Unknown => {
                busy("The connection to the database broke. What was asked for may have been done, or not.")
            }
            Failure::TooLong => busy("The database took too long. Ask for less, or try again later."),
            Failure::Duplicate => ODataError::duplicate_key(),
            Failure::Text => ODataError::bad_payload("A text cannot hold the character U+0000."),
            Failure::Other => {
                ODataError::new(500, "0x80044150", "The database could not carry out the request.")
            }
        }
    }
}
