//! The back door: rounds of push and pull between the replica and the CRM server.
//!
//! `reconcile`, `policy` and `settle` are pure decisions; `push`, `pull` and `round` act on them. Every
//! step is one transaction that makes sense alone: a round may be killed at any await and is taken up by the next one.

mod added;
mod again;
mod ahead;
mod answered;
mod changes;
mod cursor;
mod deferred;
mod definitions;
