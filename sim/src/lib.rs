//! Simulation: engines with simulated disks, clocks and network around the real server logic on SQLite. One seed decides
//! everything; the promises of the engine are checked after every step, and once more when the faults are over. The same
//! world runs against a server process, with real time and real sockets (`process`).

pub mod account;
pub mod clock;
pub mod device;
pub mod dice;
pub mod disk;
pub mod faults;
pub mod net;
pub mod overheard;
pub mod process;
pub mod profiles;
pub mod step;
pub mod tale;
pub mod template;
pub mod traffic;
pub mod world;
