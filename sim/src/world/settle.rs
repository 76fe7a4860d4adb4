//! When the faults are over: everything drains, everyone sees the same, and every change is accounted for.

use super::seldom::MASKED;
use super::{Done, Outcome, World, PASSES_MAX};
use crate::account::{Testimony, COLUMNS, MEMOS};
use crate::device::Device;
use crate::net::ROOT;
use crate::tale::tell;
use flette_odata::time::parse_datetime;
use flette_odata::Request;
use flette_server::api::Profile as Kind;
use flette_server::people::user_id;
use serde_json::Value as Json;

/// After so many sweeps everything is compared, and told in the next round at the latest.
const SWEEPS_MAX: usize = 22;

impl World {
    /// Faults are over: everything drains, everyone sees the same, and every change is accounted for.
    pub(super) fn settle(mut self) -> Result<Outcome, String> {
        self.end_of_seldom()?;
        while self.crm.deliver_late() {
            self.watch()?;
        }
        for at in 0..self.devices.len() {
            self.finish(at)?;
        }
        self.decide_in_the_end()?;
        let mut calm = 0;
        for _ in 0..PASSES_MAX {
            let before = self.crm.answered();
            let (mut all_synced, mut pushed) = (true, 0);
            for at in 0..self.devices.len() {
                self.clock.advance(1000);
                all_synced &= !self.merge_duplicate(at)?;
                let report = self.devices[at].round().ok_or("L-2: a round hangs")?;
                all_synced &= report["ok"] == true;
                let sent = report["pushed"].as_u64().unwrap_or(0);
                pushed += sent;
                self.remember(sent + 7);
                self.watch()?;
                self.crm.is_in_order()?;
            }
            self.remember(self.crm.answered() - before);
            let left = self.devices.iter().map(|device| testimony(device).map(|t| t.left().len()));
            let drained = left.sum::<Option<usize>>() == Some(0);
            let may_sweep = |device: &Device| device.profiles.ever_related() || !sweeps(device);
            let up_to_date = self.choices.offer.kind == Kind::Dataverse || self.devices.iter().all(may_sweep);
            calm = match all_synced && drained && up_to_date {
                // What was parked may go by itself: others have yet to hear of it.
                true if pushed > 0 => 1,
                true => calm + 1,
                false => 0,
            };
            if calm == 2 {
                self.compare()?;
                return self.reckon();
            }
        }
        Err(self.why_not_drained())
    }

    /// Who learns by sweeps notices what was deleted, or left the filter, when everything is compared after some of them.
    fn compare(&mut self) -> Done {
        let mut pushed = 0;
        for at in 0..self.devices.len() {
            for _ in 0..if sweeps(&self.devices[at]) { SWEEPS_MAX } else { 0 } {
                pushed += self.round_in_calm(at)?;
            }
        }
        // What waited behind a parked change may be free by what was noticed: others have yet to hear of it.
        for at in 0..if pushed > 0 { self.devices.len() } else { 0 } {
            self.round_in_calm(at)?;
        }
        let left = self.devices.iter().map(|device| testimony(device).map(|told| told.left().len()));
        match left.sum::<Option<usize>>() {
            Some(0) => Ok(()),
            _ => Err("L-1: changes wait again after a compare".to_owned()),
        }
    }

    /// A round of a device while nothing else goes on; how many changes it pushed.
    fn round_in_calm(&mut self, at: usize) -> Result<u64, String> {
        self.clock.advance(1000);
        let report = self.devices[at].round().ok_or("L-2: a round hangs")?;
        self.watch()?;
        self.crm.is_in_order()?;
        Ok(report["pushed"].as_u64().unwrap_or(0))
    }

    /// Lets everything that runs on a device come to its end.
    pub(super) fn finish(&mut self, at: usize) -> Done {
        for _ in 0..10_000 {
            if self.devices[at].doing.is_empty() {
                return Ok(());
            }
            self.go_on(at)?;
            self.watch()?;
        }
        Err(format!("L-2: what runs on device {at} does not end"))
    }

    fn why_not_drained(&self) -> String {
        let tell = |device: &Device| {
            let left = testimony(device).map(|told| told.left()).unwrap_or_default();
            let problem = device.read("/flette/status").map(|status| status["problem"].clone());
            let sweeps = if sweeps(device) { ", which sweeps" } else { "" };
            format!("device {}{sweeps}: {left:?} left, problem {problem:?}", device.at)
        };
        let devices: Vec<String> = self.devices.iter().map(tell).collect();
        format!("L-1: not drained after {PASSES_MAX} passes: {}", devices.join("; "))
    }

    /// I-25: nothing was edited later than now.
    fn no_stamp_is_from_the_future(&self) -> Done {
        let path = format!("{ROOT}contacts?$select=contactid,{}", COLUMNS.join(","));
        let prefer = "odata.include-annotations=\"Flette.ModifiedOn\"";
        let answer = self.crm.answer(user_id("admin"), &Request::get(path).header("Prefer", prefer));
        let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        let stamps = body["value"].as_array().into_iter().flatten().filter_map(Json::as_object).flatten();
        let stamps = stamps.filter(|(name, _)| name.ends_with("@Flette.ModifiedOn"));
        let late = |at: &str| parse_datetime(at).is_none_or(|at| at > self.clock.now());
        match stamps.into_iter().find(|(_, at)| at.as_str().is_none_or(late)) {
            Some((name, at)) => Err(format!("I-25: {name} is {at}, which is yet to come")),
            None => Ok(()),
        }
    }

    fn reckon(mut self) -> Result<Outcome, String> {
        self.no_stamp_is_from_the_future()?;
        let mut outcome = Outcome::default();
        let judged = self.account.deletions_were_later(|at| &self.devices[at].profiles)?;
        tell(|| format!("{judged} rows went by deletions that may be judged"));
        for at in 0..self.devices.len() {
            let waiting = testimony(&self.devices[at]).map(|told| told.waiting()).unwrap_or_default();
            self.end_of_giving(at, &waiting);
            let device = &self.devices[at];
            let told = testimony(device).ok_or("a device does not tell its journal")?;
            tell(|| format!("in the end device {at} holds {}", told.export));
            tell(|| format!("device {at} went through {}", device.read("/flette/trace").unwrap_or_default()));
            outcome.changes += self.account.settle(at, &told, &|row| self.shows(device, row))? as u64;
            let log = device.read("/flette/conflicts").ok_or("a device does not tell its conflicts")?;
            self.account.judge(at, &log, &device.profiles)?;
            self.account.are_conflicts(at, &log, &device.profiles)?;
            if !self.evicted.contains(&at) {
                self.account.decisions_stand(at, &log, &told)?;
            }
            let going: Vec<&str> = MEMOS.into_iter().chain([MASKED]).collect();
            if !self.evicted.contains(&at) {
                // What others write into a column that only goes up counts for nothing here.
                let but: Vec<&str> =
                    device.profiles.one_way().into_iter().chain(going.iter().copied()).collect();
                self.account.nothing_unseen_was_overwritten(at, &log, &but)?;
            }
            let late = self.faults.counts().contains_key(&crate::faults::Fault::RequestLate);
            self.account.sets_are_whole(at, &told, (&going, late))?;
            self.agrees(device, &told)?;
            self.answers_alike(device, &told)?;
            let conflicts = told.export["conflicts"].as_array().map_or(0, Vec::len);
            outcome.conflicts += conflicts as u64;
            for conflict in log["conflicts"].as_array().into_iter().flatten() {
                let text = |name: &str| conflict[name].as_str().unwrap_or_default().to_owned();
                *outcome.merged.entry(format!("{}, {} wins", text("kind"), text("winner"))).or_default() += 1;
            }
            let entries = told.journal["entries"].as_array().into_iter().flatten();
            for entry in entries.filter(|entry| entry["state"] == "parked") {
                let reason = &entry["reason"];
                is_refusal(reason)?;
                self.was_said(entry)?;
                let why = format!("{} {}", reason["status"], reason["code"].as_str().unwrap_or_default());
                *outcome.parked.entry(why).or_default() += 1;
            }
            self.remember(conflicts as u64);
        }
        outcome.steps = self.steps;
        outcome.requests = self.crm.answered();
        outcome.faults = self.faults.counts();
        outcome.heard = self.crm.traffic.borrow().heard().clone();
        outcome.trace = self.trace;
        Ok(outcome)
    }

    /// L-3: what is set aside with words of the server was refused so, about that row and no other one.
    fn was_said(&self, entry: &Json) -> Done {
        let reason = &entry["reason"];
        let status = reason["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
        let row = entry["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        // Without a status it is the device that says why.
        let own = status != 0 && reason["code"].as_str().is_some_and(|code| !code.is_empty());
        // What is bound to others by change sets waits with them.
        let bound =
            self.account.records.iter().any(|record| record.set.is_some() && record.deed.row() == row);
        let operation = entry["op"].as_str().and_then(|op| op.parse().ok()).unwrap_or_default();
        let traffic = self.crm.traffic.borrow();
        let said = traffic.was_refused(row, status) || traffic.was_refused_as(operation, status);
        match own && !bound && !said {
            true => Err(format!("L-3: {row} is parked with {status}, and the server never said so of it")),
            false => Ok(()),
        }
    }
}

/// L-3: nothing is set aside but what the server itself refused, or what cannot be said to it.
fn is_refusal(reason: &Json) -> Done {
    let status = reason["status"].as_u64().unwrap_or_default();
    let own = reason["code"].as_str().is_some_and(|code| !code.is_empty());
    match (status, own) {
        (401 | 407 | 408 | 429 | 500.., _) | (403 | 404, false) => {
            Err(format!("L-3: a change is parked because of {status}, which is no refusal"))
        }
        _ => Ok(()),
    }
}

/// Whether a table of the device goes by sweeps, which see no deletions. It asks for change tracking now and then.
fn sweeps(device: &Device) -> bool {
    let status = device.read("/flette/status").unwrap_or_default();
    status["tables"].as_array().into_iter().flatten().any(|table| table["feed"] == "sweep")
}

fn testimony(device: &Device) -> Option<Testimony> {
    Some(Testimony { journal: device.read("/flette/journal")?, export: device.read("/flette/export")? })
}
