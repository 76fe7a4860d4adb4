//! Change tracking on the wire: tombstones, mixed into `value` among the changed rows.

use crate::edm::Table;
use uuid::Uuid;

/// The row is gone.
pub const TOMBSTONE_DELETED: &str = "deleted";
/// The row still exists but left what the caller may see, or what the tracked query selects.
pub const TOMBSTONE_CHANGED: &str = "changed";

/// One tombstone as a JSON object:
/// `{"@odata.context":"{root}$metadata#accounts/$deletedEntity","id":"<bare GUID>","reason":"deleted"}`.
///
/// `root` ends in `/`; `reason` is [`TOMBSTONE_DELETED`] or [`TOMBSTONE_CHANGED`]. (Developer guide: "Use
/// change tracking to synchronize data with external systems".)
pub fn tombstone_json(root: &str, table: &Table, id: Uuid, reason: &str) -> String {
    let context = format!("{root}$metadata#{}/$deletedEntity", table.set_name);
    let mut out = Vec::with_capacity(context.len() + 96);
    out.extend_from_slice(b"{\"@odata.context\":");
    crate::render::write_text(&mut out, &context);
    out.extend_from_slice(b",\"id\":\"");
    crate::render::write_guid(&mut out, id);
    out.extend_from_slice(b"\",\"reason\":");
    crate::render::write_text(&mut out, reason);
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}
