//! Whoever replaces the parties of an activity gives other ids to those whom he keeps as well. So what waits here about a party goes
//! over to the one who stands in its place: the same one in the same part.

use super::held::of_activity;
use super::step::Run;
use super::wave::was_sent;
use crate::error::Result;
use crate::journal::{squash, Entry, EntryState, RowRequest, Squashed};
use crate::model::{Change, ETag, Key, Row, Seq};
use crate::platform::Transport;
use crate::replica::{Draft, State, PARTY_HOLDER};
use crate::store::{Durability, Store};
use flette_odata::edm::{Column, Table};
use flette_odata::path::PARTY_TABLE;
use flette_odata::rules::default_value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const WHO: &str = "partyid";
const ADDRESS: &str = "addressused";
const PART: &str = "participationtypemask";

/// Whether two rows are the same party: who, and in which part. The server may find out the address of somebody who is known by
/// more than that.
pub(super) fn is_same(one: &Row, other: &Row) -> bool {
    let value = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
    let equal = |name: &str| value(one, name) == value(other, name);
    let open = |row: &Row| value(row, ADDRESS).is_null();
    let address = || equal(ADDRESS) || !value(one, WHO).is_null() && (open(one) || open(other));
    equal(WHO) && equal(PART) && address()
}

/// Whether two rows are the same party and say the same of it.
fn is_alike(table: &Table, one: &Row, other: &Row) -> bool {
    let said = |row: &Row, column: &Column| {
        row.get(&column.logical_name).cloned().unwrap_or_else(|| default_value(column))
    };
    let says = |column: &&Column| {
        let name = column.logical_name.as_str();
        column.valid_for_create
            && !column.computed
            && ![PARTY_HOLDER, ADDRESS, &table.primary_id].contains(&name)
    };
    is_same(one, other)
        && table.columns.iter().filter(says).all(|column| said(one, column) == said(other, column))
}

/// What requests about the parties of one activity come to.
#[derive(Debug, Default)]
pub(super) struct Come<'r> {
    /// Who goes.
    pub(super) gone: BTreeSet<Uuid>,
    /// Who is new.
    pub(super) new: Vec<(Uuid, &'r Row)>,
}

/// What requests come to. Who is taken out and put in again just as he was has been kept: nothing is told of him, and if somebody
/// else has taken him out, that stands.
pub(super) fn come<'r>(draft: &Draft, table: &Table, requests: &[&'r RowRequest]) -> Come<'r> {
    let mut come = Come::default();
    for request in requests {
        match &request.change {
            Change::Create(row) => come.new.push((request.key.id, row)),
            Change::Update(_) | Change::Delete => drop(come.gone.insert(request.key.id)),
        }
    }
    // Those that stand come first: of who is not there any more nothing can be kept.
    let stands = |request: &&&RowRequest| draft.state().mirror_etag(&request.key).is_some();
    let deletions = requests.iter().filter(|request| request.change == Change::Delete);
    let (standing, gone): (Vec<&&RowRequest>, Vec<&&RowRequest>) = deletions.partition(stands);
    for request in standing.into_iter().chain(gone) {
        let Some(row) = taken_out(draft, &request.key) else { continue };
        if let Some(at) = come.new.iter().position(|(_, new)| is_alike(table, new, &row)) {
            come.new.remove(at);
            come.gone.remove(&request.key.id);
        }
    }
    come
}

/// Whether nothing has to be told: whoever is taken out is not there any more, and nobody is new.
pub(super) fn is_needless(draft: &Draft, requests: &[&RowRequest]) -> bool {
    let schema = draft.schema();
    let Some(table) = schema.table(PARTY_TABLE) else { return false };
    // The server can tell what became of what was sent.
    let is_sent = requests.iter().any(|request| was_sent(draft, request));
    let come = come(draft, table, requests);
    let stands = |id: &Uuid| draft.state().mirror_etag(&Key::new(PARTY_TABLE, *id)).is_some();
    !is_sent && come.new.is_empty() && !come.gone.iter().any(stands)
}

/// Whether nobody is put in by entries about the parties of an activity.
pub(super) fn puts_nobody_in(draft: &Draft, entries: &[Entry]) -> bool {
    let schema = draft.schema();
    let Some(table) = schema.table(PARTY_TABLE) else { return false };
    let mut rows: BTreeMap<&Key, Vec<&Entry>> = BTreeMap::new();
    entries.iter().for_each(|entry| rows.entry(&entry.key).or_default().push(entry));
    let requests = rows.values().filter_map(|entries| match squash(entries) {
        Some(Squashed::Request(request)) => Some(request),
        Some(Squashed::Nothing) | None => None,
    });
    let requests: Vec<RowRequest> = requests.collect();
    come(draft, table, &requests.iter().collect::<Vec<_>>()).new.is_empty()
}

/// A party that is taken out, as it was. Not one that was put in here: the server may never have heard of it.
fn taken_out(draft: &Draft, key: &Key) -> Option<Row> {
    let entries = draft.entries_of(key);
    let is_told = entries.iter().all(|entry| entry.change == Change::Delete);
    let known = || draft.state().mirror_row(key).map(|(row, _)| row);
    entries.last().filter(|_| is_told).and_then(row_before).or_else(known)
}

fn row_before(deletion: &Entry) -> Option<Row> {
    deletion.before.as_deref().map(|(_, row)| row.clone())
}

/// What may be done about parties besides following them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Follow {
    /// Who was put in here and is there since is settled.
    pub(super) settles: bool,
    /// What was sent of a set that was replaced since waits again: nothing is under way, and since whoever stands in it has another id,
    /// it could not be told as it was.
    pub(super) sends_anew: bool,
}

/// Lets what waits here about parties follow those who stand in their place by now.
///
/// # Errors
/// When the replica cannot be written.
pub(super) async fn follow<S: Store, T: Transport>(run: &Run<'_, S, T>, how: Follow) -> Result<()> {
    let waits = {
        let state = run.replica.state();
        let is_told = state.schema.table(PARTY_TABLE).is_some();
        is_told && state.journal.keys_of(PARTY_TABLE).any(|key| how.settles || is_gone(&state, key))
    };
    match waits {
        true => {
            let follow = |draft: &mut Draft| {
                follow_in(draft, how);
                Ok(())
            };
            run.replica.transact(run.at(), Durability::Strict, &[PARTY_TABLE], follow).await
        }
        false => Ok(()),
    }
}

/// Whether a party is taken out here that is not there any more.
fn is_gone(state: &State, key: &Key) -> bool {
    state.journal.of(key).all(|entry| entry.change == Change::Delete) && state.mirror_etag(key).is_none()
}

/// See [`follow`].
pub(super) fn follow_in(draft: &mut Draft, how: Follow) {
    let schema = draft.schema();
    let Some(table) = schema.table(PARTY_TABLE) else { return };
    for (activity, keys) in by_activity(draft.state()) {
        let is_sent = |draft: &Draft, key: &Key| {
            draft.entries_of(key).iter().any(|entry| entry.state == EntryState::Sent)
        };
        let gone: Vec<&Key> = keys.iter().filter(|key| is_gone(draft.state(), key)).collect();
        if how.sends_anew && gone.iter().any(|key| is_sent(draft, key)) {
            keys.iter().for_each(|key| send_anew(draft, key));
        }
        let gone = gone.into_iter().filter(|key| !is_sent(draft, key));
        let gone: Vec<Vec<Entry>> = gone.map(|key| draft.entries_of(key)).collect();
        // Of what was sent it is not known yet whether it is what stands there.
        let settles = how.settles && !keys.iter().any(|key| is_sent(draft, key));
        let made = keys.iter().filter(|_| settles).filter_map(|key| made_here(&draft.entries_of(key)));
        let made: Vec<(Seq, Row)> = made.collect();
        if gone.is_empty() && made.is_empty() {
            continue;
        }
        let mut told = told(draft.state(), &activity);
        for entries in gone {
            let Some(row) = entries.last().and_then(row_before) else { continue };
            let alike = told.iter().position(|(_, there)| is_alike(table, there, &row));
            let same = || told.iter().position(|(_, there)| is_same(there, &row));
            if let Some(at) = alike.or_else(same) {
                let there = Key::new(PARTY_TABLE, told.remove(at).0);
                let base = draft.state().mirror_etag(&there);
                for entry in entries {
                    draft.put(Entry { key: there.clone(), base: base.clone(), ..entry });
                }
            }
        }
        for (seq, row) in &made {
            // Whoever is wanted twice is made twice.
            let is_once = made.iter().filter(|(_, other)| is_same(other, row)).count() == 1;
            let alike = told.iter().position(|(_, there)| is_alike(table, there, row)).filter(|_| is_once);
            if let Some(at) = alike {
                told.remove(at);
                draft.remove(*seq);
            }
        }
    }
}

/// What was sent of a party waits again, as another request. It may have been carried out.
pub(super) fn send_anew(draft: &mut Draft, key: &Key) {
    let entries = draft.entries_of(key);
    if !entries.iter().any(|entry| entry.state == EntryState::Sent) {
        return;
    }
    for entry in taken_out_again(&entries) {
        let is_sent = entry.state == EntryState::Sent;
        draft.put(if is_sent { Entry { state: EntryState::Waiting, ..entry } } else { entry });
    }
    draft.renew(key);
}

/// Entries of a party that was put in, as it was sent, and is taken out again: it may stand there, under whatever id. All of them say
/// that it goes, so that the change sets stay bound to each other.
pub(super) fn taken_out_again(entries: &[Entry]) -> Vec<Entry> {
    let goes = entries.last().is_some_and(|last| last.change.is_delete());
    let taken_out = |entry: &Entry| match &entry.change {
        Change::Create(row) if goes => {
            let before = Some(Box::new((ETag::default(), row.clone())));
            Entry { change: Change::Delete, before, ..entry.clone() }
        }
        Change::Create(_) | Change::Update(_) | Change::Delete => entry.clone(),
    };
    entries.iter().map(taken_out).collect()
}

/// Parties of which anything waits, by their activities.
fn by_activity(state: &State) -> BTreeMap<Key, Vec<Key>> {
    let mut by_activity: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
    for key in state.journal.keys_of(PARTY_TABLE) {
        let activity = state.journal.of(key).last().and_then(|entry| entry.holders.first());
        activity
            .into_iter()
            .for_each(|activity| by_activity.entry(activity.clone()).or_default().push(key.clone()));
    }
    by_activity
}

/// Who was put in here, if that was not sent.
fn made_here(entries: &[Entry]) -> Option<(Seq, Row)> {
    match entries {
        [Entry { seq, change: Change::Create(row), state: EntryState::Waiting, .. }] => {
            Some((*seq, row.clone()))
        }
        _ => None,
    }
}

/// Parties of an activity, as the server told of them, of whom nothing waits here; by id.
fn told(state: &State, activity: &Key) -> Vec<(Uuid, Row)> {
    let told = state.told_where(PARTY_TABLE, &of_activity(activity)).into_iter();
    let free = told.filter(|(id, _)| state.journal.of(&Key::new(PARTY_TABLE, *id)).next().is_none());
    flette_odata::ordered::list_by_key(free.collect(), |(id, _)| *id)
}
