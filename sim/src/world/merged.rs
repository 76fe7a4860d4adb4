//! New rows that the server refuses since another has their number, and that users merge into that one: from then on both
//! ids mean it, at that device.

use super::{Done, World};
use crate::account::Deed;
use crate::device::Device;
use crate::faults::Fault;
use crate::net::ROOT;
use crate::tale::tell;
use flette_odata::{Method, Request, Uuid};
use serde_json::{json, Value as Json};
use std::collections::BTreeMap;

/// The column that no two accounts have in common.
pub(super) const NUMBER: &str = "accountnumber";

/// Rows that were merged, or to which the server gave an id: by device and the id that was made there, the row that they are.
#[derive(Debug, Default)]
pub(super) struct Merged(BTreeMap<(usize, Uuid), Uuid>);

impl Merged {
    /// The row that an id means at a device.
    pub(super) fn row(&self, device: usize, id: Uuid) -> Uuid {
        self.0.get(&(device, id)).copied().unwrap_or(id)
    }

    /// The id that was made at a device for a row, if there is one.
    pub(super) fn made_here(&self, device: usize, row: Uuid) -> Option<Uuid> {
        self.of(device).find(|(_, there)| *there == row).map(|(here, _)| here)
    }

    /// The server gave an id to a row.
    pub(super) fn is_given(&mut self, here: (usize, Uuid), there: Uuid) {
        self.0.insert(here, there);
    }

    /// A device lost everything: the ids that it made mean nothing any more.
    pub(super) fn forget(&mut self, device: usize) {
        self.0.retain(|(of, _), _| *of != device);
    }

    fn of(&self, device: usize) -> impl Iterator<Item = (Uuid, Uuid)> + '_ {
        let own = self.0.iter().filter(move |((of, _), _)| *of == device);
        own.map(|((_, here), there)| (*here, *there))
    }
}

impl World {
    /// A number for a new account, where such are given. Now and then somebody gives it to another one meanwhile, so that
    /// the new one is refused.
    pub(super) fn give_number(&mut self, row: Uuid) {
        let others: Vec<Uuid> =
            self.accounts.iter().copied().filter(|id| self.may_go(id) && *id != row).collect();
        let Some(taker) = self.choices.number(&others) else { return };
        let number = format!("n{}", self.numbers.len());
        if let Some(taker) = taker {
            let path = format!("accounts({taker})");
            let given = self.online(Method::Patch, &path, json!({NUMBER: number}));
            tell(|| format!("online: {taker} gets the number {number}: {given:?}"));
        }
        self.numbers.insert(row, number);
    }

    fn name_of(&self, row: &Uuid) -> &'static str {
        if self.accounts.contains(row) {
            "name"
        } else {
            "lastname"
        }
    }

    fn may_go(&self, row: &Uuid) -> bool {
        !self.lasting.contains(row)
    }

    /// A user merges a refused new row into the one that has its number, now and then; whether he did.
    pub(super) fn merge_duplicate(&mut self, at: usize) -> Result<bool, String> {
        if !self.choices.merges_now() {
            return Ok(false);
        }
        let device = &self.devices[at];
        let Some((op, here)) = refused(device) else { return Ok(false) };
        let offered = device.read(&format!("/flette/journal/{op}/duplicates"));
        let there = offered.and_then(|offered| offered["rows"][0]["id"].as_str()?.parse().ok());
        let Some(there) = there.filter(|there| self.may_go(there)) else { return Ok(false) };
        self.blur(at);
        let body = json!({"id": there}).to_string().into_bytes();
        let request = Request::new(Method::Post, format!("/flette/journal/{op}/merge")).json(body);
        let answer = self.devices[at].ask(request).ok_or("L-2: a merge hangs")?;
        tell(|| format!("device {at} merges {here} into {there}: {}", answer.status));
        if answer.is_success() {
            self.faults.note(Fault::Merged);
            let now = self.clocks.is_right(at).then(|| self.clock.now());
            self.account.merged(at, (here, there), now);
            self.crm.traffic.borrow_mut().merges(at, here, there, &["name", NUMBER]);
            self.merged.0.insert((at, here), there);
            self.clocks.stamps(at);
        }
        Ok(answer.is_success())
    }

    /// Either id means the row, in URLs and in conditions.
    pub(super) fn either_id_means_the_row(&self, device: &Device) -> Done {
        let of_device = self.merged.of(device.at);
        for (here, there) in of_device.into_iter().filter(|(_, there)| !self.is_made_often(device.at, *there))
        {
            let ask = |path: String| {
                let answer =
                    device.ask_alone(Request::get(format!("{ROOT}{path}"))).ok_or("L-2: a read hangs")?;
                let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
                let key = if self.accounts.contains(&there) { "accountid" } else { "contactid" };
                Ok::<_, String>((answer.status, body[key].clone(), body["value"].clone()))
            };
            let row = |id: Uuid| ask(format!("{}?$select={}", self.place(&id), self.name_of(&id)));
            let children = |id: Uuid| {
                ask(format!("contacts?$select=contactid&$filter=_parentcustomerid_value%20eq%20{id}"))
            };
            if row(here)? != row(there)? || children(here)? != children(there)? {
                return Err(format!(
                    "I-15: at device {} {here} was {there}, and means something else",
                    device.at
                ));
            }
        }
        Ok(())
    }
}

/// A new account that was refused since another has its number: operation and id.
fn refused(device: &Device) -> Option<(String, Uuid)> {
    let journal = device.read("/flette/journal")?;
    let mut entries = journal["entries"].as_array()?.iter();
    let entry = entries.find(|entry| {
        entry["kind"] == "create" && entry["table"] == "account" && entry["reason"]["class"] == "duplicate"
    })?;
    Some((entry["op"].as_str()?.to_owned(), entry["id"].as_str()?.parse().ok()?))
}

impl Deed {
    /// The same with the rows that its ids mean at a device.
    pub(super) fn meant(self, merged: &Merged, device: usize) -> Deed {
        let meant = |id| merged.row(device, id);
        let row = meant(self.row());
        match self {
            Deed::Create { values, parent, .. } => Deed::Create { row, values, parent: parent.map(meant) },
            Deed::Edit { values, parent, .. } => Deed::Edit { row, values, parent: parent.map(meant) },
            Deed::Delete { .. } => Deed::Delete { row },
        }
    }
}
