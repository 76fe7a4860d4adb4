//! What a seed says beside what its dice always said. It comes from dice of their own, so that a world in which none of it
//! is chosen is the one that it was.

use super::{DEVICES_MAX, USERS};
use crate::account::{NOTHING, WATCHED};
use crate::device::BATCH_REQUESTS;
use crate::dice::Dice;
use crate::faults::{Fault, SELDOM_BY_CHOICE};
use crate::profiles::{by_chance, changed, wider};
use crate::template::Offer;
use flette::engine::Profile;
use flette_odata::Uuid;
use flette_server::api::Profile as Kind;
use serde_json::Value as Json;

/// Whence the dice are: those of profiles, of what the server offers, of what users decide, of what
/// happens to rights and receipts, of relationships and views in profiles, of who gives ids, of how much goes at once, of what
/// contacts hang on, of contexts, of what gateways pass on, and of everything else.
const OF_PROFILES: u64 = 0x2545_F491_4F6C_DD1D;
const OF_OFFERS: u64 = 0x9E6C_63D0_876A_3F6B;
const OF_DECISIONS: u64 = 0x510E_527F_ADE6_82D1;
const OF_RIGHTS: u64 = 0x9B05_688C_2B3E_6C1F;
const OF_RELATIONS: u64 = 0x1F83_D9AB_FB41_BD6B;
const OF_IDS: u64 = 0x5BE0_CD19_137E_2179;
const OF_BATCHES: u64 = 0x6A09_E667_F3BC_C909;
const OF_PARENTS: u64 = 0x5B0D_3A6E_91C7_44F3;
const OF_CONTEXTS: u64 = 0x1D3C_88F0_6B52_E7A9;
const OF_GATEWAYS: u64 = 0xCBBB_9D5D_C105_9ED8;
const OF_OTHERS: u64 = 0x3C6E_F372_FE94_F82B;
/// One in so many seeds has devices with offline profiles.
const PROFILED_SEEDS: usize = 2;
/// In these, one in so many devices has none.
const PLAIN_DEVICES: usize = 3;
/// One in so many of them has a server that does not track changes under a filter, and for nobody who sees but part of
/// the rows. Seldom, since whoever learns by sweeps is up to date after twenty rounds only.
const SWEPT_SEEDS: usize = 10;
/// One in so many seeds has four to eight devices.
const CROWDED_SEEDS: usize = 16;
/// In one of so many seeds a column is given another name now and then.
const RENAMING_SEEDS: usize = 8;
/// In one of so many seeds new accounts have numbers, and users merge those whose number is taken, once in so many steps.
const MERGING_SEEDS: usize = 8;
const STEPS_BETWEEN_MERGES: usize = 2;
/// In one of so many seeds profiles follow relationships or go by views, those of half of the devices.
const RELATING_SEEDS: usize = 10;
/// In one of so many seeds users decide conflicts, once in so many steps.
const DECIDING_SEEDS: usize = 3;
const STEPS_BETWEEN_DECISIONS: usize = 4;
/// In one of so many seeds each of these happens: receipts are forgotten, a user is disabled, a team changes.
const SEEDS_OF_EACH: usize = 10;
/// In one of so many seeds the server gives new accounts, or contacts, their ids; in one of so many of these from some moment
/// on only, in one of so many it is switched, once in so many steps.
const GIVING_SEEDS: usize = 10;
const GIVING_LATER: usize = 4;
const GIVING_NOW_AND_THEN: usize = 2;
const STEPS_BETWEEN_SWITCHES: usize = 40;
/// In one of so many seeds both of two contexts on a disk are asked.
const SEEDS_OF_BOTH: usize = 3;
/// In one of so many seeds gateways give up on writes that they have passed on.
const GIVING_UP_SEEDS: usize = 4;
/// In one of so many seeds the server has nothing that goes beyond Dataverse: no receipts, no field stamps, no lineage.
const BARE_SEEDS: usize = 8;
/// One of so many of these tracks changes only for whoever sees all rows.
const BARE_AND_SWEPT: usize = 4;
/// What nobody can tell there: that a database took the place of another, and that an answer was for somebody else.
const UNTOLD_WHERE_BARE: [Fault; 2] = [Fault::Restored, Fault::OtherUser];
/// In one of so many seeds contacts come to hang on other accounts, with one of so many edits of them; with one of so many of these
/// on none.
const HANGING_SEEDS: usize = 3;
const EDITS_BETWEEN_PARENTS: usize = 2;
const HANGING_ON_NONE: usize = 5;
/// In one of so many seeds devices send few changes at once, at most so many, so that what waits takes several batches.
const SEEDS_OF_FEW: usize = 6;
const FEW: usize = 3;
/// In half of them profiles change, once in so many steps.
const STEPS_BETWEEN_PROFILES: usize = 40;

/// Rows that get their ids from the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gives {
    /// Those of this set.
    pub(super) set: &'static str,
    /// From the beginning on.
    pub(super) at_first: bool,
    /// Now and then it is switched.
    pub(super) switches: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Choices {
    profiles: Dice,
    others: Dice,
    decisions: Dice,
    relations: Dice,
    ids: Dice,
    /// Whether the server gives ids.
    pub(super) gives: Option<Gives>,
    relates: bool,
    /// Whence it is known what contacts hang on, where that changes.
    parents: Option<Dice>,
    profiled: bool,
    profiles_change: bool,
    /// How many changes go to the server at once.
    pub(super) batch_size: u32,
    /// Whether both of two contexts on a disk are asked.
    pub(super) asks_both: bool,
    /// What the server offers.
    pub(super) offer: Offer,
    /// How many devices there are, where they are more than two or three.
    pub(super) crowd: Option<usize>,
    /// Whether a column is given other names.
    pub(super) renames: bool,
    /// Whether new accounts have numbers, and some the same.
    merges: bool,
    /// Whether users decide conflicts.
    decides: bool,
    /// What seldom happens beside what the seed's own dice say.
    pub(super) seldom: Vec<Fault>,
    /// Whence it is known what gateways passed on at which they gave up, where they pass anything on.
    pub(super) gateways: Option<Dice>,
}

impl Choices {
    /// None.
    pub(super) fn none() -> Choices {
        Choices {
            profiles: Dice::new(0),
            others: Dice::new(0),
            decisions: Dice::new(0),
            relations: Dice::new(0),
            ids: Dice::new(0),
            gives: None,
            relates: false,
            parents: None,
            profiled: false,
            profiles_change: false,
            batch_size: BATCH_REQUESTS,
            asks_both: false,
            offer: Offer::default(),
            crowd: None,
            renames: false,
            merges: false,
            decides: false,
            seldom: Vec::new(),
            gateways: None,
        }
    }

    /// Those of a seed.
    pub(super) fn of(seed: u64) -> Choices {
        let (profiles, others) = (Dice::new(seed ^ OF_PROFILES), Dice::new(seed ^ OF_OTHERS));
        let (profiled, swept) = (profiles.once_in(PROFILED_SEEDS), profiles.once_in(SWEPT_SEEDS));
        let profiles_change = profiled && profiles.once_in(2);
        let offer = offered(seed);
        let kind = if profiled && swept { Kind::Dataverse } else { offer.kind };
        let offer = Offer { kind, ..offer };
        let more = others.roll(DEVICES_MAX - USERS.len());
        let crowd = others.once_in(CROWDED_SEEDS).then_some(USERS.len() + 1 + more);
        let (renames, merges) = (others.once_in(RENAMING_SEEDS), others.once_in(MERGING_SEEDS));
        let decisions = Dice::new(seed ^ OF_DECISIONS);
        let decides = decisions.once_in(DECIDING_SEEDS);
        let rights = Dice::new(seed ^ OF_RIGHTS);
        let relations = Dice::new(seed ^ OF_RELATIONS);
        let relates = relations.once_in(RELATING_SEEDS);
        let ids = Dice::new(seed ^ OF_IDS);
        let gives = given(&ids);
        let gateways = Some(Dice::new(seed ^ OF_GATEWAYS)).filter(|dice| dice.once_in(GIVING_UP_SEEDS));
        let seldom = SELDOM_BY_CHOICE.into_iter().filter(|_| rights.once_in(SEEDS_OF_EACH)).collect();
        Choices {
            profiles,
            others,
            decisions,
            relations,
            ids,
            gives,
            relates,
            parents: Some(Dice::new(seed ^ OF_PARENTS)).filter(|dice| dice.once_in(HANGING_SEEDS)),
            profiled,
            profiles_change,
            batch_size: batch_size(&Dice::new(seed ^ OF_BATCHES)),
            asks_both: Dice::new(seed ^ OF_CONTEXTS).once_in(SEEDS_OF_BOTH),
            offer,
            crowd,
            renames,
            merges,
            decides,
            seldom,
            gateways,
        }
    }

    /// Those of a seed whose server stands elsewhere: only what it offers, and how much goes to it at once.
    pub(super) fn elsewhere(seed: u64) -> Choices {
        let batch_size = batch_size(&Dice::new(seed ^ OF_BATCHES));
        Choices { offer: offered(seed), batch_size, ..Choices::none() }
    }

    /// What does not go wrong.
    pub(super) fn never(&self) -> &'static [Fault] {
        match self.offer.extensions {
            true => &[],
            false => &UNTOLD_WHERE_BARE,
        }
    }

    /// The profile of a new device.
    pub(super) fn profile(&self) -> Profile {
        let profile = match self.profiled && !self.profiles.once_in(PLAIN_DEVICES) {
            true => by_chance(&self.profiles),
            false => Profile::default(),
        };
        match self.relates && self.relations.once_in(2) {
            true => wider(profile, &self.relations),
            false => profile,
        }
    }

    /// Whether a new account has a number, and if it has, which of these rows somebody else gives it to at the same time.
    pub(super) fn number(&self, rows: &[Uuid]) -> Option<Option<Uuid>> {
        self.merges.then(|| self.others.pick(rows).copied().filter(|_| !self.others.once_in(4)))
    }

    /// Which of these a contact is to hang on from now on, if an edit says so.
    pub(super) fn new_parent(&self, accounts: &[Uuid]) -> Option<Uuid> {
        let dice = self.parents.as_ref().filter(|dice| dice.once_in(EDITS_BETWEEN_PARENTS))?;
        match dice.once_in(HANGING_ON_NONE) {
            true => Some(NOTHING),
            false => dice.pick(accounts).copied(),
        }
    }

    /// Whether it is switched now who gives ids.
    pub(super) fn switches_ids_now(&self) -> bool {
        self.gives.is_some_and(|gives| gives.switches) && self.ids.once_in(STEPS_BETWEEN_SWITCHES)
    }

    /// Whether a user merges something now.
    pub(super) fn merges_now(&self) -> bool {
        self.merges && self.others.once_in(STEPS_BETWEEN_MERGES)
    }

    /// Whether a user decides something now.
    pub(super) fn decides_now(&self) -> bool {
        self.decides && self.decisions.once_in(STEPS_BETWEEN_DECISIONS)
    }

    /// Whether users decide conflicts in the end.
    pub(super) fn decides_in_the_end(&self) -> bool {
        self.decides && self.decisions.once_in(2)
    }

    /// Which of these conflicts is decided, and for which side: of those that wait for a human one most often.
    pub(super) fn decision<'c>(
        &self,
        open: &[&'c Json],
        closed: &[&'c Json],
    ) -> Option<(&'c Json, &'static str)> {
        let from =
            if closed.is_empty() || !open.is_empty() && !self.decisions.once_in(4) { open } else { closed };
        let side = if self.decisions.once_in(2) { "local" } else { "server" };
        self.decisions.pick(from).map(|conflict| (*conflict, side))
    }

    /// What a device's profile is changed to now, if it is.
    pub(super) fn change(&self, profile: &Profile) -> Option<Profile> {
        let changes = self.profiles_change && self.profiles.once_in(STEPS_BETWEEN_PROFILES);
        changes.then(|| changed(profile, &self.profiles)).filter(|changed| changed != profile)
    }
}

fn batch_size(dice: &Dice) -> u32 {
    let few = dice.once_in(SEEDS_OF_FEW).then(|| u32::try_from(1 + dice.roll(FEW)).ok()).flatten();
    few.unwrap_or(BATCH_REQUESTS)
}

fn given(dice: &Dice) -> Option<Gives> {
    let gives = dice.once_in(GIVING_SEEDS);
    let (set, at_first) = (WATCHED[dice.roll(WATCHED.len())].0, !dice.once_in(GIVING_LATER));
    let switches = !at_first || dice.once_in(GIVING_NOW_AND_THEN);
    gives.then_some(Gives { set, at_first, switches })
}

/// What the server of a seed offers, whatever else is chosen.
fn offered(seed: u64) -> Offer {
    let offers = Dice::new(seed ^ OF_OFFERS);
    let bare = offers.once_in(BARE_SEEDS);
    let kind = if bare && offers.once_in(BARE_AND_SWEPT) { Kind::Dataverse } else { Kind::Open };
    Offer { kind, extensions: !bare }
}
