//! Rows that are closed and were opened, edited and closed again: what closes them is told apart.

use crate::journal::Entry;
use crate::model::{Change, FieldEdit, Key, OPEN, PARTY_TABLE, STATE};
use std::collections::HashMap;

/// How parties of activities came and went, in order.
pub(super) type Replaced<'a> = HashMap<&'a Key, Vec<&'a Entry>>;

pub(super) fn note_set<'a>(replaced: &mut Replaced<'a>, entry: &'a Entry) {
    if let (PARTY_TABLE, Some(activity)) = (entry.key.table.as_str(), entry.holders.first()) {
        replaced.entry(activity).or_default().push(entry);
    }
}

/// Where the entries of a row close it, and that has to be a request of its own: of a closed row that was opened and edited in between,
/// since squashed into one request these would be nothing but edits of a closed row, which the service refuses; and of an activity
/// whose set was replaced since its first entry, because a closed one keeps its set.
pub(super) fn closed_again(entries: &[&Entry], replaced: &Replaced) -> Option<usize> {
    let all = || entries.iter().flat_map(|entry| edits(entry));
    let states = || all().filter(|edit| edit.name == STATE[0]);
    let was_closed = states().next().is_some_and(|edit| edit.old != OPEN);
    let is_closed = states().next_back().is_some_and(|edit| edit.new != OPEN);
    let is_edited = all().any(|edit| !STATE.contains(&edit.name.as_str()));
    let only_edits = entries.iter().all(|entry| matches!(entry.change, Change::Update(_)));
    let closes = |entry: &&Entry| edits(entry).iter().any(|edit| edit.name == STATE[0] && edit.old == OPEN);
    let end = entries.iter().rposition(closes).filter(|_| is_closed)?;
    let (first, before, closing) = (entries.first()?, entries.get(end.checked_sub(1)?)?, entries.get(end)?);
    let set = replaced.get(&first.key).into_iter().flatten();
    // What came along with a new row stands in its body.
    let later = set.filter(|held| held.change_set.is_none() || held.change_set != first.change_set);
    let is_replaced = later.into_iter().any(|held| (first.seq..closing.seq).contains(&held.seq));
    let stays = entries.last().is_some_and(|last| !last.change.is_delete());
    let apart = was_closed && is_edited && only_edits || is_replaced && stays;
    (apart && (before.change_set.is_none() || before.change_set != closing.change_set)).then_some(end)
}

fn edits(entry: &Entry) -> &[FieldEdit] {
    match &entry.change {
        Change::Update(edits) => edits,
        Change::Create(_) | Change::Delete => &[],
    }
}
