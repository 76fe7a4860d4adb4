//! Flette's reference CRM server: a subset of the Dataverse Web API on SQLite.
//!
//! `web` speaks HTTP and knows who is calling; `api` answers one request of the Web API; `db` holds all
//! SQL; `schema` says which tables there are, `customize`
//! changes them; `import` and `demo` fill them. The wire format is
//! `flette_odata`'s, shared with the engine.

pub mod api;
pub mod auth;
pub mod cli;
pub mod customize;
pub mod db;
pub mod demo;
pub mod import;
pub mod people;
pub mod progress;
pub mod rights;
pub mod schema;
pub mod web;
