//! Simulation: engines with simulated disks, clocks and network around the real server logic on SQLite. One seed decides
//! everything; the promises of the engine are checked after every step, and once more when the faults are over.

pub mod account;
pub mod clock;
pub mod device;
pub mod dice;
pub mod disk;
pub mod faults;
pub mod net;
pub mod step;
pub mod tale;
pub mod template;
pub mod traffic;
pub mod world;
