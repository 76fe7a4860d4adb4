//! One shape for worlds that differ in names only: versions, times and operation ids are numbered by their order.
//!
//! Only the order of versions and times means anything, and operation ids are only compared. Receipts that nobody can
//! ask for any more are forgotten.

use crate::crm::{Request, Row, Standing, Verdict};
use crate::device::Stage;
use crate::world::World;

/// Passes every number of one kind to a function.
type Each<'f> = &'f mut dyn FnMut(&mut u8);

/// Renumbers a world.
pub fn canonical(world: &mut World) {
    forget_receipts(world);
    renumber(world, versions);
    world.now = renumber(world, times);
    world.ops = renumber(world, ops);
}

/// Numbers from 1 on; the largest one.
fn renumber(world: &mut World, numbers: fn(&mut World, Each)) -> u8 {
    let mut seen: Vec<u8> = Vec::new();
    numbers(world, &mut |number| seen.push(*number));
    seen.sort_unstable();
    seen.dedup();
    numbers(world, &mut |number| {
        let rank = seen.binary_search(number).ok().and_then(|rank| u8::try_from(rank + 1).ok());
        *number = rank.unwrap_or(u8::MAX);
    });
    u8::try_from(seen.len()).unwrap_or(u8::MAX)
}

/// Batches: in the network, and waited for.
fn requests(world: &mut World) -> impl Iterator<Item = &mut Request> {
    let awaited = world.devices.iter_mut().filter_map(|device| match &mut device.stage {
        Stage::Sent(batch) => Some(batch),
        Stage::Idle { .. } | Stage::Unclear(_) => None,
    });
    world.net.iter_mut().chain(awaited).flatten()
}

/// Rows: those of the server, what devices know of them, and those of receipts.
fn rows(world: &mut World, each: &mut dyn FnMut(&mut Row)) {
    let known = world.devices.iter_mut().flat_map(|device| &mut device.mirror);
    for standing in world.crm.rows.iter_mut().chain(known) {
        if let Standing::Live(row) = standing {
            each(row);
        }
    }
    for (_, verdict) in &mut world.crm.receipts {
        if let Verdict::Done(row) = verdict {
            each(row);
        }
    }
}

fn versions(world: &mut World, each: Each) {
    each(&mut world.crm.version);
    rows(world, &mut |row| each(&mut row.version));
    for standing in &mut world.crm.rows {
        if let Standing::Gone(version) = standing {
            each(version);
        }
    }
    for device in &mut world.devices {
        each(&mut device.token);
        device.journal.iter_mut().filter_map(|entry| entry.base.as_mut()).for_each(&mut *each);
    }
    requests(world).for_each(|request| each(&mut request.base));
}

fn times(world: &mut World, each: Each) {
    rows(world, &mut |row| each(&mut row.modified));
    for device in &mut world.devices {
        device.journal.iter_mut().for_each(|entry| each(&mut entry.at));
    }
}

fn ops(world: &mut World, each: Each) {
    world.crm.receipts.iter_mut().for_each(|(op, _)| each(op));
    for device in &mut world.devices {
        device.journal.iter_mut().for_each(|entry| each(&mut entry.op));
    }
    requests(world).for_each(|request| each(&mut request.op));
}

fn forget_receipts(world: &mut World) {
    let mut asked: Vec<u8> = requests(world).map(|request| request.op).collect();
    asked.extend(world.devices.iter().flat_map(|device| &device.journal).map(|entry| entry.op));
    world.crm.receipts.retain(|(op, _)| asked.contains(op));
}
