//! What IndexedDB throws and rejects with, sorted by what can be done about it.

use crate::store::StoreError;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DomException;

/// Why an operation on a connection did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection is of no use any more; another may be. The whole transaction is to be run again on it.
    Lost,
    /// Trying again does not help.
    Final(StoreError),
}

/// Names of exceptions that mean a lost connection. `UnknownError`: Chromium's backing store and WebKit's server process.
/// `InvalidStateError`: "the database connection is closing", everywhere. `AbortError`: what a forced close gives the
/// transactions it cuts off. `TransactionInactiveError`: WebKit after the device slept.
const LOST: [&str; 4] = ["UnknownError", "InvalidStateError", "AbortError", "TransactionInactiveError"];

impl Trouble {
    /// Anything else that went wrong, in words.
    pub(super) fn failed(words: &str) -> Trouble {
        Trouble::Final(StoreError::Failed(words.to_owned()))
    }

    fn from_words(words: String) -> Trouble {
        if words.contains("QuotaExceededError") {
            Trouble::Final(StoreError::Full)
        } else if LOST.iter().any(|name| words.contains(name)) {
            Trouble::Lost
        } else {
            Trouble::Final(StoreError::Failed(words))
        }
    }
}

impl From<DomException> for Trouble {
    fn from(error: DomException) -> Trouble {
        Trouble::from_words(format!("{}: {}", error.name(), error.message()))
    }
}

/// A thrown or rejected value.
impl From<JsValue> for Trouble {
    fn from(thrown: JsValue) -> Trouble {
        match thrown.dyn_into::<DomException>() {
            Ok(error) => error.into(),
            Err(other) => Trouble::from_words(format!("{other:?}")),
        }
    }
}

/// `rexie` hands the exception on in words only, which begin with its name.
impl From<rexie::Error> for Trouble {
    fn from(error: rexie::Error) -> Trouble {
        let words = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Trouble::from_words(words)
    }
}
