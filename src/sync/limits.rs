//! How much may go to the server at once.

/// Most requests of one batch.
pub(super) const BATCH_REQUESTS_MAX: usize = 100;
/// Most bytes of one batch.
pub(super) const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// How much may go at once; halved when the server says that it was too much.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub(super) struct Limits {
    pub(super) requests_max: usize,
    pub(super) bytes_max: usize,
    /// Whether the server takes the time at which each field was edited.
    pub(super) stamped: bool,
    /// Whether it keeps receipts.
    pub(super) receipts: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            requests_max: BATCH_REQUESTS_MAX,
            bytes_max: BATCH_BYTES_MAX,
            stamped: false,
            receipts: false,
        }
    }
}

impl Limits {
    /// Half of what was sent, so that it goes in two; never less than one.
    pub(super) fn halved(self, sent: usize) -> Limits {
        Limits {
            requests_max: (sent.min(self.requests_max) / 2).max(1),
            bytes_max: (self.bytes_max / 2).max(1),
            ..self
        }
    }
}
