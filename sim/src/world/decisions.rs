//! What users decide of conflicts: of those that were left to them, and now and then of those that a rule decided.

use super::{Done, World};
use crate::account::{text_of, Decision, Deed, Said, CHOICE, COLUMNS, MEMOS, NOTHING, PARENT, WATCHED};
use crate::device::What;
use crate::faults::Fault;
use crate::tale::tell;
use flette_odata::{Method, Request, Response, Uuid};
use serde_json::{json, Value as Json};
use std::collections::BTreeSet;

/// Decisions of one user when the faults are over, at most.
const LAST_DECISIONS_MAX: usize = 6;

/// A decision that a user asked for.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// Place of the device.
    device: usize,
    conflict: String,
    take: &'static str,
    /// The conflicts that the device knew.
    known: BTreeSet<String>,
    /// The change that it is, by its place in the account.
    record: Option<usize>,
    /// Whether it makes a row that is gone anew.
    makes: bool,
}

impl World {
    /// A user decides a conflict, now and then.
    pub(super) fn decide_now(&mut self, at: usize) {
        if self.choices.decides_now() {
            self.decide_one(at);
        }
    }

    /// When the faults are over users decide some more, so that it shows in the end.
    pub(super) fn decide_in_the_end(&mut self) -> Done {
        for at in 0..self.devices.len() {
            for _ in 0..LAST_DECISIONS_MAX {
                if self.choices.decides_in_the_end() && !self.decide_one(at) {
                    break;
                }
                self.finish(at)?;
            }
        }
        Ok(())
    }

    /// Whether there was one to decide.
    fn decide_one(&mut self, at: usize) -> bool {
        let log = self.devices[at].read("/flette/conflicts").unwrap_or_default();
        let all = || log["conflicts"].as_array().into_iter().flatten();
        let undecided =
            || all().filter(|conflict| conflict["resolved"].is_null() && is_about_what_is_watched(conflict));
        let open: Vec<&Json> = undecided().filter(|conflict| conflict["open"] == true).collect();
        let closed: Vec<&Json> = undecided().filter(|conflict| conflict["open"] != true).collect();
        let Some((conflict, take)) = self.choices.decision(&open, &closed) else { return false };
        let known = all().filter_map(|known| known["id"].as_str()).map(str::to_owned).collect();
        self.decide(at, conflict, take, known);
        true
    }

    fn decide(&mut self, at: usize, conflict: &Json, take: &'static str, known: BTreeSet<String>) {
        let Some(id) = conflict["id"].as_str().map(str::to_owned) else { return };
        tell(|| format!("device {at} takes {take} of {conflict}"));
        let deed = self.meant_by(at, conflict, take);
        if let Some(deed) = &deed {
            let columns = deed.values().iter().map(|(column, _)| *column);
            let columns = columns.chain(deed.parent().map(|_| PARENT));
            self.crm.traffic.borrow_mut().writes(at, deed.row(), columns);
            self.crm.traffic.borrow_mut().plans(at, std::slice::from_ref(deed));
        }
        self.clocks.stamps(at);
        let seen = deed.as_ref().and_then(|deed| self.seen(at, deed));
        self.blur(at);
        let record = deed.map(|deed| self.account.begin(at, vec![(deed, seen)], self.clock.now()));
        self.account.chooses(record);
        let body = json!({"take": take}).to_string().into_bytes();
        let request = Request::new(Method::Post, format!("/flette/conflicts/{id}/resolve")).json(body);
        self.devices[at].begin(What::Decision(self.decisions.len()), request);
        let makes = conflict["kind"] == "deleted-there" && take == "local";
        self.decisions.push(Wish { device: at, conflict: id, take, known, record, makes });
    }

    /// Something else goes on while a decision is under way.
    pub(super) fn blur_decision(&mut self, place: usize) {
        let record = self.decisions.get(place).and_then(|wish| wish.record);
        record.into_iter().for_each(|record| self.account.blur(record));
    }

    /// A decision was answered.
    pub(super) fn decided(&mut self, at: usize, place: usize, answer: &Response) -> Done {
        tell(|| format!("device {at} says {} to a decision", answer.status));
        let Some(wish) = self.decisions.get(place).cloned() else { return Ok(()) };
        let said = match answer.status {
            200..=299 => Said::Done,
            // Refused or not, what he wanted may stand: it is what somebody wrote before.
            _ => Said::Nothing,
        };
        let made = if wish.makes && said == Said::Done { self.made_again(at) } else { None };
        let begun = made.map(|deed| self.account.begin(at, vec![(deed, None)], self.clock.now()));
        let record = wish.record.or(begun);
        let deed = record.and_then(|record| self.account.end(record, said, None));
        if said != Said::Done {
            return Ok(());
        }
        self.faults.note(Fault::Decided);
        let Wish { conflict, take, known, .. } = wish;
        self.account.decides(Decision { device: at, conflict, take, known, record });
        let alone = self.devices[at].doing.is_empty() && !self.shared_disk.contains(&at);
        match deed {
            Some(deed) if alone => self.read_back(at, &deed),
            _ => Ok(()),
        }
    }

    /// What a decision does to the row, where it does anything: what won stands already, or what came after it.
    fn meant_by(&self, at: usize, conflict: &Json, take: &str) -> Option<Deed> {
        if conflict["winner"] == take {
            return None;
        }
        let row: Uuid = conflict["row"].as_str()?.parse().ok()?;
        let row = self.merged.row(at, row);
        match conflict["kind"].as_str()? {
            "field" if conflict["field"] == PARENT => {
                let parent = Some(parent_in(&conflict[take]));
                Some(Deed::Edit { row, values: Vec::new(), parent })
            }
            "field" => {
                let column = column_of(conflict["field"].as_str()?)?;
                Some(Deed::Edit { row, values: vec![(column, text_of(&conflict[take])?)], parent: None })
            }
            "deleted-here" => Some(Deed::Delete { row }),
            _ => None,
        }
    }

    /// Whether a device's user ever wanted a row made anew.
    pub(super) fn makes_rows_anew(&self, at: usize) -> bool {
        self.decisions.iter().any(|wish| wish.makes && wish.device == at)
    }

    /// Whether a new row is one of which its user never heard what it is called.
    fn is_unheard_of(&self, at: usize, entry: &Json) -> bool {
        let fields = entry["fields"].as_array().into_iter().flatten();
        let values: Vec<String> = fields.filter_map(|field| text_of(&field["new"])).collect();
        let maker = self.account.maker_of(&values).ok().flatten();
        maker.is_some_and(|(device, row)| device == at && self.is_unnamed(&row))
    }

    /// A row that was gone, and is made anew under another id.
    fn made_again(&mut self, at: usize) -> Option<Deed> {
        let journal = self.devices[at].read("/flette/journal")?;
        let mut entries = journal["entries"].as_array()?.iter();
        let id = |entry: &Json| entry["id"].as_str()?.parse::<Uuid>().ok();
        let is_new = |entry: &&Json| {
            id(entry).is_some_and(|id| !self.rows.contains(&id)) && !self.is_unheard_of(at, entry)
        };
        let entry = entries.find(|entry| entry["kind"] == "create" && is_new(entry))?;
        let row = id(entry)?;
        let fields = || entry["fields"].as_array().into_iter().flatten();
        let value = |field: &Json| Some((column_of(field["name"].as_str()?)?, text_of(&field["new"])?));
        let parent = fields().find(|field| field["name"] == PARENT);
        let parent = parent.and_then(|field| field["new"]["id"].as_str()?.parse().ok());
        self.rows.push(row);
        if entry["table"] == "account" {
            self.accounts.push(row);
        }
        let deed = Deed::Create { row, values: fields().filter_map(value).collect(), parent };
        self.crm.traffic.borrow_mut().plans(at, std::slice::from_ref(&deed));
        Some(deed)
    }
}

/// A column whose values the account follows.
fn column_of(name: &str) -> Option<&'static str> {
    let names = WATCHED.map(|(_, _, name)| name);
    names.into_iter().chain(COLUMNS).chain(MEMOS).chain([CHOICE]).find(|column| *column == name)
}

/// What a row hangs on by a value of the lookup.
fn parent_in(value: &Json) -> Uuid {
    value["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or(NOTHING)
}

fn is_about_what_is_watched(conflict: &Json) -> bool {
    let side = |side: &str| text_of(&conflict[side]).is_some();
    match conflict["field"].as_str() {
        Some(PARENT) => true,
        Some(field) => column_of(field).is_some() && side("local") && side("server"),
        None => true,
    }
}
