//! New rows to which the server gives ids. Until it has, their requests name none: which row they are about is told by the values
//! in them, each of which is written once.

use crate::account::{Deed, WATCHED};
use flette_odata::{Method, Request, Response, Uuid};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// A row that the server made.
#[derive(Debug)]
pub struct Made {
    /// The operation by which it was asked for, where it had one.
    pub operation: Option<String>,
    /// The texts in it.
    pub values: Vec<String>,
    /// The id that it got.
    pub id: Uuid,
}

/// See the module. A row is called as whoever made it called it first; other ids are other names of it.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Whether any are to be looked for.
    on: bool,
    /// The set to which no device may send an id of its own.
    strict: Option<&'static str>,
    /// Rows and their devices, by what was written into them.
    rows: BTreeMap<String, (usize, Uuid)>,
    /// Other names of rows, at a device.
    names: BTreeMap<(usize, Uuid), Uuid>,
    /// The id under which a device keeps a row that it made, until it hears of the server's.
    local: BTreeMap<(usize, Uuid), Uuid>,
    /// Rows for which a device asked without an id.
    added: BTreeSet<(usize, Uuid)>,
    /// Operations by which such a row was asked for, of which nobody said that they were not carried out.
    asked: BTreeSet<String>,
    made: Vec<Made>,
}

impl Given {
    pub(super) fn look(&mut self, strict: Option<&'static str>) {
        (self.on, self.strict) = (true, strict);
    }

    pub(super) fn plans(&mut self, device: usize, deed: &Deed) {
        if self.on {
            let row = self.row(device, deed.row());
            self.rows.extend(deed.values().iter().map(|(_, value)| (value.clone(), (device, row))));
        }
    }

    /// A device keeps a row under an id that it made itself.
    pub(super) fn is_kept_as(&mut self, device: usize, row: Uuid, id: Uuid) {
        let row = self.row(device, row);
        self.names.insert((device, id), row);
        self.local.insert((device, row), id);
    }

    /// The row that an id means at a device.
    pub(super) fn row(&self, device: usize, id: Uuid) -> Uuid {
        self.names.get(&(device, id)).copied().unwrap_or(id)
    }

    /// All that an id may mean at any device.
    pub(super) fn meanings(&self, id: Uuid) -> impl Iterator<Item = Uuid> + '_ {
        let others = self.names.iter().filter(move |((_, name), _)| *name == id).map(|(_, row)| *row);
        std::iter::once(id).chain(others)
    }

    /// Whose new row a request makes, where it names none.
    pub(super) fn of(&self, request: &Request) -> Option<(usize, Uuid)> {
        self.by_values(request).filter(|_| request.method == Method::Post)
    }

    /// Whose row a request is about, by what is in it.
    pub(super) fn by_values(&self, request: &Request) -> Option<(usize, Uuid)> {
        texts(&request.body).iter().find_map(|text| self.rows.get(text)).copied()
    }

    /// A device asks for a new row without an id. `receipts`: the server knows what it was asked before.
    pub(super) fn asks(
        &mut self,
        (device, row): (usize, Uuid),
        operation: &str,
        receipts: bool,
    ) -> Result<(), String> {
        self.added.insert((device, row));
        match self.asked.insert(operation.to_owned()) || receipts {
            true => Ok(()),
            false => Err(format!(
                "I-4: device {device} asks again for the new row {row}, which may have been made, and nobody can tell"
            )),
        }
    }

    /// A device makes a row under its own id, by an operation that never asked the server for one: nobody knew what became of
    /// the first, its user wanted the row once more, and by then the server gives no ids.
    pub(super) fn makes_as(&mut self, (device, row): (usize, Uuid), id: Uuid, operation: &str) {
        if self.local.get(&(device, row)) == Some(&id) && !self.asked.contains(operation) {
            self.added.remove(&(device, row));
        }
    }

    /// A request was not carried out, and its device knows it.
    pub(super) fn was_not_done(&mut self, device: usize, request: &Request, operation: &str) {
        if let Some((of, row)) = self.of(request) {
            self.asked.remove(operation);
            if of == device {
                self.added.remove(&(device, row));
            }
        }
    }

    /// I-15: an id that means nothing to anybody else.
    pub(super) fn own_id_in(&self, device: usize, text: &str) -> Option<Uuid> {
        let mut own = self.added.iter().filter(|(of, _)| *of == device);
        let local = |row: &(usize, Uuid)| self.local.get(row).copied();
        own.find_map(|row| local(row).filter(|id| text.contains(&id.to_string())))
    }

    /// Whether a device may not make a row of a set under an id of its own.
    pub(super) fn forbids(&self, url: &str) -> bool {
        self.strict.is_some_and(|set| url.contains(&format!("/{set}(")))
    }

    /// The server has answered.
    pub(super) fn tell(&mut self, request: &Request, answer: &Response) {
        let path = request.url.split('?').next().unwrap_or_default();
        let key = WATCHED.iter().find(|(set, _, _)| path.ends_with(set)).map(|(_, key, _)| *key);
        let Some(key) = key.filter(|_| self.on && request.method == Method::Post && answer.is_success())
        else {
            return;
        };
        let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        let shown = body[key].as_str().and_then(|id| id.parse().ok());
        let Some(id) = shown.or_else(|| named(answer)) else { return };
        if let Some((device, row)) = self.of(request).filter(|(_, row)| *row != id) {
            self.names.insert((device, id), row);
        }
        let operation = request.headers.get(super::OPERATION).map(str::to_owned);
        self.made.push(Made { operation, values: texts(&request.body), id });
    }

    pub(super) fn take(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.made)
    }
}

/// The id of the row that an answer names.
pub fn named(answer: &Response) -> Option<Uuid> {
    super::row_of(answer.headers.get("OData-EntityId")?)
}

/// Texts among the members of a body.
fn texts(body: &[u8]) -> Vec<String> {
    let body: Json = serde_json::from_slice(body).unwrap_or_default();
    let members = body.as_object().into_iter().flatten().filter(|(name, _)| !name.contains('@'));
    members.filter_map(|(_, value)| value.as_str()).map(str::to_owned).collect()
}
