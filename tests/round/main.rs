//! Rounds against the real server over TCP, with stores in memory.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

mod added;
mod amounts;
mod apart;
mod beyond;
mod chance;
mod changes;
mod closed;
mod cursors;
mod definitions;
mod doors;
mod faults;
mod going;
mod held;
mod held_again;
mod held_anew;
mod held_by_chance;
mod held_moved;
mod known;
mod large;
mod links;
mod meanwhile;
mod meeting;
mod offline;
mod overtaken;
mod parked;
mod passed;
mod patience;
mod profile;
mod quiet;
mod related;
mod rewritten;
mod rules;
mod schema;
mod sets;
mod several;
mod slow;
mod stamps;
mod station;
mod support;
mod trace;
mod unanswered;
mod views;
mod waves;
mod widening;
