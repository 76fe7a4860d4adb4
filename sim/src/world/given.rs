//! Tables whose rows get their ids from the server: what a device made is called by an id of its own until it hears of the
//! server's, and by either from then on.

use super::{Done, World};
use crate::account::Deed;
use crate::faults::Fault;
use crate::net::ROOT;
use crate::tale::tell;
use crate::traffic::{named, Made};
use flette_odata::batch::{parse_batch_response, BatchAnswer};
use flette_odata::{Method, Request, Response, Uuid};
use serde_json::{json, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

/// Rounds after which every device knows of the switch, at most.
const ROUNDS_MAX: usize = 6;

/// New rows of devices and what the server made of them.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Rows of which nobody knows yet what their device calls them.
    unnamed: BTreeSet<Uuid>,
    /// Ids that the server gave to the rows of devices: of most one. More where nobody can tell it that it was asked before.
    ids: BTreeMap<(usize, Uuid), BTreeSet<Uuid>>,
}

impl World {
    /// The set whose rows get their ids from the server, all the time or now and then: apps choose none.
    pub(super) fn gives_ids_to(&self) -> Option<&'static str> {
        self.choices.gives.map(|gives| gives.set)
    }

    /// The server begins to give ids before anything goes wrong, and devices hear of it.
    pub(super) fn begin_to_give_ids(&mut self) -> Done {
        let Some(gives) = self.choices.gives else { return Ok(()) };
        let strict = (gives.at_first && !gives.switches).then_some(gives.set);
        if gives.at_first {
            self.switch_ids(true)?;
            for at in 0..self.devices.len() {
                let knows = |world: &World| world.devices[at].ask_alone(Request::get(column(gives.set)));
                let rounds = (0..ROUNDS_MAX).take_while(|_| {
                    let answer = knows(self).map(|answer| answer.body).unwrap_or_default();
                    let column: Json = serde_json::from_slice(&answer).unwrap_or_default();
                    column["IsValidForCreate"] != false && self.devices[at].round().is_some()
                });
                if rounds.count() == ROUNDS_MAX {
                    return Err(format!("device {at} does not hear that the server gives ids"));
                }
            }
        }
        self.crm.traffic.borrow_mut().looks_for_given_ids(strict);
        self.watch()
    }

    /// An administrator lets the server give ids, or no longer, now and then.
    pub(super) fn switch_ids_now(&mut self) -> Done {
        match self.choices.switches_ids_now() {
            true => {
                self.faults.note(Fault::IdsSwitched);
                self.switch_ids(!self.premises.gives_ids)
            }
            false => Ok(()),
        }
    }

    fn switch_ids(&mut self, on: bool) -> Done {
        let Some(set) = self.gives_ids_to() else { return Ok(()) };
        tell(|| format!("online: the server gives ids to {set}: {on}"));
        let path = column(set).replace(ROOT, "");
        match self.online(Method::Patch, &path, json!({ "IsValidForCreate": !on }))? {
            true => self.premises.gives_ids = on,
            false => return Err("the server does not let itself give ids".to_owned()),
        }
        Ok(())
    }

    /// A new row of a user that has no id yet: the world calls it by this one.
    pub(super) fn is_to_be_named(&mut self, row: Uuid, set: &str) {
        if self.gives_ids_to() == Some(set) {
            self.given.unnamed.insert(row);
        }
    }

    /// Whether an app asks for a new row without an id.
    pub(super) fn is_unnamed(&self, row: &Uuid) -> bool {
        self.given.unnamed.contains(row)
    }

    /// Somebody online made a row: what it is called.
    pub(super) fn named_online(&mut self, deed: Deed, answer: &Response) -> Deed {
        let row = deed.row();
        let id = named(answer).filter(|_| self.given.unnamed.remove(&row));
        match (id, deed) {
            (Some(id), Deed::Create { values, parent, .. }) => {
                self.is_called(row, id);
                Deed::Create { row: id, values, parent }
            }
            (_, deed) => deed,
        }
    }

    /// Everybody calls a row by another id.
    fn is_called(&mut self, row: Uuid, id: Uuid) {
        for known in self.rows.iter_mut().chain(&mut self.accounts).filter(|known| **known == row) {
            *known = id;
        }
        let number = self.numbers.remove(&row);
        self.numbers.extend(number.map(|number| (id, number)));
    }

    /// A device answered changes: what it calls the rows that it made.
    pub(super) fn learn_names(&mut self, at: usize, (first, count): (usize, usize), answer: &Response) {
        if self.choices.gives.is_none() || !answer.is_success() {
            return;
        }
        for (place, id) in ids_in(answer, count) {
            let Some(row) = self.account.made_by(first + place) else { continue };
            if row == id || !self.given.unnamed.remove(&row) {
                continue;
            }
            tell(|| format!("device {at} calls {row} {id}"));
            self.is_called(row, id);
            self.account.renamed(at, (row, id));
            self.crm.traffic.borrow_mut().is_kept_as(at, row, id);
            if let Some(ids) = self.given.ids.remove(&(at, row)) {
                self.given.ids.insert((at, id), ids);
            }
            // What was passed on is called as the server calls it; something on the way may have it made twice.
            if answer.headers.get("Flette-Source") == Some("network") {
                self.given.ids.entry((at, id)).or_default().insert(id);
            }
        }
    }

    /// Whether the server made a device's row, which it calls so, under more than one id: in a database that another one took the
    /// place of, too.
    pub(super) fn is_made_often(&self, at: usize, row: Uuid) -> bool {
        self.given.ids.get(&(at, row)).is_some_and(|ids| ids.len() > 1)
    }

    /// What the server made of devices' new rows, and whether it made one twice (I-4).
    pub(super) fn hear_of_ids(&mut self) -> Done {
        if self.choices.gives.is_none() {
            return Ok(());
        }
        let made = self.crm.traffic.borrow_mut().take_made();
        made.iter().try_for_each(|made| self.was_made(made))?;
        for at in 0..self.devices.len() {
            self.learn_ids(at);
        }
        Ok(())
    }

    fn was_made(&mut self, made: &Made) -> Done {
        let Some((device, row)) = self.account.maker_of(&made.values)? else { return Ok(()) };
        if row == made.id {
            return Ok(());
        }
        let ids = self.given.ids.entry((device, row)).or_default();
        let before = ids.iter().copied().find(|id| *id != made.id && self.account.stands_there(*id));
        if !ids.insert(made.id) {
            return Ok(());
        }
        self.account.is_made_as(row, made.id);
        tell(|| format!("the server calls {row} of device {device} {}", made.id));
        self.rows.push(made.id);
        if self.accounts.contains(&row) {
            self.accounts.push(made.id);
        }
        let again = || made.operation.is_none() || self.account.may_be_made_again(device, row);
        match before.filter(|_| !again() && !self.makes_rows_anew(device)) {
            Some(before) => Err(format!(
                "I-4: the new row {row} of device {device} was made twice: {before} and {}",
                made.id
            )),
            None => Ok(()),
        }
    }

    /// Rows of a device, known by what it calls them, of which it does not say yet that it knows the server's ids.
    fn pending(&self, at: usize) -> Vec<(Uuid, BTreeSet<Uuid>)> {
        let of_device = self.given.ids.iter().filter(|((device, _), _)| *device == at);
        let pending = of_device
            .filter(|((_, row), ids)| !ids.contains(row) && !self.given.unnamed.contains(row))
            .map(|((_, row), ids)| (*row, ids.clone()));
        pending.collect()
    }

    /// Which rows a device calls by the server's ids by now.
    fn learn_ids(&mut self, at: usize) {
        for (row, ids) in self.pending(at) {
            let path = format!("{ROOT}{}", self.place(&row));
            let answer = self.devices[at].ask_alone(Request::get(path));
            let shown = answer.and_then(|answer| serde_json::from_slice::<Json>(&answer.body).ok());
            let key = if self.accounts.contains(&row) { "accountid" } else { "contactid" };
            let id = shown.and_then(|shown| shown[key].as_str()?.parse().ok());
            if let Some(id) = id.filter(|id| ids.contains(id)) {
                self.is_the_servers(at, row, id);
            }
        }
    }

    fn is_the_servers(&mut self, at: usize, row: Uuid, id: Uuid) {
        tell(|| format!("device {at} knows that {row} is {id}"));
        self.faults.note(Fault::IdAssigned);
        self.account.renamed(at, (row, id));
        self.merged.is_given((at, row), id);
        if let Some(ids) = self.given.ids.remove(&(at, row)) {
            self.given.ids.insert((at, id), ids);
        }
    }

    /// In the end: what a device does not show any more, and of which nothing waits, is what the server made of it.
    pub(super) fn end_of_giving(&mut self, at: usize, waiting: &BTreeSet<String>) {
        self.learn_ids(at);
        for (row, ids) in self.pending(at) {
            let waits = waiting.contains(&row.to_string());
            // What may have been made, and was deleted before anybody knew.
            let given_up = !self.account.has_receipts() && self.account.is_unwanted(at, row);
            // Made once more since, by the id that it has here.
            let stands = self.account.stands_there(row);
            if let Some(id) = ids.last().copied().filter(|_| !waits && !given_up && !stands) {
                self.is_the_servers(at, row, id);
            }
        }
    }

    /// A device lost everything.
    pub(super) fn forget_ids(&mut self, at: usize) {
        self.given.ids.retain(|(device, _), _| *device != at);
    }
}

/// Where the column of a set's ids is defined.
fn column(set: &str) -> String {
    let table = super::shown::table_of(set);
    format!("{ROOT}EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{table}id')")
}

/// The ids of rows in an answer to changes, by the place of the change.
fn ids_in(answer: &Response, count: usize) -> Vec<(usize, Uuid)> {
    if count == 1 {
        return named(answer).into_iter().map(|id| (0, id)).collect();
    }
    let kind = answer.headers.get("Content-Type").unwrap_or_default();
    let answers = parse_batch_response(kind, &answer.body).unwrap_or_default();
    let parts = answers.into_iter().filter_map(|answer| match answer {
        BatchAnswer::ChangeSet(parts) => Some(parts),
        BatchAnswer::Single(_) => None,
    });
    let number = |content_id: Option<String>| content_id?.parse::<usize>().ok()?.checked_sub(1);
    let ids = parts.flatten().filter_map(|(content_id, part)| Some((number(content_id)?, named(&part)?)));
    ids.collect()
}
