//! What there is and what can happen next, for the checker (`stateright`).

use crate::account::{self, Operation};
use crate::canon::canonical;
use crate::crm::{Crm, Deed, Request, Standing};
use crate::device::{Device, Stage};
use crate::{real, DEVICES, FIELDS, ROWS};
use flette_odata::edm::Table;
use stateright::{Model, Property};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// How much may happen.
#[derive(Debug)]
pub struct Bounds {
    /// Operations of both users together, at most 15.
    pub operations: u8,
    /// Rows that stand in the beginning; the first device's user may make the others.
    pub live: usize,
    /// Whether the server keeps receipts.
    pub receipts: bool,
    /// How often a batch may be given up by its device.
    pub losses: u8,
    table: Table,
    /// Fingerprints of calm worlds that are known to settle: many worlds differ in the network alone.
    settled: Mutex<HashSet<u64>>,
}

impl Bounds {
    /// The table of the rows.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// A world of so many operations.
    pub fn new(operations: u8, live: usize, receipts: bool, losses: u8) -> Bounds {
        Bounds { operations, live, receipts, losses, table: real::table(), settled: Mutex::default() }
    }
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The server.
    pub crm: Crm,
    /// The devices.
    pub devices: [Device; DEVICES],
    /// Batches that are under way or wander about, and may arrive at any time and any number of times; in order.
    pub net: Vec<Vec<Request>>,
    /// What the users did, in order: the first one has the number 1.
    pub done: Vec<Operation>,
    /// Batches given up so far.
    pub losses: u8,
    /// The largest operation id in use.
    pub ops: u8,
    /// Later than everything that happened.
    pub now: u8,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A user makes, edits or deletes a row.
    Change {
        /// On which device.
        device: u8,
        /// Which row.
        row: u8,
        /// Which field is edited; none for all else.
        field: Option<u8>,
        /// Whether the row is deleted.
        delete: bool,
    },
    /// A device pulls.
    Pull(u8),
    /// A device sends what its journal holds.
    Send(u8),
    /// A batch arrives; its place in the network, and whether the answer comes back.
    Arrive(u8, bool),
    /// A device reads rows whose answer was not clear.
    Resolve(u8),
    /// A device stops, or the network does, while it waits.
    Stop(u8),
}

impl Bounds {
    fn settles(&self, world: &World) -> bool {
        let calm = account::calm(world);
        let mut name = DefaultHasher::new();
        calm.hash(&mut name);
        let name = name.finish();
        let known = || self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&name) {
            return true;
        }
        let settles = account::settles(&calm, &self.table).is_ok();
        if settles {
            known().insert(name);
        }
        settles
    }
}

impl World {
    /// The time; it goes on.
    pub fn tick(&mut self) -> u8 {
        self.now += 1;
        self.now
    }

    fn change(&mut self, at: u8, row: u8, field: Option<u8>, delete: bool) -> Option<()> {
        let number = u8::try_from(self.done.len()).ok()? + 1;
        let now = self.tick();
        let device = self.devices.get_mut(usize::from(at))?;
        let deed = match (device.view(row), field) {
            (Some(_), _) if delete => Deed::Delete,
            (Some(seen), Some(field)) => {
                let mut edits = [None; FIELDS];
                edits[usize::from(field)] = Some((seen[usize::from(field)], number));
                Deed::Update(edits)
            }
            (None, None) if !delete => {
                let mut fields = [0; FIELDS];
                fields[0] = number;
                Deed::Create(fields)
            }
            _ => return None,
        };
        device.change(row, deed, number, now, &mut self.ops);
        // What was there before is of no interest later.
        let deed = match deed {
            Deed::Update(edits) => Deed::Update(edits.map(|edit| edit.map(|(_, new)| (0, new)))),
            Deed::Create(_) | Deed::Delete => deed,
        };
        self.done.push(Operation { device: at, row, deed });
        Some(())
    }

    fn arrive(&mut self, at: usize, answered: bool, table: &Table) -> Option<()> {
        let batch = self.net.get(at)?.clone();
        let sender = usize::from(batch.first()?.device);
        if answered && self.devices[sender].stage != Stage::Sent(batch.clone()) {
            return None;
        }
        let mut answers = Vec::new();
        for request in &batch {
            let now = self.tick();
            answers.push((*request, self.crm.answer(request, now)));
        }
        if answered {
            self.devices[sender].take_over(&answers, table, &mut self.ops);
        }
        if !self.crm.keeps_receipts {
            self.lose_creates(Some(at), sender);
        }
        Some(())
    }

    /// A server without receipts makes a row again when its create arrives after its deletion, and nothing on this
    /// side can prevent that. There, creates arrive once, and not after they were given up.
    fn lose_creates(&mut self, arrived: Option<usize>, sender: usize) {
        let creates = |batch: &[Request]| batch.iter().any(|r| matches!(r.deed, Deed::Create(_)));
        let late = |at: usize, batch: &[Request]| {
            let own = batch.first().is_some_and(|request| usize::from(request.device) == sender);
            creates(batch) && own && arrived.is_none_or(|arrived| arrived == at)
        };
        let mut at = 0;
        self.net.retain(|batch| {
            at += 1;
            !late(at - 1, batch)
        });
    }

    /// Forgets batches that can have no effect any more and that nobody waits for.
    fn prune(&mut self) {
        let World { crm, devices, net, .. } = self;
        let awaited = |batch: &Vec<Request>| devices.iter().any(|d| d.stage == Stage::Sent(batch.clone()));
        net.retain(|batch| awaited(batch) || batch.iter().any(|request| !crm.is_dead(request)));
        net.sort_unstable();
        net.dedup();
    }

    /// Lets one thing happen; `None` when it can't.
    pub fn happen(&self, event: &Event, bounds: &Bounds) -> Option<World> {
        let mut world = self.clone();
        let table = &bounds.table;
        let World { crm, devices, net, ops, .. } = &mut world;
        match *event {
            Event::Change { device, row, field, delete } => world.change(device, row, field, delete)?,
            Event::Pull(at) => devices[usize::from(at)].pull(crm, table, ops),
            Event::Send(at) => net.extend(devices[usize::from(at)].send()),
            Event::Arrive(at, answered) => world.arrive(usize::from(at), answered, table)?,
            Event::Resolve(at) => devices[usize::from(at)].resolve(crm, table, ops),
            Event::Stop(at) => {
                devices[usize::from(at)].stop();
                world.losses += 1;
                if !world.crm.keeps_receipts {
                    world.lose_creates(None, usize::from(at));
                }
            }
        }
        world.prune();
        canonical(&mut world);
        (world != *self).then_some(world)
    }

    fn changes(&self, bounds: &Bounds, events: &mut Vec<Event>) {
        if self.done.len() >= usize::from(bounds.operations) {
            return;
        }
        let first = self.done.is_empty();
        for device in &self.devices {
            for row in (0..ROWS).filter_map(|row| u8::try_from(row).ok()) {
                let event = |field, delete| Event::Change { device: device.at, row, field, delete };
                let stands = device.view(row).is_some();
                let unheard = usize::from(row) >= bounds.live
                    && !self.done.iter().any(|done| done.row == row)
                    && device.at == 0;
                // Devices, rows and fields are alike as long as nothing has happened.
                let alike = first && bounds.live == ROWS && (device.at > 0 || row > 0);
                if alike || device.is_parked(row) {
                    continue;
                }
                if unheard {
                    events.push(event(None, false));
                }
                if stands {
                    let fields = if first { 1 } else { FIELDS };
                    events
                        .extend((0..fields).filter_map(|f| Some(event(Some(u8::try_from(f).ok()?), false))));
                    events.push(event(None, true));
                }
            }
        }
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let crm = Crm::new(self.live, self.receipts);
        let device = |at| Device::new(u8::try_from(at).unwrap_or(u8::MAX), crm.rows);
        let devices = std::array::from_fn(device);
        vec![World { crm, devices, net: Vec::new(), done: Vec::new(), losses: 0, ops: 0, now: 0 }]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        if world.crm.broken.is_some() {
            return;
        }
        world.changes(self, events);
        for Device { at, stage, token, journal, .. } in &world.devices {
            match stage {
                Stage::Idle { pulled } => {
                    let unsure = journal.iter().any(|e| e.state == crate::device::State::Sent) && !pulled;
                    if *token < world.crm.version || unsure {
                        events.push(Event::Pull(*at));
                    }
                    if !journal.is_empty() && !unsure {
                        events.push(Event::Send(*at));
                    }
                }
                Stage::Sent(_) if world.losses < self.losses => events.push(Event::Stop(*at)),
                Stage::Unclear(_) => {
                    events.push(Event::Resolve(*at));
                    if world.losses < self.losses {
                        events.push(Event::Stop(*at));
                    }
                }
                Stage::Sent(_) => {}
            }
        }
        for at in (0..world.net.len()).filter_map(|at| u8::try_from(at).ok()) {
            events.extend([Event::Arrive(at, true), Event::Arrive(at, false)]);
        }
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        world.happen(&event, self)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is applied twice, no row comes back", |_, world: &World| {
                world.crm.broken.is_none()
            }),
            Property::always("a device shows what its user did last", |_, world: &World| {
                account::shows_own(world).is_ok()
            }),
            Property::always("everything drains and every change is accounted for", Bounds::settles),
            Property::sometimes("a value loses and is logged", |_, world: &World| {
                world.devices.iter().any(|device| device.lost != 0)
            }),
            Property::sometimes("a row is deleted with an edit on the way", |_, world: &World| {
                let gone = |row: usize| matches!(world.crm.rows[row], Standing::Gone(_));
                let edits = |device: &Device| device.journal.iter().any(|e| gone(usize::from(e.row)));
                world.devices.iter().any(edits)
            }),
        ]
    }
}
