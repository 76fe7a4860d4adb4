//! What can go wrong inside the engine, and whether trying again may help.

use flette_odata::ODataError;

/// Failure of an engine operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The store could not read or write.
    Store(StoreError),
    /// The request is refused, as the server would refuse it.
    Refused(ODataError),
    /// A stored record cannot be read; names which.
    Damaged(String),
    /// The server could not be reached or did not answer sensibly.
    Network(String),
}

/// Result of an engine operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Failure of a store operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The store has moved on since `expected`: read again and decide again. Nothing was written.
    Stale,
    /// No space left. Nothing was written.
    Full,
    /// The handle is gone for good (after reopening was tried). Nothing was written.
    Closed,
    /// Any other failure, in the words of the backend. Nothing was written.
    Failed(String),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        Error::Store(error)
    }
}

impl From<ODataError> for Error {
    fn from(error: ODataError) -> Error {
        Error::Refused(error)
    }
}

impl Error {
    /// A record that cannot be read: says what and where, never what stands there, as the parser's own words may.
    pub(crate) fn unreadable(what: &str, error: &serde_json::Error) -> Error {
        Error::Damaged(format!("{what}: {:?} at column {}", error.classify(), error.column()))
    }

    /// The error as an answer: refusals as they are, a full disk as 507, all else as 503.
    pub fn to_odata(&self) -> ODataError {
        match self {
            Error::Refused(error) => error.clone(),
            Error::Store(StoreError::Full) => {
                ODataError::new(507, "0x80040216", "No space left for the replica.")
            }
            Error::Store(error) => ODataError::new(
                503,
                "0x80040216",
                format!("The replica could not be read or written: {error}"),
            ),
            Error::Damaged(what) => {
                ODataError::new(503, "0x80040216", format!("The replica is damaged: {what}"))
            }
            Error::Network(what) => {
                ODataError::new(503, "0x80040216", format!("The server cannot be reached: {what}"))
            }
        }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::Stale => f.write_str("another context has written"),
            StoreError::Full => f.write_str("no space left"),
            StoreError::Closed => f.write_str("the database connection is closed"),
            StoreError::Failed(what) => f.write_str(what),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_odata().message.fmt(f)
    }
}

impl std::error::Error for StoreError {}
impl std::error::Error for Error {}
