//! The wire format of the Dataverse Web API (OData v4), used by the engine and by the reference server alike.
//!
//! Pure: no I/O, no clock, no async. Text and bytes in, typed values out, and back. What both sides must agree on
//! (schema, literals, queries, payloads, errors, batches) stands here once, so they cannot drift apart.

pub mod condition;
pub mod decimal;
pub mod edm;
pub mod error;
pub mod filter;
pub mod http;
pub mod path;
pub mod prefer;
pub mod query;
pub mod value;

pub use decimal::Decimal;
pub use edm::{Column, ColumnKind, Schema, Table};
pub use error::ODataError;
pub use http::{Headers, Method, Request, Response};
pub use uuid::Uuid;
pub use value::{EntityRef, Row, Value};
