//! Which edits of a column stay.

use super::{Kept, Member, Step};
use crate::model::{FieldEdit, Value, OPEN, STATE};

/// A row that is closed there as it is here, and was opened here in between, stays so: what was edited meanwhile needs it open.
pub(super) fn reopened<'s>(members: &[Member], steps_of: &dyn Fn(&Member) -> &'s [Step], kept: &mut Kept) {
    let opens = |m: &Member| {
        let is_closed = m.column.logical_name == STATE[0] && m.server != OPEN;
        is_closed && steps_of(m).iter().any(|step| step.edit.new == OPEN)
    };
    if members.iter().any(opens) && members.iter().all(|m| m.local == m.server) {
        members.iter().for_each(|m| keep_steps(steps_of(m), &m.server, kept));
    }
}

/// Edits that stay, the first of them upon the server's value. An edit that changes nothing any more is left out.
pub(super) fn keep_steps(steps: &[Step], server: &Value, kept: &mut Kept) {
    let mut old = server.clone();
    for step in steps {
        let new = step.edit.new.clone();
        if old != new {
            let edit = FieldEdit { name: step.edit.name.clone(), old, new: new.clone() };
            kept.entry(step.entry).or_default().push(edit);
        }
        old = new;
    }
}
