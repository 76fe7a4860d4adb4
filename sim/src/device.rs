//! A user's browser: a disk that survives, an engine that is killed now and then, and what runs in it.

use crate::clock::Clock;
use crate::dice::Dice;
use crate::disk::{Disk, Platter};
use crate::faults::Faults;
use crate::net::{Crm, Wire, ROOT};
use crate::profiles::Profiles;
use crate::step::{run, yield_now, Task};
use flette::engine::{Config, Engine, Identity, Profile};
use flette::model::Millis;
use flette::platform::Platform;
use flette_odata::{Method, Request, Response, Uuid};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Tables that are offline, in pull order.
pub const TABLES: [&str; 4] = ["businessunit", "systemuser", "account", "contact"];
/// Their sets.
pub const SETS: [&str; 4] = ["businessunits", "systemusers", "accounts", "contacts"];
/// Rows of a pulled page: few, so that pages are many.
const PAGE_ROWS: u32 = 3;
/// Changes that go to the server at once, as many as there may be.
pub const BATCH_REQUESTS: u32 = 100;
/// Whence it is known which context is asked.
const OF_CONTEXTS: u64 = 0x71B4_0C2D_9E5F_A863;
/// How often a push gives way at most, each way, where little goes at once.
const LAG_MAX: usize = 40;

/// What an engine has of the world.
pub struct Desk {
    disk: Disk,
    wire: Wire,
    clock: Rc<Clock>,
    skew_millis: Rc<Cell<i64>>,
    dice: Rc<Dice>,
    locks: Rc<RefCell<BTreeSet<String>>>,
}

/// A lock that is held.
pub struct Held {
    name: String,
    locks: Rc<RefCell<BTreeSet<String>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.locks.borrow_mut().remove(&self.name);
    }
}

impl Platform for Desk {
    type Store = Disk;
    type Transport = Wire;
    type Lock = Held;

    fn store(&self) -> &Disk {
        &self.disk
    }

    fn transport(&self) -> &Wire {
        &self.wire
    }

    fn now(&self) -> Millis {
        Millis(self.clock.now().saturating_add(self.skew_millis.get()))
    }

    fn random(&self, bytes: &mut [u8]) {
        self.dice.fill(bytes);
    }

    async fn sleep(&self, _: u32) {
        yield_now().await;
    }

    async fn try_lock(&self, name: &str) -> Option<Held> {
        yield_now().await;
        let free = self.locks.borrow_mut().insert(name.to_owned());
        free.then(|| Held { name: name.to_owned(), locks: self.locks.clone() })
    }
}

/// Something that an engine is doing.
pub struct Doing {
    /// What for.
    pub what: What,
    /// The rest of it.
    pub task: Task<Response>,
}

/// What an engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A round.
    Round,
    /// Changes by the user, more than one as a change set: the place of the first one's record in the account, and how
    /// many there are.
    Changes(usize, usize),
    /// A decision by the user: its place among them.
    Decision(usize),
}

/// See the module.
pub struct Device {
    /// Place among the devices.
    pub at: usize,
    /// Whose it is.
    pub user: Uuid,
    /// Who is signed in.
    pub session: Rc<Cell<Uuid>>,
    /// How wrong its clock is.
    pub skew_millis: Rc<Cell<i64>>,
    /// What runs.
    pub doing: Vec<Doing>,
    /// What goes offline, and whose value stands.
    pub profiles: Profiles,
    batch_size: u32,
    engine: Rc<Engine<Desk>>,
    /// The context beside which another one was opened, as long as it lives.
    first: Option<Rc<Engine<Desk>>>,
    /// Whence it is known which of two contexts is asked, where the first one is asked at all.
    contexts: Option<Dice>,
    disk: Disk,
    identity: Identity,
    crm: Rc<Crm>,
    clock: Rc<Clock>,
    faults: Rc<Faults>,
    dice: Rc<Dice>,
    locks: Rc<RefCell<BTreeSet<String>>>,
    /// Whether its line is down.
    cut: Rc<Cell<bool>>,
}

/// What a device begins with.
pub struct Begun {
    /// Its own chance.
    pub seed: u64,
    /// What is written on its disk: nothing, if it is new.
    pub platter: Platter,
    /// What it is set to.
    pub profile: Profile,
    /// How many changes go to the server at once.
    pub batch_size: u32,
    /// Whether of two contexts on its disk both are asked, and not only the second one.
    pub asks_both: bool,
}

/// What devices share.
pub struct Surroundings {
    /// The server.
    pub crm: Rc<Crm>,
    /// The true time.
    pub clock: Rc<Clock>,
    /// What may go wrong.
    pub faults: Rc<Faults>,
}

impl Device {
    /// A device of a user. `None` when its engine does not open.
    pub fn new(at: usize, identity: Identity, around: &Surroundings, begun: Begun) -> Option<Device> {
        let disk = Disk::new(begun.platter, around.faults.clone());
        let (dice, locks) = (Rc::new(Dice::new(begun.seed)), Rc::default());
        let (skew_millis, cut) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let (crm, clock, faults) = (around.crm.clone(), around.clock.clone(), around.faults.clone());
        let session = Rc::new(Cell::new(identity.user));
        let wire = Wire {
            crm: crm.clone(),
            device: at,
            owner: identity.user,
            session: session.clone(),
            faults: faults.clone(),
            cut: cut.clone(),
            lag: lag(begun.batch_size),
        };
        let desk = Desk {
            disk: disk.clone(),
            wire,
            clock: clock.clone(),
            skew_millis: skew_millis.clone(),
            dice: dice.clone(),
            locks: Rc::clone(&locks),
        };
        let engine = open(desk, identity, begun.profile.clone(), begun.batch_size)?;
        let (user, doing, profiles) = (identity.user, Vec::new(), Profiles::new(begun.profile));
        let batch_size = begun.batch_size;
        let contexts = begun.asks_both.then(|| Dice::new(begun.seed ^ OF_CONTEXTS));
        Some(Device {
            at,
            user,
            session,
            skew_millis,
            doing,
            profiles,
            batch_size,
            engine,
            first: None,
            contexts,
            disk,
            identity,
            crm,
            clock,
            faults,
            dice,
            locks,
            cut,
        })
    }

    /// Kills everything that runs, and starts again on what the disk holds. `None` when that fails.
    pub fn restart(&mut self) -> Option<()> {
        self.doing.clear();
        self.first = None;
        self.locks.borrow_mut().clear();
        self.disk = self.disk.reopened();
        self.engine = open(self.desk(), self.identity, self.profiles.now(), self.batch_size)?;
        Some(())
    }

    /// Starts again with another profile, as a new version of the worker does. `None` when that fails.
    pub fn change_profile(&mut self, to: Profile) -> Option<()> {
        self.profiles.change(to);
        self.restart()
    }

    /// Whose it is, as the engine was told.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// A copy of what is written on its disk.
    pub fn platter(&self) -> Platter {
        self.disk.copied()
    }

    /// Loses commits that were not synced; a restart must follow.
    pub fn lose_power(&self, dice: &Dice) -> usize {
        self.disk.lose_power(dice)
    }

    /// The browser closes the connection to the database; a new one is opened after some calls.
    pub fn close_store(&self, calls: usize) {
        self.disk.close_for(calls);
    }

    /// Loses everything, and starts again. `None` when that fails.
    pub fn evict(&mut self) -> Option<()> {
        self.disk.evict();
        self.restart()
    }

    /// Whether the user is signed in himself.
    pub fn is_own_session(&self) -> bool {
        self.session.get() == self.user
    }

    /// Opens a second context beside the first, on the same disk, and lets the first go on with what it does.
    pub fn second_context(&mut self) -> Option<()> {
        self.disk.close_for(0);
        let second = open(self.desk(), self.identity, self.profiles.now(), self.batch_size)?;
        self.first = Some(std::mem::replace(&mut self.engine, second));
        Some(())
    }

    fn desk(&self) -> Desk {
        let wire = Wire {
            crm: self.crm.clone(),
            device: self.at,
            owner: self.user,
            session: self.session.clone(),
            faults: self.faults.clone(),
            cut: self.cut.clone(),
            lag: lag(self.batch_size),
        };
        Desk {
            disk: self.disk.clone(),
            wire,
            clock: self.clock.clone(),
            skew_millis: self.skew_millis.clone(),
            dice: self.dice.clone(),
            locks: self.locks.clone(),
        }
    }

    /// The context that is asked next.
    fn context(&self) -> Rc<Engine<Desk>> {
        let first =
            self.first.as_ref().filter(|_| self.contexts.as_ref().is_some_and(|dice| dice.once_in(2)));
        first.unwrap_or(&self.engine).clone()
    }

    /// Begins a request at the front door.
    pub fn begin(&mut self, what: What, request: Request) {
        let engine = self.context();
        self.doing.push(Doing { what, task: Box::pin(async move { engine.handle(request).await }) });
    }

    /// Whether a round is under way.
    pub fn in_round(&self) -> bool {
        self.doing.iter().any(|doing| doing.what == What::Round)
    }

    /// Whether a change or a decision by the user is under way.
    pub fn is_changing(&self) -> bool {
        self.doing.iter().any(|doing| doing.what != What::Round)
    }

    /// Asks at the front door and waits for the answer; whatever else runs stands still meanwhile.
    pub fn ask(&self, request: Request) -> Option<Response> {
        let engine = self.engine.clone();
        run(Box::pin(async move { engine.handle(request).await }))
    }

    /// The same while the line is down, so that nobody else answers.
    pub fn ask_alone(&self, request: Request) -> Option<Response> {
        self.cut.set(true);
        let answer = self.ask(request);
        self.cut.set(false);
        answer
    }

    /// The same for JSON that is read.
    pub fn read(&self, path: &str) -> Option<serde_json::Value> {
        let answer = self.ask(Request::get(path))?;
        serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200)
    }

    /// A round from start to end; what became of it.
    pub fn round(&self) -> Option<serde_json::Value> {
        let answer = self.ask(Request::new(Method::Post, "/flette/sync"))?;
        serde_json::from_slice(&answer.body).ok()
    }
}

/// Where little goes at once it takes its time, so that one push sets out while another one is under way.
fn lag(batch_size: u32) -> usize {
    if batch_size < BATCH_REQUESTS {
        LAG_MAX
    } else {
        0
    }
}

fn open(desk: Desk, identity: Identity, profile: Profile, batch_size: u32) -> Option<Rc<Engine<Desk>>> {
    let config = Config {
        root: ROOT.to_owned(),
        database: format!("sim-{}", identity.user),
        identity,
        tables: TABLES.map(str::to_owned).to_vec(),
        page_size: PAGE_ROWS,
        batch_size,
        profile,
    };
    run(Box::pin(Engine::open(desk, config)))?.ok().map(Rc::new)
}
