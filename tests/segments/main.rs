//! The same rows in one segment or in many, before, while and after these are merged, decoded or forgotten: the same
//! answers.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

mod answers;
mod asks;
mod budget;
mod chance;
mod kills;
mod narrow;
mod rows;
mod several;
mod world;
