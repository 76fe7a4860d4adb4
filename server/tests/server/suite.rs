//! The suite: every module is run on SQLite and on PostgreSQL.

mod acting;
mod agreeing;
mod amounts;
mod assigning;
mod batching;
mod changing;
mod closing;
mod customizing;
mod deep;
mod fetching;
mod fetching_by_chance;
mod filtering;
mod importing;
mod linking;
mod network;
mod process;
mod querying;
mod reading;
mod related;
mod repeating;
mod rights;
mod signing_in;
mod site;
mod stamping;
pub mod support;
mod tracking;
mod writing;
