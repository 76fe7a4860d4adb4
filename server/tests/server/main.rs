//! The server as a whole, mostly without a socket: requests in, answers out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, clippy::cast_possible_wrap)]

mod batching;
mod filtering;
mod importing;
mod network;
mod process;
mod reading;
mod related;
mod signing_in;
mod site;
mod support;
mod tracking;
mod writing;
