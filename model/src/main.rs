//! `npm run model -- --operations N`: walks through every state and says how many there are.

use flette_model::account;
use flette_model::world::{Bounds, Event, World};
use stateright::{Checker, Model};
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str = "\
Walks through every state of two devices and a server, and checks what must hold in each.

  --operations N   what both users together do at most, 1 to 6 [2]
  --losses N       how often a device may stop while it waits [2]
  --live N         rows that stand in the beginning, 1 or 2 [both, one after the other]
  --no-receipts    a server that does not know Repeatable Requests
  --threads N      [2]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let number = |name: &str, standard: u8| {
        let at = arguments.iter().position(|argument| argument == name);
        let value = at.and_then(|at| arguments.get(at + 1)?.parse().ok());
        value.unwrap_or(standard)
    };
    let operations = number("--operations", 2).clamp(1, 6);
    let receipts = !arguments.iter().any(|argument| argument == "--no-receipts");
    let rows = match number("--live", 0) {
        0 => vec![2, 1],
        live => vec![usize::from(live.min(2))],
    };
    let mut failed = false;
    for live in rows {
        let bounds = Bounds::new(operations, live, receipts, number("--losses", 2));
        failed |= !walk(bounds, usize::from(number("--threads", 2).max(1)));
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn walk(bounds: Bounds, threads: usize) -> bool {
    let (operations, live, losses, receipts) =
        (bounds.operations, bounds.live, bounds.losses, bounds.receipts);
    let begun = Instant::now();
    let checker = bounds.checker().threads(threads).spawn_dfs().join();
    println!(
        "{operations} operations, {live} rows in the beginning, {losses} losses, receipts {receipts}: \
         {} states, {} steps, {} deep, {:.0} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f64()
    );
    let mut holds = true;
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        let good = match property.expectation {
            stateright::Expectation::Always => found.is_none(),
            _ => found.is_some(),
        };
        println!("  {} {}", if good { "holds: " } else { "BROKEN:" }, property.name);
        if let (false, Some(path)) = (good, found) {
            tell(path.into_vec(), checker.model());
        }
        holds &= good;
    }
    holds
}

fn tell(path: Vec<(World, Option<Event>)>, bounds: &Bounds) {
    for (world, event) in &path {
        let why = account::settles(world, bounds.table()).err().unwrap_or_default();
        println!("    {event:?} {why}");
    }
    if let Some((world, _)) = path.last() {
        println!("    {world:#?}");
    }
}
