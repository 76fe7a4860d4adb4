//! Two devices, one server and everything that can happen between them, in every order.
//!
//! The decisions are the engine's own (`flette::journal::{fold, plan, squash}`, `flette::sync::{reconcile, settle}`);
//! what the model adds is the world around them, small enough to be walked through whole: rows of two fields, a network
//! that loses, doubles and reorders, devices that stop at any point.
//!
//! What is one step here is one transaction of the engine. A page that was read and a row that was asked for are taken
//! over in the step that reads them: whatever the device's user or the other device does in between could as well
//! have come before or after, since neither sees the other before.

pub mod account;
pub mod canon;
pub mod crm;
pub mod device;
pub mod real;
pub mod world;

/// Rows of the model. The second one may still have to be made.
pub const ROWS: usize = 2;
/// Fields of a row.
pub const FIELDS: usize = 2;
/// Devices, each of a user of its own.
pub const DEVICES: usize = 2;
