//! The same requests at both doors: the reference server, and the engine over a replica of that server that is cut off
//! from it. A client must not be able to tell one from the other.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

mod answers;
mod batches;
mod chance;
mod computed;
mod deep;
mod dice;
mod edits;
mod given_ids;
mod held;
mod paths;
#[cfg(feature = "planted-bugs")]
mod planted;
mod queries;
mod reads;
mod refusals;
mod relations;
mod seeds;
#[allow(dead_code, reason = "shared with the tests of rounds, which use more of it")]
#[path = "../round/support.rs"]
mod support;
mod world;
mod writes;
