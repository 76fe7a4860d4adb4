//! One run: devices, a server and people online, all moved by one seed.

mod beginning;
mod choices;
mod clocks;
mod decisions;
mod elsewhere;
mod given;
mod merged;
mod reads;
mod rights;
mod seldom;
mod settle;
mod shown;
mod users;

use crate::account::{
    is_about, text_of, Account, Deed, Said, Seen, Snapshot, CHOICE, COLUMNS, PARENT, PARENT_ID, WATCHED,
};
use crate::clock::Clock;
use crate::device::{Device, What, SETS};
use crate::dice::Dice;
use crate::faults::{Fault, Faults};
use crate::net::{Crm, ROOT};
use crate::overheard::Overheard;
use crate::step::step;
use crate::tale::tell;
pub use beginning::Beginnings;
use choices::Choices;
use clocks::Clocks;
use decisions::Wish;
pub use elsewhere::{offer_elsewhere, run_against};
use flette_odata::batch::{parse_batch_response, BatchAnswer};
use flette_odata::time::parse_datetime;
use flette_odata::{Method, Request, Response, Uuid};
use flette_server::people::user_id;
use given::Given;
use merged::Merged;
use rights::Rights;
use seldom::Premises;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use users::together;

/// Steps of a run, at most.
const STEPS_MAX: usize = 160;
/// Full passes over all devices within which everything must have drained.
const PASSES_MAX: usize = 12;
/// Whose devices these are, in turn. The third one sees her own rows and those of her unit.
const USERS: [&str; 3] = ["demo", "admin", "anna"];
/// Devices of one run, at most.
const DEVICES_MAX: usize = 8;
/// Whose the further ones are, where there are more than three. Ola, too, sees only part of the rows.
const FURTHER_USERS: [&str; DEVICES_MAX - USERS.len()] = ["demo", "ola", "anna", "admin", "ola"];

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Steps taken.
    pub steps: u64,
    /// Requests that the server answered.
    pub requests: u64,
    /// Acknowledged changes that were looked for at the end.
    pub changes: u64,
    /// Conflicts in the logs at the end.
    pub conflicts: u64,
    /// Entries parked at the end, by status.
    pub parked: BTreeMap<String, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// What devices heard from the server, by what they asked.
    pub heard: BTreeMap<String, u64>,
    /// Conflicts by kind and winner.
    pub merged: BTreeMap<String, u64>,
    /// What everything that was answered amounts to: the same seed must give the same.
    pub trace: u64,
}

struct World {
    dice: Dice,
    clock: Rc<Clock>,
    crm: Rc<Crm>,
    faults: Rc<Faults>,
    devices: Vec<Device>,
    account: Account,
    rows: Vec<Uuid>,
    accounts: Vec<Uuid>,
    lasting: BTreeSet<Uuid>,
    made: usize,
    steps: u64,
    trace: u64,
    shared_disk: BTreeSet<usize>,
    evicted: BTreeSet<usize>,
    stamped: BTreeMap<usize, i64>,
    premises: Premises,
    clocks: Clocks,
    backup: Option<(Premises, Rights, Snapshot)>,
    overheard: Overheard,
    choices: Choices,
    /// How many faults had come when a change began, by its place in the account.
    noted: BTreeMap<usize, u64>,
    /// Numbers of accounts.
    numbers: BTreeMap<Uuid, String>,
    merged: Merged,
    given: Given,
    decisions: Vec<Wish>,
    rights: Rights,
}

type Done = Result<(), String>;

/// What an answer to changes means for them.
fn said(answer: &Response, count: usize) -> Said {
    let kind = answer.headers.get("Content-Type").unwrap_or_default();
    let passed_on = answer.headers.get("Flette-Source") == Some("network");
    // What was passed on to the server: the answer may be that to its double, so nobody knows.
    let refused = |status: u16| match status {
        501 => Said::Nothing,
        _ if passed_on => Said::Nothing,
        _ => Said::Refused(status),
    };
    match answer.status {
        // Of a portal: the request never came to the server.
        200..=299 if kind.contains("html") => Said::Nothing,
        200..=299 if count == 1 => Said::Done,
        200..=299 => match parse_batch_response(kind, &answer.body).unwrap_or_default().first() {
            Some(BatchAnswer::ChangeSet(parts)) if parts.len() == count => Said::Done,
            Some(BatchAnswer::Single(answer)) if answer.status >= 400 => refused(answer.status),
            Some(_) | None => Said::Nothing,
        },
        status => refused(status),
    }
}

/// Runs one seed.
///
/// # Errors
/// Which promise was broken, and how.
pub fn run(seed: u64, beginnings: &Beginnings) -> Result<Outcome, String> {
    World::new(seed, beginnings)?.run()
}

impl World {
    fn run(mut self) -> Result<Outcome, String> {
        self.faults.switch(true);
        self.crm.disturb(true)?;
        let steps = STEPS_MAX / 4 + self.dice.roll(STEPS_MAX * 3 / 4);
        for _ in 0..steps {
            let done = self.step();
            if done.is_err() {
                self.tell_devices();
            }
            done?;
        }
        self.faults.switch(false);
        self.crm.disturb(false)?;
        self.settle()
    }

    /// What devices know of themselves, where somebody wants to know why.
    fn tell_devices(&self) {
        for (at, device) in self.devices.iter().enumerate() {
            for path in ["/flette/status", "/flette/journal", "/flette/conflicts", "/flette/trace"] {
                tell(|| format!("device {at} {path} {}", device.read(path).unwrap_or_default()));
            }
        }
    }

    fn new_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.dice.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn value(&mut self) -> String {
        self.made += 1;
        format!("v{}", self.made)
    }

    /// Somebody online does something; whether it worked.
    fn online(&self, method: Method, path: &str, body: Json) -> Result<bool, String> {
        Ok(self.at_server(method, path, body)?.is_success())
    }

    fn at_server(&self, method: Method, path: &str, body: Json) -> Result<Response, String> {
        let mut request = Request::new(method, format!("{ROOT}{path}"));
        if method != Method::Delete {
            request = request.json(body.to_string().into_bytes()).header("If-Match", "*");
        }
        let answer = self.crm.answer(user_id("admin"), &request);
        match answer.status {
            500.. => Err(format!("the server failed: {}", String::from_utf8_lossy(&answer.body))),
            _ => Ok(answer),
        }
    }

    fn step(&mut self) -> Done {
        self.steps += 1;
        let far = self.dice.once_in(40);
        self.clock.advance(if far { 600_000 } else { 1 + self.dice.roll(1500) });
        let at = self.dice.roll(self.devices.len());
        match self.dice.roll(20) {
            0..=3 => self.change(at)?,
            4..=6 => self.begin_round(at),
            7 => self.change_online()?,
            8 => self.disturb(at)?,
            9 => self.late(),
            _ => self.go_on(at)?,
        }
        self.watch()?;
        self.seldom(at)?;
        self.merge_duplicate(at)?;
        self.decide_now(at);
        self.switch_ids_now()?;
        self.change_profile(at)
    }

    /// Lets what runs on a device go on for a while.
    fn go_on(&mut self, at: usize) -> Done {
        for _ in 0..1 + self.dice.roll(30) {
            let device = &mut self.devices[at];
            if device.doing.is_empty() {
                return Ok(());
            }
            let chosen = self.dice.roll(device.doing.len());
            let Some(answer) = step(&mut device.doing[chosen].task) else { continue };
            let what = device.doing.swap_remove(chosen).what;
            self.remember(u64::from(answer.status));
            match what {
                What::Changes(first, count) => self.answered(at, (first, count), &answer)?,
                What::Decision(place) => self.decided(at, place, &answer)?,
                What::Round => self.clocks.round_ended(at, &answer),
            }
        }
        self.crm.is_in_order()?;
        self.is_honest(at)?;
        self.lasting_rows_are_there(at)
    }

    /// I-27: what a device says of itself.
    fn is_honest(&self, at: usize) -> Done {
        if !self.dice.once_in(4) {
            return Ok(());
        }
        let status = self.devices[at].read("/flette/status");
        match status.is_some_and(|status| status["synced"] == true) {
            true => self.crm.traffic.borrow().is_synchronised(at, &SETS),
            false => Ok(()),
        }
    }

    fn answered(&mut self, at: usize, (first, count): (usize, usize), answer: &Response) -> Done {
        let is_passed_on = answer.headers.get("Flette-Source") == Some("network");
        let said = said(answer, count);
        self.learn_names(at, (first, count), answer);
        tell(|| format!("device {at} says {said:?}"));
        let busy = self.devices[at].doing.iter().any(|doing| doing.what == What::Round);
        let now = (!is_passed_on && self.clocks.is_right(at)).then(|| self.clock.now());
        let alone = !busy && self.devices[at].doing.is_empty() && !self.shared_disk.contains(&at);
        let ended = (first..first + count).filter_map(|record| self.account.end(record, said, now));
        let deeds: Vec<Deed> = ended.collect();
        if is_passed_on {
            // Whoever writes at the server writes upon what stands there, seen or not.
            (first..first + count).for_each(|record| self.account.blur(record));
        }
        // A deletion may take along what else is in the change set.
        let deletes = count > 1 && deeds.iter().any(|deed| matches!(deed, Deed::Delete { .. }));
        // What was passed on is read in from the server: as far as that can be reached.
        let calm =
            self.noted.remove(&first) == Some(self.faults.noted()) && !self.faults.may(Fault::StoreClosed);
        let read_in = !is_passed_on || calm && self.devices[at].is_own_session();
        if said == Said::Done && alone && !deletes && read_in {
            // Of several that mean one row, since one was merged into the other, the last one is to be seen.
            let again = |nth: usize, row: Uuid| deeds[nth + 1..].iter().any(|later| later.row() == row);
            let last = deeds.iter().enumerate().filter(|(nth, deed)| !again(*nth, deed.row()));
            // A deletion that was passed on is told by the feed.
            let last = last.filter(|(_, deed)| !(is_passed_on && matches!(deed, Deed::Delete { .. })));
            last.map(|(_, deed)| deed).try_for_each(|deed| self.read_back(at, deed))?;
        }
        match said == Said::Done && !is_passed_on {
            true => self.stamps_grow(at, &deeds),
            false => Ok(()),
        }
    }

    /// I-25: stamps never run backwards, whatever the clock does and however often the engine starts. An entry that is
    /// corrected gets a stamp of its own, so it is the new ones that must be later than all that were known. Of two contexts
    /// on a disk, one may commit before the other and answer after it.
    fn stamps_grow(&mut self, at: usize, deeds: &[Deed]) -> Done {
        let Some(journal) = self.devices[at].read("/flette/journal") else { return Ok(()) };
        let entries = || journal["entries"].as_array().into_iter().flatten();
        let moment = |entry: &Json| parse_datetime(entry["at"].as_str()?);
        let made = |entry: &&Json| deeds.iter().any(|deed| is_about(entry, deed));
        let before = self.stamped.get(&at).copied();
        let Some(earliest) = entries().filter(made).filter_map(moment).min() else { return Ok(()) };
        if !self.shared_disk.contains(&at) && before.is_some_and(|before| earliest < before) {
            return Err(format!("I-25: device {at} stamps {earliest} after {before:?}"));
        }
        let latest = entries().filter_map(moment).max();
        self.stamped.extend(latest.max(before).map(|latest| (at, latest)));
        Ok(())
    }

    fn change(&mut self, at: usize) -> Done {
        let mut asked = self.deeds();
        let mut rows = BTreeSet::new();
        asked.retain(|deed| rows.insert(self.merged.row(at, deed.row())));
        tell(|| format!("device {at} begins {asked:?}"));
        let meant = |deed: &Deed| deed.clone().meant(&self.merged, at);
        let deeds: Vec<Deed> = asked.iter().map(meant).collect();
        for deed in &deeds {
            let columns = deed.values().iter().map(|(column, _)| *column);
            let columns = columns.chain(deed.parent().map(|_| PARENT));
            self.crm.traffic.borrow_mut().writes(at, deed.row(), columns);
        }
        self.clocks.stamps(at);
        let requests: Vec<Request> = asked.iter().map(|deed| self.user_request(deed, &asked)).collect();
        let count = requests.len();
        let request = together(requests).ok_or("no request")?;
        let seen: Vec<Option<Seen>> = deeds.iter().map(|deed| self.seen(at, deed)).collect();
        self.crm.traffic.borrow_mut().plans(at, &deeds);
        let deeds = deeds.into_iter().zip(seen).collect();
        self.blur(at);
        let first = self.account.begin(at, deeds, self.clock.now());
        self.noted.insert(first, self.faults.noted());
        self.devices[at].begin(What::Changes(first, count), request);
        // Most users wait for the answer.
        if self.dice.roll(4) > 0 {
            self.go_on(at)?;
        }
        Ok(())
    }

    /// Something else begins on a device: what the users saw may not be any more what they write upon.
    fn blur(&mut self, at: usize) {
        let doing: Vec<What> = self.devices[at].doing.iter().map(|doing| doing.what).collect();
        for what in doing {
            match what {
                What::Changes(first, count) => {
                    (first..first + count).for_each(|record| self.account.blur(record));
                }
                What::Decision(place) => self.blur_decision(place),
                What::Round => {}
            }
        }
    }

    fn begin_round(&mut self, at: usize) {
        tell(|| format!("device {at} begins a round at {}", self.clock.now()));
        if !self.devices[at].in_round() || self.dice.once_in(8) {
            self.clocks.round_begins(at);
            self.blur(at);
            self.devices[at].begin(What::Round, Request::new(Method::Post, "/flette/sync"));
        }
    }

    fn disturb(&mut self, at: usize) -> Done {
        tell(|| format!("device {at} is disturbed"));
        let failed = || "an engine does not open again".to_owned();
        match self.dice.roll(6) {
            0..=2 => {
                self.faults.note(Fault::Killed);
                self.shared_disk.remove(&at);
                self.devices[at].restart().ok_or_else(failed)?;
            }
            3 => {
                if self.devices[at].lose_power(&self.dice) > 0 {
                    self.faults.note(Fault::PowerLost);
                    self.clocks.forgets(at);
                }
                self.shared_disk.remove(&at);
                self.devices[at].restart().ok_or_else(failed)?;
            }
            4 => {
                const HOUR: i64 = 3_600_000;
                let skews = [0, HOUR, -HOUR, 24 * HOUR, -24 * HOUR, 87_600 * HOUR, -87_600 * HOUR, 1500];
                self.faults.note(Fault::ClockJumped);
                self.clocks.jumps(at);
                if self.devices[at].in_round() {
                    // A clock that is set back before the round sends anything: by it all that waits is yet to come, and gets the time of
                    // the last answer.
                    self.account.forgets_times(at);
                }
                if self.devices[at].is_changing() {
                    // What began before may be stamped only now.
                    self.clocks.stamps(at);
                }
                self.devices[at].skew_millis.set(self.dice.pick(&skews).copied().unwrap_or(0));
            }
            _ => {
                self.faults.note(Fault::SecondContext);
                self.blur(at);
                self.shared_disk.insert(at);
                self.devices[at].second_context().ok_or_else(failed)?;
            }
        }
        Ok(())
    }

    fn late(&mut self) {
        self.crm.deliver_late();
    }

    fn remember(&mut self, what: u64) {
        self.trace = (self.trace ^ what).wrapping_mul(0x0100_0000_01B3).rotate_left(23);
    }

    /// Looks at the server after a write.
    fn watch(&mut self) -> Done {
        for (request, answer) in self.crm.overheard() {
            self.overheard.take(&request, &answer, &mut self.account)?;
        }
        // A row that goes and comes back between two looks.
        let removed = self.crm.traffic.borrow_mut().take_removed();
        removed.into_iter().for_each(|row| self.account.goes(row));
        self.hear_of_ids()?;
        if !self.crm.take_changed() {
            return Ok(());
        }
        let mut rows = BTreeMap::new();
        for (set, key, name) in WATCHED {
            let mut columns = if set == "accounts" { vec![name] } else { COLUMNS.to_vec() };
            columns.extend((set == "contacts" && self.premises.memo).then_some(self.premises.memo_name()));
            columns.extend((set == "contacts" && self.premises.options > 0).then_some(CHOICE));
            columns.extend((set == "contacts").then_some(PARENT_ID));
            let list = self.list("admin", &format!("{set}?$select={key},{}", columns.join(",")))?;
            for row in list["value"].as_array().into_iter().flatten() {
                let id = row[key].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
                let text = |column: &&str| {
                    let text = text_of(&row[*column]).or((*column == PARENT_ID).then(String::new))?;
                    Some(((*column).to_owned(), text))
                };
                rows.insert(id, columns.iter().filter_map(text).collect());
            }
        }
        match self.lasting.iter().find(|id| !rows.contains_key(*id)) {
            Some(id) => Err(format!("the server lost {id}, which nobody deleted")),
            None => self.account.watch(&rows),
        }
    }

    /// What the server lists for a user.
    fn list(&self, user: &str, path: &str) -> Result<Json, String> {
        let answer = self.crm.answer(user_id(user), &Request::get(format!("{ROOT}{path}")));
        let body = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200);
        body.ok_or_else(|| format!("the server does not list {path}: {}", answer.status))
    }
}
