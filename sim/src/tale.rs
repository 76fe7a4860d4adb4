//! What happened, told while it happens: for looking at one seed.

use std::cell::Cell;

thread_local! {
    static TOLD: Cell<bool> = const { Cell::new(false) };
}

/// From now on everything is printed.
pub fn begin() {
    TOLD.with(|told| told.set(true));
}

/// Prints something that happened, if anybody wants to know.
pub fn tell(what: impl FnOnce() -> String) {
    if TOLD.with(Cell::get) {
        println!("  {}", what());
    }
}
