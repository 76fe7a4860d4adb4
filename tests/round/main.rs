//! Rounds against the real server over TCP, with stores in memory.
#![cfg(not(target_arch = "wasm32"))]

mod faults;
mod meeting;
mod offline;
mod support;
