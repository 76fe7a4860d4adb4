//! What must hold in every state: whatever goes wrong no further, everything drains and every change is accounted for.

use crate::canon::canonical;
use crate::crm::{Deed, Standing};
use crate::device::{Device, Stage};
use crate::world::World;
use crate::ROWS;
use flette_odata::edm::Table;

/// Rounds of each device within which everything must have drained.
const ROUNDS_MAX: usize = 6;
/// Batches and reads of one round, at most.
const STEPS_MAX: usize = 8;

/// What a user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Operation {
    pub device: u8,
    pub row: u8,
    pub deed: Deed,
}

/// I-14: a device shows its user's last edit of a field while it is in the journal.
///
/// # Errors
/// What is not shown.
pub fn shows_own(world: &World) -> Result<(), String> {
    for device in &world.devices {
        for entry in &device.journal {
            let Deed::Update(edits) = entry.deed else { continue };
            let Some(view) = device.view(entry.row) else { continue };
            for (field, edit) in edits.iter().enumerate() {
                let later = device.journal.iter().any(|other| {
                    let edits_it = matches!(other.deed, Deed::Update(edits) if edits[field].is_some());
                    other.row == entry.row && other.made > entry.made && edits_it
                });
                if edit.is_some_and(|(_, new)| new != view[field]) && !later {
                    return Err(format!("device {} does not show its own edit", device.at));
                }
            }
        }
    }
    Ok(())
}

/// A world in which nothing is under way any more: what wandered about in the network is lost, and every device has
/// started anew.
pub fn calm(world: &World) -> World {
    let mut calm = World { net: Vec::new(), losses: 0, ..world.clone() };
    calm.devices.iter_mut().for_each(Device::stop);
    canonical(&mut calm);
    calm
}

/// I-1, I-6, L-1 and convergence: from here on nothing goes wrong.
///
/// # Errors
/// What went without a trace, or does not end.
pub fn settles(world: &World, table: &Table) -> Result<(), String> {
    let mut world = calm(world);
    for _ in 0..ROUNDS_MAX {
        for at in 0..world.devices.len() {
            round(&mut world, at, table)?;
        }
        let calm = world.devices.iter().all(|device| {
            device.token == world.crm.version && device.journal.iter().all(|e| device.is_parked(e.row))
        });
        if calm {
            return reckon(&world);
        }
    }
    Err("L-1: it does not drain".to_owned())
}

/// A whole round of a device, as the engine goes about it.
fn round(world: &mut World, at: usize, table: &Table) -> Result<(), String> {
    if world.devices[at].any_unanswered() {
        let World { crm, devices, ops, .. } = world;
        devices[at].pull(crm, table, ops);
    }
    for _ in 0..STEPS_MAX {
        match world.devices[at].send() {
            Some(batch) => {
                let now = world.tick();
                let World { crm, devices, ops, .. } = world;
                let answers: Vec<_> =
                    batch.iter().map(|request| (*request, crm.answer(request, now))).collect();
                devices[at].take_over(&answers, table, ops);
            }
            None if matches!(world.devices[at].stage, Stage::Unclear(_)) => {}
            None => {
                let World { crm, devices, ops, .. } = world;
                devices[at].pull(crm, table, ops);
                if devices[at].journal.iter().all(|entry| devices[at].is_parked(entry.row)) {
                    return world.crm.broken.map_or(Ok(()), |why| Err(why.to_owned()));
                }
            }
        }
        let World { crm, devices, ops, .. } = world;
        devices[at].resolve(crm, table, ops);
    }
    Ok(())
}

/// Every change at its place, and the devices of one mind with the server.
fn reckon(world: &World) -> Result<(), String> {
    for device in &world.devices {
        for row in 0..ROWS {
            let same = match (device.mirror[row], world.crm.rows[row]) {
                (Standing::Live(here), Standing::Live(there)) => here == there,
                (Standing::Live(_), _) | (_, Standing::Live(_)) => false,
                _ => true,
            };
            if !same {
                return Err(format!("convergence: row {row} differs on device {}", device.at));
            }
        }
    }
    for (at, operation) in world.done.iter().enumerate() {
        accounted(world, at, operation)?;
    }
    Ok(())
}

fn accounted(world: &World, at: usize, operation: &Operation) -> Result<(), String> {
    let Operation { device, row, deed } = *operation;
    let own = &world.devices[usize::from(device)];
    let number = u8::try_from(at).unwrap_or(u8::MAX) + 1;
    let logged = own.lost & 1 << number != 0;
    let parked = own.journal.iter().any(|entry| entry.row == row && entry.made == number);
    let later = || world.done.iter().skip(at + 1).filter(|other| (other.device, other.row) == (device, row));
    let deleted = later().any(|other| other.deed == Deed::Delete);
    let found = |field: usize| {
        let rewritten = later().any(|o| matches!(o.deed, Deed::Update(edits) if edits[field].is_some()));
        world.crm.stood[usize::from(row)][field] & 1 << number != 0 || rewritten
    };
    let settled = match deed {
        Deed::Delete => !matches!(world.crm.rows[usize::from(row)], Standing::Live(_)),
        Deed::Create(_) => found(0),
        Deed::Update(edits) => (0..edits.len()).filter(|field| edits[*field].is_some()).all(found),
    };
    match settled || logged || parked || deleted {
        true => Ok(()),
        false => Err(format!("I-6: operation {number} went without a trace")),
    }
}
