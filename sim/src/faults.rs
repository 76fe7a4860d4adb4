//! What goes wrong, how often, and how often it did.

use crate::dice::Dice;
use crate::tale::tell;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Fault {
    RequestLost,
    AnswerLost,
    AnswerCut,
    RequestTwice,
    RequestLate,
    LoginPage,
    Status(u16),
    FeedExpired,
    DiskFull,
    DiskFailed,
    Killed,
    PowerLost,
    ClockJumped,
    SecondContext,
    BatchAnswersMissing,
    BatchAnswersReordered,
    Restored,
    TombstonesPruned,
    ColumnDropped,
    ColumnAdded,
    ColumnRetyped,
    OptionRemoved,
    Masked,
    RoleRemoved,
    StoreClosed,
    Evicted,
    OtherUser,
    ProfileChanged,
    ColumnRenamed,
    Merged,
    Decided,
    ReceiptsPruned,
    UserDisabled,
    TeamChanged,
    IdAssigned,
    IdsSwitched,
    GatewayGaveUp,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Status(status) => write!(f, "status {status}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Statuses that a request may be answered with although the server never saw it.
const STATUSES: [u16; 12] = [401, 403, 407, 408, 413, 429, 500, 501, 502, 503, 504, 404];

/// Of these, what a gateway says when it gives up waiting: nobody knows whether the server carries out what was asked.
pub const GIVEN_UP: [u16; 4] = [408, 500, 502, 504];

/// At one of so many writes a gateway gives up, where it ever does when it has passed them on. One in so many of those is carried
/// out, and of these one in so many later.
const GATEWAY_GIVES_UP: usize = 12;
const GATEWAY_GAVE_UP: usize = 2;
const AND_LATE: usize = 4;

/// Faults of the network.
const ON_REQUEST: [Fault; 9] = [
    Fault::RequestLost,
    Fault::AnswerLost,
    Fault::AnswerCut,
    Fault::RequestTwice,
    Fault::RequestLate,
    Fault::LoginPage,
    Fault::Status(0),
    Fault::BatchAnswersMissing,
    Fault::BatchAnswersReordered,
];

/// What seldom happens: once in a while, in the runs whose seed says so.
pub const SELDOM: [Fault; 11] = [
    Fault::Restored,
    Fault::TombstonesPruned,
    Fault::ColumnDropped,
    Fault::ColumnAdded,
    Fault::ColumnRetyped,
    Fault::OptionRemoved,
    Fault::Masked,
    Fault::RoleRemoved,
    Fault::StoreClosed,
    Fault::Evicted,
    Fault::OtherUser,
];

/// Of these, what happens to the schema.
const SCHEMA: [Fault; 5] = [
    Fault::ColumnDropped,
    Fault::ColumnAdded,
    Fault::ColumnRetyped,
    Fault::OptionRemoved,
    Fault::ColumnRenamed,
];

/// Faults of the disk, the feed and the device.
const ELSEWHERE: [Fault; 7] = [
    Fault::FeedExpired,
    Fault::DiskFull,
    Fault::DiskFailed,
    Fault::Killed,
    Fault::PowerLost,
    Fault::ClockJumped,
    Fault::SecondContext,
];

/// What comes in the runs whose seed says so, by dice of its own.
const CHOSEN: [Fault; 10] = [
    Fault::ProfileChanged,
    Fault::ColumnRenamed,
    Fault::Merged,
    Fault::Decided,
    Fault::ReceiptsPruned,
    Fault::UserDisabled,
    Fault::TeamChanged,
    Fault::IdAssigned,
    Fault::IdsSwitched,
    Fault::GatewayGaveUp,
];
/// Of these, what is chosen seed by seed among what seldom happens.
pub const SELDOM_BY_CHOICE: [Fault; 3] = [Fault::ReceiptsPruned, Fault::UserDisabled, Fault::TeamChanged];

impl Fault {
    /// Every fault that can come.
    pub fn all() -> impl Iterator<Item = Fault> {
        let network = ON_REQUEST.into_iter().filter(|fault| *fault != Fault::Status(0));
        network.chain(ELSEWHERE).chain(SELDOM).chain(CHOSEN).chain(STATUSES.map(Fault::Status))
    }
}

/// One run's faults: each kind is as likely as the seed says, or never comes.
#[derive(Debug)]
pub struct Faults {
    dice: Dice,
    on: Cell<bool>,
    network: Vec<Fault>,
    /// A request fails once in so many; 0 = never. Likewise below.
    request_rate: usize,
    commit_rate: usize,
    expiry_rate: usize,
    /// What seldom happens, and once in how many steps.
    seldom: Vec<Fault>,
    seldom_rate: usize,
    /// What says whether a gateway that gives up has passed a write on, where one ever has.
    gateways: Option<Dice>,
    counts: RefCell<BTreeMap<Fault, u64>>,
}

/// What became of a request of which a gateway says nothing but a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// It went no further.
    Nothing,
    /// The server carried it out.
    Done,
    /// The server carries it out some time later.
    Late,
}

impl Faults {
    /// Faults of a seed, off at first.
    pub fn new(seed: u64) -> Faults {
        let dice = Dice::new(seed ^ 0x5DEE_CE66_D1CE_4E5B);
        let network = ON_REQUEST.into_iter().filter(|_| dice.once_in(2)).collect();
        let rate = |choices: &[usize]| dice.pick(choices).copied().unwrap_or(0);
        let request_rate = rate(&[0, 3, 6, 12, 25]);
        let (commit_rate, expiry_rate) = (rate(&[0, 0, 15, 60]), rate(&[0, 0, 10, 30]));
        let (on, counts) = (Cell::new(false), RefCell::default());
        let seldom: Vec<Fault> = SELDOM.into_iter().filter(|_| dice.once_in(6)).collect();
        let (seldom_rate, gateways) = (rate(&[8, 15, 30]), None);
        Faults {
            dice,
            on,
            network,
            request_rate,
            commit_rate,
            expiry_rate,
            seldom,
            seldom_rate,
            gateways,
            counts,
        }
    }

    /// The same without some of what seldom happens.
    pub fn without(mut self, left_out: &[Fault]) -> Faults {
        self.seldom.retain(|fault| !left_out.contains(fault));
        self
    }

    /// The same with more that seldom happens.
    pub fn with(mut self, more: impl IntoIterator<Item = Fault>) -> Faults {
        self.seldom.extend(more);
        self
    }

    /// The same where gateways give up on what they have passed on, by these dice.
    pub fn giving_up(self, gateways: Option<Dice>) -> Faults {
        Faults { gateways, ..self }
    }

    /// From now on, or not any more.
    pub fn switch(&self, on: bool) {
        self.on.set(on);
    }

    /// Whether faults are on.
    pub fn are_on(&self) -> bool {
        self.on.get()
    }

    /// Notes that a fault happened.
    pub fn note(&self, fault: Fault) {
        tell(|| format!("fault: {fault}"));
        *self.counts.borrow_mut().entry(fault).or_default() += 1;
    }

    /// How many faults came so far.
    pub fn noted(&self) -> u64 {
        self.counts.borrow().values().sum()
    }

    /// How often each fault came.
    pub fn counts(&self) -> BTreeMap<Fault, u64> {
        self.counts.borrow().clone()
    }

    /// One of so many.
    pub fn choose(&self, of: usize) -> usize {
        self.dice.roll(of)
    }

    /// What happens to a request; `is_feed` for one that names a delta token, `is_batch` for a batch.
    pub fn on_request(&self, is_feed: bool, is_batch: bool) -> Option<Fault> {
        if !self.on.get() {
            return None;
        }
        if is_feed && self.dice.once_in(self.expiry_rate) {
            self.note(Fault::FeedExpired);
            return Some(Fault::FeedExpired);
        }
        if !self.dice.once_in(self.request_rate) {
            return None;
        }
        let fault = match self.dice.pick(&self.network)? {
            Fault::Status(_) => Fault::Status(*self.dice.pick(&STATUSES)?),
            Fault::BatchAnswersMissing | Fault::BatchAnswersReordered if !is_batch => return None,
            other => *other,
        };
        self.note(fault);
        Some(fault)
    }

    /// What happens to a write to which nothing else does.
    pub fn on_write(&self) -> Option<Fault> {
        let gives_up = |dice: &&Dice| self.on.get() && dice.once_in(GATEWAY_GIVES_UP);
        let fault = Fault::Status(*self.gateways.as_ref().filter(gives_up)?.pick(&GIVEN_UP)?);
        self.note(fault);
        Some(fault)
    }

    /// What becomes of a write that is answered with nothing but a status.
    pub fn behind(&self, status: u16) -> Behind {
        let Some(dice) = self.gateways.as_ref().filter(|_| GIVEN_UP.contains(&status)) else {
            return Behind::Nothing;
        };
        if !dice.once_in(GATEWAY_GAVE_UP) {
            return Behind::Nothing;
        }
        self.note(Fault::GatewayGaveUp);
        match dice.once_in(AND_LATE) {
            true => {
                self.note(Fault::RequestLate);
                Behind::Late
            }
            false => Behind::Done,
        }
    }

    /// What happens now that seldom happens.
    pub fn seldom(&self) -> Option<Fault> {
        if self.seldom.is_empty() || !self.on.get() || !self.dice.once_in(self.seldom_rate) {
            return None;
        }
        self.dice.pick(&self.seldom).copied()
    }

    /// Whether the schema changes in this run.
    pub fn schema_moves(&self) -> bool {
        SCHEMA.iter().any(|fault| self.may(*fault))
    }

    /// Whether something seldom happens in this run at all.
    pub fn may(&self, fault: Fault) -> bool {
        self.seldom.contains(&fault)
    }

    /// What happens to a commit.
    pub fn on_commit(&self) -> Option<Fault> {
        if !self.on.get() || !self.dice.once_in(self.commit_rate) {
            return None;
        }
        let fault = if self.dice.once_in(2) { Fault::DiskFull } else { Fault::DiskFailed };
        self.note(fault);
        Some(fault)
    }
}
