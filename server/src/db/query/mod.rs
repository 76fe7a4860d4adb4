//! Queries as SQL: pure functions from what is asked (a tree of `flette_odata`), the schema and the caller's
//! sight to statements of sea-query, and the rows that come of them.

mod collection;
mod compare;
mod condition;
mod feed;
pub mod fetch;
mod found;
mod groups;
mod hierarchy;
mod level;
mod links;
mod order;
mod projection;
mod related;

pub use collection::Collection;
pub use feed::{Before, Fate, Feed};
pub use found::{Found, Listing, Within};
pub use related::{Related, IDS_MAX};
