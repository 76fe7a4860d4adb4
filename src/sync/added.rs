//! New rows to which the server gives ids. Until it has, other requests of the same change set mean them by `Content-ID`, and
//! what else points to them waits. With the answer the id that the row was made with here is one that only this device knows, and
//! means the same row for ever.
//!
//! What was not answered is asked for again where the server keeps receipts. Where it does not, nobody can tell whether the row
//! was made: a human decides.

use super::answered::Answered;
use super::unclear::representation;
use crate::error::Result;
use crate::journal::{Entry, EntryState, Reason, RowRequest};
use crate::model::{Change, ETag, EntityRef, Key, OpId};
use crate::remote::{Outcome, Reference, RowCall};
use crate::replica::{is_held, Draft, Renamed, State};
use flette_odata::edm::{Schema, Table};
use std::collections::{BTreeMap, BTreeSet};

/// Status of an answer about a row that is not there, or about one that it points to.
pub(super) const NOT_FOUND: u16 = 404;

/// What new rows are called while nobody knows their ids.
pub(super) struct Names<'d, 'a> {
    pub(super) draft: &'d Draft<'a>,
    /// New rows of the unit to which the server gives ids, and their operations.
    added: BTreeMap<Key, OpId>,
}

impl<'d, 'a> Names<'d, 'a> {
    pub(super) fn of(draft: &'d Draft<'a>, requests: &[&RowRequest]) -> Names<'d, 'a> {
        Names { draft, added: added(draft, requests.iter().copied()) }
    }

    pub(super) fn is_added(&self, key: &Key) -> bool {
        self.added.contains_key(key)
    }

    pub(super) fn refer(&self, to: &EntityRef) -> Reference {
        match self.added.get(&Key::new(to.table.clone(), to.id)) {
            Some(op) => Reference::New(*op),
            None => Reference::Id(self.draft.target(to)),
        }
    }
}

/// New rows to which the server gives ids. One that was sent before is asked for as it was then.
pub(super) fn added<'r>(
    draft: &Draft,
    requests: impl Iterator<Item = &'r RowRequest>,
) -> BTreeMap<Key, OpId> {
    let schema = draft.schema();
    let is_added = |request: &&RowRequest| {
        let entries = request.seqs.iter().filter_map(|seq| draft.entry_at(*seq));
        let sent = || entries.clone().find(|entry| entry.state == EntryState::Sent);
        let assigns = || schema.table(&request.key.table).is_some_and(Table::assigns_ids);
        matches!(request.change, Change::Create(_))
            && !is_held(&schema, &request.key.table)
            && sent().map_or_else(assigns, |entry| entry.added)
    };
    requests.filter(is_added).map(|request| (request.key.clone(), request.op)).collect()
}

/// A row that was given an id.
pub(super) struct Given {
    /// Its key on this device.
    here: Key,
    /// Its key on the server.
    there: Key,
    /// The version that it was made as, where the answer tells.
    made_as: Option<ETag>,
}

/// Rows that were given ids. The requests speak of them by these from here on. An id under which another row is known gives nobody
/// one: that answer is as good as a refusal.
pub(super) fn given(state: &State, schema: &Schema, answered: &mut [Answered]) -> Vec<Given> {
    let (mut pairs, mut taken) = (Vec::new(), BTreeSet::new());
    for Answered { ready, answer, .. } in answered.iter_mut() {
        let here = ready.request.key.clone();
        let Some(id) = answer.given.filter(|_| ready.is_add() && answer.outcome == Outcome::Done) else {
            continue;
        };
        let there = Key::new(here.table.clone(), id);
        if there == here || state.id_map.resolve(&here) == id && state.id_map.is_server_id(&there) {
            continue;
        }
        if state.id_map.contradicts(&here, id) || !taken.insert(there.clone()) {
            let message = "The server gave the row an id that another row has here.";
            answer.outcome = Outcome::Park(Reason::unsendable(message.to_owned()));
            continue;
        }
        let made_as = representation(schema, &there, &answer.body).map(|(_, _, etag)| etag);
        pairs.push(Given { here, there, made_as });
    }
    if pairs.is_empty() {
        return pairs;
    }
    let renamed = renamed(schema, &pairs);
    answered.iter_mut().for_each(|answered| turn(answered, &renamed));
    pairs
}

fn renamed<'g>(schema: &Schema, given: &'g [Given]) -> Renamed<'g> {
    Renamed::of(schema, given.iter().map(|given| (&given.here, &given.there)))
}

fn turn(answered: &mut Answered, renamed: &Renamed) {
    let ready = &mut answered.ready;
    ready.held.iter_mut().chain([&mut ready.request]).for_each(|request| renamed.turn(request));
    if let RowCall::Add { key, .. } = &mut ready.call {
        renamed.turn_key(key);
    }
}

/// Puts the rows under the ids that the server gave them. What was made of them since builds upon what was made there.
///
/// # Errors
/// As `Draft::rename`.
pub(super) fn rename(draft: &mut Draft, schema: &Schema, given: &[Given]) -> Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    draft.rename(&renamed(schema, given))?;
    for Given { there, made_as, .. } in given {
        for entry in draft.entries_of(there) {
            draft.put(Entry { base: made_as.clone(), ..entry });
        }
    }
    Ok(())
}

/// The server has begun to give the rows of these tables their ids: new rows that it refused to know by ours go again.
pub(super) fn ask_anew(draft: &mut Draft, before: &Schema, now: &Schema) {
    let assigns = |schema: &Schema, name: &str| schema.table(name).is_some_and(Table::assigns_ids);
    let refused = |entry: &&Entry| {
        let unknown = matches!(&entry.state, EntryState::Parked(reason) if reason.status == NOT_FOUND);
        let table = entry.key.table.as_str();
        let is_create = matches!(entry.change, Change::Create(_));
        unknown && is_create && !assigns(before, table) && assigns(now, table)
    };
    let refused: Vec<OpId> = draft.state().journal.iter().filter(refused).map(|entry| entry.op).collect();
    refused.into_iter().for_each(|op| draft.send_anew(op));
}

/// Whether a row's id came with an answer, and what it is now did not: then it is known to have been made.
pub(super) fn is_made(state: &State, key: &Key) -> bool {
    let sent = |entry: &Entry| entry.added && entry.state == EntryState::Sent;
    state.id_map.is_server_id(key) && state.journal.of(key).any(sent)
}

/// Sent, not answered, and there is nothing to ask for it by.
pub(super) fn unknown_id() -> Reason {
    let message =
        "The server gives the row its id and did not answer: whether the row was made cannot be found out. \
                   Look for it before it is sent again.";
    Reason::unclear(message.to_owned())
}
