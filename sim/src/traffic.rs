//! What devices say to the server, and whether a careful client may say it. Knows requests and answers only, nothing of
//! how an engine works.

use flette_odata::batch::{parse_batch, parse_batch_response, BatchAnswer, BatchItem, Part};
use flette_odata::{Method, Request, Response, Uuid};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Names an operation, however often it is sent.
const OPERATION: &str = "Repeatability-Request-ID";
/// What is meant together is sent together: an edit of one line of an address may bring the others along.
const ADDRESS: &str = "address1_";

/// What was asked of a row: body and conditions.
type Asked = (Vec<u8>, Option<String>, Option<String>);

/// See the module.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Columns that a device's user ever wrote, by row.
    written: BTreeSet<(usize, Uuid, String)>,
    /// The operation under which something was asked last, by device and row.
    asked: BTreeMap<(usize, Uuid), (Asked, String)>,
    /// Rows that a device's requests pointed to, before it asked to make them.
    pointed_to: BTreeSet<(usize, Uuid)>,
    /// Rows that a device asked to make.
    made: BTreeSet<(usize, Uuid)>,
    /// When a device's writes were last answered with success, and when it last read each table.
    pushed: BTreeMap<usize, u64>,
    pulled: BTreeMap<(usize, String), u64>,
    ticks: u64,
}

impl Traffic {
    /// A user writes columns of a row at a device.
    pub fn writes<'c>(&mut self, device: usize, row: Uuid, columns: impl Iterator<Item = &'c str>) {
        self.written.extend(columns.map(|column| (device, row, column.to_owned())));
    }

    /// Another database stands behind the server: nothing asked before counts.
    pub fn restored(&mut self) {
        self.asked.clear();
    }

    /// A device asks. `guarded` says that the session is that of the device's user, or that the server will refuse what
    /// is asked because it names its user.
    ///
    /// # Errors
    /// What no careful client asks.
    pub fn asks(&mut self, device: usize, guarded: bool, request: &Request) -> Result<(), String> {
        for part in parts(request) {
            if !guarded {
                return Err(format!("I-22: device {device} sends its journal in another user's session"));
            }
            self.check(device, &part.request)?;
        }
        Ok(())
    }

    fn check(&mut self, device: usize, request: &Request) -> Result<(), String> {
        let url = &request.url;
        let Some(row) = row_of(url) else { return Ok(()) };
        let header = |name: &str| request.headers.get(name).map(str::to_owned);
        let (version, new) = (header("If-Match"), header("If-None-Match"));
        if new.is_none() && version.as_ref().is_none_or(|version| version == "*") {
            return Err(format!("I-7: {} {url} overwrites whatever stands there", request.method.as_str()));
        }
        let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
        let members = body.as_object().into_iter().flatten();
        let binds = members.clone().filter(|(name, _)| name.ends_with("@odata.bind"));
        for to in binds.filter_map(|(_, value)| row_of(value.as_str()?)) {
            if !self.made.contains(&(device, to)) && to != row {
                self.pointed_to.insert((device, to));
            }
        }
        if new.is_some() {
            self.made.insert((device, row));
            if self.pointed_to.contains(&(device, row)) {
                return Err(format!("I-5: device {device} sent a row that points to {row} before {row}"));
            }
        } else {
            let of_address = |name: &str| name.starts_with(ADDRESS);
            let mut own = self.written.range((device, row, String::new())..);
            let address = own.any(|(of, id, name)| (*of, *id) == (device, row) && name.starts_with(ADDRESS));
            for (name, _) in members.filter(|(name, _)| !name.contains('@')) {
                let written = self.written.contains(&(device, row, name.clone()));
                if !(written || address && of_address(name)) {
                    return Err(format!(
                        "I-19: device {device} sends {name} of {row}, which nobody wrote there"
                    ));
                }
            }
        }
        let (asked, operation) =
            ((request.body.clone(), version, new), header(OPERATION).unwrap_or_default());
        match self.asked.insert((device, row), (asked.clone(), operation.clone())) {
            Some((before, other)) if before == asked && other != operation => {
                Err(format!("I-4: device {device} asks the same of {row} under another operation"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A device got a whole answer.
    pub fn hears(&mut self, device: usize, request: &Request, answer: &Response) {
        self.ticks += 1;
        if answer.status != 200 {
            return;
        }
        let asked = parts(request);
        if !asked.is_empty() {
            let kind = answer.headers.get("Content-Type").unwrap_or_default();
            let answers = parse_batch_response(kind, &answer.body).unwrap_or_default();
            let done =
                |answer: &BatchAnswer| matches!(answer, BatchAnswer::Single(part) if part.is_success());
            // Reads stand behind the writes.
            if answers.iter().take(asked.len()).any(done) {
                self.pushed.insert(device, self.ticks);
            }
        } else if request.method == Method::Get && serde_json::from_slice::<Json>(&answer.body).is_ok() {
            let path = request.url.split('?').next().unwrap_or_default();
            let set = path.rsplit('/').next().unwrap_or_default();
            self.pulled.insert((device, set.to_owned()), self.ticks);
        }
    }

    /// I-27: "synchronised" is said when every table was read since the last push.
    ///
    /// # Errors
    /// A table that was not.
    pub fn is_synchronised(&self, device: usize, sets: &[&str]) -> Result<(), String> {
        let Some(pushed) = self.pushed.get(&device) else { return Ok(()) };
        let unread =
            |set: &&&str| self.pulled.get(&(device, (**set).to_owned())).is_none_or(|pulled| pulled < pushed);
        match sets.iter().find(unread) {
            Some(set) => Err(format!(
                "I-27: device {device} says synchronised, and has not read {set} since it pushed"
            )),
            None => Ok(()),
        }
    }
}

/// The writes of a round's batch.
fn parts(request: &Request) -> Vec<Part> {
    if !request.url.ends_with("$batch") {
        return Vec::new();
    }
    let kind = request.headers.get("Content-Type").unwrap_or_default();
    let items = parse_batch(kind, &request.body).unwrap_or_default();
    let all = items.into_iter().flat_map(|item| match item {
        BatchItem::Single(part) => vec![part],
        BatchItem::ChangeSet(parts) => parts,
    });
    all.filter(|part| part.request.method != Method::Get).collect()
}

/// The row that a URL ends in.
pub(crate) fn row_of(url: &str) -> Option<Uuid> {
    let (_, key) = url.strip_suffix(')')?.rsplit_once('(')?;
    key.parse().ok()
}
