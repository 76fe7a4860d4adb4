//! Runs against a server that stands elsewhere: everything begins there, and time is this machine's.

use super::choices::Choices;
use super::{Outcome, World};
use crate::clock::Clock;
use crate::dice::Dice;
use crate::faults::{Fault, Faults};
use crate::net::Server;
use crate::template::Offer;

/// What only who stands beside the server's database can bring about, and what shows after hours only.
const NOT_FROM_AFAR: [Fault; 6] = [
    Fault::Restored,
    Fault::TombstonesPruned,
    Fault::ColumnDropped,
    Fault::ColumnAdded,
    Fault::ColumnRetyped,
    Fault::OptionRemoved,
];

/// Runs one seed against a server whose database holds nothing but the people of the demo, and which offers what
/// [`offer_elsewhere`] says.
///
/// # Errors
/// Which promise was broken, and how.
pub fn run_against(seed: u64, server: impl Server + 'static) -> Result<Outcome, String> {
    let dice = Dice::new(seed);
    let choices = Choices::elsewhere(seed);
    let faults = Faults::new(dice.next()).without(&NOT_FROM_AFAR).without(choices.never());
    World::from_nothing(dice, Clock::OfTheSystem, server, faults, choices)?.run()
}

/// What the server of a seed must offer.
pub fn offer_elsewhere(seed: u64) -> Offer {
    Choices::elsewhere(seed).offer
}
