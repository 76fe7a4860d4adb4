//! The suite: every module is run on SQLite and on PostgreSQL.

mod batching;
mod changing;
mod filtering;
mod importing;
mod network;
mod process;
mod reading;
mod related;
mod signing_in;
mod site;
pub mod support;
mod tracking;
mod writing;
