//! Chance: two devices and somebody online change the same few rows, answers and requests get lost, devices restart.
//! Once that stops, everyone sees the same, and no acknowledged write has gone without a trace.

use crate::support::{link, text, Device, Fault, Server};
use flette::journal::Entry;
use flette::model::{Change, Clash, Key, Row, Value};
use flette_odata::{Method, Uuid};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const SEEDS: u64 = 4;
const STEPS: u32 = 60;
const COLUMNS: [&str; 5] = ["telephone1", "jobtitle", "address1_city", "address1_line1", "lastname"];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty()).then(|| &from[self.roll(from.len())])
    }
}

/// One device with what its user did.
struct Worker {
    device: Device,
    /// Last value written, by row and column.
    written: BTreeMap<(Uuid, &'static str), String>,
    deleted: BTreeSet<Uuid>,
}

struct World {
    server: Server,
    workers: Vec<Worker>,
    dice: Dice,
    ids: Vec<Uuid>,
    /// Whose deletion takes a row along.
    parents: BTreeMap<Uuid, Uuid>,
    /// Every text that ever stood on the server.
    ever: BTreeSet<String>,
    next_value: u32,
}

impl World {
    fn new(seed: u64) -> World {
        let server = Server::start();
        let online = server.user("admin");
        let ids =
            (0..3).map(|n| online.create("contacts", &format!(r#"{{"lastname":"first{n}"}}"#))).collect();
        let worker = |user| Worker {
            device: Device::synced(&server, user),
            written: BTreeMap::new(),
            deleted: BTreeSet::new(),
        };
        let workers = vec![worker("demo"), worker("admin")];
        World {
            server,
            workers,
            dice: Dice(seed * 0x9E37_79B9 + 1),
            ids,
            parents: BTreeMap::new(),
            ever: BTreeSet::new(),
            next_value: 0,
        }
    }

    fn value(&mut self) -> String {
        self.next_value += 1;
        format!("v{}", self.next_value)
    }

    fn step(&mut self) {
        let who = self.dice.roll(self.workers.len());
        match self.dice.roll(14) {
            0..=4 => self.edit(who),
            5 => self.create(who),
            6 => self.delete(who),
            7..=8 => self.edit_online(),
            9 if self.dice.roll(3) == 0 => self.delete_online(),
            10 => self.workers[who].device.restart(),
            _ => self.round(who),
        }
        self.watch();
    }

    fn edit(&mut self, who: usize) {
        let (Some(&id), column) = (self.dice.pick(&self.ids), COLUMNS[self.dice.roll(COLUMNS.len())]) else {
            return;
        };
        let value = self.value();
        let worker = &mut self.workers[who];
        if worker.device.row("contact", id).is_some() {
            worker.device.edit("contact", id, &[(column, text(&value))]);
            worker.written.insert((id, column), value);
        }
    }

    fn create(&mut self, who: usize) {
        let value = self.value();
        let boss = self.dice.pick(&self.ids).copied();
        let worker = &mut self.workers[who];
        let mut values = vec![("lastname", text(&value))];
        if let Some(boss) = boss.filter(|id| worker.device.row("contact", *id).is_some()) {
            values.push(("parentcustomerid", link("contact", boss)));
        }
        let id = worker.device.create("contact", &values);
        if values.len() > 1 {
            self.parents.extend(boss.map(|boss| (id, boss)));
        }
        worker.written.insert((id, "lastname"), value);
        self.ids.push(id);
    }

    fn delete(&mut self, who: usize) {
        let Some(&id) = self.dice.pick(&self.ids) else { return };
        let worker = &mut self.workers[who];
        if worker.device.row("contact", id).is_some() {
            worker.device.delete("contact", id);
            worker.deleted.insert(id);
        }
    }

    fn edit_online(&mut self) {
        let (Some(&id), column) = (self.dice.pick(&self.ids), COLUMNS[self.dice.roll(COLUMNS.len())]) else {
            return;
        };
        let value = self.value();
        let body = format!(r#"{{"{column}":"{value}"}}"#);
        let online = self.server.user("admin");
        if online.ask(Method::Get, &format!("contacts({id})"), "").status == 200 {
            online.patch("contacts", id, &body);
        }
    }

    fn delete_online(&mut self) {
        if let Some(&id) = self.dice.pick(&self.ids) {
            self.server.user("admin").ask(Method::Delete, &format!("contacts({id})"), "");
        }
    }

    fn round(&mut self, who: usize) {
        let (kind, nth) = (self.dice.roll(4), u32::try_from(self.dice.roll(9)).unwrap());
        let device = &self.workers[who].device;
        let count = Rc::new(Cell::new(0));
        device.wire.fail(move |_| {
            count.set(count.get() + 1);
            match (kind, count.get() == nth) {
                (0, true) => Some(Fault::LoseAnswer),
                (1, true) => Some(Fault::LoseRequest),
                (0 | 1, false) | (_, _) => None,
            }
        });
        device.round();
        device.wire.heal();
    }

    /// Notes what stands on the server.
    fn watch(&mut self) {
        let rows = self.server.user("admin").json("contacts");
        for row in rows["value"].as_array().unwrap() {
            self.ever.extend(COLUMNS.iter().filter_map(|c| row[*c].as_str()).map(str::to_owned));
        }
    }

    /// Whether a worker deleted the row, or one that takes it along.
    fn deleted_by(&self, worker: &Worker, id: Uuid) -> bool {
        let mut line = std::iter::successors(Some(id), |id| self.parents.get(id).copied());
        line.any(|id| worker.deleted.contains(&id))
    }

    fn settle(&mut self) {
        for _ in 0..4 {
            for who in 0..self.workers.len() {
                self.workers[who].device.sync();
                self.watch();
            }
        }
    }
}

/// A row without what only the server counts.
fn plain(row: Row) -> Row {
    row.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn logged(worker: &Worker, key: &Key, column: &str, value: &str) -> bool {
    let value = text(value);
    worker.device.conflicts().iter().filter(|c| c.key == *key).any(|conflict| match &conflict.clash {
        Clash::Field { name, local, .. } => name == column && *local == value,
        Clash::DeletedThere { row, .. } => row.get(column) == Some(&value),
        Clash::DeletedHere => false,
    })
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.settle();
    let fresh = Device::synced(&world.server, "demo");
    let (mut checked, mut conflicts) = (0, 0);
    for worker in &world.workers {
        let parked: BTreeSet<Uuid> =
            worker.device.entries().iter().filter(|e| e.is_parked()).map(|e| e.key.id).collect();
        let waiting = dependents(&worker.device.entries(), parked.clone());
        for entry in worker.device.entries() {
            assert!(waiting.contains(&entry.key.id), "seed {seed}: {entry:?} stands beside {parked:?}");
        }
        for id in world.ids.iter().filter(|id| !parked.contains(id)) {
            let (here, there) = (worker.device.row("contact", *id), fresh.row("contact", *id));
            if worker.device.entries().iter().all(|e| e.key.id != *id) {
                assert_eq!(here.map(plain), there.map(plain), "seed {seed}: {id} differs");
            }
        }
        for ((id, column), value) in &worker.written {
            let key = Key::new("contact", *id);
            let traced = world.ever.contains(value)
                || world.deleted_by(worker, *id)
                || parked.contains(id)
                || worker.device.entries().iter().any(|e| e.key == key)
                || logged(worker, &key, column, value);
            assert!(traced, "seed {seed}: {value} of {column} of {id} was lost");
            checked += 1;
        }
        conflicts += worker.device.conflicts().len();
    }
    println!("seed {seed}: {checked} writes traced, {conflicts} conflicts, {} rows", world.ids.len());
}

/// Rows that wait because they, or rows they point to, are parked.
fn dependents(entries: &[Entry], mut waiting: BTreeSet<Uuid>) -> BTreeSet<Uuid> {
    let points = |entry: &Entry, waiting: &BTreeSet<Uuid>| {
        let Change::Create(row) = &entry.change else { return false };
        row.values().any(|value| matches!(value, Value::Lookup(to) if waiting.contains(&to.id)))
    };
    loop {
        let more: Vec<Uuid> = entries
            .iter()
            .filter(|e| !waiting.contains(&e.key.id) && points(e, &waiting))
            .map(|e| e.key.id)
            .collect();
        if more.is_empty() {
            return waiting;
        }
        waiting.extend(more);
    }
}

#[test]
fn everyone_sees_the_same_and_nothing_is_lost_without_a_trace() {
    let seeds = std::env::var("FLETTE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(SEEDS);
    let first = std::env::var("FLETTE_FIRST").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    for seed in first..=seeds {
        run(seed);
    }
}
