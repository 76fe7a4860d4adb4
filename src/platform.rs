//! The only door to the outside world: store, network, clock, chance, locks. Two implementors: the browser, and the
//! simulation.

use crate::model::Millis;
use crate::store::Store;
use flette_odata::{Request, Response};

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// Connection refused, reset, no route, name not found.
    Unreachable(String),
    /// No answer in time; the request may or may not have been carried out.
    Timeout,
    /// An answer began and broke off.
    Cut(String),
}

/// Sends one request to the CRM server.
#[allow(async_fn_in_trait)]
pub trait Transport {
    /// The answer, whatever its status.
    ///
    /// # Errors
    /// When no whole answer came.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}

/// How much may be stored on this device, and how much is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Space {
    pub quota_bytes: u64,
    pub used_bytes: u64,
}

/// What the engine needs from its surroundings.
#[allow(async_fn_in_trait)]
pub trait Platform {
    /// Where bytes are kept; clones are handles to the same store.
    type Store: Store + Clone;
    /// How the server is reached.
    type Transport: Transport;
    /// Held by the primary client; released when dropped.
    type Lock;

    /// The store.
    fn store(&self) -> &Self::Store;
    /// The way to the server.
    fn transport(&self) -> &Self::Transport;
    /// This device's wall clock, as it is.
    fn now(&self) -> Millis;
    /// Fills `bytes` with chance fit for ids.
    fn random(&self, bytes: &mut [u8]);
    /// Comes back after at least `millis`.
    async fn sleep(&self, millis: u32);
    /// Memory that the engine holds now, in bytes, where the surroundings can tell. In WebAssembly it never shrinks.
    fn memory_bytes(&self) -> Option<u64> {
        None
    }
    /// Space of the store, where the surroundings can tell.
    async fn space(&self) -> Option<Space> {
        None
    }
    /// The named lock if nobody holds it.
    async fn try_lock(&self, name: &str) -> Option<Self::Lock>;
}
