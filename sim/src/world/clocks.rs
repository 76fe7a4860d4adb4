//! Which devices know the time, so that the order of their edits is known too.

use flette_odata::Response;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What a device knows of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knows {
    /// Its clock is as wrong as when it was measured last.
    Right,
    /// Its clock jumped since; `measuring`: a round has begun that will notice.
    Jumped { measuring: bool },
    /// It has stamped by a wrong clock, and stamps never run backwards.
    Lost,
}

/// See the module. Devices begin with the right time.
#[derive(Debug, Default)]
pub(super) struct Clocks(BTreeMap<usize, Knows>);

impl Clocks {
    fn of(&self, device: usize) -> Knows {
        self.0.get(&device).copied().unwrap_or(Knows::Right)
    }

    pub(super) fn is_right(&self, device: usize) -> bool {
        self.of(device) == Knows::Right
    }

    pub(super) fn jumps(&mut self, device: usize) {
        if self.of(device) != Knows::Lost {
            self.0.insert(device, Knows::Jumped { measuring: false });
        }
    }

    /// A device that lost what it measured knows the time only if its clock never jumped.
    pub(super) fn forgets(&mut self, device: usize) {
        if self.0.contains_key(&device) {
            self.0.insert(device, Knows::Lost);
        }
    }

    pub(super) fn stamps(&mut self, device: usize) {
        if !self.is_right(device) {
            self.0.insert(device, Knows::Lost);
        }
    }

    pub(super) fn round_begins(&mut self, device: usize) {
        if self.of(device) == (Knows::Jumped { measuring: false }) {
            self.0.insert(device, Knows::Jumped { measuring: true });
        }
    }

    pub(super) fn round_ended(&mut self, device: usize, answer: &Response) {
        let report: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        if self.of(device) == (Knows::Jumped { measuring: true }) && report["ok"] == true {
            self.0.insert(device, Knows::Right);
        }
    }
}
