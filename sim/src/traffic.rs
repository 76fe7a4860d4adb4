//! What devices say to the server, and whether a careful client may say it. Knows requests and answers only, nothing of
//! how an engine works.

mod given;

pub use given::{named, Made};

use crate::account::{Deed, PARENT};
use crate::faults::GIVEN_UP;
use flette_odata::batch::{parse_batch, parse_batch_response, BatchAnswer, BatchItem, Part};
use flette_odata::{Headers, Method, Request, Response, Uuid};
use given::Given;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Names an operation, however often it is sent.
const OPERATION: &str = "Repeatability-Request-ID";
/// What is meant together is sent together: an edit of one line of an address may bring the others along.
const ADDRESS: &str = "address1_";

/// What is counted when a push sets out while another one of its device is under way.
pub const BESIDE: &str = "push beside another";
/// Boundary of the batches that apps write. What an engine passes on to the server as it is, it does not answer for.
pub const USERS_OWN: Uuid = Uuid::from_u128(0x0a99);

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
    /// Ids that mean another row at a device: no request of it names them.
    merged: BTreeSet<(usize, Uuid)>,
    /// New rows to which the server gives ids.
    given: Given,
    /// The server keeps no receipts.
    bare: bool,
    /// Rows that a user makes in one change set, and those that he deletes.
    planned: Vec<(usize, BTreeSet<Uuid>)>,
    deleted: BTreeSet<(usize, Uuid)>,
    /// What a row of a user was to hang on: it goes with that one.
    parents: BTreeMap<(usize, Uuid), BTreeSet<Uuid>>,
    /// Statuses with which the server refused something about a row, in words of its own.
    refused: BTreeSet<(Uuid, u16)>,
    /// The same of operations: who was killed before a create was acknowledged never told under which id the row is known to him.
    refused_operations: BTreeSet<(Uuid, u16)>,
    /// Rows that were deleted, of which nobody took notice yet.
    removed: BTreeSet<Uuid>,
    /// What devices heard, by what they asked, and how often.
    heard: BTreeMap<String, u64>,
    /// Pushes on their way, by device.
    under_way: BTreeMap<usize, u32>,
    /// When a device's writes were last answered with success, and when it last read each table.
    pushed: BTreeMap<usize, u64>,
    pulled: BTreeMap<(usize, String), u64>,
    /// How often another database took the place of the server's, and up to which time each device knows it.
    restores: u64,
    aware: BTreeMap<usize, u64>,
    ticks: u64,
}

impl Traffic {
    /// The server gives new rows of some table their ids, now or later. `strict`: devices know it of this set all the time.
    pub fn looks_for_given_ids(&mut self, strict: Option<&'static str>) {
        self.given.look(strict);
    }

    /// The server keeps no receipts.
    pub fn has_no_receipts(&mut self) {
        self.bare = true;
    }

    /// A device keeps a row that it made under this id.
    pub fn is_kept_as(&mut self, device: usize, row: Uuid, id: Uuid) {
        self.given.is_kept_as(device, row, id);
    }

    /// Rows that the server made since this was called last.
    pub fn take_made(&mut self) -> Vec<Made> {
        self.given.take()
    }

    /// A user writes columns of a row at a device.
    pub fn writes<'c>(&mut self, device: usize, row: Uuid, columns: impl Iterator<Item = &'c str>) {
        let row = self.given.row(device, row);
        self.written.extend(columns.map(|column| (device, row, column.to_owned())));
    }

    /// A user made a new row of his device one with another.
    pub fn merges(&mut self, device: usize, here: Uuid, there: Uuid, columns: &[&str]) {
        self.writes(device, there, columns.iter().copied());
        self.merged.insert((device, here));
    }

    /// A user does several things at once, or a single one.
    pub fn plans(&mut self, device: usize, deeds: &[Deed]) {
        for deed in deeds {
            self.given.plans(device, deed);
            let row = self.given.row(device, deed.row());
            match deed {
                Deed::Delete { .. } => {
                    self.deleted.insert((device, row));
                }
                Deed::Create { parent: Some(parent), .. } | Deed::Edit { parent: Some(parent), .. } => {
                    let parent = self.given.row(device, *parent);
                    self.parents.entry((device, row)).or_default().insert(parent);
                }
                Deed::Create { .. } | Deed::Edit { .. } => {}
            }
        }
        let made = deeds.iter().filter(|deed| matches!(deed, Deed::Create { .. })).map(Deed::row);
        let made: BTreeSet<Uuid> = made.map(|row| self.given.row(device, row)).collect();
        if made.len() > 1 {
            self.planned.push((device, made));
        }
    }

    /// Another database stands behind the server: nothing asked before counts, and nothing that a device asks before it has
    /// said hello to that one. A version means something else there, and its receipts are others.
    pub fn restored(&mut self) {
        self.asked.clear();
        self.restores += 1;
    }

    fn is_aware(&self, device: usize) -> bool {
        self.aware.get(&device).copied().unwrap_or(0) == self.restores
    }

    /// Whether a device's request is a push. That two were on their way at once is heard of, too.
    pub fn sets_out(&mut self, device: usize, request: &Request) -> bool {
        let pushes = !units(request).is_empty();
        if pushes {
            let count = self.under_way.entry(device).or_default();
            *count += 1;
            if *count > 1 {
                *self.heard.entry(BESIDE.to_owned()).or_default() += 1;
            }
        }
        pushes
    }

    /// One of a device's pushes is under way no more.
    pub fn arrived(&mut self, device: usize) {
        let count = self.under_way.entry(device).or_default();
        *count = count.saturating_sub(1);
    }

    /// A device asks. `guarded` says that the session is that of the device's user, or that the server will refuse what
    /// is asked because it names its user.
    ///
    /// # Errors
    /// What no careful client asks.
    pub fn asks(&mut self, device: usize, guarded: bool, request: &Request) -> Result<(), String> {
        for unit in units(request) {
            if !guarded {
                return Err(format!("I-22: device {device} sends its journal in another user's session"));
            }
            unit.iter().for_each(|part| self.learn_own_id(device, &part.request));
            self.stays_whole(device, &unit)?;
            unit.iter().try_for_each(|part| self.check(device, &part.request))?;
        }
        Ok(())
    }

    /// An app that chose no id and was not answered does not know what its device calls a row that it made in a change set. Where
    /// the server gives none either, the first request tells.
    fn learn_own_id(&mut self, device: usize, request: &Request) {
        let Some(id) = row_of(&request.url).filter(|_| verb(request) == "create") else { return };
        let Some((_, row)) = self.given.by_values(request).filter(|(of, _)| *of == device) else { return };
        let planned = self.planned.iter().any(|(of, set)| *of == device && set.contains(&row));
        if planned && !self.made.contains(&(device, row)) && self.given.row(device, id) != row {
            self.given.is_kept_as(device, row, id);
        }
    }

    /// Rows that are made in one change set are asked for together, the first time at least.
    fn stays_whole(&self, device: usize, unit: &[Part]) -> Result<(), String> {
        let creates = |part: &&Part| verb(&part.request) == "create";
        let made: BTreeSet<Uuid> =
            unit.iter().filter(creates).filter_map(|part| self.row(device, &part.request)).collect();
        let of_device = self.planned.iter().filter(|(of, _)| *of == device);
        for (_, set) in of_device.filter(|(_, set)| !set.is_disjoint(&made)) {
            let asked_before = set.iter().any(|row| self.made.contains(&(device, *row)));
            let left_out = |row: &&Uuid| !made.contains(*row) && !self.is_deleted(device, **row);
            if let Some(row) = set.iter().find(left_out).filter(|_| !asked_before) {
                return Err(format!(
                    "a change set was torn: device {device} makes others of it without {row}"
                ));
            }
        }
        Ok(())
    }

    /// Whether a device's user deleted a row, or what it hangs on.
    fn is_deleted(&self, device: usize, row: Uuid) -> bool {
        let deleted = |row: Uuid| self.deleted.contains(&(device, row));
        deleted(row) || self.parents.get(&(device, row)).into_iter().flatten().any(|parent| deleted(*parent))
    }

    /// The row that a request of a device is about.
    fn row(&self, device: usize, request: &Request) -> Option<Uuid> {
        match row_of(&request.url) {
            Some(id) => Some(self.given.row(device, id)),
            None => self.given.of(request).filter(|(of, _)| *of == device).map(|(_, row)| row),
        }
    }

    /// I-15: what a device names means something to others, too.
    fn names_no_own_id(&self, device: usize, request: &Request) -> Result<(), String> {
        let url = &request.url;
        let text = format!("{url} {}", String::from_utf8_lossy(&request.body));
        let mut merged = self.merged.iter().filter(|(of, _)| *of == device).map(|(_, id)| *id);
        let found = merged.find(|id| text.contains(&id.to_string()));
        match found.or_else(|| self.given.own_id_in(device, &text)) {
            Some(id) => Err(format!("I-15: device {device} names {id}, which only it knows: {url}")),
            None => Ok(()),
        }
    }

    fn check(&mut self, device: usize, request: &Request) -> Result<(), String> {
        let url = &request.url;
        let Some(row) = self.row(device, request) else { return Ok(()) };
        let header = |name: &str| request.headers.get(name).map(str::to_owned);
        let (version, new) = (header("If-Match"), header("If-None-Match"));
        let operation = header(OPERATION).unwrap_or_default();
        let creates = verb(request) == "create";
        if !creates && version.as_ref().is_none_or(|version| version == "*") {
            return Err(format!("I-7: {} {url} overwrites whatever stands there", request.method.as_str()));
        }
        match row_of(url) {
            None => self.given.asks((device, row), &operation, !self.bare)?,
            Some(_) if creates && self.given.forbids(url) => {
                return Err(format!("I-15: device {device} gives a row an id where the server does: {url}"));
            }
            Some(id) if creates => self.given.makes_as((device, row), id, &operation),
            Some(_) => {}
        }
        self.names_no_own_id(device, request)?;
        let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
        let members = body.as_object().into_iter().flatten();
        let binds = members.clone().filter(|(name, _)| name.ends_with("@odata.bind"));
        for to in binds.clone().filter_map(|(_, value)| row_of(value.as_str()?)) {
            let to = self.given.row(device, to);
            if !self.made.contains(&(device, to)) && to != row {
                self.pointed_to.insert((device, to));
            }
        }
        if creates {
            self.made.insert((device, row));
            if self.pointed_to.contains(&(device, row)) {
                return Err(format!("I-5: device {device} sent a row that points to {row} before {row}"));
            }
        } else {
            let of_address = |name: &str| name.starts_with(ADDRESS);
            let mut own = self.written.range((device, row, String::new())..);
            let address = own.any(|(of, id, name)| (*of, *id) == (device, row) && name.starts_with(ADDRESS));
            let own = self.written.contains(&(device, row, PARENT.to_owned()));
            if let Some((name, _)) = binds.clone().find(|(name, _)| !(own && name.starts_with(PARENT))) {
                return Err(format!("I-19: device {device} sends {name} of {row}, which nobody wrote there"));
            }
            for (name, _) in members.filter(|(name, _)| !name.contains('@')) {
                let written = self.written.contains(&(device, row, name.clone()));
                if !(written || address && of_address(name)) {
                    return Err(format!(
                        "I-19: device {device} sends {name} of {row}, which nobody wrote there"
                    ));
                }
            }
        }
        if !self.is_aware(device) {
            return Ok(());
        }
        let asked = (request.body.clone(), version, new);
        match self.asked.insert((device, row), (asked.clone(), operation.clone())) {
            Some((before, other)) if before == asked && other != operation => {
                Err(format!("I-4: device {device} asks the same of {row} under another operation"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The server has answered a batch.
    pub fn answers(&mut self, request: &Request, answer: &Response) {
        let kind = |headers: &Headers| headers.get("Content-Type").unwrap_or_default().to_owned();
        let items = parse_batch(&kind(&request.headers), &request.body).unwrap_or_default();
        let answers = parse_batch_response(&kind(&answer.headers), &answer.body).unwrap_or_default();
        for (item, answer) in items.into_iter().zip(answers) {
            let parts = match item {
                BatchItem::Single(part) => vec![part],
                BatchItem::ChangeSet(parts) => parts,
            };
            let answer = match answer {
                BatchAnswer::Single(answer) => answer,
                BatchAnswer::ChangeSet(answers) => {
                    let both = parts.iter().zip(&answers);
                    both.for_each(|(part, (_, answer))| self.given.tell(&part.request, answer));
                    self.note_removed(&parts);
                    continue;
                }
            };
            let added = |part: &Part| self.given.of(&part.request).map(|(_, row)| row);
            let rows = parts.iter().filter_map(|part| row_of(&part.request.url).or_else(|| added(part)));
            let rows: Vec<Uuid> = rows.filter(|_| answer.status >= 400).collect();
            self.refused.extend(rows.into_iter().map(|row| (row, answer.status)));
            let named = parts.iter().filter_map(|part| part.content_id.as_deref()?.parse().ok());
            let named: Vec<Uuid> = named.filter(|_| answer.status >= 400).collect();
            self.refused_operations.extend(named.into_iter().map(|operation| (operation, answer.status)));
            parts.iter().for_each(|part| self.given.tell(&part.request, &answer));
            if answer.is_success() {
                self.note_removed(&parts);
            }
        }
    }

    /// Of what was carried out, the deletions.
    fn note_removed(&mut self, parts: &[Part]) {
        let deletions = parts.iter().filter(|part| part.request.method == Method::Delete);
        self.removed.extend(deletions.filter_map(|part| row_of(&part.request.url)));
    }

    /// Rows that were deleted since this was asked last, and may be back.
    pub fn take_removed(&mut self) -> BTreeSet<Uuid> {
        std::mem::take(&mut self.removed)
    }

    /// Answers to a batch change places. Nothing tells one refusal from another one, so each may be taken for that of any row.
    pub fn disorders(&mut self, request: &Request, answer: &Response) {
        let kind = answer.headers.get("Content-Type").unwrap_or_default();
        let answers = parse_batch_response(kind, &answer.body).unwrap_or_default();
        let refusals = answers.iter().filter_map(|answer| match answer {
            BatchAnswer::Single(answer) => Some(answer.status).filter(|status| *status >= 400),
            BatchAnswer::ChangeSet(_) => None,
        });
        let singles = units(request).into_iter().filter(|unit| unit.len() == 1).flatten();
        let rows: Vec<Uuid> = singles.filter_map(|part| row_of(&part.request.url)).collect();
        self.refused.extend(refusals.flat_map(|status| rows.iter().map(move |row| (*row, status))));
    }

    /// The server has answered a request of its own.
    pub fn answers_one(&mut self, request: &Request, answer: &Response) {
        self.given.tell(request, answer);
    }

    /// Whether the server ever refused something about a row with a status.
    pub fn was_refused(&self, row: Uuid, status: u16) -> bool {
        self.given.meanings(row).any(|row| self.refused.contains(&(row, status)))
    }

    /// The same of an operation.
    pub fn was_refused_as(&self, operation: Uuid, status: u16) -> bool {
        self.refused_operations.contains(&(operation, status))
    }

    /// What devices heard, by what they asked, and how often.
    pub fn heard(&self) -> &BTreeMap<String, u64> {
        &self.heard
    }

    fn note(&mut self, asked: &str, answer: &Response) {
        let own = serde_json::from_slice::<Json>(&answer.body).is_ok_and(|body| body["error"].is_object());
        let words = if answer.status >= 400 && !own { " of a gateway" } else { "" };
        *self.heard.entry(format!("{asked} {}{words}", answer.status)).or_default() += 1;
    }

    /// A device got a whole answer.
    pub fn hears(&mut self, device: usize, request: &Request, answer: &Response) {
        self.ticks += 1;
        let by_link = ["$deltatoken", "$skiptoken"].iter().any(|token| request.url.contains(token));
        match () {
            () if request.url.ends_with("$batch") && answer.status != 200 => self.note("batch", answer),
            () if by_link => self.note("link", answer),
            () if request.method == Method::Get => self.note("read", answer),
            () => {}
        }
        let asked = units(request);
        let kind = answer.headers.get("Content-Type").unwrap_or_default();
        let nobody_knows = GIVEN_UP.contains(&answer.status);
        if (answer.status != 200 || kind.contains("html")) && !nobody_knows {
            asked.iter().flatten().for_each(|part| self.was_not_done(device, &part.request));
        }
        if answer.status != 200 {
            return;
        }
        if !asked.is_empty() {
            let answers = parse_batch_response(kind, &answer.body).unwrap_or_default();
            let done = |answer: &BatchAnswer| match answer {
                BatchAnswer::Single(part) => part.is_success(),
                BatchAnswer::ChangeSet(_) => true,
            };
            // Reads stand behind the writes.
            for (unit, answer) in asked.iter().zip(&answers) {
                match (unit.as_slice(), answer) {
                    ([single], BatchAnswer::Single(answer)) => self.note(verb(&single.request), answer),
                    (_, BatchAnswer::Single(answer)) => self.note("change set", answer),
                    (_, BatchAnswer::ChangeSet(_)) => self.note("change set", &Response::empty(200)),
                }
            }
            // What was refused left no receipt: corrected and put back, it may be asked under another operation.
            let refused = |answer: &&BatchAnswer| matches!(answer, BatchAnswer::Single(part) if (400..500).contains(&part.status));
            for (unit, _) in asked.iter().zip(&answers).filter(|(_, answer)| refused(answer)) {
                for part in unit {
                    let row = self.row(device, &part.request);
                    row.into_iter().for_each(|row| drop(self.asked.remove(&(device, row))));
                    self.was_not_done(device, &part.request);
                }
            }
            if answers.iter().take(asked.len()).any(done) {
                self.pushed.insert(device, self.ticks);
            }
        } else if request.method == Method::Get && serde_json::from_slice::<Json>(&answer.body).is_ok() {
            let path = request.url.split('?').next().unwrap_or_default();
            let set = path.rsplit('/').next().unwrap_or_default();
            if set == "WhoAmI" {
                self.aware.insert(device, self.restores);
            }
            // An app's own read may be passed on to the server; it tells the replica nothing.
            let is_pull = request.headers.get("Prefer").is_some_and(|prefer| prefer.contains("maxpagesize"));
            // A table is read with its last page.
            if is_pull && !goes_on(&answer.body) {
                self.pulled.insert((device, set.to_owned()), self.ticks);
            }
        }
    }

    fn was_not_done(&mut self, device: usize, request: &Request) {
        let operation = request.headers.get(OPERATION).unwrap_or_default();
        self.given.was_not_done(device, request, operation);
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

/// The writes of a round's batch, as they belong together.
fn units(request: &Request) -> Vec<Vec<Part>> {
    let kind = request.headers.get("Content-Type").unwrap_or_default();
    if !request.url.ends_with("$batch") || kind.contains(&USERS_OWN.to_string()) {
        return Vec::new();
    }
    let items = parse_batch(kind, &request.body).unwrap_or_default();
    let units = items.into_iter().map(|item| match item {
        BatchItem::Single(part) => vec![part],
        BatchItem::ChangeSet(parts) => parts,
    });
    units.filter(|unit| unit.iter().any(|part| part.request.method != Method::Get)).collect()
}

/// What a write is.
fn verb(request: &Request) -> &'static str {
    match request.method {
        Method::Delete => "delete",
        Method::Post => "create",
        _ if request.headers.get("If-None-Match").is_some() => "create",
        _ => "update",
    }
}

/// The row that a URL ends in.
pub(crate) fn row_of(url: &str) -> Option<Uuid> {
    let (_, key) = url.strip_suffix(')')?.rsplit_once('(')?;
    key.parse().ok()
}

/// Whether a page says that another one follows.
fn goes_on(page: &[u8]) -> bool {
    String::from_utf8_lossy(page).contains("\"@odata.nextLink\":")
}
