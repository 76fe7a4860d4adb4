//! The server as a whole, mostly without a socket: requests in, answers out; on both databases. Further
//! modules are named in `suite.rs`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
#![allow(clippy::duplicate_mod, reason = "the same suite runs on both databases")]

mod dialects;
mod interleaving;
#[path = "suite.rs"]
mod on_postgres;
#[path = "suite.rs"]
mod on_sqlite;
#[path = "../support/postgres.rs"]
mod postgres;
