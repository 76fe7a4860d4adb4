//! Columns that mean something to the engine, and what stands in them.

use super::Value;

/// Who owns a row.
pub const OWNER: &str = "ownerid";
/// State and status reason: they must fit each other, and a closed row takes nothing else.
pub const STATE: [&str; 2] = ["statecode", "statuscode"];
/// State of a row that is open, in every table.
pub const OPEN: Value = Value::Int(0);
