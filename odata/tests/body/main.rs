//! The body side of the wire format: batches, payloads, rules, rows, definitions.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

mod batch;
mod fetchxml;
mod fixture;
mod keys;
mod metadata;
mod nested;
mod payload;
mod render;
mod rules;
mod standard;
