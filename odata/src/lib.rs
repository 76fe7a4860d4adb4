//! The wire format of the Dataverse Web API (OData v4), used by the engine and by the reference server alike.
//!
//! Pure: no I/O, no clock, no async. Text and bytes in, typed values out, and back. What both sides must agree on
//! (schema, literals, queries, payloads, errors, batches) stands here once, so they cannot drift apart.

pub mod alike;
pub mod answer;
pub mod batch;
pub mod changes_only;
pub mod collate;
pub mod condition;
pub mod decimal;
pub mod delta;
pub mod edm;
pub mod error;
pub mod evaluate;
pub mod exact_time;
pub mod fetchxml;
pub mod filter;
#[cfg(test)]
mod fixture;
pub mod format;
pub mod http;
pub mod json;
pub mod known_versions;
pub mod metadata;
pub mod names;
pub mod navigation;
pub mod operation;
pub mod ordered;
pub mod path;
pub mod payload;
pub mod planted;
pub mod prefer;
pub mod query;
pub mod render;
pub mod rules;
pub mod same_user;
pub mod stamps;
pub mod time;
pub mod value;

pub use decimal::Decimal;
pub use edm::{Column, ColumnKind, Schema, Table};
pub use error::ODataError;
pub use http::{Headers, Method, Request, Response, ACT_FOR_OBJECT, ACT_FOR_USER};
pub use uuid::Uuid;
pub use value::{EntityRef, Row, Value};
