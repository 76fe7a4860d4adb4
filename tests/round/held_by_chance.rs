//! Chance: two devices and somebody online change who takes part in a few activities, and which rows are paired, while
//! requests and answers get lost. Once that stops, everyone sees the same, and everybody stands once.

use crate::several::{ask, shown, tell};
use crate::support::{Device, Fault, Server};
use flette_odata::{Method, Request};
use serde_json::Value as Json;
use std::cell::Cell;
use std::collections::BTreeSet;

const SEEDS: u64 = 6;
const STEPS: u32 = 40;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

fn id(n: u64) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Addresses that stand in a set, as a list of parties.
fn addresses(answer: &Json) -> Vec<String> {
    let rows = answer["value"].as_array().unwrap().iter();
    let mut told: Vec<String> =
        rows.map(|row| row["addressused"].as_str().unwrap_or_default().to_owned()).collect();
    told.sort();
    told
}

fn pairs(answer: &Json) -> Vec<String> {
    let rows = answer["value"].as_array().unwrap().iter();
    let mut told: Vec<String> = rows.map(|row| format!("{} {}", row["accountid"], row["leadid"])).collect();
    told.sort();
    told
}

fn set_path(email: u64) -> String {
    format!("activityparties?$filter=_activityid_value%20eq%20{}", id(email))
}

/// Everything that is compared in the end.
fn view(read: &dyn Fn(&str) -> Json) -> (Vec<Vec<String>>, Vec<String>, String) {
    let sets = [30, 31].map(|email| addresses(&read(&set_path(email)))).to_vec();
    let subjects = read("emails?$select=subject&$orderby=activityid");
    let subjects: Vec<String> =
        subjects["value"].as_array().unwrap().iter().map(|row| row["subject"].to_string()).collect();
    (sets, pairs(&read("accountleadscollection")), subjects.join(","))
}

fn body(addresses: &[String]) -> String {
    let rows: Vec<String> = addresses
        .iter()
        .map(|address| format!(r#"{{"addressused":"{address}","participationtypemask":2}}"#))
        .collect();
    format!(r#"{{"value":[{}]}}"#, rows.join(","))
}

/// A set with somebody new in it, and sometimes without somebody old.
fn changed(dice: &mut Dice, mut standing: Vec<String>, next: u64) -> String {
    if !standing.is_empty() && dice.roll(2) == 0 {
        let at = dice.roll(standing.len() as u64) as usize;
        standing.remove(at);
    }
    standing.push(format!("a{next}@example.org"));
    body(&standing)
}

fn step(server: &Server, devices: &mut [Device], dice: &mut Dice, next: u64) {
    let at = dice.roll(devices.len() as u64) as usize;
    let (email, account, lead) = (30 + dice.roll(2), 1 + dice.roll(2), 11 + dice.roll(3));
    let path = format!("emails({})/email_activity_parties", id(email));
    let pair = format!("accounts({})/accountleads_association", id(account));
    let link = format!(r#"{{"@odata.id":"leads({})"}}"#, id(lead));
    let device = &devices[at];
    let online = server.user("admin");
    match dice.roll(12) {
        0..=2 => {
            let standing = addresses(&shown(device, &set_path(email)));
            tell(device, "PUT", &path, &changed(dice, standing, next));
        }
        3 => tell(device, "PATCH", &format!("emails({})", id(email)), &format!(r#"{{"subject":"s{next}"}}"#)),
        4 => drop(ask(device, "POST", &format!("{pair}/$ref"), &link)),
        5 => drop(ask(device, "DELETE", &format!("{pair}({})/$ref", id(lead)), "")),
        6 => {
            let standing = addresses(&online.json(&set_path(email)));
            assert_eq!(online.ask(Method::Put, &path, &changed(dice, standing, next)).status, 204);
        }
        7 => drop(online.ask(Method::Post, &format!("{pair}/$ref"), &link)),
        8 if dice.roll(4) == 0 => drop(ask(device, "DELETE", &format!("leads({})", id(13)), "")),
        9 => devices[at].restart(),
        _ => round(device, dice),
    }
}

/// A round in which some request goes wrong.
fn round(device: &Device, dice: &mut Dice) {
    let (kind, nth) = (dice.roll(3), dice.roll(6));
    let count = Cell::new(0);
    device.wire.fail(move |_: &Request| {
        count.set(count.get() + 1);
        match (kind, count.get() == nth + 3) {
            (0, true) => Some(Fault::LoseAnswer),
            (1, true) => Some(Fault::LoseRequest),
            _ => None,
        }
    });
    device.round();
    device.wire.heal();
}

fn settle(devices: &[Device]) {
    for _ in 0..3 {
        for device in devices {
            device.round();
            for entry in device.entries().iter().filter(|entry| entry.is_parked()) {
                device.change(|draft| draft.discard(entry.op).unwrap_or(()));
            }
        }
    }
    devices.iter().for_each(|device| drop(device.sync()));
    devices.iter().for_each(|device| drop(device.sync()));
}

#[test]
fn everyone_ends_with_the_same_sets_and_pairs() {
    let seeds = std::env::var("FLETTE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(SEEDS);
    let first = std::env::var("FLETTE_FIRST").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    for seed in first..=seeds {
        let server = Server::start();
        let online = server.user("demo");
        for n in 0..3 {
            online.create("accounts", &format!(r#"{{"accountid":"{}","name":"A{n}"}}"#, id(1 + n)));
            let lead = format!(r#"{{"leadid":"{}","subject":"L{n}","lastname":"L"}}"#, id(11 + n));
            online.create("leads", &lead);
        }
        for n in [30, 31] {
            online.create("emails", &format!(r#"{{"activityid":"{}","subject":"Mail"}}"#, id(n)));
        }
        let mut devices =
            vec![Device::with_all_tables(&server, "demo"), Device::with_all_tables(&server, "admin")];
        let mut dice = Dice(seed * 0x9E37_79B9 + 1);
        for next in 0..u64::from(STEPS) {
            step(&server, &mut devices, &mut dice, next);
        }
        settle(&devices);
        let admin = server.user("admin");
        let truth = view(&|path| admin.json(path));
        for device in &devices {
            assert!(device.entries().is_empty(), "seed {seed}: {:?}", device.entries());
            assert_eq!(view(&|path| shown(device, path)), truth, "seed {seed}");
        }
        for set in &truth.0 {
            let once: BTreeSet<&String> = set.iter().collect();
            assert_eq!(once.len(), set.len(), "seed {seed}: {set:?}");
        }
        let once: BTreeSet<&String> = truth.1.iter().collect();
        assert_eq!(once.len(), truth.1.len(), "seed {seed}: {:?}", truth.1);
    }
}
