//! Rows of somebody else under the id of a new row.

use crate::journal::{Entry, EntryState};
use crate::model::{Change, Row, ServerTime, Value};

/// Milliseconds by which a device's clock and the server's may differ after the one was measured by the other.
const CLOCKS_APART_MILLIS: i64 = 5_000;

/// Whether a row stands under the id of a create that did not make it: the create was never sent, or the row was made
/// by somebody else, or before the create was written.
pub fn is_foreign(first: &Entry, row: &Row) -> bool {
    let Change::Create(created) = &first.change else { return false };
    let makers = (created.get("createdby"), row.get("createdby"));
    let other = matches!(makers, (Some(Value::Lookup(mine)), Some(Value::Lookup(maker))) if mine != maker);
    let before = match row.get("createdon") {
        Some(Value::DateTime(at)) => {
            ServerTime(*at).end().0.saturating_add(CLOCKS_APART_MILLIS) < first.at.wall.0
        }
        Some(_) | None => false,
    };
    first.state != EntryState::Sent || other || before
}
