//! What runs begin with: a server with some rows, and devices that have synchronised with it. Nothing goes wrong until
//! then, so it is done a few times only, and runs begin with a copy.

use super::choices::Choices;
use super::clocks::Clocks;
use super::given::Given;
use super::merged::Merged;
use super::rights::Rights;
use super::seldom::Premises;
use super::shown::user_of;
use super::{Done, World, DEVICES_MAX, USERS, WATCHED};
use crate::account::Account;
use crate::clock::Clock;
use crate::device::{Begun, Device, Surroundings};
use crate::dice::Dice;
use crate::disk::Platter;
use crate::faults::{Fault, Faults};
use crate::net::{Crm, Server};
use crate::overheard::Overheard;
use crate::tale::tell;
use crate::template::{Offer, Original, Template};
use flette::engine::{Identity, Profile};
use flette_odata::{Method, Uuid};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::OnceLock;

/// What goes wrong with custom columns that are there.
const ON_CUSTOM_COLUMNS: [Fault; 4] =
    [Fault::ColumnDropped, Fault::ColumnRetyped, Fault::ColumnRenamed, Fault::OptionRemoved];
/// Different beginnings: half of them without custom columns, half of them with some.
const BEGINNINGS: usize = 24;
/// Rounds of a first synchronisation, at most.
const FIRST_ROUNDS_MAX: usize = 20;
/// Whence further devices have their chance.
const MORE_DEVICES: u64 = 0x6A09_E667_F3BC_C908;
/// Rows that nobody deletes: they must never be missed.
const LASTING_ROWS: usize = 4;
/// Other rows, at most.
const OTHER_ROWS_MAX: usize = 6;

/// A world before anything went wrong.
pub(super) struct Beginning {
    pub(super) server: Original,
    pub(super) now: i64,
    pub(super) account: Account,
    pub(super) rows: Vec<Uuid>,
    pub(super) accounts: Vec<Uuid>,
    pub(super) lasting: BTreeSet<Uuid>,
    pub(super) made: usize,
    pub(super) premises: Premises,
    pub(super) disks: Vec<(Identity, Platter)>,
    /// Those of further devices, made when they are first wanted.
    more_disks: OnceLock<Result<Vec<(Identity, Platter)>, String>>,
}

impl Beginning {
    /// Disks of devices that have synchronised, at least so many of them.
    fn disks(
        &self,
        template: &Template,
        count: usize,
    ) -> Result<impl Iterator<Item = &(Identity, Platter)>, String> {
        let more: &[(Identity, Platter)] = match count > self.disks.len() {
            true => self.more_disks.get_or_init(|| self.more(template)).as_ref().map_err(String::clone)?,
            false => &[],
        };
        Ok(self.disks.iter().chain(more))
    }

    fn more(&self, template: &Template) -> Result<Vec<(Identity, Platter)>, String> {
        let server = template.premises(&self.server, Offer::default())?;
        let dice = Dice::new(self.made as u64 ^ MORE_DEVICES);
        let mut world = World::bare(dice, Clock::at(self.now), server, Faults::new(0));
        world.first_devices(self.disks.len()..DEVICES_MAX)?;
        Ok(world.disks())
    }
}

/// All of them, made when they are first wanted.
pub struct Beginnings {
    template: Template,
    made: Vec<OnceLock<Result<Beginning, String>>>,
}

impl Beginnings {
    /// None so far.
    ///
    /// # Errors
    /// When the server's database cannot be made.
    pub fn new() -> Result<Beginnings, String> {
        let made = std::iter::repeat_with(OnceLock::new).take(BEGINNINGS).collect();
        Ok(Beginnings { template: Template::new()?, made })
    }

    /// Makes those that are missing, so that nothing that goes wrong from now on is part of them.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn make_all(&self) -> Result<(), String> {
        for (number, made) in self.made.iter().enumerate() {
            let begun = made.get_or_init(|| World::begin(&self.template, number, number % 2 == 1));
            begun.as_ref().map_err(String::clone)?;
        }
        Ok(())
    }

    /// The database as a run begins with it.
    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// One of them, with or without custom columns.
    pub(super) fn choose(&self, dice: &Dice, customised: bool) -> Result<&Beginning, String> {
        let number = dice.roll(BEGINNINGS / 2) * 2 + usize::from(customised);
        let made = self.made.get(number).ok_or("no such beginning")?;
        made.get_or_init(|| World::begin(&self.template, number, customised)).as_ref().map_err(String::clone)
    }
}

impl World {
    fn begin(template: &Template, number: usize, customised: bool) -> Result<Beginning, String> {
        let (dice, clock) = (Dice::new(number as u64), Clock::default());
        let mut world = World::bare(dice, clock, template.founded()?, Faults::new(0));
        if customised {
            world.customise()?;
        }
        world.plant()?;
        world.first_devices(0..USERS.len())?;
        let disks = world.disks();
        Ok(Beginning {
            server: template.original(world.crm.premises()?)?,
            now: world.clock.now(),
            account: world.account,
            rows: world.rows,
            accounts: world.accounts,
            lasting: world.lasting,
            made: world.made,
            premises: world.premises,
            disks,
            more_disks: OnceLock::new(),
        })
    }

    fn disks(&self) -> Vec<(Identity, Platter)> {
        self.devices.iter().map(|device| (device.identity(), device.platter())).collect()
    }

    fn plant(&mut self) -> Done {
        for at in 0..LASTING_ROWS + self.dice.roll(OTHER_ROWS_MAX) {
            let (set, key, name) = WATCHED[at % 2];
            let (id, value) = (self.new_id(), self.value());
            self.online(Method::Post, set, json!({key: id, name: value}))?;
            if at < LASTING_ROWS {
                self.lasting.insert(id);
            }
            self.rows.push(id);
            if set == "accounts" {
                self.accounts.push(id);
            }
        }
        self.watch()
    }

    /// Devices of the users in turn, with a first synchronisation behind them.
    fn first_devices(&mut self, places: Range<usize>) -> Done {
        for at in places {
            let identity = self.identity(user_of(at))?;
            let around = self.surroundings();
            let begun = Begun {
                seed: self.dice.next(),
                platter: Platter::default(),
                profile: Profile::default(),
                batch_size: self.choices.batch_size,
                asks_both: false,
            };
            let device = Device::new(at, identity, &around, begun).ok_or("no engine")?;
            let whole = |device: &Device| {
                let status = device.read("/flette/status");
                status.is_some_and(|status| status["synced"] == true)
            };
            let rounds = (0..FIRST_ROUNDS_MAX).take_while(|_| device.round().is_some() && !whole(&device));
            if rounds.count() == FIRST_ROUNDS_MAX {
                return Err("L-1: the first synchronisation does not end".to_owned());
            }
            self.devices.push(device);
        }
        Ok(())
    }

    /// What a server does not offer nobody can tell.
    fn go_by_the_offer(&mut self) {
        if !self.choices.offer.extensions {
            self.account.goes_by_rows();
            self.crm.traffic.borrow_mut().has_no_receipts();
        }
    }

    pub(super) fn surroundings(&self) -> Surroundings {
        Surroundings { crm: self.crm.clone(), clock: self.clock.clone(), faults: self.faults.clone() }
    }

    fn identity(&self, name: &str) -> Result<Identity, String> {
        let who = self.list(name, "WhoAmI")?;
        let id = |member: &str| who[member].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        let (business_unit, organization) = (id("BusinessUnitId"), id("OrganizationId"));
        Ok(Identity { user: id("UserId"), business_unit, organization })
    }

    /// A world in which there is nothing yet.
    fn bare(dice: Dice, clock: Clock, server: impl Server + 'static, faults: Faults) -> World {
        let clock = Rc::new(clock);
        World {
            dice,
            crm: Rc::new(Crm::new(server, clock.clone())),
            clock,
            faults: Rc::new(faults),
            devices: Vec::new(),
            account: Account::default(),
            rows: Vec::new(),
            accounts: Vec::new(),
            lasting: BTreeSet::new(),
            made: 0,
            steps: 0,
            trace: 0,
            shared_disk: BTreeSet::new(),
            evicted: BTreeSet::new(),
            stamped: BTreeMap::new(),
            premises: Premises::default(),
            clocks: Clocks::default(),
            backup: None,
            overheard: Overheard::default(),
            choices: Choices::none(),
            noted: BTreeMap::new(),
            numbers: BTreeMap::new(),
            merged: Merged::default(),
            given: Given::default(),
            decisions: Vec::new(),
            rights: Rights::default(),
        }
    }

    /// A world that begins with a server on which there is nobody but the people of the demo.
    pub(super) fn from_nothing(
        dice: Dice,
        clock: Clock,
        server: impl Server + 'static,
        faults: Faults,
        choices: Choices,
    ) -> Result<World, String> {
        let mut world = World { choices, ..World::bare(dice, clock, server, faults) };
        world.go_by_the_offer();
        world.plant()?;
        let devices = world.dice.roll(USERS.len() - 1) + 2;
        world.first_devices(0..devices)?;
        Ok(world)
    }

    /// The world of a seed, as it is before anything goes wrong.
    pub(super) fn new(seed: u64, beginnings: &Beginnings) -> Result<World, String> {
        let dice = Dice::new(seed);
        let mut choices = Choices::of(seed);
        let faults = Faults::new(dice.next()).without(choices.never()).giving_up(choices.gateways.take());
        let faults = faults.with(choices.renames.then_some(Fault::ColumnRenamed));
        let faults = faults.with(choices.seldom.iter().copied());
        let customised = ON_CUSTOM_COLUMNS.into_iter().any(|fault| faults.may(fault));
        let begun = beginnings.choose(&dice, customised)?;
        let server = beginnings.template().premises(&begun.server, choices.offer)?;
        let mut world = World {
            account: begun.account.clone(),
            rows: begun.rows.clone(),
            accounts: begun.accounts.clone(),
            lasting: begun.lasting.clone(),
            made: begun.made,
            premises: begun.premises,
            choices,
            ..World::bare(dice, Clock::at(begun.now), server, faults)
        };
        world.go_by_the_offer();
        let devices = world.dice.roll(USERS.len() - 1) + 2;
        let devices = world.choices.crowd.unwrap_or(devices);
        let disks = begun.disks(beginnings.template(), devices)?;
        for (at, (identity, platter)) in disks.take(devices).enumerate() {
            let (around, profile) = (world.surroundings(), world.choices.profile());
            tell(|| format!("device {at} has the profile {}", json!(profile)));
            let begun = Begun {
                seed: world.dice.next(),
                platter: platter.clone(),
                profile,
                batch_size: world.choices.batch_size,
                asks_both: world.choices.asks_both,
            };
            let device = Device::new(at, *identity, &around, begun).ok_or("no engine")?;
            world.account.insists(at, device.profiles.insists_on());
            world.account.goes_one_way(&device.profiles.one_way());
            world.devices.push(device);
        }
        world.begin_to_give_ids()?;
        Ok(world)
    }
}
