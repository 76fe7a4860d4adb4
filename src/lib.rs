//! Flette: an offline sync engine for web CRMs.
//!
//! The engine keeps a replica of a CRM user's rows, answers the Dataverse Web API from it, journals local changes, and
//! merges them with the server's field by field. `ARCHITECTURE.md` is the map.

pub mod api;
#[cfg(target_arch = "wasm32")]
pub mod browser;
pub mod engine;
pub mod error;
pub mod journal;
pub mod merge;
pub mod mirror;
pub mod model;
pub mod platform;
pub mod remote;
pub mod replica;
pub mod store;
pub mod sync;
#[cfg(target_arch = "wasm32")]
pub mod wasm;
